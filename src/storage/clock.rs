//! Whether the wall clock can be believed, so that recordings are deleted by their age; pure.
//!
//! Many small boxes have no clock that runs while they are off: they begin in 1970, or where
//! they were switched off, and are set by the network minutes later. A wrong date in the future
//! would delete everything.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// How long the clock must have gone without a step.
const STEADY: Duration = Duration::from_mins(10);

/// What is a step, and not the slow correction of a clock that runs.
const STEP: Duration = Duration::from_secs(30);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The clock that never steps.
    pub at: Instant,
    /// The wall clock.
    pub wall: OffsetDateTime,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: OffsetDateTime::now_utc(),
        }
    }
}

/// Watches the wall clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<Moment>,
    steady_since: Option<Instant>,
}

impl Clock {
    /// Takes note of the clocks; the wall clock's time when it can be believed.
    pub(super) fn look(&mut self, now: Moment) -> Option<OffsetDateTime> {
        let stepped = self.last.is_none_or(|last| {
            let passed = time::Duration::try_from(now.at.duration_since(last.at));
            passed.is_ok_and(|passed| (now.wall - last.wall - passed).abs() > STEP)
        });
        self.last = Some(now);
        if stepped {
            self.steady_since = Some(now.at);
        }
        let since = self.steady_since?;
        (now.at.duration_since(since) >= STEADY).then_some(now.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_clock_is_believed_when_it_has_gone_steadily() {
        let begin = Instant::now();
        let noon = datetime!(2026-11-22 12:00 UTC);
        let mut clock = Clock::default();
        let mut believed = |minute: u64, wall| {
            let at = begin + Duration::from_mins(minute);
            clock.look(Moment { at, wall }).is_some()
        };
        let unset = OffsetDateTime::UNIX_EPOCH;
        assert!(!believed(0, unset));
        assert!(!believed(5, unset + Duration::from_mins(5)));
        // Set by the network.
        for minute in 6..16 {
            assert!(!believed(minute, noon + Duration::from_mins(minute)));
        }
        assert!(believed(16, noon + Duration::from_mins(16)));
        // A correction that is not worth the name.
        assert!(believed(17, noon + Duration::from_mins(17) + STEP / 2));
        assert!(!believed(18, noon + Duration::from_hours(24)));
        assert!(believed(28, noon + Duration::from_hours(24) + STEADY));
    }
}
