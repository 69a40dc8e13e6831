//! The other vendors' H.264 encoders, each from its source: `gst-plugins-good/sys/v4l2` and
//! `gst-plugins-bad/sys/va` of GStreamer 1.22 with Raspberry Pi's `bcm2835-codec`, Rockchip's
//! gstreamer-rockchip, Qualcomm's gst-plugins-qti-oss (`c2venc`), NXP's imx-gst1.0-plugin.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::coding::{Coding, NEVER};
use crate::core::Core;
use crate::enums::{
    MppHeaderMode, MppProfile, MppRateControl, QtiRateControl, V4l2IoMode, VaRateControl,
};
use crate::level;
use crate::spec::{Encoder, Job, Keyframes, NONE, Named, PRIMARY, Spec, Start, starts};

const HARDWARE: &str = "Codec/Encoder/Video/Hardware";
const VA_SINK: &str = "video/x-raw(memory:VAMemory), format=(string)NV12, \
    width=(int)[16,4096], height=(int)[16,4096], framerate=(fraction)[0,MAX]; \
    video/x-raw, format=(string)NV12, width=(int)[16,4096], height=(int)[16,4096], \
    framerate=(fraction)[0,MAX]";
const VA_SRC: &str = "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
    profile=(string){ main, high, constrained-baseline }";

/// A quarter of a bit for each pixel of 720p30, where a vendor calculates it: kbit/s.
const AUTO: u32 = 4_000;

pub static V4L2: Spec = Spec {
    factory: "v4l2h264enc",
    class: HARDWARE,
    rank: PRIMARY + 1,
    // Sizes and formats are probed from the driver.
    sink: "video/x-raw, format=(string){ I420, YV12, NV12, NV21, YUY2, UYVY, RGB, BGR, BGRx }, \
        width=(int)[32,1920], height=(int)[32,1920], framerate=(fraction)[0,MAX]",
    src: "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
        level=(string){ 1, 1b, 1.1, 1.2, 1.3, 2, 2.1, 2.2, 3, 3.1, 3.2, 4, 4.1, 4.2 }, \
        profile=(string){ baseline, constrained-baseline, main, high }",
    properties: v4l2_properties,
    job: Job::Encode(Encoder {
        coding: v4l2_coding,
        keyframes: Keyframes::EventSince(22),
        named: Named::FirstLevel,
        marks_nothing: false,
        refuses: v4l2_refuses,
    }),
    threaded: true,
    late: 1,
};

pub static VA: Spec = Spec {
    factory: "vah264enc",
    class: HARDWARE,
    rank: NONE,
    sink: VA_SINK,
    src: VA_SRC,
    properties: va_properties,
    job: VA_JOB,
    threaded: false,
    late: 0,
};

pub static VA_LOW_POWER: Spec = Spec {
    factory: "vah264lpenc",
    class: HARDWARE,
    rank: NONE,
    sink: VA_SINK,
    src: VA_SRC,
    properties: va_properties,
    job: VA_JOB,
    threaded: false,
    late: 0,
};

const VA_JOB: Job = Job::Encode(Encoder {
    coding: va_coding,
    keyframes: Keyframes::Event,
    named: Named::Both,
    marks_nothing: false,
    refuses: starts,
});

pub static MPP: Spec = Spec {
    factory: "mpph264enc",
    class: "Codec/Encoder/Video",
    rank: PRIMARY + 1,
    sink: "video/x-raw, format=(string){ NV12, I420, YUY2, UYVY, BGR16, RGB16, RGB, BGR, ABGR, \
        ARGB, BGRA, RGBA, xBGR, xRGB, BGRx, RGBx }, width=(int)[96,MAX], height=(int)[64,MAX]",
    src: "video/x-h264, width=(int)[96,MAX], height=(int)[64,MAX], \
        stream-format=(string)byte-stream, alignment=(string)au, \
        profile=(string){ baseline, main, high }",
    properties: mpp_properties,
    job: Job::Encode(Encoder {
        coding: mpp_coding,
        keyframes: Keyframes::Event,
        named: Named::Both,
        marks_nothing: false,
        refuses: mpp_refuses,
    }),
    threaded: true,
    late: 0,
};

pub static QTI: Spec = Spec {
    factory: "qtic2venc",
    class: "C2_VENC/Encoder",
    rank: PRIMARY,
    sink: "video/x-raw, format=(string){ NV12, NV21 }, width=(int)[1,MAX], height=(int)[1,MAX], \
        framerate=(fraction)[0,MAX]",
    src: "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au",
    properties: qti_properties,
    job: Job::Encode(Encoder {
        coding: qti_coding,
        keyframes: Keyframes::Signal {
            name: "trigger-iframe",
            after_output: false,
        },
        named: Named::Neither,
        marks_nothing: false,
        refuses: starts,
    }),
    threaded: true,
    late: 1,
};

