//! Pictures that the server makes up.
//!
//! When a video track ends, livekit-server sends a handful of tiny keyframes (200 ms of them) so
//! that browsers clear their screen (`pkg/sfu/downtrack.go`, `writeBlankFrameRTP`). Nobody
//! captured them: recorded, they would end each file with a black flash of another size. They
//! are known by their size, which no camera has: 2×2 in H.264, 8×8 in VP8. Of other codecs the
//! server makes none.

use crate::room::Codec;

/// The beginning of the server's H.264 parameter set: profile, level and 2×2 pixels.
const H264_2X2: [u8; 8] = [0x67, 0x42, 0xc0, 0x1f, 0x0f, 0xd9, 0x1f, 0x88];

/// Start code, width and height in a VP8 keyframe (RFC 6386, 9.1), behind the frame tag: 8×8.
const VP8_8X8: [u8; 7] = [0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00];

/// Bytes of a VP8 frame tag.
const VP8_TAG: usize = 3;

/// Where the server's parameter set may stand: at the front, behind a start code or an access
/// unit delimiter.
const H264_FRONT: usize = 16;

/// Whether the unit is one that the server made.
#[must_use]
pub fn is_filler(codec: Codec, unit: &[u8]) -> bool {
    match codec {
        Codec::H264 => {
            let front = unit
                .get(..unit.len().min(H264_FRONT + H264_2X2.len()))
                .unwrap_or_default();
            front.windows(H264_2X2.len()).any(|bytes| bytes == H264_2X2)
        }
        Codec::Vp8 => {
            unit.first().is_some_and(|tag| tag & 1 == 0)
                && unit
                    .get(VP8_TAG..)
                    .is_some_and(|rest| rest.starts_with(&VP8_8X8))
        }
        Codec::H265 | Codec::Vp9 | Codec::Av1 | Codec::Opus | Codec::I420 | Codec::Pcm => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            cut in 0..40_usize,
        ) {
            for codec in [
                Codec::H264,
                Codec::H265,
                Codec::Vp8,
                Codec::Vp9,
                Codec::Av1,
                Codec::Opus,
            ] {
                let made_up = |front: &[u8], known: &[u8]| {
                    let unit = [front, known].concat();
                    is_filler(codec, &unit[..cut.min(unit.len())])
                };
                let found = [made_up(&bytes, &H264_2X2), made_up(&[0x10, 0, 0], &VP8_8X8)];
                // Nothing is known by a part of it.
                prop_assert!(found == [false; 2] || cut >= H264_2X2.len());
            }
        }
    }

    #[test]
    fn the_servers_pictures_are_known() {
        let h264 = [
            &[0, 0, 0, 1][..],
            &[0x67, 0x42, 0xc0, 0x1f, 0x0f, 0xd9, 0x1f, 0x88, 0x88, 0x84],
            &[0, 0, 0, 1, 0x68, 0x87],
        ]
        .concat();
        assert!(is_filler(Codec::H264, &h264));
        let vp8 = [
            0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00, 0x47,
        ];
        assert!(is_filler(Codec::Vp8, &vp8));
        // The same bytes as another codec are no such picture.
        assert!(!is_filler(Codec::Vp9, &vp8));
        assert!(!is_filler(Codec::H264, &vp8));
    }

    #[test]
    fn captured_pictures_pass() {
        // 1280×720 in VP8, and an interframe whose bytes happen to look like the small one.
        let keyframe = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02];
        assert!(!is_filler(Codec::Vp8, &keyframe));
        let interframe = [0x11, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00];
        assert!(!is_filler(Codec::Vp8, &interframe));
        let sps = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16];
        assert!(!is_filler(Codec::H264, &sps));
        assert!(!is_filler(Codec::H264, &[]));
    }
}
