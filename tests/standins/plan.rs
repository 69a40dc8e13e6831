//! What is registered, and what is refused.

use gstreamer as gst;

use super::rig::{on_box, try_on_box, visit};

const ALL: [&str; 20] = [
    "nvv4l2h264enc",
    "v4l2h264enc",
    "vah264enc",
    "vah264lpenc",
    "mpph264enc",
    "qtic2venc",
    "vpuenc_h264",
    "nvvidconv",
    "nvvideoconvert",
    "v4l2convert",
    "vapostproc",
    "nvv4l2decoder",
    "v4l2h264dec",
    "v4l2slh264dec",
    "v4l2vp8dec",
    "v4l2slvp8dec",
    "vah264dec",
    "vavp8dec",
    "vavp9dec",
    "vaav1dec",
];

fn print_found() {
    let found = ALL
        .iter()
        .filter(|name| gst::ElementFactory::find(name).is_some());
    println!("found: {:?}", found.collect::<Vec<_>>());
}

#[test]
fn nothing_is_there_unasked() {
    let visit = on_box("plan::nothing_is_there_unasked", "", print_found);
    if let Some(visit) = visit {
        assert!(visit.stdout.contains("found: []"), "{}", visit.stdout);
    }
}

#[test]
fn everything_is_there_when_asked_for() {
    let visit = on_box(
        "plan::everything_is_there_when_asked_for",
        &ALL.join(" "),
        print_found,
    );
    if let Some(visit) = visit {
        let all = format!("found: {ALL:?}");
        assert!(visit.stdout.contains(&all), "{}", visit.stdout);
    }
}

#[test]
fn a_registry_that_is_there_notices_another_plan() {
    let test = "plan::a_registry_that_is_there_notices_another_plan";
    let Some(first) = on_box(test, "nvvidconv", print_found) else {
        return;
    };
    assert!(
        first.stdout.contains("found: [\"nvvidconv\"]"),
        "{}",
        first.stdout
    );
    let mut box_ = first.box_;
    box_.refit("vah264enc v4l2convert");
    let second = visit(box_, test);
    let found = "found: [\"vah264enc\", \"v4l2convert\"]";
    assert!(second.stdout.contains(found), "{}", second.stdout);
}

#[test]
fn a_wrong_plan_is_refused_with_its_reason() {
    for (plan, reason) in [
        (
            "nvvidconv nvv4l2h264dec",
            "no stand-in is called nvv4l2h264dec",
        ),
        ("vah264enc:fial@3", "vah264enc has no fault fial@3"),
        ("vah264enc:hang@soon", "vah264enc has no fault hang@soon"),
        ("vah264enc:open@3", "vah264enc has no fault open@3"),
        ("vah264enc:cuvid", "no stand-in is called vah264enc"),
        ("nvvidconv nvvidconv:open", "nvvidconv is named twice"),
    ] {
        let test = "plan::a_wrong_plan_is_refused_with_its_reason";
        let Some(visit) = try_on_box(test, plan, print_found) else {
            return;
        };
        assert!(
            visit.stdout.contains("found: []"),
            "{plan}: {}",
            visit.stdout
        );
        let told = format!("STAND_INS: {reason}");
        assert!(visit.stderr.contains(&told), "{plan}: {}", visit.stderr);
    }
}
