//! H.264 encoders of Intel, Rockchip, Qualcomm and NXP, each from its source:
//! `gst-plugins-bad/sys/va` of GStreamer 1.22, gstreamer-rockchip, gst-plugins-qti-oss (`c2venc`),
//! imx-gst1.0-plugin.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::coding::{Coding, NEVER};
use crate::core::Core;
use crate::enums::{MppHeaderMode, MppProfile, MppRateControl, QtiRateControl, VaRateControl};
use crate::spec::{Encoder, Job, Keyframes, NONE, Named, PRIMARY, Spec, Start, starts};

const HARDWARE: &str = "Codec/Encoder/Video/Hardware";
const VA_SINK: &str = "video/x-raw(memory:VAMemory), format=(string)NV12, \
    width=(int)[16,4096], height=(int)[16,4096], framerate=(fraction)[0,MAX]; \
    video/x-raw, format=(string)NV12, width=(int)[16,4096], height=(int)[16,4096], \
    framerate=(fraction)[0,MAX]";
const VA_SRC: &str = "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
    profile=(string){ main, high, constrained-baseline }";

/// Where nobody says, vendors calculate a bitrate; here it is always this one, in kbit/s.
const AUTO: u32 = 4_000;

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

pub fn positive(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
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
        repeats_parameters: true,
        delimiters: false,
        b_pictures: 0,
        profile: "constrained-baseline",
    }
}
