//! Whether media comes at all: judged by what arrives, whatever the connection says of itself.
//!
//! Four silences look the same from here. A **muted** track and one that the server **paused**
//! for want of bandwidth are silent by right, and so is one that its publisher does not let us
//! have; an **unpublished** one is not watched any more. What is left is **lost**: a track that
//! should send and doesn't. It is subscribed to anew, and if that doesn't help, the media
//! connection is built anew.
//!
//! ```text
//!  unit ──5 s──► subscribe anew ──7 s──► rebuild ──10 s──► ──20 s──► … 5 min at most
//!    ▲                              (or subscribe anew, while any other track flows)
//!    └──────────────────────────────── a unit comes: from the start again
//! ```
//!
//! Not every such silence is our fault: a publisher that died is listed until the server notices,
//! and nobody can tell whether another sends at all. So the media connection is built anew only
//! where nothing else flows over it, and each time the next try waits twice as long. Sound is no
//! exception: Opus with DTX still sends a packet each 400 ms.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::room::TrackId;

/// A track that has sent nothing for this long is lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// What a subscription asked for again has time for. Outages of ten seconds are common (a switch
/// or an access point that starts again, a lease renewed) and the way is there again by itself
/// behind them: to rebuild just then costs half a second more.
const REBUILD_AFTER: Duration = Duration::from_secs(7);

/// The longest wait between two tries to get it back.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// A check that comes this much later than it was due says that it was us who stood still.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// Then what came meanwhile has to be read before anything is said of it.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Why a track may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Its publisher muted it.
    Muted,
    /// The server holds it back.
    Paused,
    /// We are not allowed to have it.
    Refused,
    /// We asked the server not to send it.
    Unwanted,
}

/// What to do about a lost track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Take the subscription back and ask for it again.
    Resubscribe(TrackId),
    /// Build the media connection anew.
    Rebuild,
}

/// The tracks that should send.
#[derive(Debug, Default)]
pub struct Silence {
    tracks: BTreeMap<TrackId, Watched>,
}

#[derive(Debug)]
struct Watched {
    heard: Option<Instant>,
    excuses: BTreeSet<Excuse>,
    tries: u32,
    /// When the next try is due.
    due: Instant,
    /// That try was put off because we had stood still.
    put_off: bool,
}

impl Silence {
    /// Watches a track that was asked for just now, if it is not watched already.
    pub fn add(&mut self, id: &TrackId, muted: bool, now: Instant) {
        self.tracks.entry(id.clone()).or_insert(Watched {
            heard: None,
            excuses: muted.then_some(Excuse::Muted).into_iter().collect(),
            tries: 0,
            due: now + LOST_AFTER,
            put_off: false,
        });
    }

    /// Watches a track no more.
    pub fn remove(&mut self, id: &TrackId) {
        self.tracks.remove(id);
    }

    /// A unit of the track came.
    pub fn heard(&mut self, id: &TrackId, now: Instant) {
        if let Some(track) = self.tracks.get_mut(id) {
            track.heard = Some(now);
            track.tries = 0;
            track.due = now + LOST_AFTER;
            track.put_off = false;
        }
    }

    /// An excuse begins or ends to hold; true when that is news.
    pub fn excuse(&mut self, id: &TrackId, excuse: Excuse, holds: bool, now: Instant) -> bool {
        let Some(track) = self.tracks.get_mut(id) else {
            return false;
        };
        let news = if holds {
            track.excuses.insert(excuse)
        } else {
            track.excuses.remove(&excuse)
        };
        if news {
            track.due = track.due.max(now + LOST_AFTER);
        }
        news
    }

    /// The media connection can carry media from now on: every track has its time again.
    pub fn restart(&mut self, now: Instant) {
        for track in self.tracks.values_mut() {
            track.due = now + wait(track.tries);
        }
    }

    /// We joined anew: what the server said of pauses and permissions, it will say again. Gives
    /// the tracks that it had paused.
    pub fn forget_excuses(&mut self) -> Vec<TrackId> {
        let mut unpaused = Vec::new();
        for (id, track) in &mut self.tracks {
            track.excuses.remove(&Excuse::Refused);
            if track.excuses.remove(&Excuse::Paused) {
                unpaused.push(id.clone());
            }
        }
        unpaused
    }

