//! What an element is: a row of the tables in `encoders.rs`, `decoders.rs` and `converters.rs`.

use gst::glib;
use gstreamer as gst;

use crate::coding::Coding;
use crate::core::Core;

/// `GST_RANK_PRIMARY`.
pub const PRIMARY: i32 = 256;
/// `GST_RANK_NONE`.
pub const NONE: i32 = 0;

/// An element as its vendor ships it.
pub struct Spec {
    /// The factory's name.
    pub factory: &'static str,
    pub class: &'static str,
    pub rank: i32,
    /// Caps of the sink pad's template.
    pub sink: &'static str,
    /// Caps of the source pad's template.
    pub src: &'static str,
    pub properties: fn() -> Vec<glib::ParamSpec>,
    pub job: Job,
    /// Gives its output from a thread of its own.
    pub threaded: bool,
    /// How many pictures it holds back until it is drained.
    pub late: usize,
}

pub enum Job {
    Encode(Encoder),
    Decode {
        /// What the codec inside gives.
        raw: &'static str,
    },
    Convert,
}

pub struct Encoder {
    /// Reads the properties in the vendor's units.
    pub coding: fn(&Core) -> Coding,
    pub keyframes: Keyframes,
    /// What the caps behind it say of profile and level.
    pub named: Named,
    /// Marks no unit as a keyframe: all have the flag `DELTA_UNIT`.
    pub marks_nothing: bool,
    /// Why the driver does not start, which shows at the first picture.
    pub refuses: fn(&Core, &Start) -> Option<String>,
}

/// What an encoder is to start with.
pub struct Start {
    pub width: u32,
    pub height: u32,
    /// Pictures a second.
    pub rate: u32,
    /// As the next element named it.
    pub level: Option<String>,
}

/// Most start with all that their templates let in.
pub fn starts(_: &Core, _: &Start) -> Option<String> {
    None
}

/// How a keyframe is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keyframes {
    /// By `GstForceKeyUnit`.
    Event,
    /// The same, in this version of GStreamer (1.x) and later.
    EventSince(u32),
    /// Only by an action signal; `after_output`: not before the first unit came out.
    Signal {
        name: &'static str,
        after_output: bool,
    },
    /// Only by a property that is set to true.
    Property(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Neither,
    /// As they are.
    Both,
    /// The first level that the next element takes; the driver does not start with one too low.
    FirstLevel,
}