pub static VPU: Spec = Spec {
    factory: "vpuenc_h264",
    class: "Codec/Encoder/Video",
    rank: PRIMARY + 1,
    // Of the i.MX 8M Plus; the 8M Mini's has the same sizes.
    sink: "video/x-raw, format=(string){ NV12, I420, YUY2, UYVY, RGBA, RGBx, RGB16, RGB15, BGRA, \
        BGRx, BGR16 }, width=(int)[64,1920], height=(int)[64,1088], framerate=(fraction)[0,MAX]",
    src: "video/x-h264, stream-format=(string){ avc, byte-stream }, alignment=(string){ au, nal }",
    properties: vpu_properties,
    job: Job::Encode(Encoder {
        coding: vpu_coding,
        keyframes: Keyframes::Event,
        named: Named::Neither,
        marks_nothing: false,
        refuses: starts,
    }),
    threaded: false,
    late: 0,
};

fn v4l2_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecString::builder("device").read_only().build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("output-io-mode").build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("capture-io-mode").build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build(),
    ]
}

/// What the driver takes: name, least, most and its own value.
const V4L2_CONTROLS: [(&str, i32, i32, i32); 8] = [
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
        V4L2_CONTROLS.iter().any(|(known, ..)| *known == name)
            && (value.is::<i32>() || value.is::<bool>() || value.is::<String>())
    };
    controls
        .iter()
        .filter(|(name, value)| !taken(name, value))
        .map(|(name, _)| name.to_string())
        .collect()
}

/// A control as the driver has it.
pub fn control(core: &Core, name: &str) -> i32 {
    let Some((_, least, most, own)) = V4L2_CONTROLS.iter().find(|(known, ..)| *known == name)
    else {
        return 0;
    };
    let controls: Option<gst::Structure> = core.get("extra-controls");
    let set = controls.and_then(|controls| {
        let number = controls.get::<i32>(name).ok();
        number.or_else(|| controls.get::<bool>(name).ok().map(i32::from))
    });
    set.map_or(*own, |value| value.clamp(*least, *most))
}

