//! The traps of the other encoders.

use gst::prelude::*;
use gstreamer as gst;

use super::rig::{Played, Unit, ask_by_event, card, on_box, play, play_with};

fn v4l2(width: u32, height: u32, controls: &str, level: &str) -> Played {
    let card = card(3, width, height);
    play(&format!(
        "{card} ! v4l2h264enc extra-controls=\"controls,{controls}\" ! video/x-h264{level}"
    ))
}

#[test]
fn v4l2_does_not_start_with_the_level_that_it_picks_itself() {
    let test = "encoders::v4l2_does_not_start_with_the_level_that_it_picks_itself";
    let visit = on_box(test, "v4l2h264enc", || {
        let level = |level: &str| format!(",level=(string){level},profile=(string)high");
        assert!(
            v4l2(1280, 720, "h264_i_frame_period=30", "")
                .failed()
                .contains("memory")
        );
        for (width, height, too_low, enough) in [(1280, 720, "3", "3.1"), (1920, 1080, "3.1", "4")]
        {
            let failed = v4l2(width, height, "h264_i_frame_period=30", &level(too_low));
            assert!(failed.failed().contains("memory") && failed.units.is_empty());
            let started = v4l2(width, height, "h264_i_frame_period=30", &level(enough)).sound();
            let caps = started.caps.unwrap();
            assert_eq!(caps.structure(0).unwrap().get::<&str>("level"), Ok(enough));
        }
    });
    if let Some(visit) = visit {
        visit.tells("v4l2h264enc", "refused level 1 is too low");
    }
}

#[test]
fn v4l2_does_not_start_at_its_highest_bitrate() {
    on_box(
        "encoders::v4l2_does_not_start_at_its_highest_bitrate",
        "v4l2h264enc",
        || {
            let bitrate = |bits: &str| {
                v4l2(
                    320,
                    180,
                    &format!("video_bitrate={bits}"),
                    ",level=(string)4",
                )
            };
            assert!(bitrate("25000000").failed().contains("memory"));
            assert_eq!(bitrate("20000000").sound().units.len(), 3);
        },
    );
}

#[test]
fn v4l2_repeats_parameters_only_when_asked() {
    on_box(
        "encoders::v4l2_repeats_parameters_only_when_asked",
        "v4l2h264enc",
        || {
            let with = |controls: &str| {
                let card = card(70, 320, 180);
                play(&format!(
                "{card} ! v4l2h264enc extra-controls=\"controls,h264_i_frame_period=30{controls}\" ! \
                 video/x-h264,level=(string)4"
            ))
            .sound()
            };
            let default = with("");
            assert_eq!(default.idrs(), [0, 30, 60]);
            assert_eq!(default.numbers(Unit::has_parameters), [0]);
            assert_eq!(default.numbers(|unit| unit.marked), [0, 30, 60]);
            let asked = with(",repeat_sequence_header=1");
            assert_eq!(asked.numbers(Unit::has_parameters), [0, 30, 60]);
        },
    );
}

#[test]
fn v4l2_passes_over_controls_that_are_unknown_or_no_ints() {
    let test = "encoders::v4l2_passes_over_controls_that_are_unknown_or_no_ints";
    let visit = on_box(test, "v4l2h264enc", || {
        let controls = "no_such_control=1,repeat_sequence_header=(uint)1";
        v4l2(320, 180, controls, ",level=(string)4").sound();
    });
    if let Some(visit) = visit {
        visit.tells("v4l2h264enc", "warning control no_such_control is ignored");
        visit.tells(
            "v4l2h264enc",
            "warning control repeat_sequence_header is ignored",
        );
    }
}

#[test]
fn v4l2_serves_force_key_unit_since_1_22() {
    let visit = on_box(
        "encoders::v4l2_serves_force_key_unit_since_1_22",
        "v4l2h264enc",
        || {
            let served = gst::version().1 >= 22;
            let pipeline = format!(
                "{} ! v4l2h264enc ! video/x-h264,level=(string)4",
                card(50, 320, 180)
            );
            let played = play_with(&pipeline, |pipeline, number| {
                if number == 20 {
                    ask_by_event(pipeline);
                }
            });
            assert_eq!(played.sound().idrs().len(), if served { 2 } else { 1 });
        },
    );
    if let Some(visit) = visit {
        let requests = visit.facts("v4l2h264enc");
        assert!(
            requests
                .iter()
                .any(|fact| fact.starts_with("request event"))
        );
    }
}

