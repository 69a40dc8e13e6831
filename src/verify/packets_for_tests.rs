//! Transport streams by hand, for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mpeg2ts_reader::mpegts_crc::sum32;

pub(crate) const PMT_PID: u16 = 0x1000;
pub(crate) const VIDEO: u16 = 0x41;
pub(crate) const AUDIO: u16 = 0x42;

/// One packet: payload of at most 184 bytes, filled up by an adaptation field.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) starts: bool,
    pub(crate) random_access: bool,
    pub(crate) discontinuity: bool,
    pub(crate) pcr: Option<u64>,
}

pub(crate) fn packet(pid: u16, counter: u8, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let mut field = Vec::new();
    let has_field = flags.random_access || flags.discontinuity || flags.pcr.is_some();
    if has_field || payload.len() < 183 {
        let bits = u8::from(flags.discontinuity) << 7
            | u8::from(flags.random_access) << 6
            | u8::from(flags.pcr.is_some()) << 4;
        field.push(bits);
        if let Some(base) = flags.pcr {
            field.extend(&(base << 15).to_be_bytes()[2..]);
        }
    }
    let stuffed = payload.len() < 184;
    if stuffed {
        assert!(field.len() + payload.len() <= 183);
        field.resize(183 - payload.len(), 0xff);
    }
    let control = u8::from(stuffed) << 5 | u8::from(!payload.is_empty()) << 4;
    let mut packet = vec![
        0x47,
        high | u8::from(flags.starts) << 6,
        low,
        control | counter & 0x0f,
    ];
    if stuffed {
        packet.push(u8::try_from(field.len()).unwrap());
        packet.extend(field);
    }
    packet.extend(payload);
    assert_eq!(packet.len(), 188);
    packet
}

/// A section with its checksum.
pub(crate) fn section(table_id: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len() + 9).unwrap().to_be_bytes();
    let mut section = vec![table_id, 0xb0 | high, low, 0, 1, 0xc1, 0, 0];
    section.extend(body);
    section.extend(sum32(&section).to_be_bytes());
    section
}

/// A program map: (stream type, PID, descriptors), the first being the clock reference's.
pub(crate) fn program_map(streams: &[(u8, u16, &[u8])]) -> Vec<u8> {
    let pid = |pid: u16| [0xe0 | pid.to_be_bytes()[0], pid.to_be_bytes()[1]];
    let mut body = [&pid(streams[0].1)[..], &[0xf0, 0]].concat();
    for &(kind, number, descriptors) in streams {
        body.push(kind);
        body.extend(pid(number));
        body.extend([0xf0, u8::try_from(descriptors.len()).unwrap()]);
        body.extend(descriptors);
    }
    section(2, &body)
}

pub(crate) const OPUS_REGISTRATION: &[u8] = b"\x05\x04Opus";

/// A stream that is built packet by packet, with counters that go on.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    pub(crate) bytes: Vec<u8>,
    counters: std::collections::BTreeMap<u16, u8>,
}

impl Builder {
    pub(crate) fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            counters: std::collections::BTreeMap::new(),
        }
    }

    /// PAT and PMT, with H.264 and AAC.
    pub(crate) fn new() -> Self {
        let mut builder = Self::empty();
        builder.tables(&[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])]);
        builder
    }

    pub(crate) fn tables(&mut self, streams: &[(u8, u16, &[u8])]) {
        let [high, low] = PMT_PID.to_be_bytes();
        self.section(0, &section(0, &[0, 1, 0xe0 | high, low]));
        self.section(PMT_PID, &program_map(streams));
    }

    pub(crate) fn section(&mut self, pid: u16, section: &[u8]) {
        let mut payload = [&[0], section].concat();
        payload.resize(184, 0xff);
        self.packet(
            pid,
            Flags {
                starts: true,
                ..Flags::default()
            },
            &payload,
        );
    }

    pub(crate) fn packet(&mut self, pid: u16, flags: Flags, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_insert(15);
        if !payload.is_empty() {
            *counter = (*counter + 1) & 0x0f;
        }
        let counter = *counter;
        self.bytes.extend(packet(pid, counter, flags, payload));
    }

    /// Leaves a packet of the stream out.
    pub(crate) fn lose(&mut self, pid: u16) {
        let counter = self.counters.entry(pid).or_insert(15);
        *counter = (*counter + 1) & 0x0f;
    }

    /// A PES packet in as many transport packets as it needs.
    pub(crate) fn pes(&mut self, pid: u16, mut flags: Flags, pes: &[u8]) {
        flags.starts = true;
        let mut rest = pes;
        while !rest.is_empty() {
            let has_field = flags.pcr.is_some() || flags.random_access || flags.discontinuity;
            // Only the last packet is stuffed.
            let room = match flags.pcr {
                Some(_) => 176,
                None if has_field => 182,
                None => 184,
            };
            let (now, later) = rest.split_at(room.min(rest.len()));
            rest = later;
            self.packet(pid, flags, now);
            flags = Flags::default();
        }
    }

    /// A picture at `ticks`, with a clock reference if it is a keyframe.
    pub(crate) fn video(&mut self, ticks: u64, unit: &[u8]) {
        let is_key = unit == keyframe();
        let pcr = Some(ticks.wrapping_sub(9_000) % (1 << 33));
        let flags = Flags {
            random_access: is_key,
            pcr,
            ..Flags::default()
        };
        self.pes(VIDEO, flags, &pes(0xe0, Some(ticks), None, unit, false));
    }

    /// A frame of AAC at `ticks`.
    pub(crate) fn audio(&mut self, ticks: u64) {
        self.pes(
            AUDIO,
            Flags::default(),
            &pes(0xc0, Some(ticks), None, &adts_frame(120), true),
        );
    }

    /// `frames` pictures at 30 a second, the first of each ten a keyframe, and AAC as long.
    pub(crate) fn media(&mut self, start: u64, frames: u64) {
        let mut sounds = 0;
        for frame in 0..frames {
            let unit = if frame % 10 == 0 { keyframe() } else { delta() };
            self.video(start + frame * 3_000, &unit);
            while sounds * 1_920 < (frame + 1) * 3_000 {
                self.audio(start + sounds * 1_920);
                sounds += 1;
            }
        }
    }
}

