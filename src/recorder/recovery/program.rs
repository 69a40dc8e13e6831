//! Takes streams out of a program map of which nothing is left: a player would wait for them.

use mpeg2ts_reader::mpegts_crc;

use super::super::pts_scan::PACKET;

/// Says that the program has no clock reference (ISO/IEC 13818-1, 2.4.4.9).
const NO_PCR: [u8; 2] = [0xff, 0xff];

/// The section's bytes up to its descriptors, and those of a stream up to its own.
const HEAD: usize = 12;
const STREAM: usize = 5;

/// The packet of a program map without the streams of these PIDs; none when it is no packet with
/// a whole map, or has none of them.
pub(super) fn without(packet: &[u8; PACKET], pids: &[u16]) -> Option<[u8; PACKET]> {
    let payload = match packet.get(3)? >> 4 & 3 {
        1 => 4,
        3 => 5 + usize::from(*packet.get(4)?),
        _ => return None,
    };
    let at = payload + 1 + usize::from(*packet.get(payload)?);
    let section = packet.get(at..)?;
    let section = section.get(..3 + twelve_bits(section.get(1..)?)?)?;
    if section.first() != Some(&2) || mpegts_crc::sum32(section) != 0 {
        return None;
    }
    let streams = HEAD + twelve_bits(section.get(10..)?)?;
    let mut kept = section.get(..streams)?.to_vec();
    let mut rest = section.get(streams..section.len() - 4)?;
    while !rest.is_empty() {
        let (stream, others) = rest.split_at_checked(STREAM + twelve_bits(rest.get(3..)?)?)?;
        if !pids.contains(&pid(stream.get(1..)?)?) {
            kept.extend_from_slice(stream);
        }
        rest = others;
    }
    if kept.len() + 4 == section.len() {
        return None;
    }
    if pids.contains(&pid(kept.get(8..)?)?) {
        kept.get_mut(8..10)?.copy_from_slice(&NO_PCR);
    }
    let [high, low] = u16::try_from(kept.len() + 4 - 3).ok()?.to_be_bytes();
    let flags = kept.get(1)? & 0xf0;
    kept.get_mut(1..3)?.copy_from_slice(&[flags | high, low]);
    kept.extend(mpegts_crc::sum32(&kept).to_be_bytes());
    let mut changed = [0xff; PACKET];
    changed.get_mut(..at)?.copy_from_slice(packet.get(..at)?);
    changed.get_mut(at..at + kept.len())?.copy_from_slice(&kept);
    Some(changed)
}

fn twelve_bits(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.first_chunk().copied()?;
    Some(usize::from(u16::from_be_bytes(bytes) & 0x0fff))
}

fn pid(bytes: &[u8]) -> Option<u16> {
    let bytes = bytes.first_chunk().copied()?;
    Some(u16::from_be_bytes(bytes) & 0x1fff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::{
        AUDIO, Builder, Flags, PMT_PID, VIDEO, packet, program_map,
    };
    use proptest::prelude::*;

    fn map(streams: &[(u8, u16, &[u8])]) -> [u8; PACKET] {
        let mut builder = Builder::empty();
        builder.section(PMT_PID, &program_map(streams));
        *builder.bytes.last_chunk().unwrap()
    }

    #[test]
    fn a_stream_and_its_clock_are_taken_out() {
        let both = map(&[(0x1b, VIDEO, &[]), (6, AUDIO, b"\x05\x04Opus")]);
        let mut sound = map(&[(6, AUDIO, b"\x05\x04Opus")]);
        let changed = without(&both, &[VIDEO]).unwrap();
        // The same but for the clock reference.
        let until_pcr = 4 + 1 + 8;
        assert_eq!(changed[..until_pcr], sound[..until_pcr]);
        assert_eq!(changed[until_pcr..until_pcr + 2], NO_PCR);
        sound[until_pcr..until_pcr + 2].copy_from_slice(&NO_PCR);
        let section = 3 + usize::from(changed[7]);
        assert_eq!(mpegts_crc::sum32(&changed[5..5 + section]), 0);
        assert_eq!(changed[..5 + section - 4], sound[..5 + section - 4]);

        let pictures = without(&both, &[AUDIO]).unwrap();
        assert_eq!(pictures, map(&[(0x1b, VIDEO, &[])]));
        assert_eq!(without(&both, &[0x99]), None);
        assert_eq!(without(&[0x47; PACKET], &[VIDEO]), None);
    }

    proptest! {
        #[test]
        fn any_packet_is_changed_or_refused(
            noise in prop::collection::vec(any::<u8>(), 184),
            head in 0..184_usize,
        ) {
            let good = map(&[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])]);
            let payload = [&good[4..4 + head], &noise[head..]].concat();
            let bytes = packet(PMT_PID, 0, Flags::default(), &payload);
            let _ = without(bytes.first_chunk().unwrap(), &[VIDEO]);
        }
    }
}