    /// When [`Self::check`] may have something to say.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let watched = self.tracks.values().filter(|track| !track.is_excused());
        watched.map(|track| track.due).min()
    }

    /// What to do now. After a [`Remedy::Rebuild`] nothing else is said.
    pub fn check(&mut self, now: Instant) -> Vec<Remedy> {
        let others_flow = self.tracks.values().any(|track| track.flows(now));
        let mut remedies = Vec::new();
        let mut rebuild = None;
        for (id, track) in &mut self.tracks {
            if track.is_excused() || track.due > now {
                continue;
            }
            if !track.put_off && now - track.due >= STOOD_STILL {
                track.put_off = true;
                track.due = now + READ_WITHIN;
                continue;
            }
            track.put_off = false;
            track.tries += 1;
            track.due = now + wait(track.tries);
            if track.tries > 1 && !others_flow {
                rebuild = rebuild.max(Some(track.tries));
            } else {
                remedies.push(Remedy::Resubscribe(id.clone()));
            }
        }
        let Some(tries) = rebuild else {
            return remedies;
        };
        // One try for all of them: the next one is not due for each at another time.
        for track in self.tracks.values_mut() {
            track.tries = track.tries.max(tries);
        }
        vec![Remedy::Rebuild]
    }
}

/// How long the try after the first `tries` waits.
fn wait(tries: u32) -> Duration {
    match tries {
        0 => LOST_AFTER,
        1 => REBUILD_AFTER,
        more => (LOST_AFTER * (1 << (more - 1).min(16))).min(LONGEST_WAIT),
    }
}

impl Watched {
    fn is_excused(&self) -> bool {
        !self.excuses.is_empty()
    }

