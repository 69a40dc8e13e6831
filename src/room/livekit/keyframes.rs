//! How often a keyframe is asked for.
//!
//! Whoever needs one says so with each picture that can't be used without; the publisher is asked
//! at once and then at most each 500 ms, until nobody needs one any more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::room::TrackId;

/// Requests of one track are at least this far apart.
const INTERVAL: Duration = Duration::from_millis(500);

/// When the keyframes of each track were asked for.
#[derive(Debug, Default)]
pub struct KeyframeRequests {
    asked: BTreeMap<TrackId, Instant>,
}

impl KeyframeRequests {
    /// A keyframe of the track is needed: whether to ask for it now.
    pub fn needed(&mut self, id: &TrackId, now: Instant) -> bool {
        let due = self
            .asked
            .get(id)
            .is_none_or(|at| now.saturating_duration_since(*at) >= INTERVAL);
        if due {
            self.asked.insert(id.clone(), now);
        }
        due
    }

    /// The track is gone.
    pub fn forget(&mut self, id: &TrackId) {
        self.asked.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// While one is needed it is asked for again and again, and never in a hurry.
        #[test]
        fn it_is_asked_for_until_it_comes(waits in prop::collection::vec(1_u64..100, 1..200)) {
            let id = TrackId::new("TR");
            let mut requests = KeyframeRequests::default();
            let mut now = Instant::now();
            prop_assert!(requests.needed(&id, now));
            let mut asked = now;
            for wait in waits {
                now += Duration::from_millis(wait);
                if requests.needed(&id, now) {
                    prop_assert!(now - asked >= INTERVAL);
                    asked = now;
                }
                prop_assert!(now - asked < INTERVAL);
            }
        }
    }

    #[test]
    fn tracks_are_asked_for_by_themselves() {
        let [a, b] = ["a", "b"].map(TrackId::new);
        let mut requests = KeyframeRequests::default();
        let now = Instant::now();
        assert!(requests.needed(&a, now) && requests.needed(&b, now));
        assert!(!requests.needed(&a, now));
        requests.forget(&a);
        assert!(requests.needed(&a, now) && !requests.needed(&b, now));
    }
}
