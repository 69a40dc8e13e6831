//! The size from the sequence header of AV1 (AV1 bitstream specification, 5.3 and 5.5).

use super::PictureSize;
use super::bits::Bits;

const SEQUENCE_HEADER: u8 = 1;

/// The largest size of the sequence, from the first header in a temporal unit.
pub(super) fn size(unit: &[u8]) -> Option<PictureSize> {
    let mut rest = unit;
    loop {
        let (kind, payload, behind) = obu(rest)?;
        if kind == SEQUENCE_HEADER {
            return sequence(&mut Bits::new(payload.iter().copied()));
        }
        rest = behind;
    }
}

/// The first OBU: its type, its payload and what is behind it.
fn obu(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, mut rest) = bytes.split_first()?;
    let (kind, extended, sized) = (header >> 3 & 15, header & 4 != 0, header & 2 != 0);
    if extended {
        rest = rest.get(1..)?;
    }
    if !sized {
        return Some((kind, rest, &[]));
    }
    let (length, rest) = leb128(rest)?;
    let (payload, behind) = rest.split_at_checked(length)?;
    Some((kind, payload, behind))
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(8) {
        value |= u64::from(byte & 0x7f) << (place * 7);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(place + 1..)?));
        }
    }
    None
}

fn sequence(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<PictureSize> {
    bits.take(3 + 1)?; // seq_profile, still_picture
    if bits.flag()? {
        bits.take(5)?; // reduced_still_picture_header: seq_level_idx
    } else {
        let delay_bits = timing(bits)?;
        operating_points(bits, delay_bits)?;
    }
    let (across, down) = (bits.take(4)? + 1, bits.take(4)? + 1);
    Some(PictureSize {
        width: bits.take(across)? + 1,
        height: bits.take(down)? + 1,
    })
}

/// Timing and decoder model; gives how many bits a buffer delay has, 0 where there is no model.
fn timing(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<u32> {
    if !bits.flag()? {
        return Some(0);
    }
    bits.take(32)?; // num_units_in_display_tick
    bits.take(32)?; // time_scale
    if bits.flag()? {
        skip_uvlc(bits)?; // num_ticks_per_picture_minus_1
    }
    if !bits.flag()? {
        return Some(0);
    }
    let delay_bits = bits.take(5)? + 1;
    bits.take(32)?; // num_units_in_decoding_tick
    bits.take(5 + 5)?; // lengths of removal and presentation times
    Some(delay_bits)
}

fn skip_uvlc(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<()> {
    let mut zeros = 0;
    while !bits.flag()? {
        zeros += 1;
        if zeros >= 32 {
            return Some(());
        }
    }
    bits.take(zeros).map(|_| ())
}

fn operating_points(bits: &mut Bits<impl Iterator<Item = u8>>, delay_bits: u32) -> Option<()> {
    let display_delay = bits.flag()?;
    for _ in 0..=bits.take(5)? {
        bits.take(12)?; // operating_point_idc
        if bits.take(5)? > 7 {
            bits.take(1)?; // seq_tier
        }
        if delay_bits > 0 && bits.flag()? {
            bits.take(delay_bits)?; // decoder_buffer_delay
            bits.take(delay_bits)?; // encoder_buffer_delay
            bits.take(1)?; // low_delay_mode_flag
        }
        if display_delay && bits.flag()? {
            bits.take(4)?; // initial_display_delay_minus_1
        }
    }
    Some(())
}
