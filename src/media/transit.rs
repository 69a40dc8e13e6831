//! Pictures on their way from a feed to its line, through elements that may keep some of them.
//!
//! A gap must not be declared in front of a picture that is still inside. A coder in hardware
//! gives pictures one or two late, and one that waits for the next picture gives the last ones
//! only when the pause is over: for those the gap waits a moment and no longer.

use std::time::{Duration, Instant};

/// How long a gap waits for pictures that don't come out.
const PATIENCE: Duration = Duration::from_secs(1);

/// A decoder or an encoder, by the newest pictures that went in and came out.
#[derive(Debug, Default)]
struct Stage {
    entered: Option<Duration>,
    left: Option<Duration>,
}

impl Stage {
    fn enter(&mut self, at: Duration) {
        self.entered = self.entered.max(Some(at));
    }

    fn leave(&mut self, at: Duration) {
        self.left = self.left.max(Some(at));
    }

    fn is_empty(&self) -> bool {
        self.left >= self.entered
    }
}

/// What is inside, by the times of the pictures.
#[derive(Debug, Default)]
pub(super) struct Transit {
    decoding: Stage,
    encoding: Stage,
    /// A gap that waits: since when, and until which time of the media it goes.
    held: Option<(Instant, Duration)>,
}

impl Transit {
    /// A unit goes into a decoder that gives its picture later. What a decoder has done when it
    /// takes the next unit is not told.
    pub(super) fn enter(&mut self, at: Duration) {
        self.decoding.enter(at);
    }

    /// A picture is decoded, and goes to the encoder if it is kept.
    pub(super) fn decoded(&mut self, at: Duration, kept: bool) {
        self.decoding.leave(at);
        if kept {
            self.encoding.enter(at);
        }
    }

    /// The unit of a picture has come out; with it the gap that waited for it.
    pub(super) fn leave(&mut self, at: Duration) -> Option<Duration> {
        self.encoding.leave(at);
        if !self.is_empty() {
            return None;
        }
        self.held.take().map(|(_, until)| until)
    }

    /// Nothing enters before `until`; gives the time up to which nothing comes out, if it can be
    /// said yet.
    pub(super) fn gap(&mut self, until: Duration, now: Instant) -> Option<Duration> {
        let since = self.held.map_or(now, |(since, _)| since);
        if !self.is_empty() && now.saturating_duration_since(since) < PATIENCE {
            self.held = Some((since, until));
            return None;
        }
        self.held = None;
        Some(until)
    }

    fn is_empty(&self) -> bool {
        self.decoding.is_empty() && self.encoding.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_gap_waits_for_what_is_inside() {
        let now = Instant::now();
        let mut transit = Transit::default();
        assert_eq!(transit.gap(ms(50), now), Some(ms(50)));
        transit.enter(ms(100));
        assert_eq!(transit.gap(ms(200), now), None, "being decoded");
        transit.decoded(ms(100), true);
        transit.enter(ms(133));
        transit.decoded(ms(133), true);
        assert_eq!(transit.gap(ms(300), now), None, "being encoded");
        assert_eq!(transit.leave(ms(100)), None);
        assert_eq!(transit.gap(ms(400), now), None);
        assert_eq!(transit.leave(ms(133)), Some(ms(400)));
        assert_eq!(transit.gap(ms(500), now), Some(ms(500)));
    }

    #[test]
    fn a_dropped_picture_is_not_waited_for_but_those_before_it_are() {
        let now = Instant::now();
        let mut transit = Transit::default();
        transit.enter(ms(100));
        transit.decoded(ms(100), true);
        transit.enter(ms(133));
        transit.decoded(ms(133), false);
        assert_eq!(transit.gap(ms(300), now), None);
        assert_eq!(transit.leave(ms(100)), Some(ms(300)));
    }

    #[test]
    fn a_gap_does_not_wait_for_ever() {
        let now = Instant::now();
        let mut transit = Transit::default();
        transit.decoded(ms(100), true);
        assert_eq!(transit.gap(ms(300), now), None);
        assert_eq!(transit.gap(ms(400), now + PATIENCE / 2), None);
        assert_eq!(transit.gap(ms(900), now + PATIENCE), Some(ms(900)));
        // What came too late, or never, is not waited for again.
        assert_eq!(transit.leave(ms(100)), None);
        transit.decoded(ms(1_000), true);
        assert_eq!(transit.leave(ms(1_000)), None);
        assert_eq!(transit.gap(ms(1_200), now + PATIENCE), Some(ms(1_200)));
    }
}
