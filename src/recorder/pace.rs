//! How far a recording's media must have come by now, so that silence can be told from lateness.
//!
//! Pure: unit times and `now` in.

use std::time::{Duration, Instant};

use crate::room::Kind;

/// How long sound may lag behind the most punctual unit before its time counts as silent. It
/// covers what a lost packet costs to repeat; while nothing is lost, nothing waits for it.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// The same where sound has lagged by more: the pictures that wait for it meanwhile must find
/// room in the queues of the media graph, which hold two seconds.
const MOST_PATIENCE: Duration = Duration::from_millis(1_500);

/// How much more than it has lagged sound may lag.
const MARGIN: Duration = Duration::from_millis(200);

/// The most punctual unit and the latest sound are looked for among those of the last one to two
/// windows: the sender's clock drifts against ours, and a way that has become longer stays so.
const WINDOW: Duration = Duration::from_secs(2);

/// Follows the units of one recording.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    current: Extremes,
    before: Option<Extremes>,
    turned: Instant,
    /// Until when nothing more is settled, from when on.
    waits: Option<(Instant, Instant)>,
}

/// Media time ahead of the time since the start, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    /// Of the most punctual unit.
    most: i128,
    /// Of the latest sound.
    least_sound: Option<i128>,
}

impl Pace {
    /// Begins with a unit captured at `at` and taken at `now`.
    #[must_use]
    pub fn new(at: Duration, now: Instant) -> Self {
        Self {
            start: now,
            current: Extremes::of(nanoseconds(at)),
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
    pub fn unit(&mut self, kind: Kind, at: Duration, now: Instant) {
        let ahead = nanoseconds(at) - nanoseconds(now.saturating_duration_since(self.start));
        if now.saturating_duration_since(self.turned) >= WINDOW {
            self.before = Some(self.current);
            self.current = Extremes::of(ahead);
            self.turned = now;
        }
        self.current.most = self.current.most.max(ahead);
        if kind == Kind::Audio {
            let least = self.current.least_sound.map_or(ahead, |it| it.min(ahead));
            self.current.least_sound = Some(least);
        }
    }

    /// Up to where all media must have come by `now`.
    #[must_use]
    pub fn settled(&self, now: Instant) -> Duration {
        let now = match self.waits {
            Some((since, until)) if now < until => since,
            _ => now,
        };
        self.media_time(now).saturating_sub(self.patience())
    }

    /// What is captured at `now`, by the most punctual unit.
    #[must_use]
    pub fn media_time(&self, now: Instant) -> Duration {
        let elapsed = nanoseconds(now.saturating_duration_since(self.start));
        u64::try_from(self.ahead() + elapsed).map_or(Duration::ZERO, Duration::from_nanos)
    }

    fn ahead(&self) -> i128 {
        let before = self.before.map(|before| before.most);
        before.map_or(self.current.most, |before| before.max(self.current.most))
    }

    fn patience(&self) -> Duration {
        let before = self.before.and_then(|before| before.least_sound);
        let Some(least) = before.into_iter().chain(self.current.least_sound).min() else {
            return PATIENCE;
        };
        let lag = u64::try_from(self.ahead() - least).map_or(Duration::MAX, Duration::from_nanos);
        lag.saturating_add(MARGIN).clamp(PATIENCE, MOST_PATIENCE)
    }
}

impl Extremes {
    const fn of(ahead: i128) -> Self {
        Self {
            most: ahead,
            least_sound: None,
        }
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
        pace.unit(Kind::Video, ms(1_010), now + ms(100));
        assert_eq!(pace.settled(now + ms(100)), ms(600));
        pace.unit(Kind::Video, ms(1_150), now + ms(100));
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
            pace.unit(Kind::Audio, at, now + ms(step * 100));
            assert!(pace.settled(now + ms(step * 100)) < at, "at step {step}");
        }
    }

    #[test]
    fn sound_that_lags_more_is_waited_for() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::ZERO, now);
        // Pictures are punctual, sound is not.
        for step in 0..40 {
            let (at, now) = (ms(step * 100), now + ms(step * 100));
            pace.unit(Kind::Video, at, now);
            pace.unit(Kind::Audio, at.saturating_sub(ms(900)), now);
        }
        let end = now + ms(4_000);
        assert_eq!(pace.settled(end), ms(4_000 - 1_100));
        // It is punctual again: two windows later it is waited for as before.
        for step in 40..90 {
            let (at, now) = (ms(step * 100), now + ms(step * 100));
            pace.unit(Kind::Audio, at, now);
        }
        assert_eq!(pace.settled(now + ms(9_000)), ms(8_500));
        // But never longer than pictures can wait.
        pace.unit(Kind::Audio, ms(1_000), now + ms(9_000));
        assert_eq!(pace.settled(now + ms(9_000)), ms(7_500));
    }

    #[test]
    fn a_way_that_gets_longer_is_followed() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::ZERO, now);
        for step in 0..100 {
            let at = ms(step * 100);
            pace.unit(Kind::Audio, at, now + at + ms(3_000));
        }
        assert_eq!(pace.settled(now + ms(12_900)), ms(9_400));
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
