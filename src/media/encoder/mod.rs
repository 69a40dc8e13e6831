//! Encoders of H.264: which there are, which of them work here, and how each is used.
//!
//! - `catalogue`: what their vendors say of them.
//! - `setup`: one of them, as far as the installed one can be set up.
//! - `keyframes`: asking for keyframes.
//! - [`probe`]: a few pictures through one of them, in a process that may die of it.
//! - [`trial`]: running that process and judging what it says.
//! - [`cache`]: what earlier trials found.
//! - [`selection`]: which ones are used, in which order.
//! - [`search`]: all of this on the box that this is.

pub mod cache;
pub(super) mod catalogue;
pub(super) mod keyframes;
pub mod probe;
pub mod search;
pub mod selection;
pub(super) mod setup;
pub mod trial;

use std::fmt;

use gstreamer as gst;

use super::convert::{CONVERTERS, Converter, Memory};
use catalogue::{ENCODERS, EncoderRow};

/// A way to encode: an encoder, and what converts and scales pictures in front of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncoderPath {
    pub(super) row: &'static EncoderRow,
    pub(super) converter: &'static Converter,
    /// Where the converter puts pictures for the encoder.
    pub(super) between: Memory,
    /// It makes keyframes when asked, as far as is known.
    pub(super) on_request: bool,
}

static ROWS: [EncoderRow; 9] = ENCODERS;
pub(super) static CONVERTER_ROWS: [Converter; 5] = CONVERTERS;

impl EncoderPath {
    /// Every way that the catalogue knows, best first.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().flat_map(|row| {
            CONVERTER_ROWS.iter().filter_map(|converter| {
                Some(Self {
                    row,
                    converter,
                    between: converter.into(row.takes)?,
                    on_request: true,
                })
            })
        })
    }

    /// Whether all of its elements are installed.
    #[must_use]
    pub fn is_installed(self) -> bool {
        gst::ElementFactory::find(self.row.factory).is_some() && self.converter.is_installed()
    }

    /// The encoder's element.
    #[must_use]
    pub const fn factory(self) -> &'static str {
        self.row.factory
    }

    /// The element that scales.
    #[must_use]
    pub const fn scaler(self) -> &'static str {
        self.converter.name
    }

    /// Whether the encoder is a piece of hardware.
    #[must_use]
    pub const fn is_hardware(self) -> bool {
        self.row.hardware
    }

    /// Where the encoder comes from: a package.
    #[must_use]
    pub const fn origin(self) -> &'static str {
        self.row.origin
    }

    /// The same, known to make keyframes when asked or not to.
    #[must_use]
    pub const fn answering(self, on_request: bool) -> Self {
        Self { on_request, ..self }
    }
}

impl fmt::Display for EncoderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} behind {}", self.row.factory, self.converter.name)
    }
}

impl fmt::Debug for EncoderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The elements that are known.
pub fn factories() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.factory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoder_has_a_way_and_every_way_fits_together() {
        for row in &ROWS {
            assert!(
                EncoderPath::all().any(|path| path.row == row),
                "{}",
                row.factory
            );
        }
        for path in EncoderPath::all() {
            assert!(path.converter.takes.contains(&Memory::System), "{path}");
            assert!(path.row.takes.contains(&path.between), "{path}");
        }
        let first = EncoderPath::all().next().map(|path| path.to_string());
        assert_eq!(
            first.as_deref(),
            Some("nvv4l2h264enc behind nvvideoconvert")
        );
    }
}
