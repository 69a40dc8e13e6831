//! What becomes of what a recording is told, and of each unit.

use std::time::Instant;

use super::{MAX_HELD_BYTES, Recording};
use crate::bitstream::{PictureSize, picture_size};
use crate::buffers::{self, Buffer, amount};
use crate::media::Treatment;
use crate::recorder::DropReason;
use crate::recorder::cut::{MAX_HELD, Step};
use crate::recorder::failure::RecordingError;
use crate::recorder::pace::Pace;
use crate::room::{AccessUnit, Codec, Kind, RoomEvent, Track, TrackId};

/// A unit of a track that is recorded.
pub(super) struct Incoming {
    pub(super) kind: Kind,
    pub(super) unit: AccessUnit,
    /// The size that a keyframe says that its pictures have.
    size: Option<PictureSize>,
}

impl Recording {
    pub(super) async fn take(
        &mut self,
        event: RoomEvent,
        now: Instant,
    ) -> Result<(), RecordingError> {
        self.wake(now);
        let media_now = self.media_time(now);
        match event {
            RoomEvent::TrackAdded(track) => {
                let kind = track.source.kind();
                self.kinds.insert(track.id.clone(), kind);
                self.journal.gaps.published(kind, track.muted, media_now);
                self.say_treatment(&track);
                self.cutter.track_added(track, now);
                self.heed_permit();
            }
            RoomEvent::TrackMuted { id, muted } => {
                if let Some(kind) = self.cutter.kind_of(&id) {
                    self.journal.gaps.muted(kind, muted, media_now);
                }
                self.cutter.track_muted(&id, muted);
            }
            RoomEvent::TrackPaused { id, paused } => {
                if let Some(kind) = self.cutter.kind_of(&id) {
                    self.journal.gaps.paused(kind, paused, media_now);
                }
            }
            RoomEvent::TrackRemoved { id, .. } => {
                // None where another track has taken its place.
                if let Some(kind) = self.cutter.kind_of(&id) {
                    self.journal.gaps.unpublished(kind, media_now);
                }
                self.cutter.track_removed(&id);
                self.kinds.remove(&id);
                self.heed_permit();
            }
            RoomEvent::Interrupted { cause } => {
                self.journal.gaps.interrupted(Some(cause), media_now);
            }
            RoomEvent::Resumed => self.journal.gaps.interrupted(None, media_now),
            RoomEvent::Media { id, unit } => self.unit(&id, unit, now).await?,
            RoomEvent::UnitsDropped { id, units } => {
                if let Some(kind) = self.kinds.get(&id).copied() {
                    self.journal
                        .gaps
                        .dropped_unseen(kind, DropReason::QueueFull);
                    self.tally().refused(kind, DropReason::QueueFull, units);
                }
            }
            // Concerns the room, which doesn't tell its recordings.
            RoomEvent::Joined { .. } | RoomEvent::TrackRefused { .. } => {}
        }
        Ok(())
    }

    fn say_treatment(&self, track: &Track) {
        if track.source.kind() == Kind::Video {
            let mode = self.setup.graph.mode;
            let treatment = Treatment::of(track.codec, mode);
            tracing::info!(
                room = self.setup.room.as_str(),
                participant = self.setup.participant.identity.as_str(),
                track = track.id.as_str(),
                codec = track.codec.as_str(),
                reason = treatment.reason(mode),
                "video is {}",
                treatment.as_str()
            );
        }
    }

