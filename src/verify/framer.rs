//! Finds the frames in an audio stream: AAC in ADTS (ISO/IEC 13818-7, 6.2) and Opus with its
//! control headers (Opus in MPEG-TS, <https://wiki.xiph.org/OpusTS>).

use serde::Serialize;

/// Longest header that is waited for: an Opus control header with the longest extension.
const MOST_HEADER_BYTES: usize = 600;
/// Sampling frequencies by index (ISO/IEC 14496-3, table 1.18).
const ADTS_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// How the sound is sampled, as the frames themselves say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sound {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels, where the frames say it.
    pub channels: Option<u8>,
}

/// One frame of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Ticks of 90 kHz.
    pub(super) ticks: i64,
    pub(super) sound: Sound,
}

/// How frames are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Adts,
    Opus,
}

/// What the bytes at the start of a frame are.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// Too few to tell.
    Partial,
    /// A frame of so many bytes, header included.
    Frame { bytes: usize, frame: Frame },
    /// No frame.
    Bad,
}

/// Takes the payload of PES packets in pieces of any size.
#[derive(Debug)]
pub(super) struct Framer {
    syntax: Syntax,
    header: Vec<u8>,
    remaining: usize,
    lost: bool,
}

impl Framer {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            header: Vec::new(),
            remaining: 0,
            lost: false,
        }
    }

    /// A PES packet begins; where frames were lost they are looked for again from here.
    pub(super) fn unit_starts(&mut self) {
        self.lost = false;
    }

    /// Packets are missing: the frame in progress cannot be ended.
    pub(super) fn packets_lost(&mut self) {
        self.header.clear();
        self.remaining = 0;
        self.lost = true;
    }

    /// Whether no frame is in progress.
    pub(super) fn is_between_frames(&self) -> bool {
        self.remaining == 0 && self.header.is_empty()
    }

    /// Gives each frame that begins in `bytes`, and none for bytes that are no frame.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut found: impl FnMut(Option<Frame>)) {
        while !self.lost {
            let rest = bytes
                .get(self.remaining.min(bytes.len())..)
                .unwrap_or_default();
            self.remaining -= bytes.len() - rest.len();
            let Some((&byte, rest)) = rest.split_first() else {
                return;
            };
            bytes = rest;
            self.header.push(byte);
            match self.parse() {
                Header::Partial => {}
                Header::Frame { bytes, frame } => {
                    self.remaining = bytes.saturating_sub(self.header.len());
                    self.header.clear();
                    found(Some(frame));
                }
                Header::Bad => {
                    self.packets_lost();
                    found(None);
                }
            }
        }
    }

    fn parse(&self) -> Header {
        let parsed = match self.syntax {
            Syntax::Adts => adts(&self.header),
            Syntax::Opus => opus(&self.header),
        };
        match parsed {
            Some(header) => header,
            None if self.header.len() < MOST_HEADER_BYTES => Header::Partial,
            None => Header::Bad,
        }
    }
}

/// None when bytes are missing.
fn adts(header: &[u8]) -> Option<Header> {
    if *header.first()? != 0xff {
        return Some(Header::Bad);
    }
    // Twelve bits of sync, the version, a layer that is always zero.
    let second = *header.get(1)?;
    if second & 0xf6 != 0xf0 {
        return Some(Header::Bad);
    }
    let &[third, fourth, fifth, sixth, seventh] = header.get(2..)?.first_chunk()?;
    let bytes = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let shortest = if second & 1 == 1 { 7 } else { 9 };
    let Some(&sample_rate) = ADTS_RATES.get(usize::from(third >> 2 & 0x0f)) else {
        return Some(Header::Bad);
    };
    if bytes < shortest {
        return Some(Header::Bad);
    }
    let channels = match (third & 1) << 2 | fourth >> 6 {
        0 => None,
        7 => Some(8),
        count => Some(count),
    };
    let samples = 1024 * (i64::from(seventh & 3) + 1);
    let frame = Frame {
        ticks: samples * 90_000 / i64::from(sample_rate),
        sound: Sound {
            sample_rate,
            channels,
        },
    };
    Some(Header::Frame { bytes, frame })
}

/// None when bytes are missing. The header takes in the first bytes of the Opus packet, which
/// say how long it lasts.
fn opus(header: &[u8]) -> Option<Header> {
    // control_header_prefix, 11 bits; start_trim_flag, end_trim_flag, control_extension_flag.
    if *header.first()? != 0x7f {
        return Some(Header::Bad);
    }
    let flags = *header.get(1)?;
    if flags & 0xe0 != 0xe0 {
        return Some(Header::Bad);
    }
    let mut at = 2;
    let mut size = 0;
    loop {
        let part = *header.get(at)?;
        at += 1;
        size += usize::from(part);
        if part != 0xff {
            break;
        }
    }
    // Samples left out at the front and at the end, thirteen bits each.
    let mut trimmed = 0;
    for flag in [0x10, 0x08] {
        if flags & flag != 0 {
            let samples = u16::from_be_bytes([*header.get(at)?, *header.get(at + 1)?]);
            trimmed += i64::from(samples & 0x1fff);
            at += 2;
        }
    }
    if flags & 0x04 != 0 {
        at += 1 + usize::from(*header.get(at)?);
    }
    if size == 0 {
        return Some(Header::Bad);
    }
    let frames = match *header.get(at)? & 3 {
        0 => 1,
        1 | 2 => 2,
        _ if size < 2 => return Some(Header::Bad),
        _ => i64::from(*header.get(at + 1)? & 0x3f),
    };
    let ticks = frames * opus_frame_ticks(*header.get(at)?);
    let frame = Frame {
        ticks: (ticks - trimmed * 90_000 / 48_000).max(0),
        sound: Sound {
            sample_rate: 48_000,
            channels: None,
        },
    };
    Some(Header::Frame {
        bytes: at + size,
        frame,
    })
}

