//! Whether there is memory for one more picture that has to be encoded again; pure.
//!
//! A decoder and an encoder take all of their memory within their first pictures: a level that is
//! given up afterwards comes too late for a small limit, and gives none of it back. So they are
//! asked for before they start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::reading::Reading;
use super::strain::emergency_left;

/// What was admitted this long ago is in the readings.
const SETTLED: Duration = Duration::from_secs(4);

/// Measured for VP8 of 1920x1080 and 1280x720 to at most 720 lines, 35 to 38 and 22 MiB: this, and
/// 8.5 decoded pictures, for the decoder's references, the pictures between decoder, scaler
/// and encoder, and those that the encoder keeps.
const ANY_SIZE: u64 = 12 << 20;
const HALF_PICTURES: u64 = 17;

/// Bytes that it takes to decode and encode pictures of this size, about.
#[must_use]
pub const fn cost(width: u32, height: u32) -> u64 {
    // Half as many samples of colour as of brightness; no product of two u32 overflows.
    let picture = (width as u64 * height as u64).saturating_mul(3) / 2;
    ANY_SIZE.saturating_add(picture.saturating_mul(HALF_PICTURES) / 2)
}

/// Decides who may start.
#[derive(Debug)]
pub(super) struct Admission {
    /// Bytes from which on quality would be given up: whoever is let in must not lead there.
    most: u64,
    /// When and for how many bytes: those whose memory the readings do not show yet.
    recent: VecDeque<(Instant, u64)>,
}

impl Admission {
    pub(super) const fn new(most: u64) -> Self {
        Self {
            most,
            recent: VecDeque::new(),
        }
    }

    /// Whether somebody who takes `cost` bytes may start beside `running` others. The first one
    /// may always: without him there would be no picture at all, and he has levels to give up.
    pub(super) fn admits(
        &mut self,
        now: Instant,
        running: usize,
        reading: Option<&Reading>,
        cost: u64,
    ) -> bool {
        self.recent
            .retain(|(at, _)| now.saturating_duration_since(*at) < SETTLED);
        let admits = running == 0 || reading.is_some_and(|reading| self.fits(reading, cost));
        if admits {
            self.recent.push_back((now, cost));
        }
        admits
    }

    fn fits(&self, reading: &Reading, cost: u64) -> bool {
        let recent = self.recent.iter().map(|(_, cost)| cost);
        let due = recent.fold(cost, |sum, cost| sum.saturating_add(*cost));
        let below = |used: u64| used.saturating_add(due) <= self.most;
        let in_limit = reading
            .nearest
            .is_none_or(|it| due.saturating_add(emergency_left(it.limit)) <= it.free());
        reading.used.is_none_or(below) && in_limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reading::Nearest;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn reading(used: u64, held: u64, limit: u64) -> Reading {
        Reading {
            used: Some(used * MIB),
            nearest: Some(Nearest {
                held: held * MIB,
                limit: limit * MIB,
            }),
            ..Reading::default()
        }
    }

    #[test]
    fn what_it_takes_is_near_what_was_measured() {
        let mib = |width, height| cost(width, height) / MIB;
        assert_eq!(mib(1920, 1080), 37);
        assert_eq!(mib(1280, 720), 23);
        assert_eq!(mib(640, 360), 14);
        assert!(cost(u32::MAX, u32::MAX) > cost(1920, 1080));
    }

    #[test]
    fn the_first_one_starts_and_others_where_there_is_room() {
        let now = Instant::now();
        let mut admission = Admission::new(96 * MIB);
        assert!(admission.admits(now, 0, None, cost(1920, 1080)));
        assert!(!admission.admits(now, 1, None, MIB), "nothing is known yet");
        // 10 MiB, and 37 that come in the next moment: another 37 fit, not two.
        let idle = reading(10, 500, 4_000);
        assert!(admission.admits(now, 1, Some(&idle), cost(1920, 1080)));
        assert!(!admission.admits(now, 2, Some(&idle), cost(1920, 1080)));
        assert!(admission.admits(now, 2, Some(&idle), cost(320, 180) / 2));
        // Later the reading shows what they took.
        let later = now + SETTLED;
        let used = reading(72, 560, 4_000);
        assert!(!admission.admits(later, 3, Some(&used), cost(1280, 720) + MIB));
        assert!(admission.admits(later, 3, Some(&used), cost(1280, 720)));
    }

    #[test]
    fn others_may_have_taken_what_the_budget_allows() {
        let now = Instant::now();
        let mut admission = Admission::new(96 * MIB);
        let crowded = reading(30, 480, 512);
        assert!(!admission.admits(now, 1, Some(&crowded), cost(640, 360)));
        assert!(admission.admits(now, 1, Some(&reading(30, 400, 512)), cost(640, 360)));
    }

    proptest! {
        /// Whoever is let in fits, with all those who came just before him.
        #[test]
        fn nobody_is_let_in_who_does_not_fit(
            asks in prop::collection::vec((1_u64..60, 0_u64..3_000), 1..50),
            idle in 20_u64..60,
        ) {
            let most = 100 * MIB;
            let mut admission = Admission::new(most);
            let (mut now, mut running, mut taken) = (Instant::now(), 0, idle);
            let mut since = Vec::new();
            for (cost, pause) in asks {
                now += Duration::from_millis(pause);
                // A reading that shows memory only when it must.
                let shown: u64 = since
                    .iter()
                    .filter(|(at, _)| now.saturating_duration_since(*at) >= SETTLED)
                    .map(|(_, cost)| cost)
                    .sum();
                let reading = reading(idle + shown, 100, 4_000);
                if admission.admits(now, running, Some(&reading), cost * MIB) {
                    running += 1;
                    taken += cost;
                    since.push((now, cost));
                    prop_assert!(running == 1 || taken * MIB <= most);
                }
            }
        }
    }
}
