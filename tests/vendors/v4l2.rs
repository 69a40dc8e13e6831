//! `v4l2h264enc`: `gst-plugins-good/sys/v4l2` of GStreamer 1.22 on Raspberry Pi's `bcm2835-codec`.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::coding::{Coding, NEVER};
use crate::core::Core;
use crate::encoders::positive;
use crate::enums::V4l2IoMode;
use crate::level;
use crate::spec::{Encoder, Job, Keyframes, Named, PRIMARY, Spec, Start};

pub static H264_ENCODER: Spec = Spec {
    factory: "v4l2h264enc",
    class: "Codec/Encoder/Video/Hardware",
    rank: PRIMARY + 1,
    // Sizes and formats are probed from the driver.
    sink: "video/x-raw, format=(string){ I420, YV12, NV12, NV21, YUY2, UYVY, RGB, BGR, BGRx }, \
        width=(int)[32,1920], height=(int)[32,1920], framerate=(fraction)[0,MAX]",
    src: "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
        level=(string){ 1, 1b, 1.1, 1.2, 1.3, 2, 2.1, 2.2, 3, 3.1, 3.2, 4, 4.1, 4.2 }, \
        profile=(string){ baseline, constrained-baseline, main, high }",
    properties,
    job: Job::Encode(Encoder {
        coding,
        keyframes: Keyframes::EventSince(22),
        named: Named::FirstLevel,
        marks_nothing: false,
        refuses,
    }),
    threaded: true,
    late: 1,
};

fn properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecString::builder("device").read_only().build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("output-io-mode").build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("capture-io-mode").build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build(),
    ]
}

/// What the driver takes: name, least, most and its own value.
const CONTROLS: [(&str, i32, i32, i32); 8] = [
    ("video_bitrate", 25_000, 25_000_000, 10_000_000),
    ("video_bitrate_mode", 0, 1, 0),
    ("h264_i_frame_period", 0, i32::MAX, 60),
    ("repeat_sequence_header", 0, 1, 0),
    ("h264_minimum_qp_value", 0, 51, 20),
    ("h264_maximum_qp_value", 0, 51, 51),
    ("video_b_frames", 0, 0, 0),
    ("force_key_frame", 0, 0, 0),
];

/// A control that is not there, or that has another type than int, bool or string, is passed
/// over with a warning in the log (`set_control` in `v4l2_calls.c`); a Rust `u32` is such a one.
pub fn ignored_controls(controls: &gst::StructureRef) -> Vec<String> {
    let taken = |name: &str, value: &glib::Value| {
        CONTROLS.iter().any(|(known, ..)| *known == name)
            && (value.is::<i32>() || value.is::<bool>() || value.is::<String>())
    };
    controls
        .iter()
        .filter(|(name, value)| !taken(name, value))
        .map(|(name, _)| name.to_string())
        .collect()
}

/// A control as the driver has it.
fn control(core: &Core, name: &str) -> i32 {
    let Some((_, least, most, own)) = CONTROLS.iter().find(|(known, ..)| *known == name) else {
        return 0;
    };
    let controls: Option<gst::Structure> = core.get("extra-controls");
    let set = controls.and_then(|controls| {
        let number = controls.get::<i32>(name).ok();
        number.or_else(|| controls.get::<bool>(name).ok().map(i32::from))
    });
    set.map_or(*own, |value| value.clamp(*least, *most))
}

fn coding(core: &Core) -> Coding {
    let period = match positive(control(core, "h264_i_frame_period")) {
        0 => NEVER,
        period => period,
    };
    Coding {
        kbits: positive(control(core, "video_bitrate")) / 1000,
        idr_every: period,
        repeats_parameters: control(core, "repeat_sequence_header") == 1,
        delimiters: false,
        b_pictures: 0,
        profile: "high",
    }
}

/// STREAMON fails with a level that the pictures do not fit, and at the highest bitrate.
fn refuses(core: &Core, start: &Start) -> Option<String> {
    let level = start.level.as_deref().unwrap_or("none");
    if !level::fits(level, start.width, start.height, start.rate) {
        return Some(format!("level {level} is too low"));
    }
    let bits = control(core, "video_bitrate");
    (bits >= 25_000_000).then(|| format!("video_bitrate {bits} is too high"))
}
