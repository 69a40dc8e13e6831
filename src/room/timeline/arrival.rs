//! What arrivals tell: how long the way is at its shortest, and when a sender's RTP clock has
//! started again or stood still.

use time::Duration as SignedDuration;

/// The delay floor forgets what is older than two of these.
const BUCKET: SignedDuration = SignedDuration::seconds(15);

/// How far RTP time and arrival may run apart before they are not believed to be one clock.
pub const BELIEF: SignedDuration = SignedDuration::seconds(2);

/// The longest stall whose media can still come: no buffer on the way holds more. Media that is
/// later than this is not late: its clock stood still.
const LONGEST_STALL: SignedDuration = SignedDuration::seconds(10);

/// The same of a stream that was subscribed to anew. The server goes on with the sender's stamps
/// then, or else with any others.
const BELIEF_ANEW: SignedDuration = SignedDuration::milliseconds(200);

/// A stall drains faster than this; after a pause of the RTP clock everything stays late.
const DRAINED_AFTER: SignedDuration = SignedDuration::milliseconds(400);

/// The least delay (arrival minus media time) of the last 15 to 30 seconds.
///
/// Delay only adds to the way, so the least one is the best estimate of when media was captured.
/// It is a sliding least one because sender and receiver clocks drift apart.
#[derive(Debug)]
pub struct DelayFloor {
    opened: SignedDuration,
    current: SignedDuration,
    previous: Option<SignedDuration>,
}

impl DelayFloor {
    /// A floor known from one unit that arrived at `now`.
    pub fn new(now: SignedDuration, delay: SignedDuration) -> Self {
        Self {
            opened: now,
            current: delay,
            previous: None,
        }
    }

    /// Takes the delay of one more unit.
    pub fn note(&mut self, now: SignedDuration, delay: SignedDuration) {
        if now - self.opened >= BUCKET {
            self.previous = Some(self.current);
            self.current = delay;
            self.opened = now;
        } else {
            self.current = self.current.min(delay);
        }
    }

    /// The least delay.
    pub fn get(&self) -> SignedDuration {
        self.previous
            .map_or(self.current, |previous| previous.min(self.current))
    }
}

/// Tells a sender's clock that was restarted or stopped from media that is merely late.
///
/// A network or a machine that stalls delivers seconds of media in one burst: its first units
/// are as late as those after a pause in which the RTP clock stood still. Only what follows
/// differs: a burst catches up, after a pause everything stays late.
#[derive(Debug, Default)]
pub struct RestartDetector {
    late_since: Option<SignedDuration>,
    /// The stream was subscribed to anew, and nothing yet shows that it is on its old line.
    anew: bool,
}

impl RestartDetector {
    /// A detector for a stream that was subscribed to anew: it may be on its old line or not.
    pub fn anew() -> Self {
        Self {
            late_since: None,
            anew: true,
        }
    }

    /// Whether a unit that comes `late` against the delay floor, `step` of media after the newest
    /// one, shows that RTP time has left its old line.
    pub fn restarted(
        &mut self,
        now: SignedDuration,
        step: SignedDuration,
        late: SignedDuration,
    ) -> bool {
        let belief = if self.anew { BELIEF_ANEW } else { BELIEF };
        if late.abs() <= belief {
            *self = Self::default();
            return false;
        }
        if late.is_negative() || late > LONGEST_STALL || step < -BELIEF {
            return true;
        }
        now - *self.late_since.get_or_insert(now) >= DRAINED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: i64) -> SignedDuration {
        SignedDuration::milliseconds(count)
    }

    #[test]
    fn the_floor_is_the_least_delay_of_a_sliding_window() {
        let mut floor = DelayFloor::new(ms(0), ms(70));
        floor.note(ms(20), ms(50));
        floor.note(ms(40), ms(90));
        assert_eq!(floor.get(), ms(50));
        floor.note(ms(15_000), ms(60));
        assert_eq!(floor.get(), ms(50));
        floor.note(ms(30_000), ms(80));
        assert_eq!(floor.get(), ms(60));
    }

    #[test]
    fn a_stall_that_drains_is_no_restart() {
        let mut detector = RestartDetector::default();
        for unit in 0..150 {
            let late = ms(3_000 - 20 * unit);
            assert!(!detector.restarted(ms(unit), ms(20), late), "unit {unit}");
        }
    }

    #[test]
    fn media_that_stays_late_has_a_clock_that_stood_still() {
        let mut detector = RestartDetector::default();
        let verdicts: Vec<bool> = (0..21)
            .map(|unit| detector.restarted(ms(20 * unit), ms(20), ms(3_000)))
            .collect();
        assert_eq!(verdicts.iter().position(|restarted| *restarted), Some(20));
    }

    #[test]
    fn a_stream_subscribed_to_anew_is_believed_less() {
        let mut detector = RestartDetector::anew();
        assert!(detector.restarted(ms(0), ms(9_000), ms(-300)));
        // It catches up: it was late, and from then on it is an ordinary one.
        assert!(!detector.restarted(ms(0), ms(7_000), ms(3_000)));
        assert!(!detector.restarted(ms(1), ms(2_900), ms(100)));
        assert!(!detector.restarted(ms(2), ms(20), ms(-300)));
        // It does not.
        let mut detector = RestartDetector::anew();
        assert!(!detector.restarted(ms(0), ms(7_000), ms(300)));
        assert!(detector.restarted(ms(400), ms(400), ms(300)));
    }

    #[test]
    fn a_clock_that_jumps_is_seen_at_once() {
        let restarted = |step, late| RestartDetector::default().restarted(ms(0), step, late);
        assert!(restarted(ms(5_000), ms(-4_980)));
        assert!(restarted(ms(-5_000), ms(5_000)));
        assert!(restarted(ms(20), ms(60_000)));
        assert!(!restarted(ms(-40), ms(60)));
    }
}
