//! From what the media stack gives to access units on the session's clock.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::format::CodecExtra;
use str0m::media::MediaData;

use super::filler::is_filler;
use super::pieces::{Joined, Piece, Pieces};
use super::superframe::indexed;
use crate::bitstream::h265::begins_picture;
use crate::room::timeline::{Placed, SenderReport, Timeline};
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
    /// Pictures of H.265.
    pieces: Pieces,
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
    /// Pictures of which a piece is missing.
    pub torn: u64,
}

impl Units {
    /// Units placed from `epoch` on. Of a picture that comes in pieces no more is kept once it has
    /// more than `most_bytes`.
    pub fn new(epoch: Instant, most_bytes: usize, events: EventSender) -> Self {
        Self {
            timeline: Timeline::new(epoch),
            pieces: Pieces::new(most_bytes),
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
    pub fn restart(&mut self, track: &Track) -> Result<(), ReceiverGone> {
        self.finish(&track.id)?;
        self.start(track);
        self.broken.insert(track.id.clone());
        Ok(())
    }

    /// Expects no more of a track.
    pub fn forget(&mut self, id: &TrackId) -> Result<(), ReceiverGone> {
        self.finish(id)?;
        self.timeline.remove_track(id);
        self.broken.remove(id);
        Ok(())
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
        let piece = piece(codec, data);
        if codec != Codec::H265 {
            return self.hand_on(id, codec, piece);
        }
        match self.pieces.take(id, piece) {
            Some(joined) => self.joined(id, joined),
            None => Ok(()),
        }
    }

    /// Hands on the picture of a track behind which no other is to come.
    pub fn finish(&mut self, id: &TrackId) -> Result<(), ReceiverGone> {
        match self.pieces.finish(id) {
            Some(joined) => self.joined(id, joined),
            None => Ok(()),
        }
    }

    /// When [`Self::expire`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.pieces.deadline()
    }

    /// Hands on the pictures behind which nothing has come for long.
    pub fn expire(&mut self, now: Instant) -> Result<(), ReceiverGone> {
        for (id, joined) in self.pieces.expire(now) {
            self.joined(&id, joined)?;
        }
        Ok(())
    }

    fn joined(&mut self, id: &TrackId, joined: Joined) -> Result<(), ReceiverGone> {
        match joined {
            Joined::Whole(picture) => self.hand_on(id, Codec::H265, picture),
            Joined::Torn => {
                self.counts.torn += 1;
                self.broken.insert(id.clone());
                Ok(())
            }
        }
    }

    fn hand_on(&mut self, id: &TrackId, codec: Codec, piece: Piece) -> Result<(), ReceiverGone> {
        let Some(placed) = self.place(id, &piece) else {
            return Ok(());
        };
        let broken = self.broken.remove(id);
        let unit = AccessUnit {
            at: placed.at,
            keyframe: codec.kind() == Kind::Audio || piece.keyframe,
            contiguous: piece.contiguous && !placed.discontinuity && !broken,
            data: piece.data,
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

    fn place(&mut self, id: &TrackId, piece: &Piece) -> Option<Placed> {
        self.timeline
            .place(id, piece.rtp, piece.arrival, piece.report)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "RTP time is the low 32 bits"
)]
fn piece(codec: Codec, data: &MediaData) -> Piece {
    let late = match codec.kind() {
        Kind::Audio => AUDIO_REPORT_LATE,
        Kind::Video => Duration::ZERO,
    };
    let report = data.last_sender_info.as_ref().map(|info| SenderReport {
        ntp: info.ntp_time.checked_sub(late).unwrap_or(info.ntp_time),
        rtp: info.rtp_time.numer() as u32,
    });
    let whole = Bytes::from_owner(Arc::clone(&data.data));
    Piece {
        rtp: data.time.numer() as u32,
        arrival: data.network_time,
        report,
        keyframe: data.is_keyframe(),
        contiguous: data.contiguous,
        // Looked at behind a gap only: else it is the next picture or the next piece of this one.
        begins: data.contiguous || codec != Codec::H265 || begins_picture(&data.data),
        data: match &data.codec_extra {
            CodecExtra::Vp9(extra) => indexed(&whole, &extra.layers_scheme),
            _ => whole,
        },
    }
}

/// How a unit is encoded, if we know the codec.
pub fn codec_of(data: &MediaData) -> Option<Codec> {
    match data.params.spec().codec {
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::H264 => Some(Codec::H264),
        str0m::format::Codec::H265 => Some(Codec::H265),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        str0m::format::Codec::Vp9 => Some(Codec::Vp9),
        str0m::format::Codec::Av1 => Some(Codec::Av1),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::test_track::track;
    use crate::room::{EventReceiver, RoomEvent, Source};

    const FRAME: u32 = 3_000;

    fn picture(epoch: Instant, number: u32) -> Piece {
        Piece {
            rtp: number * FRAME,
            arrival: epoch + Duration::from_millis(33) * number,
            report: None,
            keyframe: false,
            contiguous: true,
            begins: true,
            data: bytes::Bytes::copy_from_slice(&number.to_be_bytes()),
        }
    }

    /// Units, where they come out, the track that they are of, and the epoch.
    fn begin() -> (Units, EventReceiver, Track, Instant) {
        let (sender, events) = EventSender::channel();
        let epoch = Instant::now();
        let units = Units::new(epoch, 1_000, sender);
        (
            units,
            events,
            track("V", Source::Camera, Codec::H265),
            epoch,
        )
    }

    async fn came(events: &mut EventReceiver) -> AccessUnit {
        match events.recv().await.unwrap() {
            RoomEvent::Media { unit, .. } => unit,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_keyframe_behind_a_gap_is_the_only_one_that_does_not_join_on() {
        let (mut units, mut events, track, epoch) = begin();
        units.restart(&track).unwrap();
        for number in 1..=3 {
            let piece = Piece {
                keyframe: number == 1,
                contiguous: number != 1,
                ..picture(epoch, number)
            };
            units.hand_on(&track.id, Codec::H265, piece).unwrap();
            let unit = came(&mut events).await;
            assert_eq!((unit.keyframe, unit.contiguous), (number == 1, number != 1));
        }
    }

    #[tokio::test]
    async fn behind_a_torn_picture_the_next_one_does_not_join_on() {
        let (mut units, mut events, track, epoch) = begin();
        units.start(&track);
        units.joined(&track.id, Joined::Torn).unwrap();
        assert_eq!(units.counts().torn, 1);
        for number in 1..=2 {
            let whole = Joined::Whole(picture(epoch, number));
            units.joined(&track.id, whole).unwrap();
            assert_eq!(came(&mut events).await.contiguous, number == 2);
        }
    }

    #[tokio::test]
    async fn the_last_picture_of_a_track_is_handed_on() {
        let (mut units, mut events, track, epoch) = begin();
        units.start(&track);
        for number in 1..=2 {
            assert_eq!(
                units
                    .pieces
                    .take(&track.id, picture(epoch, number))
                    .is_some(),
                number == 2
            );
        }
        units.forget(&track.id).unwrap();
        assert_eq!(*came(&mut events).await.data, 2_u32.to_be_bytes());
        assert_eq!(units.deadline(), None);
    }
}
