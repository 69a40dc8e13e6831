//! What the codec inside an encoder is to do, whatever the vendor calls it.

use gst::prelude::*;
use gstreamer as gst;

/// A coding without an end of its group of pictures.
pub const NEVER: u32 = 1 << 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    /// Of the stream, kbit/s.
    pub kbits: u32,
    /// Pictures from IDR to IDR.
    pub idr_every: u32,
    /// An SPS and a PPS before each IDR, not only before the first.
    pub repeats_parameters: bool,
    pub delimiters: bool,
    pub b_pictures: u32,
    /// As caps name it.
    pub profile: &'static str,
}

impl Coding {
    /// Sets up `x264enc` before it starts: running, it takes only another bitrate.
    pub fn apply(&self, codec: &gst::Element) {
        codec.set_property("bitrate", self.kbits.clamp(1, 2_048_000));
        codec.set_property("key-int-max", self.idr_every.clamp(1, NEVER));
        codec.set_property("bframes", self.b_pictures.min(16));
        codec.set_property("b-adapt", false);
        codec.set_property("aud", self.delimiters);
        codec.set_property("threads", 1_u32);
        codec.set_property("byte-stream", true);
        codec.set_property_from_str("speed-preset", "ultrafast");
        codec.set_property_from_str("tune", "zerolatency");
        // Only what was asked for is a keyframe.
        codec.set_property("option-string", "scenecut=0");
    }
}
