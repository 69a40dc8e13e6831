//! From what the media stack gives to access units on the session's clock.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use str0m::media::MediaData;

use super::filler::is_filler;
use super::timeline::{Placed, SenderReport, Timeline};
use crate::room::{AccessUnit, Codec, Delivery, EventSender, Kind, ReceiverGone, Track, TrackId};

/// How late libwebrtc's reports put sound. They pair the stamp of a packet's first sample with
/// the moment at which the packet was sent (`modules/rtp_rtcp/source/rtcp_sender.cc`: sound comes
/// without a capture time), one packet of 20 ms later; pictures
/// are paired with their capture. Measured as 22 ms against arrival. All of LiveKit's own
/// publishers, browsers included, are libwebrtc.
const AUDIO_REPORT_LATE: Duration = Duration::from_millis(20);

/// Places units and hands them on.
pub struct Units {
    timeline: Timeline,
    events: EventSender,
    /// Tracks of which units are missing: their next one does not join on.
    broken: HashSet<TrackId>,
    counts: UnitCounts,
}

/// What was not handed on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct UnitCounts {
    /// Units that found the room's queue full.
    pub dropped: u64,
    /// Pictures that the server made up.
    pub fillers: u64,
}

impl Units {
    /// Units placed from `epoch` on.
    pub fn new(epoch: Instant, events: EventSender) -> Self {
        Self {
            timeline: Timeline::new(epoch),
            events,
            broken: HashSet::new(),
            counts: UnitCounts::default(),
        }
    }

    /// Expects units of a track.
    pub fn start(&mut self, track: &Track) {
        let sid = &track.participant.sid;
        self.timeline.add_track(&track.id, sid, track.codec);
    }

    /// The stream of a track begins anew: with other numbers, and with something missing.
    pub fn restart(&mut self, track: &Track) {
        self.start(track);
        self.broken.insert(track.id.clone());
    }

    /// Expects no more of a track.
    pub fn forget(&mut self, id: &TrackId) {
        self.timeline.remove_track(id);
        self.broken.remove(id);
    }

    /// Places what came for a track that is encoded by `codec`, and hands it on.
    pub fn deliver(
        &mut self,
        id: &TrackId,
        codec: Codec,
        data: &MediaData,
    ) -> Result<(), ReceiverGone> {
        if is_filler(codec, &data.data) {
            self.counts.fillers += 1;
            return Ok(());
        }
        let Some(placed) = self.place(id, codec, data) else {
            return Ok(());
        };
        let unit = AccessUnit {
            at: placed.at,
            keyframe: codec.kind() == Kind::Audio || data.is_keyframe(),
            contiguous: data.contiguous && !placed.discontinuity && !self.broken.remove(id),
            data: data.data.clone(),
        };
        if self.events.offer(id.clone(), unit)? == Delivery::Dropped {
            self.counts.dropped += 1;
            self.broken.insert(id.clone());
        }
        Ok(())
    }

    /// What was not handed on so far.
    pub const fn counts(&self) -> UnitCounts {
        self.counts
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP time is the low 32 bits"
    )]
    fn place(&mut self, id: &TrackId, codec: Codec, data: &MediaData) -> Option<Placed> {
        let late = match codec.kind() {
            Kind::Audio => AUDIO_REPORT_LATE,
            Kind::Video => Duration::ZERO,
        };
        let report = data.last_sender_info.as_ref().map(|info| SenderReport {
            ntp: info.ntp_time.checked_sub(late).unwrap_or(info.ntp_time),
            rtp: info.rtp_time.numer() as u32,
        });
        self.timeline
            .place(id, data.time.numer() as u32, data.network_time, report)
    }
}

/// How a unit is encoded, if we know the codec.
pub fn codec_of(data: &MediaData) -> Option<Codec> {
    match data.params.spec().codec {
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::H264 => Some(Codec::H264),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        str0m::format::Codec::Vp9 => Some(Codec::Vp9),
        str0m::format::Codec::Av1 => Some(Codec::Av1),
        _ => None,
    }
}
