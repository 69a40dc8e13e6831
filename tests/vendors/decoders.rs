//! The vendors' decoders. What is inside is openh264, libvpx or libaom: H.265 is in NVIDIA's
//! template and fails here at its first caps.

use gst::glib;
use gstreamer as gst;

use crate::spec::{Job, NONE, PRIMARY, Spec};

const CLASS: &str = "Codec/Decoder/Video/Hardware";
const H264: &str = "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au";
const SLICED_H264: &str =
    "video/x-h264, stream-format=(string){ avc, avc3, byte-stream }, alignment=(string)au";
const NV12: &str = "video/x-raw, format=(string)NV12";
const VA_SRC: &str = "video/x-raw(memory:VAMemory), format=(string)NV12; \
    video/x-raw, format=(string)NV12";

pub static NVIDIA: Spec = Spec {
    factory: "nvv4l2decoder",
    class: "Codec/Decoder/Video",
    rank: PRIMARY + 11,
    sink: "image/jpeg; video/x-h264, stream-format=(string)byte-stream, alignment=(string)au; \
        video/x-h265, stream-format=(string)byte-stream, alignment=(string)au; \
        video/x-vp8; video/x-vp9, width=(int)[1,MAX], height=(int)[1,MAX]; video/x-av1",
    src: "video/x-raw(memory:NVMM), width=(int)[1,MAX], height=(int)[1,MAX], \
        framerate=(fraction)[0,MAX]",
    properties: nvidia_properties,
    job: Job::Decode { raw: NV12 },
    threaded: true,
    late: 2,
};

pub static V4L2_H264: Spec = stateful("v4l2h264dec", H264);
pub static V4L2_VP8: Spec = stateful("v4l2vp8dec", "video/x-vp8");
pub static STATELESS_H264: Spec = stateless("v4l2slh264dec", SLICED_H264);
pub static STATELESS_VP8: Spec = stateless("v4l2slvp8dec", "video/x-vp8");
pub static VA_H264: Spec = va(
    "vah264dec",
    "video/x-h264, stream-format=(string){ avc, avc3, byte-stream }, alignment=(string)au",
);
pub static VA_VP8: Spec = va("vavp8dec", "video/x-vp8");
pub static VA_VP9: Spec = va("vavp9dec", "video/x-vp9");
pub static VA_AV1: Spec = va("vaav1dec", "video/x-av1");

/// Drivers that parse for themselves: `bcm2835-codec` and its like.
const fn stateful(factory: &'static str, sink: &'static str) -> Spec {
    Spec {
        factory,
        class: CLASS,
        rank: PRIMARY + 1,
        sink,
        src: "video/x-raw, format=(string){ I420, YV12, NV12, NV21 }, width=(int)[32,1920], \
            height=(int)[32,1920], framerate=(fraction)[0,MAX]",
        properties: Vec::new,
        job: Job::Decode {
            raw: "video/x-raw, format=(string){ I420, YV12, NV12, NV21 }",
        },
        threaded: true,
        late: 1,
    }
}

/// Drivers that are told of every slice.
const fn stateless(factory: &'static str, sink: &'static str) -> Spec {
    Spec {
        factory,
        class: CLASS,
        rank: PRIMARY + 1,
        sink,
        src: "video/x-raw, format=(string){ NV12, YUY2 }, width=(int)[1,MAX], \
            height=(int)[1,MAX], framerate=(fraction)[0,MAX]",
        properties: Vec::new,
        job: Job::Decode { raw: NV12 },
        threaded: false,
        late: 0,
    }
}

const fn va(factory: &'static str, sink: &'static str) -> Spec {
    Spec {
        factory,
        class: CLASS,
        rank: NONE,
        sink,
        src: VA_SRC,
        properties: Vec::new,
        job: Job::Decode { raw: NV12 },
        threaded: false,
        late: 0,
    }
}

fn nvidia_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecUInt::builder("drop-frame-interval")
            .maximum(30)
            .build(),
        glib::ParamSpecUInt::builder("num-extra-surfaces")
            .maximum(24)
            .default_value(1)
            .build(),
        glib::ParamSpecBoolean::builder("disable-dpb").build(),
        glib::ParamSpecBoolean::builder("enable-max-performance").build(),
        glib::ParamSpecBoolean::builder("enable-error-check").build(),
    ]
}
