//! Who publishes what, as the server's updates tell it, and which of it we want.
//!
//! Pure: updates in, what to ask the server for and what to tell the room's task out.
//!
//! A publisher that was thrown out of the room by the same failure as we, or that comes back in
//! place of its own ghost, returns as another participant with other tracks. Its old tracks are
//! held for a while: when a new one of the same source comes, it is told first, so that the
//! recording goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::participant_info::State;

mod known;

use self::known::{Known, joined_ms};
use super::layers::Asked;
use crate::room::{Codec, Present, Refusal, Selection, Sending, Source, Track, TrackEnd, TrackId};

/// How long the tracks of somebody who may come back are held.
const GRACE: Duration = Duration::from_secs(15);

/// After a resume the server names everybody who is there; who is not named in this time left
/// meanwhile. Other updates may come in between.
const NAMED_WITHIN: Duration = Duration::from_secs(5);

/// What an update means to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Ask the server for the track.
    Subscribe(Track),
    /// Ask the server again for a track that we had before we connected anew.
    Again(TrackId),
    /// The track is gone, but maybe not for long: nothing is to be expected of it meanwhile.
    Held(TrackId),
    /// Take the request back; the track has ended for us.
    Unsubscribe(TrackId, TrackEnd),
    /// A track that we asked for was muted or unmuted.
    Muted(TrackId, bool),
    /// Ask the server for so much of a track that we asked for.
    Ask(TrackId, Asked),
    /// A track that the selection wants is not recorded. Said once, as long as it is so.
    Refused {
        /// Which track.
        track: TrackId,
        /// Who publishes it.
        identity: String,
        /// What it shows or sounds.
        source: Source,
        /// Why.
        refusal: Refusal,
    },
}

/// What the source gives of what is published.
#[derive(Debug, Clone)]
pub enum Given {
    /// What was sent. Of these codecs nothing can be recorded on this machine, for these reasons.
    AsSent(BTreeMap<Codec, String>),
    /// Pictures and sound, whatever they were sent as.
    #[cfg_attr(not(feature = "livekit-sdk"), allow(dead_code))]
    Decoded {
        /// What is end-to-end encrypted can be opened.
        has_key: bool,
    },
}

/// The publications of a room.
#[derive(Debug)]
pub struct Publications {
    own_sid: String,
    selection: Selection,
    given: Given,
    most_lines: Option<NonZeroU32>,
    sending: Sending,
    participants: BTreeMap<String, Known>,
    subscribed: BTreeMap<TrackId, Track>,
    /// What we asked for of those tracks, where it is not all.
    asked: BTreeMap<TrackId, Asked>,
    /// Tracks that are gone while their publisher may come back, and until when.
    held: BTreeMap<TrackId, (Track, Instant)>,
    unnamed: Option<Unnamed>,
}

/// Participants that the server has not named since the resume.
#[derive(Debug)]
struct Unnamed {
    sids: BTreeSet<String>,
    /// Whether it named anybody, ourselves included: it may not tell at all.
    told: bool,
    due: Instant,
}

/// Whose tracks are held when they are gone.
enum Hold {
    Everybody,
    These(BTreeSet<String>),
}

impl Hold {
    fn applies_to(&self, track: &Track) -> bool {
        match self {
            Self::Everybody => true,
            Self::These(sids) => sids.contains(&track.participant.sid),
        }
    }
}

impl Publications {
    /// An empty room seen by the participant `own_sid`. Of pictures that come in several sizes
    /// one of `most_lines` at most is wanted.
    #[must_use]
    pub fn new(
        own_sid: String,
        selection: Selection,
        given: Given,
        most_lines: Option<NonZeroU32>,
    ) -> Self {
        Self {
            own_sid,
            selection,
            given,
            most_lines,
            sending: Sending::default(),
            asked: BTreeMap::new(),
            participants: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            held: BTreeMap::new(),
            unnamed: None,
        }
    }

    /// Takes the participants that the server tells of: all at the join, the changed ones later.
    pub fn update(&mut self, infos: &[proto::ParticipantInfo], now: Instant) -> Vec<Change> {
        if let Some(unnamed) = &mut self.unnamed {
            unnamed.told = true;
            for info in infos {
                unnamed.sids.remove(&info.sid);
            }
        }
        // Who is put out by another client with the same identity is back already.
        let replaced = infos.iter().filter(|info| {
            info.state() == State::Disconnected
                && info.disconnect_reason() == proto::DisconnectReason::DuplicateIdentity
        });
        let mut replaced: BTreeSet<String> = replaced.map(|info| info.sid.clone()).collect();
        for sid in self.put_out(infos) {
            self.participants.remove(&sid);
            replaced.insert(sid);
        }
        let mut changes = self.take(infos, &Hold::These(replaced), now);
        self.ask(&mut changes);
        changes
    }

