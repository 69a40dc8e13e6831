//! Profile, level and size from an H.264 sequence parameter set (ITU-T H.264, 7.3.2.1.1).

use super::bits::Bits;
use super::nal;
use super::picture::{Coding, Picture};

/// No picture of H.264's levels is larger in either direction, in macroblocks of 16 pixels.
const MOST_MACROBLOCKS: u32 = 1 << 12;

/// Reads a parameter set, its NAL header included; none when it is malformed.
#[must_use]
pub fn parse(nal: &[u8]) -> Option<Picture> {
    let mut bits = Bits::new(nal::payload(nal.get(1..)?));
    let profile = u8::try_from(bits.take(8)?).ok()?;
    bits.take(8)?; // constraint flags
    let level = u8::try_from(bits.take(8)?).ok()?;
    bits.golomb()?; // seq_parameter_set_id
    let chroma = match profile {
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135 => {
            high(&mut bits)?
        }
        _ => 1,
    };
    bits.golomb()?; // log2_max_frame_num_minus4
    order_count(&mut bits)?;
    bits.golomb()?; // max_num_ref_frames
    bits.take(1)?; // gaps_in_frame_num_value_allowed_flag
    let columns = bits
        .golomb()?
        .checked_add(1)
        .filter(|&count| count <= MOST_MACROBLOCKS)?;
    let rows = bits
        .golomb()?
        .checked_add(1)
        .filter(|&count| count <= MOST_MACROBLOCKS)?;
    let fields = 2 - bits.take(1)?; // frame_mbs_only_flag
    if fields == 2 {
        bits.take(1)?; // mb_adaptive_frame_field_flag
    }
    bits.take(1)?; // direct_8x8_inference_flag
    let mut crop = [0; 4];
    if bits.take(1)? == 1 {
        for side in &mut crop {
            *side = bits.golomb()?;
        }
    }
    let [left, right, top, bottom] = crop;
    // Table 6-1: how many luma samples one unit of cropping is.
    let (across, down) = match chroma {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let size = |macroblocks: u32, before: u32, after: u32, unit: u32| {
        let cropped = before.checked_add(after)?.checked_mul(unit)?;
        (macroblocks * 16).checked_sub(cropped)
    };
    Some(Picture {
        coding: Coding::H264,
        profile,
        level,
        width: size(columns, left, right, across)?,
        height: size(rows * fields, top, bottom, down)?,
    })
}

/// The part that only the higher profiles have; gives `chroma_format_idc`, 0 for separate planes.
fn high(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<u32> {
    let chroma = bits.golomb()?;
    let separate = chroma == 3 && bits.take(1)? == 1;
    bits.golomb()?; // bit_depth_luma_minus8
    bits.golomb()?; // bit_depth_chroma_minus8
    bits.take(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.take(1)? == 1 {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.take(1)? == 1 {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if separate { 0 } else { chroma })
}

fn skip_scaling_list(bits: &mut Bits<impl Iterator<Item = u8>>, length: usize) -> Option<()> {
    let mut last = 8;
    for _ in 0..length {
        last = (last + bits.signed_golomb()?).rem_euclid(256);
        if last == 0 {
            break;
        }
    }
    Some(())
}

fn order_count(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<()> {
    match bits.golomb()? {
        0 => {
            bits.golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.take(1)?; // delta_pic_order_always_zero_flag
            bits.golomb()?; // offset_for_non_ref_pic
            bits.golomb()?; // offset_for_top_to_bottom_field
            for _ in 0..bits.golomb().filter(|&count| count < 256)? {
                bits.golomb()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::picture::shown;
    use proptest::prelude::*;

    fn read(hex: &str) -> Option<String> {
        shown(Coding::H264, hex)
    }

    #[test]
    fn reads_what_x264_writes() {
        let cases = [
            (
                "6764001facd9405005bb0110000003001000000303c0f1831960",
                "High 3.1, 1280x720",
            ),
            // Cropped from 192 rows and from 1088.
            ("6742c015d901419f9f016a0c0c0d4a", "Baseline 2.1, 320x180"),
            ("674d4028d900780227e5c05a808080a0", "Main 4.0, 1920x1080"),
            // Interlaced: rows are counted in pairs and cropped by four.
            (
                "6764001eacd940a063f3602d418181a94000000300400000",
                "High 3.0, 640x364",
            ),
        ];
        for (hex, expected) in cases {
            assert_eq!(read(hex).as_deref(), Some(expected));
            assert_eq!(read(&hex[..12]), None, "cut short");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(picture) = parse(&bytes) {
                prop_assert!(picture.width <= MOST_MACROBLOCKS * 16);
                prop_assert!(picture.height <= MOST_MACROBLOCKS * 32);
            }
        }
    }
}
