//! How far a recording's media must have come by now, so that silence can be told from lateness.
//!
//! Pure: unit times and `now` in.

use std::time::{Duration, Instant};

/// How long a unit may lag behind the most punctual one before its time counts as silent. It
/// covers what a lost packet costs to repeat; while nothing is lost, nothing waits for it.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// The most punctual unit is looked for among those of the last one to two windows: the sender's
/// clock drifts against ours.
const WINDOW: Duration = Duration::from_secs(5);

/// Follows the units of one recording.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    /// Media time ahead of the time since `start`, in nanoseconds, at its greatest.
    ahead: i128,
    before: Option<i128>,
    turned: Instant,
    /// Until when nothing more is settled, from when on.
    waits: Option<(Instant, Instant)>,
}

impl Pace {
    /// Begins with a unit captured at `at` and taken at `now`.
    #[must_use]
    pub fn new(at: Duration, now: Instant) -> Self {
        Self {
            start: now,
            ahead: nanoseconds(at),
            before: None,
            turned: now,
            waits: None,
        }
    }

    /// Units of the last moment before `now` are still to be worked off: until `until` nothing
    /// that is not settled yet counts as silent.
    pub fn wait(&mut self, since: Instant, until: Instant) {
        self.waits = Some((since, until));
    }

    /// Takes note of a unit.
    pub fn unit(&mut self, at: Duration, now: Instant) {
        let ahead = nanoseconds(at) - nanoseconds(now.saturating_duration_since(self.start));
        if now.saturating_duration_since(self.turned) >= WINDOW {
            self.before = Some(self.ahead);
            self.ahead = ahead;
            self.turned = now;
        }
        self.ahead = self.ahead.max(ahead);
    }

    /// Up to where all media must have come by `now`.
    #[must_use]
    pub fn settled(&self, now: Instant) -> Duration {
        let now = match self.waits {
            Some((since, until)) if now < until => since,
            _ => now,
        };
        self.media_time(now).saturating_sub(PATIENCE)
    }

    /// What is captured at `now`, by the most punctual unit.
    #[must_use]
    pub fn media_time(&self, now: Instant) -> Duration {
        let ahead = self
            .before
            .map_or(self.ahead, |before| before.max(self.ahead));
        let elapsed = nanoseconds(now.saturating_duration_since(self.start));
        u64::try_from(ahead + elapsed).map_or(Duration::ZERO, Duration::from_nanos)
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn silence_is_what_the_most_punctual_unit_has_left_behind() {
        let now = Instant::now();
        let mut pace = Pace::new(ms(1_000), now);
        assert_eq!(pace.settled(now), ms(500));
        // A late unit does not pull it back, a punctual one moves it on.
        pace.unit(ms(1_010), now + ms(100));
        assert_eq!(pace.settled(now + ms(100)), ms(600));
        pace.unit(ms(1_150), now + ms(100));
        assert_eq!(pace.settled(now + ms(100)), ms(650));
        // Without any unit it goes on.
        assert_eq!(pace.settled(now + ms(2_100)), ms(2_650));
    }

    #[test]
    fn a_slow_sender_is_followed() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::ZERO, now);
        // 1 % slow: after 100 s a second behind.
        for step in 1..=1_000 {
            let at = ms(step * 99);
            pace.unit(at, now + ms(step * 100));
            assert!(pace.settled(now + ms(step * 100)) < at, "at step {step}");
        }
    }

    #[test]
    fn after_a_stall_nothing_is_silent_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(ms(1_000), now);
        pace.wait(now, now + ms(20_500));
        assert_eq!(pace.settled(now + ms(20_000)), ms(500));
        assert_eq!(pace.settled(now + ms(20_500)), ms(21_000));
    }

    #[test]
    fn before_the_start_nothing_is_settled() {
        let now = Instant::now();
        assert_eq!(Pace::new(ms(100), now).settled(now), Duration::ZERO);
    }
}