    /// From now on so much of all pictures is to be sent.
    pub fn send(&mut self, sending: Sending) -> Vec<Change> {
        self.sending = sending;
        let mut changes = Vec::new();
        self.ask(&mut changes);
        changes
    }

    /// Those whose identity has come in anew. To a client of our protocol version the server
    /// does not say that they are gone (`SendParticipantUpdates` in livekit-server's
    /// `pkg/rtc/room.go`: updates that follow from a newer session are left out).
    fn put_out(&self, infos: &[proto::ParticipantInfo]) -> Vec<String> {
        let is_out = |known: &Known| {
            infos.iter().any(|info| {
                info.state() != State::Disconnected
                    && info.identity == known.participant.identity
                    && info.sid != known.participant.sid
                    && joined_ms(info) >= known.joined_ms
            })
        };
        self.participants
            .iter()
            .filter(|(_, known)| is_out(known))
            .map(|(sid, _)| sid.clone())
            .collect()
    }

    /// We joined anew, as the participant `own_sid`: takes everybody who is there.
    pub fn rejoin(
        &mut self,
        own_sid: String,
        infos: &[proto::ParticipantInfo],
        now: Instant,
    ) -> Vec<Change> {
        self.own_sid = own_sid;
        self.participants.clear();
        self.unnamed = None;
        let before: BTreeSet<TrackId> = self.subscribed.keys().cloned().collect();
        let mut changes = self.take(infos, &Hold::Everybody, now);
        let still = before
            .into_iter()
            .filter(|id| self.subscribed.contains_key(id));
        changes.extend(still.map(Change::Again));
        self.asked.clear();
        self.ask(&mut changes);
        changes
    }

    /// Signalling was opened anew within the same session: who left meanwhile nobody told us.
    pub fn resumed(&mut self, now: Instant) {
        self.unnamed = Some(Unnamed {
            sids: self.participants.keys().cloned().collect(),
            told: false,
            due: now + NAMED_WITHIN,
        });
    }

