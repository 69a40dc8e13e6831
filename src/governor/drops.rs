//! How many pictures were dropped lately, of those that came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::reading::Load;

/// How far it is looked back.
const WINDOW: Duration = Duration::from_secs(10);

/// A share of less time says nothing: one late picture of three is no trend.
const LEAST_SPAN: Duration = Duration::from_secs(5);

/// Nor does a share of fewer pictures: with keyframes only they come each two seconds.
const LEAST_PICTURES: u64 = 20;

/// Between two samples, which bounds their number.
const SAMPLE: Duration = Duration::from_millis(500);

/// The running totals of the last [`WINDOW`].
#[derive(Debug, Clone, Default)]
pub(super) struct Drops {
    samples: VecDeque<(Instant, Load)>,
    newest: Option<(Instant, Load)>,
}

/// What was dropped lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) dropped: u64,
    pub(super) percent: f64,
}

impl Drops {
    pub(super) fn push(&mut self, now: Instant, load: &Load) {
        // Totals that go back are those of somebody who has begun anew.
        let back = |(_, newest): &(_, Load)| {
            newest.pictures > load.pictures || newest.dropped > load.dropped
        };
        if self.newest.as_ref().is_some_and(back) {
            self.samples.clear();
        }
        let last = self.samples.back();
        if last.is_none_or(|(at, _)| now.duration_since(*at) >= SAMPLE) {
            self.samples.push_back((now, *load));
        }
        self.newest = Some((now, *load));
        let too_old = |(at, _): &(Instant, Load)| now.duration_since(*at) > WINDOW;
        while self.samples.front().is_some_and(too_old) {
            self.samples.pop_front();
        }
    }

    /// What came before counts no more: another level has begun, and is judged by itself.
    pub(super) fn restart(&mut self) {
        self.samples.clear();
        self.samples.extend(self.newest);
    }

    /// None while there is too little to tell.
    pub(super) fn share(&self) -> Option<Share> {
        let (since, first) = self.samples.front()?;
        let (now, last) = self.newest.as_ref()?;
        let pictures = last.pictures.checked_sub(first.pictures)?;
        let dropped = last.dropped.checked_sub(first.dropped)?.min(pictures);
        if pictures < LEAST_PICTURES || now.duration_since(*since) < LEAST_SPAN {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "pictures of ten seconds")]
        let percent = 100.0 * dropped as f64 / pictures as f64;
        Some(Share { dropped, percent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pictures: u64, dropped: u64) -> Load {
        Load {
            pictures,
            dropped,
            ..Load::default()
        }
    }

    #[test]
    fn only_what_is_recent_and_enough_counts() {
        let start = Instant::now();
        let mut drops = Drops::default();
        let at = |tick: u32| start + tick * Duration::from_millis(250);
        let mut shares = Vec::new();
        for tick in 0..160 {
            // 30 a second; a fifth of them is lost in the first ten seconds.
            let pictures = u64::from(tick) * 30 / 4;
            let dropped = (pictures / 5).min(60);
            drops.push(at(tick), &load(pictures, dropped));
            assert!(drops.samples.len() <= 21);
            shares.push(drops.share());
        }
        assert_eq!(shares[19], None, "not enough time yet");
        assert!((shares[30].unwrap().percent - 20.0).abs() < 1.0);
        let gone = Some(Share {
            dropped: 0,
            percent: 0.0,
        });
        assert_eq!(shares[159], gone, "long ago");
    }

    #[test]
    fn totals_that_go_back_and_few_pictures_say_nothing() {
        let start = Instant::now();
        let mut drops = Drops::default();
        drops.push(start, &load(1_000, 500));
        drops.push(start + LEAST_SPAN, &load(0, 0));
        assert_eq!(drops.share(), None);
        drops.push(start + 2 * LEAST_SPAN, &load(LEAST_PICTURES - 1, 1));
        assert_eq!(drops.share(), None);
        drops.push(start + 2 * LEAST_SPAN, &load(LEAST_PICTURES, 2));
        assert_eq!(drops.share().unwrap().dropped, 2);
        drops.restart();
        assert_eq!(drops.share(), None);
    }
}
