//! Whether a recording may decode and encode its picture: asked for when the first keyframe says
//! how large it is. Until then, and while there is no memory for it, its segments are of sound
//! alone, and hold no decoder.

use std::time::Instant;

use tokio::sync::oneshot;

use super::Recording;
use crate::bitstream::PictureSize;
use crate::events;
use crate::governor::{self, Answer, Grant};
use crate::media::{Pictures, Treatment};

/// What is assumed of a picture that does not say how large it is.
const UNKNOWN: PictureSize = PictureSize {
    width: 1920,
    height: 1080,
};

/// What the governor says of one picture.
#[derive(Debug, Default)]
pub(super) enum Permit {
    /// Nobody has asked.
    #[default]
    Unasked,
    /// Too many ask: the next keyframe is another try.
    Refused,
    /// There is no memory for it.
    Waiting(oneshot::Receiver<Grant>),
    /// It may be recorded.
    Granted(#[expect(dead_code, reason = "counts for as long as it is kept")] Grant),
}

impl Permit {
    /// Waits until there is memory; for ever where nobody waits for any.
    pub(super) async fn granted(&mut self) -> Option<Grant> {
        match self {
            Self::Waiting(reply) => reply.await.ok(),
            Self::Unasked | Self::Refused | Self::Granted(_) => std::future::pending().await,
        }
    }
}

impl Recording {
    /// Whether its picture has to be encoded again.
    fn encodes(&self) -> bool {
        let mode = self.setup.graph.mode;
        let codec = self.cutter.video_codec();
        codec.is_some_and(|codec| Treatment::of(codec, mode) == Treatment::Encoded)
    }

    /// Whether the governor allows any picture.
    fn wants_picture(&self) -> bool {
        self.thrift.saving().pictures < Pictures::None
    }

    /// A keyframe came of a picture: asks whether it may be recorded, if that is not known.
    pub(super) async fn ask_for_picture(&mut self, size: Option<PictureSize>) {
        let asks = matches!(self.permit, Permit::Unasked | Permit::Refused);
        if !asks || !self.encodes() || !self.wants_picture() {
            return;
        }
        let PictureSize { width, height } = size.unwrap_or(UNKNOWN);
        let cost = governor::cost(width, height);
        self.permit = match self.setup.door.ask(cost).await {
            Answer::Granted(grant) => Permit::Granted(grant),
            Answer::Wait(reply) => {
                self.say_waiting(width, height, cost);
                Permit::Waiting(reply)
            }
            Answer::Busy => Permit::Refused,
        };
        self.heed_permit();
    }

    fn say_waiting(&self, width: u32, height: u32, cost: u64) {
        tracing::warn!(
            message_id = events::NO_MEMORY,
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            width,
            height,
            takes_bytes = cost,
            "no memory for this picture beside what is recorded: its sound is recorded alone for now; \
             raise memory.budget or the limit (MemoryMax=), or have the camera send H.264, which is \
             not encoded again"
        );
    }

    /// There is memory now, or nobody to ask any more.
    pub(super) fn permitted(&mut self, grant: Option<Grant>) {
        self.permit = grant.map_or(Permit::Unasked, Permit::Granted);
        if matches!(self.permit, Permit::Granted(_)) {
            tracing::info!(
                room = self.setup.room.as_str(),
                participant = self.setup.participant.identity.as_str(),
                "memory for this picture: it is recorded from its next keyframe on"
            );
        }
        self.heed_permit();
        self.ask_keyframe();
    }

    /// Takes the picture out of the recording, or in again, by what holds now.
    pub(super) fn heed_permit(&mut self) {
        let encodes = self.encodes();
        let wanted = self.wants_picture();
        if !encodes || !wanted {
            self.permit = Permit::Unasked;
        }
        let waits = matches!(self.permit, Permit::Waiting(_) | Permit::Refused);
        self.cutter.spare_video(encodes && (waits || !wanted));
    }

    /// Where no sound comes to cut at, a decoder that is not to be ends all the same.
    pub(super) fn end_spared(&mut self, now: Instant) {
        if !self.cutter.holds_spared_video() {
            self.spared_since = None;
            return;
        }
        let since = *self.spared_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= super::TICK * 5 {
            self.close_segment(self.end);
            self.cutter.failed(now);
        }
    }
}
