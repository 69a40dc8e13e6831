//! What decoders are tried with: ten pictures, the last four of half the size, as when a server
//! chooses another layer. Made by `samples/make.py`.

use bytes::Bytes;

use crate::bitstream::PictureSize;
use crate::room::Codec;

/// An encoded picture, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) size: PictureSize,
    /// The mean of its luma.
    pub(super) luma: u8,
    pub(super) data: Bytes,
}

/// Length, width, height and luma, in network order.
const HEAD: usize = 9;

/// The pictures for a codec of video.
pub(super) fn pictures(codec: Codec) -> Vec<Sample> {
    let mut rest: &'static [u8] = match codec {
        Codec::H264 => include_bytes!("samples/h264.bin"),
        Codec::H265 => include_bytes!("samples/h265.bin"),
        Codec::Vp8 => include_bytes!("samples/vp8.bin"),
        Codec::Vp9 => include_bytes!("samples/vp9.bin"),
        Codec::Av1 => include_bytes!("samples/av1.bin"),
        Codec::Opus | Codec::I420 | Codec::Pcm => &[],
    };
    let mut pictures = Vec::new();
    while let Some((picture, behind)) = next(rest) {
        pictures.push(picture);
        rest = behind;
    }
    pictures
}

fn next(from: &'static [u8]) -> Option<(Sample, &'static [u8])> {
    let (head, rest) = from.split_first_chunk::<HEAD>()?;
    let [l0, l1, l2, l3, w0, w1, h0, h1, luma] = *head;
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).ok()?;
    let (data, behind) = rest.split_at_checked(length)?;
    let sample = Sample {
        size: PictureSize {
            width: u16::from_be_bytes([w0, w1]).into(),
            height: u16::from_be_bytes([h0, h1]).into(),
        },
        luma,
        data: Bytes::from_static(data),
    };
    Some((sample, behind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bitstream::picture_size;

    #[test]
    fn every_codec_has_ten_pictures_of_two_sizes() {
        for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
            let pictures = pictures(codec);
            assert_eq!(pictures.len(), 10, "{codec}");
            for at in [0, 6] {
                let first: &Sample = pictures.get(at).unwrap();
                assert_eq!(
                    picture_size(codec, &first.data),
                    Some(first.size),
                    "{codec}"
                );
            }
            assert_ne!(
                pictures.first().unwrap().size,
                pictures.last().unwrap().size
            );
        }
    }
}
