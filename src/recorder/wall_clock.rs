//! Notices when the wall clock of the box is set: by a time server that answers late on a box
//! that began in 1970, or by hand.
//!
//! Pure: both clocks come in.

use std::time::Instant;

use time::{Duration, OffsetDateTime};

/// Time servers' daemons turn the clock slowly below this, and step above it (`systemd-timesyncd`
/// from 0.4 s on, `chrony` as a rule from 1 s on).
const LEAST_STEP: Duration = Duration::milliseconds(300);

/// Compares the wall clock with the one that never steps.
#[derive(Debug)]
pub(super) struct WallClock {
    seen: (Instant, OffsetDateTime),
    moved: Duration,
}

/// The wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// What it should have said.
    pub(super) from: OffsetDateTime,
    /// What it says.
    pub(super) to: OffsetDateTime,
}

impl WallClock {
    /// What both clocks say now.
    pub(super) const fn new(now: Instant, wall: OffsetDateTime) -> Self {
        Self {
            seen: (now, wall),
            moved: Duration::ZERO,
        }
    }

    /// Reads both clocks, some times a second: one that is turned slowly is no step.
    pub(super) fn look(&mut self, now: Instant, wall: OffsetDateTime) -> Option<Step> {
        let (then, from) = std::mem::replace(&mut self.seen, (now, wall));
        let passed = Duration::try_from(now.saturating_duration_since(then)).ok()?;
        let from = from.checked_add(passed)?;
        let step = wall - from;
        if step.abs() < LEAST_STEP {
            return None;
        }
        self.moved = self.moved.saturating_add(step);
        Some(Step { from, to: wall })
    }

    /// By how much it was set forward, all in all; negative where it was set back.
    pub(super) const fn moved(&self) -> Duration {
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    proptest! {
        #[test]
        fn every_step_is_seen_once_and_slow_turning_never(
            looks in prop::collection::vec((50_u64..200, -20_i64..20, -9_000_i64..9_000, 0..4_u8), 1..100),
        ) {
            let (mut now, mut wall) = (Instant::now(), NOON);
            let mut clock = WallClock::new(now, wall);
            let mut moved = Duration::ZERO;
            for (passes, turned, set, sets) in looks {
                now += std::time::Duration::from_millis(passes);
                let expected = wall + Duration::milliseconds(passes.cast_signed());
                wall = expected + Duration::milliseconds(turned);
                let is_set = sets == 0 && set.abs() >= 320;
                if is_set {
                    wall += Duration::milliseconds(set);
                    moved += Duration::milliseconds(set + turned);
                }
                let step = clock.look(now, wall);
                prop_assert_eq!(step, is_set.then_some(Step { from: expected, to: wall }));
                prop_assert_eq!(clock.moved(), moved);
            }
        }
    }
}
