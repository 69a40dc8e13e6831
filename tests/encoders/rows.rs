//! Every row of the catalogue, each with its vendor's traps: what was recorded is sound, whole, and
//! has its keyframes.

use crate::rig::{Bench, Demo};

const CAMERA: [&str; 6] = ["--codec", "vp8", "--size", "640x360", "--duration", "4s"];

/// Records through the one encoder, and checks all that any has to do right.
fn record(stand_ins: &str, encoder: &str, scaler: &str) -> (Bench, Demo) {
    let bench = Bench::new(stand_ins);
    let demo = bench.demo(&CAMERA, &[("REELD_VIDEO__ENCODER", encoder)]);
    let files = demo.files();
    let [_, by, with, failed] = &demo.coders()[0];
    assert_eq!((by.as_str(), with.as_str()), (scaler, encoder));
    assert!(failed.is_empty(), "{failed}");
    assert_eq!(files.len(), 1);
    let file = &files[0];
    assert_eq!(file.size, (640, 360));
    let (received, written) = demo.pictures();
    assert_eq!((received, file.frames), (120, written));
    // A busy machine may lose some before the encoder: that is what the limit is for.
    assert!(written >= 110, "{written} of {received}");
    assert!(file.keyframes >= 4, "{} keyframes", file.keyframes);
    (bench, demo)
}

/// Traps: an IDR each 256 pictures only, parameter sets once, units two pictures late, deaf to
/// `GstForceKeyUnit`, pictures in NVMM only, chatter on the standard output.
#[test]
fn jetson_with_nvvidconv() {
    let (bench, _) = record(
        "nvv4l2h264enc:noise nvvidconv",
        "nvv4l2h264enc",
        "nvvidconv",
    );
    for fact in [
        "set insert-sps-pps=true",
        "set num-B-Frames=0",
        "set bitrate=2500000",
        "request signal served",
    ] {
        bench.tells("nvv4l2h264enc", fact);
    }
}

/// Trap: `DeepStream`'s converter stands in for nvvidconv.
#[test]
fn jetson_with_nvvideoconvert() {
    record(
        "nvv4l2h264enc nvvideoconvert",
        "nvv4l2h264enc",
        "nvvideoconvert",
    );
}

/// Trap: on a discrete GPU most of its properties do not exist, nor does the signal.
#[test]
fn nvidia_without_the_properties_of_a_jetson() {
    let (_, demo) = record(
        "nvv4l2h264enc:cuvid nvvideoconvert",
        "nvv4l2h264enc",
        "nvvideoconvert",
    );
    demo.says(&["the encoder has no such property", "insert-sps-pps"]);
}

/// Trap: the decoder's pictures are in NVMM, late, and from a thread of its own; none of them is
/// brought to the processor on the way to the encoder.
#[test]
fn jetson_with_its_decoder() {
    let (_, demo) = record(
        "nvv4l2decoder nvv4l2h264enc nvvidconv",
        "nvv4l2h264enc",
        "nvvidconv",
    );
    assert_eq!(demo.coders()[0][0], "nvv4l2decoder");
}

/// Orin Nano: decodes and scales in hardware, and has no encoder.
#[test]
fn jetson_without_an_encoder() {
    let (_, demo) = record("nvv4l2decoder nvvidconv", "x264enc", "nvvidconv");
    assert_eq!(demo.coders()[0][0], "nvv4l2decoder");
}

/// Traps: a level of its own that is too low for 1080 lines, which are tried; parameter sets once;
/// its bitrate is a control of the driver.
#[test]
fn raspberry_pi() {
    let (bench, _) = record("v4l2h264enc v4l2convert", "v4l2h264enc", "v4l2convert");
    for fact in [
        "set extra-controls.video_bitrate=2500000",
        "set extra-controls.repeat_sequence_header=1",
    ] {
        bench.tells("v4l2h264enc", fact);
    }
}

/// A Raspberry Pi whose ISP is not to be had: the processor scales.
#[test]
fn raspberry_pi_without_its_scaler() {
    record("v4l2h264enc", "v4l2h264enc", "videoscale");
}

/// Trap: kernels up to some GStreamer ignore requests: then it counts pictures.
#[test]
fn raspberry_pi_that_ignores_requests() {
    record("v4l2h264enc:deaf", "v4l2h264enc", "videoscale");
}

/// Traps: kbit/s, rank NONE, NV12 only.
#[test]
fn intel() {
    let (bench, _) = record("vah264enc vapostproc", "vah264enc", "vapostproc");
    bench.tells("vah264enc", "set bitrate=2500");
}

/// The low-power encoder, and pictures that the processor brings.
#[test]
fn intel_low_power_without_its_scaler() {
    record("vah264lpenc", "vah264lpenc", "videoscale");
}

/// Its own decoder, whose pictures stay where they are.
#[test]
fn intel_with_its_decoder() {
    let (_, demo) = record("vavp8dec vah264enc vapostproc", "vah264enc", "vapostproc");
    assert_eq!(demo.coders()[0][0], "vavp8dec");
}

/// Trap: bit/s under another name.
#[test]
fn rockchip() {
    let (bench, _) = record("mpph264enc", "mpph264enc", "videoscale");
    bench.tells("mpph264enc", "set bps=2500000");
}

/// Trap: deaf to `GstForceKeyUnit`, with a signal of another name.
#[test]
fn qualcomm() {
    let (bench, _) = record("qtic2venc", "qtic2venc", "videoscale");
    bench.tells("qtic2venc", "request signal served");
}

/// Trap: kbit/s.
#[test]
fn imx() {
    let (bench, _) = record("vpuenc_h264", "vpuenc_h264", "videoscale");
    bench.tells("vpuenc_h264", "set bitrate=2500");
}

/// No stand-ins: what Debian packages.
#[test]
fn x264() {
    record("", "x264enc", "videoscale");
}

/// The other one.
#[test]
fn openh264() {
    record("", "openh264enc", "videoscale");
}
