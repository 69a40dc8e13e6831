//! Which encoder is taken, and what is said of it.

use crate::rig::{Bench, Demo};

const CAMERA: [&str; 6] = ["--codec", "vp8", "--size", "320x180", "--duration", "3s"];

/// A Jetson whose encoder has this fault: software takes its place, and the verdict is told.
fn falls_to_software(fault: &str, verdict: &str) -> (Bench, Demo) {
    let bench = Bench::new(&format!("nvv4l2h264enc:{fault} nvvidconv"));
    let demo = bench.demo(&CAMERA, &[]);
    let [_, _, encoder, failed] = &demo.coders()[0];
    assert_eq!((encoder.as_str(), failed.as_str()), ("x264enc", ""));
    demo.files();
    demo.says(&[
        "WARN",
        "no hardware encoder works here",
        "% of a core",
        verdict,
    ]);
    (bench, demo)
}

/// Trap: the factory is there, and the device can't be opened (Orin Nano with older releases).
#[test]
fn one_that_does_not_open() {
    falls_to_software("open", "failed: ");
}

/// Trap: it opens and fails when streaming begins.
#[test]
fn one_that_does_not_start() {
    falls_to_software("start", "failed: ");
}

/// Trap: it takes the process with it.
#[test]
fn one_that_crashes() {
    falls_to_software("die@3", "crashed: signal 6");
}

/// Trap: it fails behind some pictures.
#[test]
fn one_that_fails_behind_some_pictures() {
    falls_to_software("fail@5", "failed: ");
}

/// Trap: something comes out, and it is no H.264.
#[test]
fn one_that_gives_garbage() {
    falls_to_software("garbage", "garbage: ");
}

/// Trap: nothing comes out.
#[test]
fn one_that_is_silent() {
    falls_to_software("silent", "silent: ");
}

/// Trap: nothing could be decoded.
#[test]
fn one_without_parameter_sets() {
    falls_to_software("no-parameters", "no keyframe with parameter sets");
}

/// Trap: it hangs (an Orin Nano has, while it was probed), and is not asked again at the next
/// start.
#[test]
fn one_that_hangs() {
    let (bench, _) = falls_to_software("hang@3", "hung: no end after 5 s");
    let starts = bench.starts("nvv4l2h264enc");
    let again = bench.demo(&CAMERA, &[]);
    assert_eq!(again.coders()[0][2], "x264enc");
    again.says(&["no hardware encoder works here", "hung"]);
    assert_eq!(bench.starts("nvv4l2h264enc"), starts, "tried again");
    let said = again.outcome.stderr.lines();
    let took = said.filter_map(|line| line.split_once("milliseconds=")?.1.split(' ').next());
    let took: Vec<u64> = took.map(|text| text.parse().unwrap()).collect();
    assert!(
        took.len() == 1 && took[0] < 1_000,
        "from the cache in {took:?} ms"
    );
}

/// Trap: it fails now, because something else uses it; the next time it does not.
#[test]
fn one_that_was_in_use_is_tried_again() {
    let (mut bench, _) = falls_to_software("open", "failed: ");
    bench.vendors.refit("nvv4l2h264enc nvvidconv");
    let again = bench.demo(&CAMERA, &[]);
    assert_eq!(again.coders()[0][2], "nvv4l2h264enc");
}

#[test]
fn one_that_works_is_chosen_and_said_once() {
    let bench = Bench::new("v4l2h264enc");
    let demo = bench.demo(&CAMERA, &[]);
    assert_eq!(demo.coders()[0][2], "v4l2h264enc");
    demo.says(&["encoder chosen", "v4l2h264enc"]);
    assert!(
        !demo.outcome.stderr.contains("WARN"),
        "{}",
        demo.outcome.stderr
    );
}

/// A forced encoder that fails is an error, before anything is recorded.
#[test]
fn a_forced_one_works_or_nothing_begins() {
    let bench = Bench::new("v4l2h264enc:silent");
    let demo = bench.demo(&CAMERA, &[("REELD_VIDEO__ENCODER", "v4l2h264enc")]);
    assert_eq!(demo.outcome.code, Some(8), "{}", demo.outcome.stderr);
    demo.says(&["v4l2h264enc", "silent", "\"auto\""]);
    let absent = bench.demo(&CAMERA, &[("REELD_VIDEO__ENCODER", "vah264enc")]);
    assert_eq!(absent.outcome.code, Some(8), "{}", absent.outcome.stderr);
    absent.says(&["vah264enc", "none is installed"]);
    let unknown = bench.demo(&CAMERA, &[("REELD_VIDEO__ENCODER", "nvenc")]);
    assert_eq!(unknown.outcome.code, Some(3), "{}", unknown.outcome.stderr);
    unknown.says(&["video.encoder", "is no encoder", "nvv4l2h264enc"]);
}

/// What is copied needs no encoder, and waits for none.
#[test]
fn h264_is_copied_whatever_encodes() {
    let bench = Bench::new("nvv4l2h264enc:hang nvvidconv");
    let h264 = ["--codec", "h264", "--size", "320x180", "--duration", "3s"];
    let demo = bench.demo(&h264, &[]);
    assert!(demo.coders().is_empty());
    assert_eq!(demo.files()[0].frames, 90);
    demo.says(&["video is copied", "players of MPEG-TS take this codec"]);
    // The trial that hung when the demo ended has ended with it.
    bench.await_quiet();
    // The same camera, if it is told to be encoded again.
    let transcoded = bench.demo(
        &h264,
        &[
            ("REELD_VIDEO__MODE", "transcode"),
            ("REELD_VIDEO__MAX_HEIGHT", "90"),
        ],
    );
    assert_eq!(transcoded.coders()[0][2], "x264enc");
    assert_eq!(transcoded.files()[0].size, (160, 90));
    transcoded.says(&["video is encoded", "transcode"]);
}