#[test]
fn sizes_that_a_template_does_not_let_in() {
    let boxes = "v4l2h264enc vpuenc_h264";
    on_box(
        "encoders::sizes_that_a_template_does_not_let_in",
        boxes,
        || {
            for (encoder, width, height) in [
                ("v4l2h264enc ! video/x-h264,level=(string)4.2", 2048, 1080),
                ("v4l2h264enc ! video/x-h264,level=(string)4.2", 1080, 1922),
                ("vpuenc_h264", 1920, 1200),
            ] {
                let played = play(&format!("{} ! {encoder}", card(2, width, height)));
                assert!(
                    played.error.is_some() && played.units.is_empty(),
                    "{encoder}"
                );
            }
            let portrait = "v4l2h264enc ! video/x-h264,level=(string)4.2";
            play(&format!("{} ! {portrait}", card(2, 1080, 1920))).sound();
        },
    );
}

#[test]
fn mpp_gives_parameters_once_and_is_wide_in_its_caps_only() {
    let test = "encoders::mpp_gives_parameters_once_and_is_wide_in_its_caps_only";
    on_box(test, "mpph264enc", || {
        let with =
            |settings: &str| play(&format!("{} ! mpph264enc {settings}", card(40, 320, 180)));
        let default = with("").sound();
        assert_eq!(default.idrs(), [0, 30], "-1 is one second");
        assert_eq!(default.numbers(Unit::has_parameters), [0]);
        let asked = with("gop=20 bps=500000 header-mode=each-idr").sound();
        assert_eq!(asked.numbers(Unit::has_parameters), [0, 20]);
        let wide = play(&format!("{} ! mpph264enc", card(2, 2560, 1440)));
        assert!(wide.failed().contains("memory") && wide.units.is_empty());
    });
}

#[test]
fn va_has_no_rank_and_counts_kilobits() {
    on_box(
        "encoders::va_has_no_rank_and_counts_kilobits",
        "vah264enc vah264lpenc",
        || {
            for encoder in ["vah264enc", "vah264lpenc"] {
                let factory = gst::ElementFactory::find(encoder).unwrap();
                assert_eq!(factory.rank(), gst::Rank::NONE);
                let card = card(60, 320, 180).replace("pattern=ball", "pattern=snow");
                let settings = "rate-control=cbr b-frames=0 key-int-max=20 bitrate";
                let played = play(&format!("{card} ! {encoder} {settings}=800")).sound();
                assert_eq!(played.numbers(Unit::has_parameters), [0, 20, 40]);
                assert_eq!(played.numbers(|unit| unit.marked), [0, 20, 40]);
                let bytes = played.bytes(30..60);
                assert!((60_000..160_000).contains(&bytes), "{bytes}");
                // Bits are out of its range: GStreamer does not take them.
                let element = gst::ElementFactory::make(encoder).build().unwrap();
                let range = element.find_property("bitrate").unwrap();
                let range = range.downcast::<gst::glib::ParamSpecUInt>().unwrap();
                assert!(range.maximum() < 4_000_000);
            }
        },
    );
}

#[test]
fn qualcomms_bitrate_means_nothing_without_rate_control() {
    let test = "encoders::qualcomms_bitrate_means_nothing_without_rate_control";
    let visit = on_box(test, "qtic2venc", || {
        let bytes = |settings: &str| {
            let card = card(60, 320, 180).replace("pattern=ball", "pattern=snow");
            let played = play(&format!(
                "{card} ! qtic2venc target-bitrate=400000 {settings}"
            ));
            played.sound().bytes(30..60)
        };
        let (off, on) = (bytes(""), bytes("control-rate=constant"));
        assert!(on < off / 2, "{on} {off}");
        let pipeline = format!(
            "{} ! qtic2venc name=encoder idr-interval=200",
            card(60, 320, 180)
        );
        let played = play_with(&pipeline, |pipeline, number| {
            if number == 20 {
                ask_by_event(pipeline);
                let encoder = pipeline.by_name("encoder").unwrap();
                encoder.emit_by_name::<()>("trigger-iframe", &[]);
            }
        });
        assert_eq!(played.sound().idrs().len(), 2);
    });
    if let Some(visit) = visit {
        visit.tells("qtic2venc", "request event ignored");
        visit.tells("qtic2venc", "request signal served");
    }
}

#[test]
fn what_was_set_is_told() {
    let visit = on_box("encoders::what_was_set_is_told", "vpuenc_h264", || {
        play(&format!(
            "{} ! vpuenc_h264 bitrate=700 gop-size=15",
            card(20, 320, 180)
        ))
        .sound();
    });
    if let Some(visit) = visit {
        let facts = visit.facts("vpuenc_h264");
        let set: Vec<_> = facts
            .iter()
            .filter(|fact| fact.starts_with("set "))
            .collect();
        assert_eq!(set, ["set bitrate=700", "set gop-size=15"]);
        visit.tells("vpuenc_h264", "size 320x180");
        visit.tells("vpuenc_h264", "pictures in=20 out=20");
    }
}