    /// When [`Self::expire`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let held = self.held.values().map(|(_, until)| *until);
        held.chain(self.unnamed.as_ref().map(|unnamed| unnamed.due))
            .min()
    }

    /// Lets go of what was waited for long enough.
    pub fn expire(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(unnamed) = self.unnamed.take_if(|unnamed| unnamed.due <= now)
            && unnamed.told
        {
            self.participants
                .retain(|sid, _| !unnamed.sids.contains(sid));
            self.select(&mut changes, &Hold::These(BTreeSet::new()), now);
        }
        let over = self.held.extract_if(.., |_, (_, until)| *until <= now);
        for (id, (track, _)) in over.collect::<Vec<_>>() {
            let end = self.end_of(|known| known.participant.identity == track.participant.identity);
            changes.push(Change::Unsubscribe(id, end));
        }
        changes
    }

    fn take(&mut self, infos: &[proto::ParticipantInfo], hold: &Hold, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        for info in infos.iter().filter(|info| info.sid != self.own_sid) {
            if info.state() == State::Disconnected {
                self.participants.remove(&info.sid);
                continue;
            }
            let old = self.participants.get(&info.sid);
            if old.is_some_and(|known| known.version > info.version) {
                continue;
            }
            let known = Known::read(info, &self.given);
            for (id, published) in &known.tracks {
                let before = old.and_then(|known| known.tracks.get(id));
                if before.is_none()
                    && self
                        .selection
                        .wants(&known.participant.identity, published.source)
                    && let Err(reason) = &published.codec
                {
                    changes.push(Change::Refused {
                        track: id.clone(),
                        identity: known.participant.identity.clone(),
                        source: published.source,
                        refusal: Refusal::Unrecordable(reason.clone()),
                    });
                }
            }
            self.participants.insert(info.sid.clone(), known);
        }
        self.mutes(&mut changes);
        self.select(&mut changes, hold, now);
        changes
    }

    /// A track's units turn out to be encoded otherwise than announced (a backup codec): gives
    /// the track as it is.
    pub fn correct_codec(&mut self, id: &TrackId, codec: Codec) -> Option<Track> {
        let track = self.subscribed.get_mut(id)?;
        track.codec = codec;
        Some(track.clone())
    }

    /// The track, if we asked for it.
    #[must_use]
    pub fn subscribed(&self, id: &TrackId) -> Option<&Track> {
        self.subscribed.get(id)
    }

    /// What we asked for of a track, where it is not all.
    #[must_use]
    pub fn asked(&self, id: &TrackId) -> Option<Asked> {
        self.asked.get(id).copied()
    }

    /// All tracks that we asked for.
    pub fn wanted(&self) -> impl Iterator<Item = &TrackId> {
        self.subscribed.keys()
    }

    fn mutes(&mut self, changes: &mut Vec<Change>) {
        for known in self.participants.values() {
            for (id, published) in &known.tracks {
                if let Some(track) = self.subscribed.get_mut(id)
                    && track.muted != published.muted
                {
                    track.muted = published.muted;
                    changes.push(Change::Muted(id.clone(), published.muted));
                }
            }
        }
    }

    /// Says what is to be sent of each picture, where that is news.
    fn ask(&mut self, changes: &mut Vec<Change>) {
        self.asked.retain(|id, _| self.subscribed.contains_key(id));
        let published = self.participants.values().flat_map(|known| &known.tracks);
        for (id, published) in published.filter(|(id, _)| self.subscribed.contains_key(*id)) {
            let Some(asked) = published.layers.ask(self.most_lines, self.sending) else {
                continue;
            };
            let before = if asked == Asked::ALL {
                self.asked.remove(id).unwrap_or(Asked::ALL)
            } else {
                self.asked.insert(id.clone(), asked).unwrap_or(Asked::ALL)
            };
            if before != asked {
                changes.push(Change::Ask(id.clone(), asked));
            }
        }
    }

    fn select(&mut self, changes: &mut Vec<Change>, hold: &Hold, now: Instant) {
        let view: Vec<Present> = self.participants.values().map(Known::view).collect();
        let decided = self.selection.update(&view);
        for id in decided.unsubscribe {
            let Some(track) = self.subscribed.remove(&id) else {
                continue;
            };
            if hold.applies_to(&track) {
                self.held.insert(id.clone(), (track, now + GRACE));
                changes.push(Change::Held(id));
                continue;
            }
            let end = self.end_of(|known| known.participant.sid == track.participant.sid);
            changes.push(Change::Unsubscribe(id, end));
        }
        for (id, limit) in decided.refused {
            let mut known = self.participants.values();
            if let Some(track) = known.find_map(|known| known.track(&id)) {
                changes.push(Change::Refused {
                    track: id,
                    identity: track.participant.identity.clone(),
                    source: track.source,
                    refusal: Refusal::Limit(limit),
                });
            }
        }
        for id in decided.subscribe {
            let track = self
                .participants
                .values()
                .find_map(|known| known.track(&id));
            if let Some(track) = track {
                self.subscribe(track, changes);
            }
        }
    }

    /// Asks for a track; one that was held comes back, or one that it replaces is let go.
    fn subscribe(&mut self, track: Track, changes: &mut Vec<Change>) {
        let id = track.id.clone();
        let same_place = |old: &Track| {
            old.source == track.source && old.participant.identity == track.participant.identity
        };
        self.subscribed.insert(id.clone(), track.clone());
        if let Some((old, _)) = self.held.remove(&id) {
            if old.muted != track.muted {
                changes.push(Change::Muted(id.clone(), track.muted));
            }
            changes.push(Change::Again(id));
            return;
        }
        let old = self.held.extract_if(.., |_, (old, _)| same_place(old));
        let old: Vec<TrackId> = old.map(|(id, _)| id).collect();
        changes.push(Change::Subscribe(track));
        let gone = |id| Change::Unsubscribe(id, TrackEnd::Unpublished);
        changes.extend(old.into_iter().map(gone));
    }

    /// Why a track ended, by whether anybody there is its `publisher`.
    fn end_of(&self, publisher: impl Fn(&Known) -> bool) -> TrackEnd {
        if self.participants.values().any(publisher) {
            TrackEnd::Unpublished
        } else {
            TrackEnd::ParticipantLeft
        }
    }
}

#[cfg(test)]
mod tests;
