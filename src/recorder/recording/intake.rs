//! What becomes of what a recording is told, and of each unit.

use std::time::Instant;

use super::{MAX_HELD_BYTES, Recording};
use crate::bitstream::picture_size;
use crate::recorder::DropReason;
use crate::recorder::cut::{MAX_HELD, Step};
use crate::recorder::failure::RecordingError;
use crate::recorder::pace::Pace;
use crate::room::{AccessUnit, Kind, RoomEvent, TrackId};

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
                self.cutter.track_added(track, now);
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
            RoomEvent::Joined { .. } => {}
        }
        Ok(())
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
        if unit.data.len() > self.setup.max_unit_bytes {
            self.too_large(kind, &unit);
            return Ok(());
        }
        self.cut_if_resized(kind, &unit);
        let decision = self.cutter.unit(id, &unit);
        if decision.ask_keyframe {
            self.ask_keyframe();
        }
        match decision.step {
            Step::Push => self.push(kind, &unit),
            Step::Drop(reason) => self.refuse(kind, &unit, reason),
            Step::Cut(layout) => {
                self.cut(layout, unit.at).await?;
                self.push(kind, &unit);
            }
            Step::Hold => self.hold(kind, unit, now).await?,
        }
        Ok(())
    }

    /// Leaves a unit out, and with it all that builds on it.
    fn too_large(&mut self, kind: Kind, unit: &AccessUnit) {
        self.refuse(kind, unit, DropReason::TooLarge);
        self.cutter.lost(kind, DropReason::Discontinuity);
        if kind == Kind::Video {
            self.ask_keyframe();
        }
    }

    async fn hold(
        &mut self,
        kind: Kind,
        unit: AccessUnit,
        now: Instant,
    ) -> Result<(), RecordingError> {
        let bytes = self.held_bytes.saturating_add(unit.data.len());
        if self.held.len() >= MAX_HELD || bytes > MAX_HELD_BYTES {
            self.refuse(kind, &unit, DropReason::QueueFull);
            self.cutter.lost(kind, DropReason::QueueFull);
            return Ok(());
        }
        self.held_bytes = bytes;
        self.held.push_back((kind, unit));
        self.open_if_due(now).await
    }

    pub(super) fn push(&mut self, kind: Kind, unit: &AccessUnit) {
        let Some(segment) = &mut self.segment else {
            return self.refuse(kind, unit, DropReason::AwaitingKeyframe);
        };
        segment.entrance().received(kind);
        if kind == Kind::Audio {
            self.overlap.heard(unit);
        }
        let at = unit.at.saturating_sub(self.zero);
        match segment.push(kind, at, unit) {
            None => self.written(kind, unit),
            Some(reason) => {
                self.journal.gaps.dropped(kind, unit.at, reason.into());
                if kind == Kind::Video && reason.wants_keyframe() {
                    self.ask_keyframe();
                }
            }
        }
    }

    fn written(&mut self, kind: Kind, unit: &AccessUnit) {
        self.journal.written(kind, unit.at, unit.contiguous);
        if kind == Kind::Video
            && unit.keyframe
            && let Some(codec) = self.cutter.video_codec()
            && let Some(size) = picture_size(codec, &unit.data)
        {
            self.journal.picture(unit.at, size);
        }
    }

    /// Asks for a new segment in front of a picture of another size, if it is to have one.
    fn cut_if_resized(&mut self, kind: Kind, unit: &AccessUnit) {
        if !self.setup.cut_on_resize || kind == Kind::Audio || !unit.keyframe {
            return;
        }
        let codec = self.cutter.video_codec();
        let size = codec.and_then(|codec| picture_size(codec, &unit.data));
        if let (Some(now), Some(before)) = (size, self.journal.size())
            && now != before
        {
            self.resized |= self.cutter.cut_next();
        }
    }

    /// Counts a unit that no graph gets to see.
    fn refuse(&mut self, kind: Kind, unit: &AccessUnit, reason: DropReason) {
        self.tally().refused(kind, reason, 1);
        self.journal.gaps.dropped(kind, unit.at, reason);
    }
}
