//! What a stand-in can be told to do wrong.

use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;

use super::rig::{Unit, ask_by_event, card, error, on_box, play, play_with, try_on_box};

const ENCODER: &str = "vah264enc";

fn encoder(pictures: u32) -> String {
    format!("{} ! vah264enc key-int-max=10", card(pictures, 160, 96))
}

fn with(fault: &str) -> String {
    format!("{ENCODER}:{fault}")
}

#[test]
fn open_fails_before_anything_plays() {
    let visit = on_box(
        "faults::open_fails_before_anything_plays",
        &with("open"),
        || {
            let played = play(&encoder(3));
            assert!(played.failed().contains("Could not open") && played.units.is_empty());
        },
    );
    if let Some(visit) = visit {
        visit.tells(ENCODER, "fault open");
    }
}

#[test]
fn start_fails_at_the_first_caps() {
    let visit = on_box(
        "faults::start_fails_at_the_first_caps",
        &with("start"),
        || {
            let played = play(&encoder(3));
            assert!(played.failed().contains("memory") && played.units.is_empty());
        },
    );
    if let Some(visit) = visit {
        visit.tells(ENCODER, "pictures in=0 out=0");
    }
}

#[test]
fn fail_comes_at_its_picture() {
    let visit = on_box("faults::fail_comes_at_its_picture", &with("fail@8"), || {
        let played = play(&encoder(20));
        assert!(played.failed().contains("Failed to process frame"));
        assert!(played.units.len() <= 7);
    });
    if let Some(visit) = visit {
        visit.tells(ENCODER, "pictures in=8 out=7");
    }
}

#[test]
fn die_ends_the_process() {
    let visit = try_on_box("faults::die_ends_the_process", &with("die@5"), || {
        play(&encoder(20));
    });
    if let Some(visit) = visit {
        assert!(!visit.success);
        visit.tells(ENCODER, "fault die at 5");
    }
}

#[test]
fn hang_holds_the_thread_that_brings_pictures() {
    let test = "faults::hang_holds_the_thread_that_brings_pictures";
    let visit = try_on_box(test, &with("hang@5"), || {
        let pipeline = gst::parse::launch(&format!("{} ! fakesink name=out", encoder(20))).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let (told, units) = std::sync::mpsc::sync_channel(10_000);
        let sink = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            told.send(()).unwrap();
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut came = 0;
        while units.recv_timeout(Duration::from_millis(500)).is_ok() {
            came += 1;
        }
        println!("{came} units, error {:?}", error(&pipeline));
        // Nothing ends such an element but the end of its process.
        std::process::exit(7);
    });
    if let Some(visit) = visit {
        assert!(
            visit.stdout.contains("4 units, error None"),
            "{}",
            visit.stdout
        );
        visit.tells(ENCODER, "fault hang at 5");
    }
}

#[test]
fn garbage_has_the_size_and_no_start_code() {
    on_box(
        "faults::garbage_has_the_size_and_no_start_code",
        &with("garbage"),
        || {
            let played = play(&encoder(12)).sound();
            assert_eq!(played.units.len(), 12);
            assert!(played.idrs().is_empty() && played.numbers(Unit::has_parameters).is_empty());
            assert!(played.units.iter().all(|unit| unit.data.len() > 4));
        },
    );
}

#[test]
fn silent_takes_everything_and_gives_nothing() {
    let visit = on_box(
        "faults::silent_takes_everything_and_gives_nothing",
        &with("silent"),
        || {
            // GStreamer's encoders call this an error at the end; some vendors' do not.
            assert!(play(&encoder(12)).units.is_empty());
        },
    );
    if let Some(visit) = visit {
        visit.tells(ENCODER, "pictures in=12 out=0");
    }
}

#[test]
fn slow_takes_its_time() {
    on_box("faults::slow_takes_its_time", &with("slow=40"), || {
        let begun = Instant::now();
        assert_eq!(play(&encoder(10)).sound().units.len(), 10);
        assert!(begun.elapsed() >= Duration::from_millis(400));
    });
}

#[test]
fn deaf_ignores_requests() {
    for (faults, idrs) in [("slow=0", 2), ("deaf", 1)] {
        let visit = on_box("faults::deaf_ignores_requests", &with(faults), || {
            let pipeline = format!("{} ! vah264enc key-int-max=200", card(40, 160, 96));
            let played = play_with(&pipeline, |pipeline, number| {
                if number == 10 {
                    ask_by_event(pipeline);
                }
            });
            println!("IDRs: {}", played.sound().idrs().len());
        });
        let Some(visit) = visit else { return };
        assert!(
            visit.stdout.contains(&format!("IDRs: {idrs}")),
            "{}",
            visit.stdout
        );
    }
}

#[test]
fn stiff_refuses_another_size() {
    for (faults, units) in [("slow=0", 20), ("stiff", 10)] {
        let visit = on_box("faults::stiff_refuses_another_size", &with(faults), || {
            let small = card(10, 160, 96);
            let large = card(10, 320, 180);
            let both =
                format!("concat name=both {small} ! both. {large} ! both. both. ! vah264enc");
            let played = play(&both);
            println!(
                "units: {}, error: {}",
                played.units.len(),
                played.error.is_some()
            );
        });
        let Some(visit) = visit else { return };
        let told = format!("units: {units}, error: {}", units == 10);
        assert!(visit.stdout.contains(&told), "{}", visit.stdout);
    }
}

#[test]
fn no_parameters_at_all() {
    on_box(
        "faults::no_parameters_at_all",
        &with("no-parameters"),
        || {
            let played = play(&encoder(12)).sound();
            assert_eq!(played.idrs(), [0, 10]);
            assert!(played.numbers(Unit::has_parameters).is_empty());
        },
    );
}

#[test]
fn noise_goes_to_the_standard_output() {
    let visit = on_box(
        "faults::noise_goes_to_the_standard_output",
        &with("noise"),
        || {
            play(&encoder(2)).sound();
        },
    );
    if let Some(visit) = visit {
        assert!(
            visit
                .stdout
                .contains("NvMMLiteOpen : Block : BlockType = 4")
        );
    }
}