    async fn unit(
        &mut self,
        id: &TrackId,
        unit: AccessUnit,
        now: Instant,
    ) -> Result<(), RecordingError> {
        let Some(kind) = self.kinds.get(id).copied() else {
            tracing::debug!(track = id.as_str(), "a unit of a track that has ended");
            return Ok(());
        };
        self.pace
            .get_or_insert_with(|| Pace::new(unit.at, now))
            .unit(kind, unit.at, now);
        self.end = self.end.max(unit.at);
        // How large a decoded picture is nobody but its size decides.
        let decoded = self.cutter.video_codec().is_some_and(Codec::is_decoded);
        let limited = kind == Kind::Audio || !decoded;
        if limited && unit.data.len() > self.setup.max_unit_bytes {
            self.too_large(kind, &unit);
            return Ok(());
        }
        let incoming = self.read(kind, unit);
        if kind == Kind::Video && incoming.unit.keyframe {
            self.ask_for_picture(incoming.size).await;
        }
        self.cut_if_resized(incoming.size);
        let decision = self.cutter.unit(id, &incoming.unit);
        if decision.ask_keyframe {
            self.ask_keyframe();
        }
        match decision.step {
            Step::Push => self.push(&incoming),
            Step::Drop(reason) => self.refuse(kind, &incoming.unit, reason),
            Step::Cut(layout) => {
                self.cut(layout, incoming.unit.at).await?;
                self.push(&incoming);
            }
            Step::Hold => self.hold(incoming, now).await?,
        }
        Ok(())
    }

    fn read(&self, kind: Kind, unit: AccessUnit) -> Incoming {
        let is_picture = kind == Kind::Video && unit.keyframe;
        let codec = self.cutter.video_codec().filter(|_| is_picture);
        let size = codec.and_then(|codec| picture_size(codec, &unit.data));
        Incoming { kind, unit, size }
    }

    /// Leaves a unit out, and with it all that builds on it.
    fn too_large(&mut self, kind: Kind, unit: &AccessUnit) {
        self.refuse(kind, unit, DropReason::TooLarge);
        self.cutter.lost(kind, DropReason::Discontinuity);
        if kind == Kind::Video {
            self.ask_keyframe();
        }
    }

    async fn hold(&mut self, incoming: Incoming, now: Instant) -> Result<(), RecordingError> {
        let bytes = self.held_bytes.saturating_add(incoming.unit.data.len());
        if self.held.len() >= MAX_HELD || bytes > MAX_HELD_BYTES {
            self.refuse(incoming.kind, &incoming.unit, DropReason::QueueFull);
            self.cutter.lost(incoming.kind, DropReason::QueueFull);
            return Ok(());
        }
        self.held_bytes = bytes;
        self.most_held_bytes = self.most_held_bytes.max(bytes);
        self.held.push_back(incoming);
        self.open_if_due(now).await
    }

    /// What waits for the first segment.
    pub(super) fn held_buffer(&self) -> Buffer {
        Buffer {
            name: "held",
            unit: buffers::Unit::Bytes,
            depth: amount(self.held_bytes),
            high_water: amount(self.most_held_bytes),
            limit: amount(MAX_HELD_BYTES),
            dropped: self.unsegmented.drops().of(DropReason::QueueFull),
        }
    }

    pub(super) fn push(&mut self, incoming: &Incoming) {
        let (kind, unit) = (incoming.kind, &incoming.unit);
        let Some(segment) = &mut self.segment else {
            return self.refuse(kind, unit, DropReason::AwaitingKeyframe);
        };
        segment.entrance().received(kind);
        if kind == Kind::Audio {
            self.overlap.heard(unit);
        }
        let at = unit.at.saturating_sub(self.zero);
        match segment.push(kind, at, unit) {
            None => self.written(incoming),
            Some(reason) => {
                self.journal.gaps.dropped(kind, unit.at, reason.into());
                if kind == Kind::Video && reason.wants_keyframe() {
                    self.ask_keyframe();
                }
            }
        }
    }

    fn written(&mut self, incoming: &Incoming) {
        let unit = &incoming.unit;
        let journal = &mut self.journal;
        journal.written(incoming.kind, unit.at, unit.contiguous);
        if let Some(size) = incoming.size {
            journal.picture(unit.at, size);
        }
    }

    /// Asks for a new segment in front of a picture of another size, if it is to have one.
    fn cut_if_resized(&mut self, size: Option<PictureSize>) {
        if self.setup.cut_on_resize
            && let (Some(now), Some(before)) = (size, self.journal.size())
            && now != before
        {
            self.breaks |= self.cutter.cut_next();
        }
    }

    /// Counts a unit that no graph gets to see.
    fn refuse(&mut self, kind: Kind, unit: &AccessUnit, reason: DropReason) {
        self.tally().refused(kind, reason, 1);
        self.journal.gaps.dropped(kind, unit.at, reason);
    }
}
