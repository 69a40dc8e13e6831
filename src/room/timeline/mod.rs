//! Puts all tracks of a participant on one clock: local time since the session's epoch.
//!
//! ```text
//!  RTP time ─► media time ──► + correction ──► at
//!               │                  ▲ slewed, 1 ms for each 20 ms of media
//!               │                  │
//!               ├─ arrival ───► least delay ─────────────────┐ before the first report
//!               └─ reports ───► line to the wall clock ──► participant's clock
//! ```
//!
//! A sender report (RFC 3550, 6.4.1) says what the sender's wall clock was at an RTP time. That
//! clock is the same for all tracks of a participant, so media of equal wall clock was captured
//! together. How it relates to local time nothing says but arrivals, so these place media until
//! reports come (after 1 to 3 s), and keep the whole participant near local time afterwards.
//!
//! What comes out never goes back within a track, and units of different RTP time differ by a
//! tick of 90 kHz at least. Pure: no clock is read, nothing is sent.

mod arrival;
mod clock;
mod report;
mod rtp;
mod track;

#[cfg(test)]
mod anew;
#[cfg(test)]
mod day;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulation;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use time::Duration as SignedDuration;

use self::clock::ParticipantClock;
pub use self::report::SenderReport;
use self::track::TrackClock;
use crate::room::{Codec, TrackId};

/// Where a unit lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// When it was captured, since the epoch.
    pub at: Duration,
    /// The sender's RTP clock started again, or the stream did: how long the gap before this
    /// unit really was is known from arrival only.
    pub discontinuity: bool,
}

/// What was unusual, counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sender reports that did not agree with those before, and were not used when they came.
    pub reports_doubted: u64,
    /// Times that a participant's wall clock stepped and was matched anew.
    pub wall_clock_steps: u64,
    /// Times that a track's RTP clock started again: [`Placed::discontinuity`].
    pub restarts: u64,
}

/// The clocks of all participants and tracks of a session.
#[derive(Debug)]
pub struct Timeline {
    epoch: Instant,
    tracks: HashMap<TrackId, Entry>,
    participants: HashMap<String, ParticipantClock>,
    counters: Counters,
}

#[derive(Debug)]
struct Entry {
    participant: String,
    clock: TrackClock,
}

impl Timeline {
    /// A timeline whose zero is `epoch`.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            tracks: HashMap::new(),
            participants: HashMap::new(),
            counters: Counters::default(),
        }
    }

    /// Adds a track of `participant`, whose tracks share a clock.
    ///
    /// A track that is there already begins anew, as after a reconnect, and does not go back
    /// behind what it was before.
    pub fn add_track(&mut self, track: &TrackId, participant: &str, codec: Codec) {
        if let Some(entry) = self.tracks.get_mut(track) {
            entry.clock.reconnect(codec);
            return;
        }
        self.participants.entry(participant.to_owned()).or_default();
        self.tracks.insert(
            track.clone(),
            Entry {
                participant: participant.to_owned(),
                clock: TrackClock::new(track.clone(), codec),
            },
        );
    }

    /// Forgets a track, and its participant's clock with the last one.
    pub fn remove_track(&mut self, track: &TrackId) {
        let Some(removed) = self.tracks.remove(track) else {
            return;
        };
        let alone = self
            .tracks
            .values()
            .all(|entry| entry.participant != removed.participant);
        if alone {
            self.participants.remove(&removed.participant);
        } else if let Some(clock) = self.participants.get_mut(&removed.participant) {
            clock.forget(track);
        }
    }

    /// Places a unit with the stamp `rtp` whose first packet came at `arrival`; `report` is the
    /// last sender report of its stream, the same one any number of times.
    ///
    /// `None` if the track was not added.
    pub fn place(
        &mut self,
        track: &TrackId,
        rtp: u32,
        arrival: Instant,
        report: Option<SenderReport>,
    ) -> Option<Placed> {
        let entry = self.tracks.get_mut(track)?;
        let clock = self.participants.get_mut(&entry.participant)?;
        let since_epoch = arrival.saturating_duration_since(self.epoch);
        let nanoseconds = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        let now = SignedDuration::nanoseconds(nanoseconds);
        Some(
            entry
                .clock
                .place(clock, &mut self.counters, rtp, now, report),
        )
    }

    /// What was unusual so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
