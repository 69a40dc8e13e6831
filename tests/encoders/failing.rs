//! An encoder or decoder that fails while something is recorded.

use crate::rig::{Bench, Demo};
use crate::stage::reeld;

/// Ten seconds, of which the first three and a third are recorded with what then fails.
const CAMERA: [&str; 6] = ["--codec", "vp8", "--size", "320x180", "--duration", "9s"];

/// The longest that pictures may be missing.
const TAKEN_OVER_MS: u64 = 3_000;

/// Both segments are whole, and between them lies a gap that is short enough.
fn assert_taken_over(demo: &Demo, encoders: [&str; 2]) {
    let coders = demo.coders();
    assert_eq!(coders.len(), 2, "{coders:?}");
    for (used, wanted) in coders.iter().zip(encoders) {
        assert_eq!(used[2], wanted);
    }
    assert!(!coders[1][3].is_empty(), "why: {coders:?}");
    let summary: serde_json::Value = serde_json::from_str(&demo.outcome.stdout).unwrap();
    assert_eq!(summary["recordings"][0]["coders_failed"], 1, "{summary:#}");
    let files = demo.files();
    assert_eq!(files.len(), 2);
    assert!(
        files.iter().all(|file| file.frames >= 60),
        "pictures in both"
    );
    let manifest = demo.manifest();
    assert_eq!(
        manifest["segments"][1]["discontinuity"], true,
        "{manifest:#}"
    );
    let gaps = reeld::gaps(&demo.folder(), "video");
    let longest = gaps.iter().map(|gap| gap.duration_ms).max().unwrap_or(0);
    assert!(longest < TAKEN_OVER_MS, "{longest} ms");
    demo.says(&["ERROR", "takes over in a new segment"]);
}

#[test]
fn an_encoder_that_fails_at_picture_100_is_replaced() {
    let bench = Bench::new("v4l2h264enc:fail@100");
    let demo = bench.demo(&CAMERA, &[]);
    assert_taken_over(&demo, ["v4l2h264enc", "x264enc"]);
}

#[test]
fn an_encoder_that_hangs_at_picture_100_is_replaced() {
    let bench = Bench::new("v4l2h264enc:hang@100");
    let demo = bench.demo(&CAMERA, &[]);
    assert_taken_over(&demo, ["v4l2h264enc", "x264enc"]);
}

/// Trap: another encoder of the box takes over before software does.
#[test]
fn the_next_hardware_encoder_comes_before_software() {
    let bench = Bench::new("v4l2h264enc:fail@100 vpuenc_h264");
    let demo = bench.demo(&CAMERA, &[]);
    assert_taken_over(&demo, ["v4l2h264enc", "vpuenc_h264"]);
}

#[test]
fn a_decoder_that_fails_at_picture_100_is_replaced() {
    let bench = Bench::new("v4l2slvp8dec:fail@100");
    let demo = bench.demo(&CAMERA, &[]);
    assert_taken_over(&demo, ["x264enc", "x264enc"]);
    let decoders: Vec<_> = demo
        .coders()
        .into_iter()
        .map(|used| used[0].clone())
        .collect();
    assert_eq!(decoders, ["v4l2slvp8dec", "vp8dec"]);
}

/// Trap: a decoder that gives pictures of something else is not used at all.
#[test]
fn a_decoder_that_gives_garbage_is_not_used() {
    let bench = Bench::new("v4l2slvp8dec:garbage");
    let demo = bench.demo(
        &["--codec", "vp8", "--size", "320x180", "--duration", "3s"],
        &[],
    );
    assert_eq!(demo.coders()[0][0], "vp8dec");
}

/// A forced encoder has nothing that could take its place: it is tried again, in a segment each.
#[test]
fn a_forced_encoder_that_keeps_failing_is_started_again() {
    let bench = Bench::new("v4l2h264enc:fail@40");
    let demo = bench.demo(&CAMERA, &[("REELD_VIDEO__ENCODER", "v4l2h264enc")]);
    demo.says(&[
        "ERROR",
        "a segment failed, going on with a new one",
        "encoder",
    ]);
    assert_eq!(demo.coders().len(), 1, "the same throughout");
    let files = demo.files();
    assert!(files.len() >= 3, "{}", files.len());
    let recorded: u64 = files.iter().map(|file| file.frames).sum();
    assert!(recorded >= 200, "{recorded} of 270");
}