/// The length of one frame by the packet's first byte (RFC 6716, table 2), in ticks of 90 kHz.
fn opus_frame_ticks(toc: u8) -> i64 {
    let config = toc >> 3;
    match (config, config & 3) {
        (0..12, 0) | (12..16, 0 | 2) | (16.., 2) => 900,
        (0..12, 1) | (12..16, _) | (16.., 3) => 1_800,
        (0..12, 2) => 3_600,
        (0..12, _) => 5_400,
        (16.., 0) => 225,
        (16.., _) => 450,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::{adts_frame, opus_unit};
    use proptest::prelude::*;

    fn frames(syntax: Syntax, bytes: &[u8], piece: usize) -> Vec<Option<Frame>> {
        let mut framer = Framer::new(syntax);
        let mut found = Vec::new();
        framer.unit_starts();
        for piece in bytes.chunks(piece) {
            framer.push(piece, |frame| found.push(frame));
        }
        found
    }

    #[test]
    fn adts_frames_are_found_in_whatever_pieces_they_come() {
        let frame = Frame {
            ticks: 1920,
            sound: Sound {
                sample_rate: 48_000,
                channels: Some(1),
            },
        };
        for piece in [1, 6, 7, 100, 1000] {
            let bytes = adts_frame(200).repeat(3);
            assert_eq!(frames(Syntax::Adts, &bytes, piece), [Some(frame); 3]);
        }
        assert_eq!(
            frames(Syntax::Adts, &[&adts_frame(20)[..], b"x"].concat(), 5),
            [Some(frame), None]
        );
    }

    #[test]
    fn opus_packets_are_found_with_their_length() {
        let lasting = |ticks| {
            Some(Frame {
                ticks,
                sound: Sound {
                    sample_rate: 48_000,
                    channels: None,
                },
            })
        };
        let one = opus_unit(&[0xf8, 0xff, 0xfe]);
        let long = opus_unit(&[0xfb; 300]); // code 3: 59 frames of 20 ms
        for piece in [1, 2, 184] {
            let found = frames(Syntax::Opus, &[&one[..], &long].concat(), piece);
            assert_eq!(found, [lasting(1_800), lasting(59 * 1_800)]);
        }
        // Both trims (256 and 4 samples) and an extension of two bytes stand before the packet.
        let trimmed = [0x7f, 0xfc, 1, 1, 0, 0, 4, 2, 9, 9, 0x08];
        let found = frames(Syntax::Opus, &trimmed, 3);
        assert_eq!(found, [lasting(1_800 - 260 * 15 / 8)]);
        assert_eq!(frames(Syntax::Opus, &[0x7f, 0xe0, 0], 3), [None]);
        assert_eq!(frames(Syntax::Opus, &[0x7f, 0x00, 3], 3), [None]);
    }

    #[test]
    fn opus_lengths_are_those_of_the_table() {
        let tenths_of_ms = |config: u8| opus_frame_ticks(config << 3) / 9;
        let lengths: Vec<_> = (0..32).map(tenths_of_ms).collect();
        let mut expected = [100, 200, 400, 600].repeat(3);
        expected.extend([100, 200].repeat(2));
        expected.extend([25, 50, 100, 200].repeat(4));
        assert_eq!(lengths, expected);
    }

    #[test]
    fn after_a_loss_frames_are_looked_for_from_the_next_unit() {
        let mut framer = Framer::new(Syntax::Adts);
        let mut found = 0;
        framer.push(&adts_frame(200)[..50], |_| found += 1);
        framer.packets_lost();
        framer.push(&[0; 50], |_| found += 1);
        framer.unit_starts();
        framer.push(&adts_frame(200), |frame| {
            found += i32::from(frame.is_some());
        });
        assert_eq!(found, 2);
    }

    proptest! {
        #[test]
        fn noise_is_refused_in_bounded_memory(
            opus in any::<bool>(),
            bytes in prop::collection::vec(prop_oneof![Just(0xff), Just(0x7f), any::<u8>()], 0..3000),
        ) {
            let syntax = if opus { Syntax::Opus } else { Syntax::Adts };
            let mut framer = Framer::new(syntax);
            framer.push(&bytes, |_| ());
            prop_assert!(framer.header.len() <= MOST_HEADER_BYTES);
        }
    }
}
