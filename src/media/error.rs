//! What can go wrong in the media graph.

use std::time::Duration;

use gstreamer as gst;

use crate::room::Codec;

/// A part of a graph that there may be another of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What decodes.
    Decoder,
    /// What scales and encodes.
    Encoder,
    /// Anything else.
    Other,
}

impl Part {
    /// The part that an element of this name belongs to: names are given where it is made.
    pub(super) fn of(element: &str) -> Self {
        match element {
            // A feed whose units nobody takes reports it in the decoder's place.
            "video" | "decoder" | "decoder-parser" => Self::Decoder,
            // So does the queue in front of the encoder in the encoder's.
            "pictures" | "raw-caps" | "encoder" | "encoded-caps" | "encoded" => Self::Encoder,
            name if name.starts_with("converter-") => Self::Encoder,
            _ => Self::Other,
        }
    }
}

/// An error of GStreamer or of a graph; each names the element and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MediaError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start ({0}): check the installed libgstreamer1.0-0")]
    Init(gst::glib::Error),
    /// An element is not installed.
    #[error("GStreamer has no element {element}: install {package} (apt-get install {package})")]
    MissingElement {
        /// The element, or a choice of them.
        element: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The installed GStreamer cannot take this codec.
    #[error("{codec} cannot be recorded: install {package}, which has a decoder for it")]
    NoDecoder {
        /// The codec of the track.
        codec: Codec,
        /// The Debian package with a decoder.
        package: &'static str,
    },
    /// The configuration lets nothing be encoded.
    #[error("{codec} is not recorded: video.mode is \"passthrough\"; set it to \"auto\"")]
    Passthrough {
        /// The codec of the track.
        codec: Codec,
    },
    /// The layout asks for something a graph does not do.
    #[error("a graph cannot be built for this layout: {0}")]
    Layout(&'static str),
    /// An element does not take part: a property is missing, a link or a state change refused.
    #[error("GStreamer element {element}: {step} failed; run with GST_DEBUG=3 for the reason")]
    Build {
        /// The element's name in the graph.
        element: String,
        /// What was tried.
        step: &'static str,
        /// What it belongs to.
        part: Part,
    },
    /// An element reported an error while running.
    #[error("GStreamer element {element} failed: {message} ({detail})")]
    Element {
        /// The element's name in the graph.
        element: String,
        /// Its message.
        message: String,
        /// Its debugging detail, empty when there is none.
        detail: String,
        /// What it belongs to.
        part: Part,
    },
    /// An element takes pictures and gives nothing.
    #[error("GStreamer element {element} has taken pictures for {waited:?} and given nothing")]
    Stalled {
        /// The element.
        element: &'static str,
        /// For how long.
        waited: Duration,
        /// What it belongs to.
        part: Part,
    },
    /// Nothing here encodes H.264.
    #[error(
        "no encoder for H.264 works here ({tried}): {} {}",
        "install gstreamer1.0-plugins-ugly (x264enc) or gstreamer1.0-plugins-bad (openh264enc),",
        "and see `reeld doctor`"
    )]
    NoEncoder {
        /// What was tried, and what came of it.
        tried: String,
    },
    /// The encoder that was asked for does not work.
    #[error(
        "video.encoder = \"{factory}\" does not work here ({tried}): {}",
        "set it to \"auto\", or see `reeld doctor`"
    )]
    ForcedEncoder {
        /// What was asked for.
        factory: String,
        /// What came of it.
        tried: String,
    },
    /// The stream ended though nobody ended it.
    #[error("the media graph ended by itself: its segment is cut short")]
    UnexpectedEnd,
    /// The output took no more bytes.
    #[error("the segment's writer takes no more data: see the storage error before this one")]
    OutputClosed,
    /// What was queued did not reach the output in time; the graph was stopped all the same.
    #[error("the media graph did not drain within {deadline:?}: the segment's tail is missing")]
    EndDeadline {
        /// How long was waited.
        deadline: Duration,
    },
    /// The graph does not stop; its threads were left behind.
    #[error("the media graph does not stop after {waited:?}: restart the process")]
    Wedged {
        /// How long was waited for it to stop.
        waited: Duration,
    },
}

impl MediaError {
    /// What failed, as far as there may be another of it.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Build { part, .. } | Self::Element { part, .. } | Self::Stalled { part, .. } => {
                *part
            }
            Self::NoDecoder { .. } => Part::Decoder,
            Self::Init(_)
            | Self::MissingElement { .. }
            | Self::Passthrough { .. }
            | Self::Layout(_)
            | Self::NoEncoder { .. }
            | Self::ForcedEncoder { .. }
            | Self::UnexpectedEnd
            | Self::OutputClosed
            | Self::EndDeadline { .. }
            | Self::Wedged { .. } => Part::Other,
        }
    }
}
