//! The clock that all tracks of a participant share.

use time::Duration as SignedDuration;

use crate::room::{Kind, TrackId};

/// Another track leads the clock once the leading one has said nothing for this long (muted).
const LEADER_SILENT: SignedDuration = SignedDuration::seconds(30);

/// Differences between wall clock and arrival below this are jitter and left alone.
const DEAD_BAND: SignedDuration = SignedDuration::milliseconds(20);

/// Drift of the sender's wall clock against ours is followed at one part in this many.
const DRIFT_DIVISOR: i32 = 1_000;

/// What a gap in the leading track counts for at most: the first unit after it proves little.
const LONGEST_GAP: SignedDuration = SignedDuration::seconds(2);

/// Tracks that see a step differ by less than this: reports are some milliseconds off. No step
/// that a track can see is that small.
const SAME_STEP: SignedDuration = SignedDuration::milliseconds(40);

/// Takes a participant's wall clock (of its sender reports) to local time since the epoch.
///
/// Only the difference matters, and nothing tells it but arrivals. It is set so that the first
/// track with a report stays where arrivals had put it, and once more for the first track with
/// sound: moving sound costs clicks, moving pictures costs nothing. Afterwards it only follows
/// drift, slowly, and the same for all tracks, so that after months recordings still lie where
/// the local clock says they were made.
#[derive(Debug, Default)]
pub struct ParticipantClock {
    /// Local time minus the participant's wall clock.
    offset: Option<SignedDuration>,
    set_by_sound: bool,
    leader: Option<Leader>,
    /// By how much the wall clock was stepped so far. Its tracks notice one after the other, with
    /// their own reports, and each leaves it out from then on: none of them moves.
    stepped: SignedDuration,
}

#[derive(Debug)]
struct Leader {
    track: TrackId,
    heard: SignedDuration,
}

impl ParticipantClock {
    /// The local time of `wall`, once a report has set the clock.
    pub fn local(&self, wall: SignedDuration) -> Option<SignedDuration> {
        Some(wall + self.offset?)
    }

    /// Whether the first report of a track of `kind` is to set the clock.
    pub fn is_set_by_first(&self, kind: Kind) -> bool {
        self.offset.is_none() || (kind == Kind::Audio && !self.set_by_sound)
    }

    /// By how much the wall clock was stepped, as far as any track knows.
    pub const fn stepped(&self) -> SignedDuration {
        self.stepped
    }

    /// A track sees that the wall clock was stepped, by so much in all: what all tracks take for
    /// it, and whether that is news.
    pub fn step_to(&mut self, stepped: SignedDuration) -> (SignedDuration, bool) {
        let news = (stepped - self.stepped).abs() > SAME_STEP;
        if news {
            self.stepped = stepped;
        }
        (self.stepped, news)
    }

    /// Whether `track` may set the clock again when its sender's wall clock has stepped.
    pub fn is_led_by(&self, track: &TrackId, now: SignedDuration) -> bool {
        self.leader
            .as_ref()
            .is_none_or(|leader| leader.track == *track || now - leader.heard > LEADER_SILENT)
    }

    /// Sets the clock so that `wall` is `local`; `track` leads it from now on.
    pub fn set(
        &mut self,
        track: &TrackId,
        kind: Kind,
        now: SignedDuration,
        wall: SignedDuration,
        local: SignedDuration,
    ) {
        self.offset = Some(local - wall);
        self.set_by_sound |= kind == Kind::Audio;
        self.leader = Some(Leader {
            track: track.clone(),
            heard: now,
        });
    }

    /// Follows the drift of the sender's wall clock: `error` is how much later than the clock
    /// says the least delayed media of `track` comes.
    pub fn follow(&mut self, track: &TrackId, now: SignedDuration, error: SignedDuration) {
        if !self.is_led_by(track, now) {
            return;
        }
        let Some(offset) = &mut self.offset else {
            return;
        };
        let since = match &self.leader {
            Some(leader) if leader.track == *track => now - leader.heard,
            _ => SignedDuration::ZERO,
        };
        let most = since.clamp(SignedDuration::ZERO, LONGEST_GAP) / DRIFT_DIVISOR;
        let excess = error - error.clamp(-DEAD_BAND, DEAD_BAND);
        *offset += excess.clamp(-most, most);
        match &mut self.leader {
            Some(leader) if leader.track == *track => leader.heard = now,
            leader => {
                *leader = Some(Leader {
                    track: track.clone(),
                    heard: now,
                });
            }
        }
    }

    /// `track` is gone.
    pub fn forget(&mut self, track: &TrackId) {
        self.leader.take_if(|leader| leader.track == *track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: i64) -> SignedDuration {
        SignedDuration::seconds(count)
    }

    #[test]
    fn another_track_leads_once_the_leader_is_silent_or_gone() {
        let (sound, pictures) = (TrackId::new("sound"), TrackId::new("pictures"));
        let mut clock = ParticipantClock::default();
        clock.set(&sound, Kind::Audio, seconds(0), seconds(900), seconds(1));
        clock.follow(&pictures, seconds(30), seconds(1));
        assert_eq!(clock.local(seconds(900)), Some(seconds(1)));
        assert!(!clock.is_led_by(&pictures, seconds(30)));
        assert!(clock.is_led_by(&pictures, seconds(31)));
        clock.forget(&pictures);
        assert!(!clock.is_led_by(&pictures, seconds(30)));
        clock.forget(&sound);
        assert!(clock.is_led_by(&pictures, seconds(30)));
    }

    #[test]
    fn drift_is_followed_slowly_and_jitter_not_at_all() {
        let sound = TrackId::new("sound");
        let mut clock = ParticipantClock::default();
        clock.set(&sound, Kind::Audio, seconds(0), seconds(900), seconds(0));
        clock.follow(&sound, seconds(1), SignedDuration::milliseconds(20));
        assert_eq!(clock.local(seconds(900)), Some(seconds(0)));
        clock.follow(&sound, seconds(2), SignedDuration::milliseconds(-50));
        let moved = SignedDuration::milliseconds(-1);
        assert_eq!(clock.local(seconds(900)), Some(moved));
        clock.follow(&sound, seconds(3_600), seconds(5));
        let moved = moved + SignedDuration::milliseconds(2);
        assert_eq!(clock.local(seconds(900)), Some(moved));
    }
}