fn stamp(prefix: u8, ticks: u64) -> [u8; 5] {
    let byte = |shift: u64, mask: u64| u8::try_from(ticks >> shift & mask).unwrap();
    [
        prefix << 4 | byte(30, 7) << 1 | 1,
        byte(22, 0xff),
        byte(15, 0x7f) << 1 | 1,
        byte(7, 0xff),
        byte(0, 0x7f) << 1 | 1,
    ]
}

pub(crate) fn pes(
    stream_id: u8,
    pts: Option<u64>,
    dts: Option<u64>,
    payload: &[u8],
    bounded: bool,
) -> Vec<u8> {
    let mut optional: Vec<u8> = Vec::new();
    let both = dts.is_some();
    optional.extend(
        pts.map(|ticks| stamp(if both { 3 } else { 2 }, ticks))
            .iter()
            .flatten(),
    );
    optional.extend(dts.map(|ticks| stamp(1, ticks)).iter().flatten());
    let flags = u8::from(pts.is_some()) << 7 | u8::from(both) << 6;
    let length = if bounded {
        3 + optional.len() + payload.len()
    } else {
        0
    };
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    let optional_length = u8::try_from(optional.len()).unwrap();
    let mut pes = vec![0, 0, 1, stream_id, high, low, 0x80, flags, optional_length];
    pes.extend(optional);
    pes.extend(payload);
    pes
}

const DELIMITER: &[u8] = &[0, 0, 0, 1, 9, 0xf0];
/// From x264: High, 3.1, 1280x720.
const SPS: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
    0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xeb, 0xe3, 0xcb];

/// A slice of the type, 400 bytes long.
fn slice(header: u8) -> Vec<u8> {
    [&[0, 0, 1, header][..], &[0xa5; 400]].concat()
}

pub(crate) fn keyframe() -> Vec<u8> {
    [DELIMITER, SPS, PPS, &slice(0x65)].concat()
}

pub(crate) fn delta() -> Vec<u8> {
    [DELIMITER, &slice(0x41)].concat()
}

/// VPS, SPS and PPS.
const H265_SETS: &[u8] = &[
    0x00, 0x00, 0x00, 0x01, 0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00,
    0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x94, 0x09, 0x00, 0x00, 0x00, 0x01,
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0x52, 0x93, 0x0b, 0xc0, 0x5a, 0x02,
    0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x10, 0x00, 0x00, 0x00, 0x01, 0x44,
    0x01, 0xc0, 0x73, 0xc1, 0x89,
];

/// A keyframe of H.265 with all that belongs in front of it; from x265, 1280x720.
pub(crate) fn h265_keyframe() -> Vec<u8> {
    let sets = [
        &[0, 0, 0, 1, 0x46, 0x01, 0x50][..],
        H265_SETS,
        &[0, 0, 1, 0x26, 0x01],
        &[0xa5; 400],
    ];
    sets.concat()
}

pub(crate) fn h265_delta() -> Vec<u8> {
    [
        &[0, 0, 0, 1, 0x46, 0x01, 0x50, 0, 0, 1, 0x02, 0x01][..],
        &[0xa5; 400],
    ]
    .concat()
}

pub(crate) fn bare_keyframe() -> Vec<u8> {
    [DELIMITER, &slice(0x65)].concat()
}

/// An AAC frame of `bytes` in all, 48 kHz, one channel.
pub(crate) fn adts_frame(bytes: u16) -> Vec<u8> {
    let length = |shift: u16, mask: u16| u8::try_from(bytes >> shift & mask).unwrap();
    let mut frame = vec![
        0xff,
        0xf1,
        0x4c,
        0x40 | length(11, 3),
        length(3, 0xff),
        length(0, 7) << 5 | 0x1f,
        0xfc,
    ];
    frame.resize(bytes.into(), 0x21);
    frame
}

/// An Opus packet with its control header.
pub(crate) fn opus_unit(packet: &[u8]) -> Vec<u8> {
    let mut unit = vec![0x7f, 0xe0];
    let mut rest = packet.len();
    while rest >= 255 {
        unit.push(255);
        rest -= 255;
    }
    unit.push(u8::try_from(rest).unwrap());
    unit.extend(packet);
    unit
}

/// A sound file with `frames` pictures at 30 a second, and sound.
pub(crate) fn sound_file(frames: u64) -> Vec<u8> {
    let mut builder = Builder::new();
    builder.media(90_000, frames);
    builder.bytes
}
