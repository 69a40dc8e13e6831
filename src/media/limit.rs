//! The in-flight limit: how many decoded pictures may wait for the encoder.
//!
//! A dropped picture damages nothing, a dropped encoded unit everything up to the next keyframe;
//! so it is here that a box which is too slow loses pictures. A burst from the network is no
//! reason to drop: a picture may wait for a place while the stream as a whole is not late.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far behind the newest unit received the pictures may fall before one is dropped.
const PATIENCE: Duration = Duration::from_millis(400);

/// Decides how much longer a picture may wait for a place: it is late by the media time that
/// has arrived since, and no less than it has waited. `newest` and `at` are times of the newest
/// unit received and of the picture.
fn patience(newest: Duration, at: Duration, waited: Duration) -> Duration {
    PATIENCE.saturating_sub(newest.saturating_sub(at).max(waited))
}

/// The places for pictures between decoder and encoder.
#[derive(Debug)]
pub(super) struct Places {
    limit: AtomicUsize,
    taken: Mutex<usize>,
    high_water: AtomicUsize,
    freed: Condvar,
}

impl Places {
    pub(super) fn new(limit: u8) -> Self {
        Self {
            limit: AtomicUsize::new(usize::from(limit)),
            taken: Mutex::new(0),
            high_water: AtomicUsize::new(0),
            freed: Condvar::new(),
        }
    }

    /// From now on there are so many places; pictures that have one keep it.
    pub(super) fn set_limit(&self, limit: u8) {
        self.limit.store(usize::from(limit), Relaxed);
        self.freed.notify_all();
    }

    /// Pictures that have a place.
    pub(super) fn taken(&self) -> usize {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most pictures that have had a place.
    pub(super) fn high_water(&self) -> usize {
        self.high_water.load(Relaxed)
    }

    /// Takes a place for the picture at `at`, or says that it is to be dropped. `newest` is
    /// asked again while waiting, because the stream goes on.
    pub(super) fn take(&self, at: Duration, newest: impl Fn() -> Duration) -> bool {
        let started = Instant::now();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= self.limit.load(Relaxed) {
            let left = patience(newest(), at, started.elapsed());
            if left.is_zero() {
                return false;
            }
            (taken, _) = self
                .freed
                .wait_timeout(taken, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        self.high_water.fetch_max(*taken, Relaxed);
        true
    }

    /// Gives a place back: the encoder has taken a picture.
    pub(super) fn give_back(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(1);
        self.freed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn a_picture_that_is_late_finds_no_place_and_does_not_wait() {
        let places = Places::new(2);
        let at = Duration::from_secs(10);
        let newest = at + PATIENCE;
        assert!(places.take(at, || newest));
        assert!(places.take(at, || newest));
        assert!(!places.take(at, || newest));
        places.give_back();
        assert!(places.take(at, || newest));
    }

    #[test]
    fn a_picture_of_a_burst_waits_for_its_place() {
        let places = Arc::new(Places::new(1));
        let at = Duration::from_secs(10);
        assert!(places.take(at, || at));
        let waiting = {
            let places = Arc::clone(&places);
            std::thread::spawn(move || places.take(at, || at))
        };
        places.give_back();
        assert!(waiting.join().unwrap());
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_the_patience(
            newest in 0_u64..10_000,
            at in 0_u64..10_000,
            waited in 0_u64..500,
        ) {
            let ms = Duration::from_millis;
            let left = patience(ms(newest), ms(at), ms(waited));
            prop_assert!(left + ms(waited) <= PATIENCE.max(ms(waited)));
            prop_assert_eq!(left.is_zero(), newest >= at + 400 || waited >= 400);
        }
    }
}
