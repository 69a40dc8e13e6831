//! What a segment holds, counted from the packets that pass on their way to the disk.
//!
//! Only what a manifest and a playlist need; whether the stream is sound is for `reeld verify`.

use std::collections::BTreeMap;
use std::time::Duration;

use mpeg2ts_reader::packet::Packet;
use mpeg2ts_reader::pes::{PesContents, PesHeader, PtsDts};
use serde::{Deserialize, Serialize};

use crate::room::Kind;
use crate::timebase::{Pts, PtsUnwrapper, duration_of_ticks};

/// Bytes of a transport stream packet (ISO/IEC 13818-1, 2.4.3.2).
pub const PACKET: usize = Packet::SIZE;

/// `packet_start_code_prefix` of a PES packet (ISO/IEC 13818-1, 2.4.3.6).
const PES_START: [u8; 3] = [0, 0, 1];

/// `stream_id` of video (ISO/IEC 13818-1, table 2-22).
const VIDEO_STREAM_IDS: std::ops::RangeInclusive<u8> = 0xe0..=0xef;

/// Units by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Frames {
    /// Pictures.
    pub video: u64,
    /// Packets of sound.
    pub audio: u64,
}

impl Frames {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.video = self.video.saturating_add(other.video);
        self.audio = self.audio.saturating_add(other.audio);
    }
}

/// Counts what passes.
#[derive(Debug, Default)]
pub struct PtsScan {
    packets: u64,
    bad_sync: u64,
    unwrapper: PtsUnwrapper,
    /// The first stamp seen, of any stream: the zero of all ticks below.
    origin: Option<Pts>,
    streams: BTreeMap<u16, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    kind: Option<Kind>,
    frames: u64,
    /// Least and greatest stamp, in ticks since the origin, and how many there were.
    span: Option<(i64, i64)>,
    stamps: i64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Packets of 188 bytes.
    pub packets: u64,
    /// Packets that do not start with the sync byte 0x47.
    pub bad_sync: u64,
    /// The stamp of the frame that is shown first.
    pub first_pts: Option<Pts>,
    /// The stamp of the frame that is shown last.
    pub last_pts: Option<Pts>,
    /// From the first frame to the end of the last one, which is taken to be as long as the
    /// frames of its stream are on average.
    pub duration: Duration,
    /// PES packets by kind: the muxer makes one for each frame.
    pub frames: Frames,
}

impl PtsScan {
    /// Counts the packets in `bytes`, a multiple of 188; a shorter end is ignored.
    pub fn add(&mut self, bytes: &[u8]) {
        for packet in bytes.chunks_exact(PACKET) {
            self.packets += 1;
            match Packet::try_new(packet) {
                Some(packet) => self.add_packet(&packet),
                None => self.bad_sync += 1,
            }
        }
    }

