//! Transport stream packets made by hand, for tests.

use super::pts_scan::PACKET;

/// A stream of packets: its PID and its `stream_id`.
#[derive(Clone, Copy)]
pub struct StreamOf(u16, u8);

pub const VIDEO: StreamOf = StreamOf(0x41, 0xe0);
pub const AUDIO: StreamOf = StreamOf(0x42, 0xbd);

/// A packet with the whole of a PES packet that is stamped `pts`.
pub fn pes(StreamOf(pid, stream_id): StreamOf, pts: u64) -> [u8; PACKET] {
    let byte = |shift: u32| u8::try_from(pts >> shift & 0xff).unwrap();
    let mut head = vec![0, 0, 1, stream_id];
    // No length, no scrambling, PTS only, five bytes of it.
    head.extend([0, 0, 0x80, 0x80, 5]);
    head.extend([
        0x21 | byte(29) & 0x0e,
        byte(22),
        byte(14) | 1,
        byte(7),
        byte(0) << 1 | 1,
    ]);
    packet(pid, &head)
}

/// A packet of PID 0; `n` makes it different from others.
pub fn pat(n: u8) -> [u8; PACKET] {
    packet(0, &[0, 0, 0xb0, n])
}

fn packet(pid: u16, payload: &[u8]) -> [u8; PACKET] {
    let [high, low] = pid.to_be_bytes();
    let mut packet = [0xff; PACKET];
    packet[..4].copy_from_slice(&[0x47, 0x40 | high, low, 0x10]);
    packet[4..4 + payload.len()].copy_from_slice(payload);
    packet
}
