//! The vendors' converters: they scale, convert, and move pictures between memories.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::enums::{NvInterpolation, V4l2IoMode};
use crate::spec::{Job, NONE, PRIMARY, Spec};

const CLASS: &str = "Filter/Converter/Video/Scaler";
const NVIDIA_CAPS: &str = "video/x-raw(memory:NVMM), format=(string){ I420, UYVY, YUY2, YVYU, \
    NV12, GRAY8, BGRx, RGBA }, width=(int)[1,MAX], height=(int)[1,MAX], \
    framerate=(fraction)[0,MAX]; video/x-raw, format=(string){ I420, UYVY, YUY2, YVYU, NV12, \
    GRAY8, BGRx, RGBA }, width=(int)[1,MAX], height=(int)[1,MAX], framerate=(fraction)[0,MAX]";
const VA_CAPS: &str = "video/x-raw(memory:VAMemory), format=(string){ NV12, I420, YV12, YUY2, \
    RGBA, BGRA }, width=(int)[16,4096], height=(int)[16,4096], framerate=(fraction)[0,MAX]; \
    video/x-raw, format=(string){ NV12, I420, YV12, YUY2, UYVY, RGBA, BGRA }, \
    width=(int)[16,4096], height=(int)[16,4096], framerate=(fraction)[0,MAX]";
const V4L2_CAPS: &str = "video/x-raw, format=(string){ I420, YV12, NV12, NV21, YUY2, UYVY, RGB, \
    BGR, BGRx }, width=(int)[32,3840], height=(int)[32,3840], framerate=(fraction)[0,MAX]";

pub static NVVIDCONV: Spec = converter("nvvidconv", PRIMARY, NVIDIA_CAPS, nvvidconv_properties);
pub static NVVIDEOCONVERT: Spec = converter(
    "nvvideoconvert",
    PRIMARY,
    NVIDIA_CAPS,
    nvvideoconvert_properties,
);
pub static V4L2: Spec = converter("v4l2convert", NONE, V4L2_CAPS, v4l2_properties);
pub static VA: Spec = converter("vapostproc", NONE, VA_CAPS, va_properties);

const fn converter(
    factory: &'static str,
    rank: i32,
    caps: &'static str,
    properties: fn() -> Vec<glib::ParamSpec>,
) -> Spec {
    Spec {
        factory,
        class: CLASS,
        rank,
        sink: caps,
        src: caps,
        properties,
        job: Job::Convert,
        threaded: false,
        late: 0,
    }
}

fn nvvidconv_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecEnum::builder::<NvInterpolation>("interpolation-method").build(),
        glib::ParamSpecUInt::builder("output-buffers")
            .minimum(1)
            .default_value(4)
            .build(),
        glib::ParamSpecBoolean::builder("bl-output")
            .default_value(true)
            .build(),
    ]
}

fn nvvideoconvert_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecUInt::builder("gpu-id").build(),
        glib::ParamSpecUInt::builder("output-buffers")
            .minimum(1)
            .default_value(4)
            .build(),
        glib::ParamSpecBoolean::builder("disable-passthrough").build(),
    ]
}

fn v4l2_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecString::builder("device").read_only().build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("output-io-mode").build(),
        glib::ParamSpecEnum::builder::<V4l2IoMode>("capture-io-mode").build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build(),
        glib::ParamSpecBoolean::builder("disable-passthrough").build(),
    ]
}

fn va_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecBoolean::builder("disable-passthrough").build(),
        glib::ParamSpecBoolean::builder("add-borders").build(),
    ]
}
