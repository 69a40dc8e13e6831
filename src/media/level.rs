//! How full a queue of encoded units is, in bytes and in time, kept without asking the queue.

use std::collections::VecDeque;
use std::time::Duration;

/// How much may wait in a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes.
    pub(super) bytes: usize,
    /// From the oldest unit's time to the newest's.
    pub(super) span: Duration,
}

/// The units that were pushed and have not come out yet.
///
/// `appsrc` has a time level of its own, but it counts a silence of five seconds as five seconds
/// of backlog although nothing waits: it would refuse the first units after every pause.
#[derive(Debug)]
pub(super) struct Level {
    limits: Limits,
    waiting: VecDeque<(Duration, usize)>,
    bytes: usize,
}

impl Level {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Forgets what has come out: everything up to the time `out`.
    pub(super) fn drain(&mut self, out: Option<Duration>) {
        while let Some(&(at, bytes)) = self.waiting.front() {
            if out.is_none_or(|out| at > out) {
                break;
            }
            self.waiting.pop_front();
            self.bytes -= bytes;
        }
    }

    /// Whether a unit at `at` may enter.
    pub(super) fn has_room(&self, at: Duration) -> bool {
        let span = self
            .waiting
            .front()
            .map_or(Duration::ZERO, |&(oldest, _)| at.saturating_sub(oldest));
        self.bytes < self.limits.bytes && span < self.limits.span
    }

    /// Records a unit that was pushed. Times rise.
    pub(super) fn add(&mut self, at: Duration, bytes: usize) {
        self.waiting.push_back((at, bytes));
        self.bytes += bytes;
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bytes: 1000,
        span: Duration::from_secs(2),
    };

    #[test]
    fn a_pause_is_no_backlog() {
        let mut level = Level::new(LIMITS);
        level.add(Duration::from_secs(1), 10);
        level.drain(Some(Duration::from_secs(1)));
        assert!(level.has_room(Duration::from_mins(1)));
        level.add(Duration::from_mins(1), 10);
        assert!(level.has_room(Duration::from_secs(61)));
        assert!(!level.has_room(Duration::from_secs(62)));
        assert_eq!(level.bytes(), 10);
    }

    proptest! {
        #[test]
        fn what_waits_is_bounded(
            steps in prop::collection::vec((0_u64..500, 1_usize..300, any::<bool>()), 0..200),
        ) {
            let mut level = Level::new(LIMITS);
            let mut at = Duration::ZERO;
            for (step, bytes, drains) in steps {
                at += Duration::from_millis(step);
                if level.has_room(at) {
                    level.add(at, bytes);
                }
                prop_assert!(level.bytes() < LIMITS.bytes + 300);
                if drains {
                    level.drain(Some(at));
                    prop_assert_eq!(level.bytes(), 0);
                }
            }
        }
    }
}