    fn add_packet(&mut self, packet: &Packet<'_>) {
        if !packet.payload_unit_start_indicator() {
            return;
        }
        // Tables begin with a pointer, never with the start code; PAT and PMT come this way too.
        let Some((stream_id, pes)) = packet.payload().and_then(pes_header) else {
            return;
        };
        let ticks = stamp_of(&pes).map(|pts| {
            self.origin.get_or_insert(pts);
            self.unwrapper.unwrap(pts)
        });
        let stream = self.streams.entry(packet.pid().into()).or_default();
        stream.frames += 1;
        // MPEG-TS names sound that is not MPEG's own (Opus) as private_stream_1.
        stream.kind = Some(if VIDEO_STREAM_IDS.contains(&stream_id) {
            Kind::Video
        } else {
            Kind::Audio
        });
        if let Some(ticks) = ticks {
            stream.stamps += 1;
            let (first, last) = stream.span.unwrap_or((ticks, ticks));
            stream.span = Some((first.min(ticks), last.max(ticks)));
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn result(&self) -> Scanned {
        let spans = || self.streams.values().filter_map(|stream| stream.span);
        let first = spans().map(|(first, _)| first).min();
        let last = spans().map(|(_, last)| last).max();
        let end = self.streams.values().filter_map(Stream::end).max();
        let mut frames = Frames::default();
        for stream in self.streams.values() {
            match stream.kind {
                Some(Kind::Video) => frames.video += stream.frames,
                Some(Kind::Audio) => frames.audio += stream.frames,
                None => {}
            }
        }
        Scanned {
            packets: self.packets,
            bad_sync: self.bad_sync,
            first_pts: first.and_then(|ticks| self.stamp_at(ticks)),
            last_pts: last.and_then(|ticks| self.stamp_at(ticks)),
            duration: match (first, end) {
                (Some(first), Some(end)) => duration_of_ticks(end - first),
                _ => Duration::ZERO,
            },
            frames,
        }
    }

    fn stamp_at(&self, ticks: i64) -> Option<Pts> {
        let origin = self.origin?.ticks();
        let wrapped = ticks.rem_euclid(i64::try_from(Pts::MODULUS).ok()?);
        Some(Pts::from_ticks(origin + u64::try_from(wrapped).ok()?))
    }
}

impl Stream {
    /// Where the last frame ends.
    fn end(&self) -> Option<i64> {
        let (first, last) = self.span?;
        let frame = (last - first).checked_div(self.stamps - 1).unwrap_or(0);
        Some(last + frame)
    }
}

fn pes_header(payload: &[u8]) -> Option<(u8, PesHeader<'_>)> {
    let stream_id = payload.strip_prefix(&PES_START)?.first()?;
    Some((*stream_id, PesHeader::from_bytes(payload)?))
}

fn stamp_of(pes: &PesHeader<'_>) -> Option<Pts> {
    let PesContents::Parsed(Some(contents)) = pes.contents() else {
        return None;
    };
    match contents.pts_dts() {
        Ok(PtsDts::PtsOnly(Ok(pts)) | PtsDts::Both { pts: Ok(pts), .. }) => {
            Some(Pts::from_ticks(pts.value()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::test_stream::{AUDIO, VIDEO, pat, pes};
    use proptest::prelude::*;

    fn scan(packets: &[[u8; PACKET]]) -> Scanned {
        let mut scan = PtsScan::default();
        scan.add(&packets.concat());
        scan.result()
    }

    #[test]
    fn frames_and_length_of_two_streams_across_the_wrap() {
        // A second of pictures (30) and a little more sound (51 × 20 ms), sound first.
        let start = Pts::MODULUS - 45_000;
        let mut packets = vec![pat(0)];
        packets.extend((0..51).map(|n| pes(AUDIO, start + n * 1_800)));
        packets.extend((0..30).map(|n| pes(VIDEO, start + 900 + n * 3_000)));
        let found = scan(&packets);
        assert_eq!(found.packets, 82);
        assert_eq!(
            found.frames,
            Frames {
                video: 30,
                audio: 51
            }
        );
        assert_eq!(found.first_pts, Some(Pts::from_ticks(start)));
        assert_eq!(found.last_pts, Some(Pts::from_ticks(start + 50 * 1_800)));
        assert_eq!(found.last_pts.unwrap().ticks(), 45_000);
        // The last packet of sound lasts 20 ms like the others.
        assert_eq!(found.duration, Duration::from_millis(1_020));
        assert_eq!(found.bad_sync, 0);
    }

    #[test]
    fn order_of_decoding_does_not_matter() {
        let found = scan(&[pes(VIDEO, 9_000), pes(VIDEO, 3_000), pes(VIDEO, 6_000)]);
        assert_eq!(found.first_pts, Some(Pts::from_ticks(3_000)));
        assert_eq!(found.last_pts, Some(Pts::from_ticks(9_000)));
        assert_eq!(found.duration, Duration::from_millis(100));
    }

    #[test]
    fn one_frame_has_no_length_and_a_bad_packet_is_counted() {
        let mut bad = pes(VIDEO, 1);
        bad[0] = 0x48;
        let found = scan(&[pes(VIDEO, 1), bad]);
        assert_eq!(found.duration, Duration::ZERO);
        assert_eq!(
            (found.packets, found.bad_sync, found.frames.video),
            (2, 1, 1)
        );
        assert_eq!(scan(&[]), Scanned::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_without_a_panic(
            noise in prop::collection::vec(any::<u8>(), 0..4 * PACKET),
            start in prop::bool::ANY,
        ) {
            let mut noise = noise;
            for packet in noise.chunks_mut(PACKET).filter(|_| start) {
                packet[0] = 0x47;
            }
            let mut scan = PtsScan::default();
            scan.add(&noise);
            prop_assert_eq!(scan.result().packets, (noise.len() / PACKET) as u64);
        }
    }
}
