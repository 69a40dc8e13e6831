//! Profile, level and size from an H.265 sequence parameter set (ITU-T H.265, 7.3.2.2).

use super::bits::Bits;
use super::nal::{self, Part};
use super::picture::{Coding, Picture};

/// Bytes of a NAL unit's header.
const HEADER: usize = 2;

/// No picture of H.265's levels has a side that is longer, in pixels (A.4.1: the square root of
/// eight times the most luma samples of level 6.2).
const LONGEST_SIDE: u32 = 16_888;

/// Reads a parameter set, its NAL header included; none when it is malformed.
#[must_use]
pub fn parse(nal: &[u8]) -> Option<Picture> {
    let mut bits = Bits::new(nal::payload(nal.get(HEADER..)?));
    bits.take(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.take(3)?; // sps_max_sub_layers_minus1
    bits.take(1)?; // sps_temporal_id_nesting_flag
    let (profile, level) = profile_tier_level(&mut bits, sub_layers)?;
    bits.golomb()?; // sps_seq_parameter_set_id
    let chroma = bits.golomb()?;
    if chroma == 3 {
        bits.take(1)?; // separate_colour_plane_flag
    }
    let width = bits.golomb()?;
    let height = bits.golomb()?;
    let mut crop = [0; 4];
    if bits.flag()? {
        for side in &mut crop {
            *side = bits.golomb()?;
        }
    }
    let [left, right, top, bottom] = crop;
    // Table 6-1: how many luma samples one unit of cropping is.
    let (across, down) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let size = |side: u32, before: u32, after: u32, unit: u32| {
        let cropped = before.checked_add(after)?.checked_mul(unit)?;
        let shown = side.checked_sub(cropped)?;
        (1..=LONGEST_SIDE).contains(&side).then_some(shown)
    };
    Some(Picture {
        coding: Coding::H265,
        profile,
        level,
        width: size(width, left, right, across)?,
        height: size(height, top, bottom, down)?,
    })
}

/// Whether a picture may begin with what stands in a byte stream: its first slice, if it has one,
/// is the first of its picture (`first_slice_segment_in_pic_flag`, 7.3.6.1).
#[must_use]
pub fn begins_picture(stream: &[u8]) -> bool {
    let is_slice = |nal: &&[u8]| {
        let header = nal.first();
        header.is_some_and(|it| matches!(Part::of(Coding::H265, *it), Part::Slice { .. }))
    };
    let first = nal::units(stream).find(is_slice);
    first.is_none_or(|slice| slice.get(HEADER).is_some_and(|byte| byte & 0x80 != 0))
}

/// Profile, and ten times the level (7.3.3). What is said of temporal layers is passed over.
fn profile_tier_level(
    bits: &mut Bits<impl Iterator<Item = u8>>,
    sub_layers: u32,
) -> Option<(u8, u8)> {
    bits.take(2 + 1)?; // general_profile_space, general_tier_flag
    let profile = u8::try_from(bits.take(5)?).ok()?;
    bits.take(32)?; // general_profile_compatibility_flag
    bits.take(32)?; // general_progressive_source_flag and 47 more
    bits.take(16)?;
    let level = u8::try_from(bits.take(8)? / 3).ok()?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.take(2 * (8 - sub_layers))?; // reserved_zero_2bits
    }
    for (profile, level) in present {
        if profile {
            for _ in 0..11 {
                bits.take(8)?;
            }
        }
        if level {
            bits.take(8)?;
        }
    }
    Some((profile, level))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::picture::shown;
    use proptest::prelude::*;

    fn read(hex: &str) -> Option<String> {
        shown(Coding::H265, hex)
    }

    #[test]
    fn reads_what_x265_writes() {
        let cases = [
            (
                "42010101600000030090000003000003003fa005020171f2e5ba4a4c2f016808000003000800000300f040",
                "Main 2.1, 640x360",
            ),
            // Cropped from 184 and from 1088 rows.
            (
                "42010101600000030090000003000003003ca00a080c1f3e595952930bc05a020000030002000003003c10",
                "Main 2.0, 320x180",
            ),
            (
                "420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000f04",
                "Main 4.0, 1920x1080",
            ),
            (
                "42010102200000030090000003000003003fa005020171f2b6595952930bc05a020000030002000003003c10",
                "Main 10 2.1, 640x360",
            ),
        ];
        for (hex, expected) in cases {
            assert_eq!(read(hex).as_deref(), Some(expected));
            assert_eq!(read(&hex[..32]), None, "cut short");
        }
    }

    #[test]
    fn a_picture_begins_with_its_first_slice_or_what_stands_before_it() {
        let (sps, first, second) = (
            [0, 0, 1, 0x42, 1],
            [0, 0, 1, 2, 1, 0x80],
            [0, 0, 1, 2, 1, 0x7f],
        );
        for (stream, begins) in [
            (&first[..], true),
            (&second[..], false),
            (&sps[..], true),
            (&[&sps[..], &first, &second].concat()[..], true),
            (&[&sps[..], &second].concat()[..], false),
            (&second[..5], false),
            (&[], true),
        ] {
            assert_eq!(begins_picture(stream), begins, "{stream:?}");
        }
    }

    #[test]
    fn what_is_said_of_temporal_layers_is_passed_over() {
        // Three layers, the second with a profile and a level of its own, the third with neither.
        let mut bits = String::from("0000" /* VPS */);
        bits += "010"; // two more layers
        bits += "1";
        bits += "00000001"; // Main
        bits += &"0".repeat(32 + 48);
        bits += "01011101"; // 93: 3.1
        bits += "1100"; // what is present
        bits += &"0".repeat(12);
        bits += &"10".repeat(44);
        bits += "01011010";
        bits += "1"; // set 0
        bits += "010"; // 4:2:0
        bits += "000000000010100000001"; // 1280
        bits += "0000000001011010001"; // 720
        bits += "0";
        let bytes = bits.as_bytes().chunks(8).map(|chunk| {
            let bit = |(place, bit): (usize, &u8)| (bit - b'0') << (7 - place);
            chunk.iter().enumerate().map(bit).sum::<u8>()
        });
        // Bytes that look like a start code are made harmless, as an encoder does.
        let mut nal = vec![0x42, 0x01];
        let mut zeros = 0;
        for byte in bytes {
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        let picture = parse(&nal).unwrap();
        assert_eq!(picture.to_string(), "Main 3.1, 1280x720");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = begins_picture(&bytes);
            if let Some(picture) = parse(&bytes) {
                prop_assert!(picture.width <= LONGEST_SIDE);
                prop_assert!(picture.height <= LONGEST_SIDE);
            }
        }
    }
}
