//! `nvv4l2h264enc`, on Tegra and on a discrete GPU.
//!
//! From NVIDIA's gst-nvvideo4linux2 as published with L4T 32 to 36 (`gstv4l2videoenc.c`,
//! `gstv4l2h264enc.c`). Its loop never says which frame is a sync point, so the base class marks
//! every unit as a delta unit, IDRs too.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::coding::Coding;
use crate::core::Core;
use crate::enums::{NvControlRate, NvPreset, NvProfile};
use crate::spec::{Encoder, Job, Keyframes, Named, PRIMARY, Spec, starts};

const FACTORY: &str = "nvv4l2h264enc";
const CLASS: &str = "Codec/Encoder/Video";
const SINK: &str = "video/x-raw(memory:NVMM), width=(int)[1,MAX], height=(int)[1,MAX], \
    format=(string){ I420, NV12, P010_10LE }, framerate=(fraction)[0,MAX]";
const SRC: &str = "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au";

pub static TEGRA: Spec = Spec {
    factory: FACTORY,
    class: CLASS,
    rank: PRIMARY + 1,
    sink: SINK,
    src: SRC,
    properties: tegra_properties,
    job: Job::Encode(Encoder {
        coding: tegra_coding,
        keyframes: Keyframes::Signal {
            name: "force-IDR",
            after_output: true,
        },
        named: Named::Neither,
        marks_nothing: true,
        refuses: starts,
    }),
    threaded: true,
    late: 2,
};

pub static CUVID: Spec = Spec {
    factory: FACTORY,
    class: CLASS,
    rank: PRIMARY + 1,
    sink: SINK,
    src: SRC,
    properties: cuvid_properties,
    job: Job::Encode(Encoder {
        coding: cuvid_coding,
        keyframes: Keyframes::Property("force-idr"),
        named: Named::Neither,
        marks_nothing: true,
        refuses: starts,
    }),
    threaded: true,
    late: 2,
};

/// What both have.
fn properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecUInt::builder("bitrate")
            .default_value(4_000_000)
            .build(),
        glib::ParamSpecEnum::builder::<NvControlRate>("control-rate").build(),
        glib::ParamSpecUInt::builder("iframeinterval")
            .default_value(30)
            .build(),
        glib::ParamSpecEnum::builder::<NvProfile>("profile").build(),
        glib::ParamSpecString::builder("qp-range")
            .default_value("-1,-1:-1,-1:-1,-1")
            .build(),
    ]
}

fn tegra_properties() -> Vec<glib::ParamSpec> {
    let switch = |name| glib::ParamSpecBoolean::builder(name).build();
    let quantizer = |name| {
        glib::ParamSpecUInt::builder(name)
            .default_value(u32::MAX)
            .build()
    };
    let mut all = properties();
    all.extend([
        glib::ParamSpecUInt::builder("peak-bitrate")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("idrinterval")
            .default_value(256)
            .build(),
        glib::ParamSpecEnum::builder::<NvPreset>("preset-level").build(),
        glib::ParamSpecUInt::builder("vbv-size")
            .default_value(4_000_000)
            .build(),
        glib::ParamSpecUInt::builder("num-B-Frames")
            .maximum(2)
            .build(),
        glib::ParamSpecBoolean::builder("ratecontrol-enable")
            .default_value(true)
            .build(),
        quantizer("quant-i-frames"),
        quantizer("quant-p-frames"),
        quantizer("quant-b-frames"),
    ]);
    all.extend(
        [
            "insert-sps-pps",
            "insert-vui",
            "insert-aud",
            "maxperf-enable",
            "cabac-entropy-coding",
            "EnableTwopassCBR",
            "MeasureEncoderLatency",
        ]
        .map(switch),
    );
    all
}

fn cuvid_properties() -> Vec<glib::ParamSpec> {
    let mut all = properties();
    all.extend([
        glib::ParamSpecUInt::builder("gpu-id").build(),
        glib::ParamSpecUInt::builder("preset-id")
            .minimum(1)
            .maximum(7)
            .default_value(1)
            .build(),
        glib::ParamSpecBoolean::builder("force-idr").build(),
        glib::ParamSpecBoolean::builder("force-intra").build(),
    ]);
    all
}

fn profile(core: &Core) -> &'static str {
    match core.get("profile") {
        Some(NvProfile::High) => "high",
        Some(NvProfile::Main) => "main",
        _ => "constrained-baseline",
    }
}

/// 0 leaves the driver's own.
fn or(value: u32, driver: u32) -> u32 {
    if value == 0 { driver } else { value }
}

/// `iframeinterval` gives pictures that are intra but no IDRs: nothing can begin there, so here
/// they are as all others.
fn tegra_coding(core: &Core) -> Coding {
    Coding {
        kbits: core.uint("bitrate") / 1000,
        idr_every: or(core.uint("idrinterval"), 256),
        repeats_parameters: core.flag("insert-sps-pps"),
        delimiters: core.flag("insert-aud"),
        b_pictures: core.uint("num-B-Frames"),
        profile: profile(core),
    }
}

fn cuvid_coding(core: &Core) -> Coding {
    Coding {
        kbits: core.uint("bitrate") / 1000,
        idr_every: or(core.uint("iframeinterval"), 30),
        repeats_parameters: true,
        delimiters: false,
        b_pictures: 0,
        profile: profile(core),
    }
}
