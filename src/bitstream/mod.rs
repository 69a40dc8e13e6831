//! What can be read from pictures without decoding them: their size.
//!
//! The bytes come from strangers: whatever they are, they are read or refused.

mod av1;
mod bits;
mod h264;
pub mod h265;
pub mod nal;
mod picture;
pub mod raw;
mod vp9;

pub use picture::{Coding, Picture};

use crate::room::Codec;
use nal::Part;

/// The size of a picture in pixels, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// The size that a keyframe says that its pictures have; of several spatial layers in one unit
/// the largest. None where it can't be read.
#[must_use]
pub fn picture_size(codec: Codec, keyframe: &[u8]) -> Option<PictureSize> {
    match codec {
        Codec::H264 => parameters(Coding::H264, keyframe),
        Codec::H265 => parameters(Coding::H265, keyframe),
        Codec::Vp8 => vp8(keyframe),
        Codec::Vp9 => vp9::size(keyframe),
        Codec::Av1 => av1::size(keyframe),
        Codec::I420 => raw::size(keyframe),
        Codec::Opus | Codec::Pcm => None,
    }
}

/// The first sequence parameter set in front of the first slice.
fn parameters(coding: Coding, unit: &[u8]) -> Option<PictureSize> {
    for nal in nal::units(unit) {
        // What follows a set is not read: its own bits say where it ends.
        let picture = match Part::of(coding, *nal.first()?) {
            Part::Sps => Picture::read(coding, nal)?,
            Part::Slice { .. } => return None,
            _ => continue,
        };
        return Some(PictureSize {
            width: picture.width,
            height: picture.height,
        });
    }
    None
}

/// RFC 6386, 9.1: frame tag, start code, 14 bits of width and of height, each behind two bits
/// of scaling.
fn vp8(unit: &[u8]) -> Option<PictureSize> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = *unit else {
        return None;
    };
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    (tag & 1 == 0).then(|| PictureSize {
        width: size(w0, w1),
        height: size(h0, h1),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::media::test_card::{CardVideo, TestCard};

    #[test]
    fn the_size_is_read_from_what_encoders_make() {
        for codec in [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1] {
            for (width, height) in [(640, 360), (320, 180)] {
                let video = CardVideo {
                    codec,
                    width,
                    height,
                    ..CardVideo::default()
                };
                let mut card = TestCard::new(Some(video), false).unwrap();
                let units = card.next_units(Duration::from_millis(300)).unwrap();
                let (_, keyframe) = units.iter().find(|(_, unit)| unit.keyframe).unwrap();
                let expected = PictureSize {
                    width: width.into(),
                    height: height.into(),
                };
                let read = picture_size(codec, &keyframe.data);
                assert_eq!(read, Some(expected), "{codec}");
                for cut in 0..12 {
                    // Whatever is read of a piece, it is no panic.
                    let _ = picture_size(codec, &keyframe.data[..cut]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            head in prop::sample::select(vec![
                vec![0, 0, 1, 0x67],
                vec![0, 0, 1, 0x42, 1],
                vec![0x10, 0, 0, 0x9d, 0x01, 0x2a],
                vec![0x82, 0x49, 0x83, 0x42],
                vec![0x0a, 0x7f],
                vec![],
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = [head, tail].concat();
            for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
                if let Some(size) = picture_size(codec, &bytes) {
                    prop_assert!(size.width <= 1 << 16 && size.height <= 1 << 17, "{size:?}");
                }
            }
        }
    }
}
