//! What can go wrong in the media graph.

use std::time::Duration;

use gstreamer as gst;

use crate::room::Codec;

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
