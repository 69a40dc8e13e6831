//! Decoders: which there are, which of them work here.

pub(super) mod catalogue;
pub mod probe;
mod sample;
pub mod trial;

use std::fmt;

use gst::prelude::*;
use gstreamer as gst;

use super::MediaError;
use super::convert::Memory;
use super::elements::{make, set_named};
use crate::room::Codec;
use catalogue::{DECODERS, DecoderRow};

/// A decoder, for one codec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decoder {
    pub(super) row: &'static DecoderRow,
}

static ROWS: [DecoderRow; catalogue::COUNT] = DECODERS;

impl Decoder {
    /// The decoders of the catalogue for a codec, best first.
    pub fn of(codec: Codec) -> impl Iterator<Item = Self> {
        let rows = ROWS.iter().filter(move |row| row.codec == codec);
        rows.map(|row| Self { row })
    }

    /// The elements of all decoders, and the parsers that they need.
    pub(super) fn factories() -> impl Iterator<Item = &'static str> {
        ROWS.iter()
            .flat_map(|row| [Some(row.factory), row.parser].into_iter().flatten())
    }

    /// Whether it is installed, with the parser that it needs.
    #[must_use]
    pub fn is_installed(self) -> bool {
        let mut parts = [Some(self.row.factory), self.row.parser]
            .into_iter()
            .flatten();
        parts.all(|name| gst::ElementFactory::find(name).is_some())
    }

    /// The element.
    #[must_use]
    pub const fn factory(self) -> &'static str {
        self.row.factory
    }

    /// What it decodes.
    #[must_use]
    pub const fn codec(self) -> Codec {
        self.row.codec
    }

    /// Whether it is a piece of hardware.
    #[must_use]
    pub const fn is_hardware(self) -> bool {
        self.row.hardware
    }

    /// Where it comes from: a package.
    #[must_use]
    pub const fn origin(self) -> &'static str {
        self.row.origin
    }

    /// Whether a converter that takes pictures from there can follow it.
    pub(super) fn feeds(self, takes: &[Memory]) -> bool {
        takes.contains(&self.row.gives)
    }

    /// Makes its elements, to be linked in this order; the last one is the decoder.
    pub(super) fn make(self) -> Result<Vec<gst::Element>, MediaError> {
        let mut made = Vec::new();
        if let Some(parser) = self.row.parser {
            made.push(make(parser, "decoder-parser")?);
        }
        let decoder = make(self.row.factory, "decoder")?;
        // Pictures of 720p decode in 2 ms: more threads only cost memory.
        for property in ["threads", "max-threads", "n-threads"] {
            if decoder.find_property(property).is_some() {
                set_named(&decoder, property, "1")?;
            }
        }
        made.push(decoder);
        Ok(made)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.factory)
    }
}

/// The caps of units that are to be decoded.
pub(super) fn caps(codec: Codec, rate: u32) -> gst::Caps {
    let name = match codec {
        Codec::H264 => "video/x-h264",
        Codec::H265 => "video/x-h265",
        Codec::Vp9 => "video/x-vp9",
        Codec::Av1 => "video/x-av1",
        _ => "video/x-vp8",
    };
    let framerate = gst::Fraction::new(rate.cast_signed(), 1);
    let mut caps = gst::Caps::builder(name).field("framerate", framerate);
    match codec {
        Codec::Av1 => {
            caps = caps
                .field("stream-format", "obu-stream")
                .field("alignment", "tu");
        }
        Codec::H264 | Codec::H265 => {
            caps = caps
                .field("stream-format", "byte-stream")
                .field("alignment", "au");
        }
        _ => {}
    }
    caps.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_of_video_has_a_decoder_in_software_last() {
        for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
            let last = Decoder::of(codec).last();
            assert!(
                last.is_some_and(|decoder| !decoder.is_hardware()),
                "{codec}"
            );
            assert!(Decoder::of(codec).is_sorted_by_key(|decoder| !decoder.is_hardware()));
        }
        assert_eq!(Decoder::of(Codec::Opus).count(), 0);
    }
}
