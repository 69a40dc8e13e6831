//! Video that TS players take as it came.

use std::sync::Arc;

use bytes::Bytes;
use gstreamer as gst;

use super::MediaError;
use super::counts::Counters;
use super::elements::{chain, make, set};
use super::line::Line;
use super::mux::Mux;
use crate::bitstream::Coding;
use crate::bitstream::nal::{self, Part};
use crate::room::{Codec, Kind};

/// An access unit delimiter of H.265 that allows slices of any type (ITU-T H.265, 7.3.2.5), but
/// for its temporal layer.
const DELIMITER: [u8; 7] = [0, 0, 0, 1, 0x46, 0, 0x50];

/// Where the temporal layer stands in a delimiter, and in the second byte of each header.
const LAYER_AT: usize = 5;
const LAYER: u8 = 7;

/// A video codec whose units are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// H.264.
    H264,
    /// H.265.
    H265,
}

impl Copied {
    /// How units of this codec are copied; none where they are encoded again, or are no video.
    #[must_use]
    pub const fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self::H264),
            Codec::H265 => Some(Self::H265),
            Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::Opus | Codec::I420 | Codec::Pcm => None,
        }
    }

    pub(super) fn caps(self) -> gst::Caps {
        let name = match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        };
        gst::Caps::builder(name)
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build()
    }

    /// Links a line of units to the mux: the parser repeats the parameter sets before each
    /// keyframe.
    pub(super) fn link(
        self,
        pipeline: &gst::Pipeline,
        mux: &Mux,
        line: &Line,
        counters: &Arc<Counters>,
    ) -> Result<(), MediaError> {
        let name = match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
        };
        let parser = make(name, name)?;
        set(&parser, "config-interval", -1_i32)?;
        let filter = make("capsfilter", "copied-caps")?;
        set(&filter, "caps", self.caps())?;
        chain(pipeline, &[line.element(), &parser, &filter])?;
        mux.link(Kind::Video, &filter, counters)
    }

    /// The unit with a delimiter in front, as a transport stream demands. `h264parse` puts it
    /// there by itself, `h265parse` does so in later versions of GStreamer only.
    pub(super) fn delimited(self, unit: &Bytes) -> Bytes {
        if self == Self::H264 {
            return unit.clone();
        }
        let Some([header, layer, ..]) = nal::units(unit).next() else {
            return unit.clone();
        };
        if Part::of(Coding::H265, *header) == Part::Delimiter {
            return unit.clone();
        }
        let mut delimiter = DELIMITER;
        // That of the pictures that it stands in front of (7.4.2.2); zero would be none.
        if let Some(byte) = delimiter.get_mut(LAYER_AT) {
            *byte = (layer & LAYER).max(1);
        }
        [&delimiter, &**unit].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_put_in_front_once() {
        let slice = Bytes::from_static(&[0, 0, 0, 1, 0x02, 0x03, 0xd0, 0x10]);
        let delimited = Copied::H265.delimited(&slice);
        assert_eq!(delimited[..7], [0, 0, 0, 1, 0x46, 0x03, 0x50]);
        assert_eq!(delimited[7..], *slice);
        assert_eq!(Copied::H265.delimited(&delimited), delimited);
        assert_eq!(Copied::H264.delimited(&slice), slice);
        for odd in [&[][..], &[0, 0, 1], &[0, 0, 1, 0x02], &[1, 2, 3]] {
            let odd = Bytes::copy_from_slice(odd);
            assert_eq!(Copied::H265.delimited(&odd), odd);
        }
    }
}
