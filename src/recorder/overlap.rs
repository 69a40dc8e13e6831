//! The last moment of sound, for the segment that starts within it.
//!
//! A picture takes longer to arrive than the sound captured with it. When a keyframe cuts, sound
//! from after it is in the segment before already; without it the new one would start silent.
//!
//! Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::room::AccessUnit;

/// How much later than its sound a picture may arrive.
const SPAN: Duration = Duration::from_secs(1);

/// Units kept: packets of the shortest length that senders use, 10 ms, in [`SPAN`].
const MOST: usize = 100;

/// Sound that was put into the open segment.
#[derive(Debug, Default)]
pub struct Overlap {
    units: VecDeque<AccessUnit>,
}

impl Overlap {
    /// Takes note of a unit; older ones are forgotten.
    pub fn heard(&mut self, unit: &AccessUnit) {
        self.units.push_back(unit.clone());
        while self.units.len() > MOST
            || self
                .units
                .front()
                .is_some_and(|old| old.at + SPAN < unit.at)
        {
            self.units.pop_front();
        }
    }

    /// The units of a segment that starts at `at`.
    pub fn from(&self, at: Duration) -> impl Iterator<Item = &AccessUnit> {
        self.units.iter().filter(move |unit| unit.at >= at)
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_second_is_kept_and_no_more(
            steps in prop::collection::vec(10_u64..80, 1..300),
            back in 0_u64..1_000,
        ) {
            let mut overlap = Overlap::default();
            let mut times = Vec::new();
            let mut now = 0;
            for step in steps {
                now += step;
                times.push(Duration::from_millis(now));
                overlap.heard(&AccessUnit {
                    at: Duration::from_millis(now),
                    keyframe: true,
                    contiguous: true,
                    data: bytes::Bytes::from_static(&[0]),
                });
                prop_assert!(overlap.units.len() <= MOST);
            }
            let from = Duration::from_millis(now.saturating_sub(back));
            times.retain(|at| *at >= from);
            let kept: Vec<_> = overlap.from(from).map(|unit| unit.at).collect();
            prop_assert_eq!(kept, times);
        }
    }
}
