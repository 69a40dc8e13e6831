//! The parts of a file that are kept, in bounded memory.

use std::collections::VecDeque;
use std::ops::Range;

/// Parts of one file; what has more holes is no recording any more.
const MOST_PARTS: usize = 4_096;

/// Runs of tables that wait for media behind them. A muxer writes some each 100 ms; the newest
/// of each kind are among these.
const MOST_WAITING: usize = 64;

/// Byte ranges of whole packets, in order, that touch nowhere.
#[derive(Debug, Default)]
pub(super) struct Kept {
    parts: Vec<Range<u64>>,
    waiting: VecDeque<Range<u64>>,
    overflow: bool,
}

impl Kept {
    /// Packets of no use by themselves: they are kept when a unit behind them is.
    pub(super) fn accompany(&mut self, run: Range<u64>) {
        match self.waiting.back_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            _ => {
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(run);
            }
        }
    }

    /// The packets of a unit, in order.
    pub(super) fn keep(&mut self, runs: Vec<Range<u64>>) {
        let end = runs.last().map_or(0, |run| run.end);
        while let Some(run) = self.waiting.front().filter(|run| run.end <= end).cloned() {
            self.waiting.pop_front();
            self.insert(run);
        }
        for run in runs {
            self.insert(run);
        }
    }

    fn insert(&mut self, run: Range<u64>) {
        let at = self.parts.partition_point(|part| part.end < run.start);
        let joins_next = |part: Option<&Range<u64>>| part.is_some_and(|it| it.start == run.end);
        if self.parts.get(at).is_some_and(|it| it.end == run.start) {
            let end = if joins_next(self.parts.get(at + 1)) {
                self.parts.remove(at + 1).end
            } else {
                run.end
            };
            if let Some(part) = self.parts.get_mut(at) {
                part.end = end;
            }
        } else if joins_next(self.parts.get(at)) {
            if let Some(part) = self.parts.get_mut(at) {
                part.start = run.start;
            }
        } else if self.parts.len() < MOST_PARTS {
            self.parts.insert(at, run);
        } else {
            self.overflow = true;
        }
    }

    /// The parts; none when there are too many.
    pub(super) fn finish(self) -> Option<Vec<Range<u64>>> {
        (!self.overflow).then_some(self.parts)
    }
}

#[cfg(test)]
#[allow(
    clippy::single_range_in_vec_init,
    reason = "lists of ranges, not of numbers"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_are_kept_when_something_follows() {
        let mut kept = Kept::default();
        kept.accompany(0..2);
        kept.keep(vec![2..5]);
        kept.accompany(5..6);
        assert_eq!(kept.finish().unwrap(), [0..5]);

        let mut kept = Kept::default();
        kept.accompany(5..6);
        kept.keep(vec![3..5]); // in front of them
        kept.keep(vec![6..8]);
        assert_eq!(kept.finish().unwrap(), [3..8]);
    }

    #[test]
    fn there_is_an_end_to_holes() {
        let mut kept = Kept::default();
        for n in 0..MOST_PARTS as u64 {
            kept.keep(vec![n * 3..n * 3 + 2]);
        }
        kept.keep(vec![2..3]); // joins two
        assert!(!kept.overflow);
        kept.keep(vec![20_000..20_001]);
        assert!(!kept.overflow);
        kept.keep(vec![30_000..30_001]);
        assert_eq!(kept.finish(), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_order_is_there(
            order in Just((0..60_u64).collect::<Vec<_>>()).prop_shuffle(),
            count in 0..60_usize,
        ) {
            let mut kept = Kept::default();
            let mut there = [false; 60];
            for &n in &order[..count] {
                kept.keep(vec![n * 10..n * 10 + 10]);
                there[usize::try_from(n).unwrap()] = true;
            }
            let parts = kept.finish().unwrap();
            prop_assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start), "{parts:?}");
            for n in 0..60_u64 {
                let found = parts.iter().any(|part| part.contains(&(n * 10 + 5)));
                prop_assert_eq!(found, there[usize::try_from(n).unwrap()]);
            }
        }
    }
}
