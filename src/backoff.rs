//! How long to wait before the next try: exponential, capped, jittered.

use std::time::Duration;

/// Waits that are never shorter than this: a zero would double to zero for ever.
const LEAST: Duration = Duration::from_millis(1);

/// Grows from the first wait to the cap, doubling with each try.
///
/// Each wait lies in the upper half of its step by chance, so that boxes which lost the same
/// server do not all come back at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    step: Duration,
}

impl Backoff {
    /// A back-off whose waits reach `first`, then twice that, and so on up to `cap`. A `cap`
    /// below `first` holds for `first` too.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        let first = first.min(cap).max(LEAST);
        let cap = cap.max(LEAST);
        Self {
            first,
            cap,
            step: first,
        }
    }

    /// The wait before the next try: half of the step at `random` 0, all of it at 1. A `random`
    /// outside of 0 to 1 counts as the nearer of the two, one that is no number as 0.
    #[must_use = "the step has grown whether or not it is waited for"]
    pub fn next(&mut self, random: f64) -> Duration {
        let half = self.step / 2;
        self.step = self.step.saturating_mul(2).min(self.cap);
        let random = if random.is_nan() { 0.0 } else { random };
        half + half.mul_f64(random.clamp(0.0, 1.0))
    }

    /// Starts again at the first wait: what was tried has worked.
    pub fn reset(&mut self) {
        self.step = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let waits: Vec<u64> = (0..5).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), Duration::from_millis(500));
    }

    #[test]
    fn zero_waits_grow_all_the_same() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::from_secs(1));
        let last = (0..20).map(|_| backoff.next(1.0)).last();
        assert_eq!(last, Some(Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn a_wait_lies_in_the_upper_half_of_its_step(
            first in 1_u64..100_000,
            cap in 1_u64..1_000_000,
            randoms in prop::collection::vec(any::<f64>(), 1..60),
        ) {
            let mut backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(cap));
            let mut step = Duration::from_millis(first.min(cap));
            for random in randoms {
                let wait = backoff.next(random);
                prop_assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
                step = (step * 2).min(Duration::from_millis(cap));
            }
        }

        #[test]
        fn more_chance_is_more_wait(low in 0.0..1.0_f64, high in 0.0..1.0_f64) {
            let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(10));
            let wait = |random| backoff.clone().next(random);
            prop_assert_eq!(wait(low.min(high)) <= wait(low.max(high)), true);
            prop_assert!(wait(0.25) < wait(0.75));
        }
    }
}