fn positive(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn v4l2_coding(core: &Core) -> Coding {
    let period = match positive(control(core, "h264_i_frame_period")) {
        0 => NEVER,
        period => period,
    };
    Coding {
        kbits: positive(control(core, "video_bitrate")) / 1000,
        idr_every: period,
        intra_every: period,
        repeats_parameters: control(core, "repeat_sequence_header") == 1,
        delimiters: false,
        b_pictures: 0,
        profile: "high",
    }
}

/// STREAMON fails with a level that the pictures do not fit, and at the highest bitrate.
fn v4l2_refuses(core: &Core, start: &Start) -> Option<String> {
    let level = start.level.as_deref().unwrap_or("none");
    if !level::fits(level, start.width, start.height, start.rate) {
        return Some(format!("level {level} is too low"));
    }
    let bits = control(core, "video_bitrate");
    (bits >= 25_000_000).then(|| format!("video_bitrate {bits} is too high"))
}

fn va_properties() -> Vec<glib::ParamSpec> {
    let number = |name, least, most, own| {
        glib::ParamSpecUInt::builder(name)
            .minimum(least)
            .maximum(most)
            .default_value(own)
            .construct()
            .build()
    };
    let switch = |name, own| {
        glib::ParamSpecBoolean::builder(name)
            .default_value(own)
            .construct()
            .build()
    };
    vec![
        number("key-int-max", 0, 1024, 0),
        number("b-frames", 0, 31, 0),
        number("ref-frames", 0, 16, 3),
        number("num-slices", 1, 200, 1),
        number("max-qp", 0, 51, 51),
        number("min-qp", 0, 51, 1),
        number("bitrate", 0, 2000 * 1024, 0),
        number("target-percentage", 50, 100, 66),
        number("target-usage", 1, 7, 4),
        number("cpb-size", 0, 2000 * 1024, 0),
        switch("dct8x8", true),
        switch("cabac", true),
        switch("aud", false),
        switch("cc-insert", true),
        glib::ParamSpecEnum::builder::<VaRateControl>("rate-control")
            .construct()
            .build(),
    ]
}

fn va_coding(core: &Core) -> Coding {
    let every = match core.uint("key-int-max") {
        0 => 60,
        every => every,
    };
    let by_rate = core.get("rate-control") != Some(VaRateControl::Cqp);
    Coding {
        kbits: match core.uint("bitrate") {
            kbits if kbits > 0 && by_rate => kbits,
            _ => AUTO,
        },
        idr_every: every,
        intra_every: every,
        repeats_parameters: true,
        delimiters: core.flag("aud"),
        b_pictures: core.uint("b-frames"),
        profile: "main",
    }
}

fn mpp_properties() -> Vec<glib::ParamSpec> {
    let rate = |name| {
        glib::ParamSpecUInt::builder(name)
            .maximum(i32::MAX.unsigned_abs())
            .build()
    };
    vec![
        glib::ParamSpecEnum::builder::<MppHeaderMode>("header-mode").build(),
        glib::ParamSpecEnum::builder::<MppRateControl>("rc-mode").build(),
        glib::ParamSpecInt::builder("gop")
            .minimum(-1)
            .default_value(-1)
            .build(),
        rate("bps"),
        rate("bps-min"),
        rate("bps-max"),
        glib::ParamSpecEnum::builder::<MppProfile>("profile").build(),
        glib::ParamSpecUInt::builder("qp-init")
            .maximum(51)
            .default_value(26)
            .build(),
        glib::ParamSpecUInt::builder("max-reenc")
            .maximum(3)
            .default_value(1)
            .build(),
        glib::ParamSpecBoolean::builder("zero-copy-pkt")
            .default_value(true)
            .build(),
    ]
}

fn mpp_coding(core: &Core) -> Coding {
    // -1: one second, which is 30 pictures of what tests show it.
    let every = match core.get::<i32>("gop").map_or(0, positive) {
        0 => 30,
        every => every,
    };
    Coding {
        kbits: match core.uint("bps") {
            0 => AUTO,
            bits => bits / 1000,
        },
        idr_every: every,
        intra_every: every,
        repeats_parameters: core.get("header-mode") == Some(MppHeaderMode::EachIdr),
        delimiters: false,
        b_pictures: 0,
        profile: match core.get("profile") {
            Some(MppProfile::Baseline) => "constrained-baseline",
            Some(MppProfile::Main) => "main",
            _ => "high",
        },
    }
}

/// The template knows no limit: the chip does.
fn mpp_refuses(_: &Core, start: &Start) -> Option<String> {
    (start.width > 1920).then(|| format!("{} is too wide", start.width))
}

fn qti_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecEnum::builder::<QtiRateControl>("control-rate").build(),
        glib::ParamSpecUInt::builder("target-bitrate")
            .default_value(u32::MAX)
            .mutable_playing()
            .build(),
        // An int in pictures since 2024; before that a uint, and in 2022's in milliseconds.
        glib::ParamSpecInt::builder("idr-interval")
            .minimum(-1)
            .default_value(i32::MAX)
            .mutable_playing()
            .build(),
    ]
}

fn qti_coding(core: &Core) -> Coding {
    let every = match core.get("idr-interval").unwrap_or(i32::MAX) {
        i32::MAX => 30,
        -1 => NEVER,
        every => positive(every).max(1),
    };
    // Without rate control a target means nothing.
    let by_rate = core.get("control-rate") != Some(QtiRateControl::Disable);
    Coding {
        kbits: match core.uint("target-bitrate") {
            bits if bits < u32::MAX && by_rate => bits / 1000,
            _ => AUTO,
        },
        idr_every: every,
        intra_every: every,
        repeats_parameters: true,
        delimiters: false,
        b_pictures: 0,
        profile: "high",
    }
}

fn vpu_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecUInt::builder("bitrate")
            .maximum(i32::MAX.unsigned_abs())
            .build(),
        glib::ParamSpecUInt::builder("gop-size")
            .maximum(32_767)
            .default_value(30)
            .build(),
        glib::ParamSpecInt::builder("quant")
            .minimum(-1)
            .maximum(51)
            .default_value(-1)
            .build(),
        glib::ParamSpecInt::builder("qp-min")
            .minimum(0)
            .maximum(51)
            .build(),
        glib::ParamSpecInt::builder("qp-max")
            .minimum(0)
            .maximum(51)
            .build(),
    ]
}

fn vpu_coding(core: &Core) -> Coding {
    let every = match core.uint("gop-size") {
        0 => NEVER,
        every => every,
    };
    Coding {
        kbits: match core.uint("bitrate") {
            0 => AUTO,
            kbits => kbits,
        },
        idr_every: every,
        intra_every: every,
        repeats_parameters: true,
        delimiters: false,
        b_pictures: 0,
        profile: "constrained-baseline",
    }
}