    fn flows(&self, now: Instant) -> bool {
        self.heard
            .is_some_and(|heard| now.saturating_duration_since(heard) < LOST_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ids() -> [TrackId; 2] {
        [TrackId::new("TR_a"), TrackId::new("TR_b")]
    }

    fn watched(ids: &[TrackId], now: Instant) -> Silence {
        let mut silence = Silence::default();
        for id in ids {
            silence.add(id, false, now);
        }
        silence
    }

    #[test]
    fn a_lost_track_is_subscribed_anew_and_then_the_connection_rebuilt() {
        let [a, _] = ids();
        let start = Instant::now();
        let mut silence = watched(std::slice::from_ref(&a), start);
        assert_eq!(silence.check(start + SECOND * 4), []);
        let resubscribe = [Remedy::Resubscribe(a.clone())];
        assert_eq!(silence.check(start + SECOND * 5), resubscribe);
        assert_eq!(silence.check(start + SECOND * 11), []);
        assert_eq!(silence.check(start + SECOND * 12), [Remedy::Rebuild]);
        // Then it waits longer each time, for as long as nothing comes.
        let up = start + SECOND * 14;
        silence.restart(up);
        assert_eq!(silence.deadline(), Some(up + SECOND * 10));
        assert_eq!(silence.check(up + SECOND * 10), [Remedy::Rebuild]);
        let up = up + SECOND * 12;
        silence.restart(up);
        assert_eq!(silence.deadline(), Some(up + SECOND * 20));
        silence.heard(&a, up);
        assert_eq!(silence.check(up + SECOND * 5), resubscribe);
    }

    #[test]
    fn the_connection_is_not_rebuilt_while_another_track_flows() {
        let [a, b] = ids();
        let start = Instant::now();
        let mut silence = watched(&ids(), start);
        let mut remedies = Vec::new();
        for second in 1..100 {
            let now = start + SECOND * second;
            silence.heard(&b, now);
            remedies.extend(
                silence
                    .check(now)
                    .into_iter()
                    .map(|remedy| (second, remedy)),
            );
        }
        let again = |second| (second, Remedy::Resubscribe(a.clone()));
        assert_eq!(remedies, [5, 12, 22, 42, 82].map(again));
    }

    #[test]
    fn many_lost_tracks_are_one_reason_to_rebuild() {
        let start = Instant::now();
        let mut silence = watched(&ids(), start);
        assert_eq!(silence.check(start + SECOND * 5).len(), 2);
        assert_eq!(silence.check(start + SECOND * 12), [Remedy::Rebuild]);
        silence.restart(start + SECOND * 12);
        assert_eq!(silence.deadline(), Some(start + SECOND * 22));
        assert_eq!(silence.check(start + SECOND * 22), [Remedy::Rebuild]);
    }

    #[test]
    fn silence_by_right_is_left_alone_and_ends_with_the_excuse() {
        for excuse in [Excuse::Muted, Excuse::Paused, Excuse::Refused] {
            let [a, _] = ids();
            let start = Instant::now();
            let mut silence = watched(std::slice::from_ref(&a), start);
            assert!(silence.excuse(&a, excuse, true, start));
            assert!(!silence.excuse(&a, excuse, true, start));
            assert_eq!(silence.deadline(), None);
            let later = start + SECOND * 600;
            assert_eq!(silence.check(later), []);
            assert!(silence.excuse(&a, excuse, false, later));
            assert_eq!(silence.deadline(), Some(later + SECOND * 5));
        }
    }

    #[test]
    fn what_the_server_paused_is_not_paused_when_we_join_anew() {
        let [a, b] = ids();
        let start = Instant::now();
        let mut silence = watched(&ids(), start);
        silence.excuse(&a, Excuse::Paused, true, start);
        silence.excuse(&b, Excuse::Muted, true, start);
        assert_eq!(silence.forget_excuses(), std::slice::from_ref(&a));
        assert_eq!(silence.forget_excuses(), []);
        let lost = [Remedy::Resubscribe(a)];
        assert_eq!(silence.check(start + SECOND * 5), lost);
    }

    #[test]
    fn a_track_that_is_asked_for_again_keeps_its_tries() {
        let [a, _] = ids();
        let start = Instant::now();
        let mut silence = watched(std::slice::from_ref(&a), start);
        let _ = silence.check(start + SECOND * 5);
        silence.add(&a, false, start + SECOND * 6);
        assert_eq!(silence.check(start + SECOND * 12), [Remedy::Rebuild]);
    }

    /// What came while this program did not run waits to be read.
    #[test]
    fn who_stood_still_reads_first() {
        let [a, _] = ids();
        let start = Instant::now();
        let mut silence = watched(std::slice::from_ref(&a), start);
        let thawed = start + SECOND * 25;
        assert_eq!(silence.check(thawed), []);
        let again = silence.deadline().unwrap();
        assert_eq!(again, thawed + READ_WITHIN);
        // Even where that comes late as well, a track of which nothing came is asked for.
        let lost = [Remedy::Resubscribe(a.clone())];
        assert_eq!(silence.check(again + SECOND * 3), lost);
        silence.heard(&a, again + SECOND * 4);
        assert_eq!(silence.check(again + SECOND * 20), []);
    }

    proptest! {
        /// A track that should send and doesn't is never forgotten, and never tried in a hurry.
        #[test]
        fn each_try_comes_and_none_too_soon(steps in prop::collection::vec(1_u64..20_000, 1..200)) {
            let [a, _] = ids();
            let mut now = Instant::now();
            let mut silence = watched(&[a], now);
            let mut last = now;
            for step in steps {
                now += Duration::from_millis(step);
                let due = silence.deadline().unwrap();
                let mut remedies = silence.check(now);
                if due <= now && remedies.is_empty() {
                    prop_assert!(now - due >= STOOD_STILL);
                    now = silence.deadline().unwrap();
                    remedies = silence.check(now);
                }
                prop_assert_eq!(due <= now, !remedies.is_empty());
                if !remedies.is_empty() {
                    prop_assert!(now - last >= LOST_AFTER);
                    last = now;
                }
                prop_assert!(silence.deadline().unwrap() <= now + LONGEST_WAIT);
            }
        }
    }
}
