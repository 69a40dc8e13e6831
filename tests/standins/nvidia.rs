//! The traps of `nvv4l2h264enc`.

use std::sync::atomic::Ordering;

use gst::prelude::*;
use gstreamer as gst;

use super::rig::{Unit, ask_by_event, card, on_box, play, play_with};

const BOX: &str = "nvv4l2h264enc nvvidconv";

/// Pictures in NVMM, and an encoder with these settings.
fn encoder(pictures: u32, settings: &str) -> String {
    let card = card(pictures, 320, 180);
    format!(
        "{card} ! nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvv4l2h264enc name=encoder {settings}"
    )
}

#[test]
fn takes_nothing_but_nvmm() {
    on_box("nvidia::takes_nothing_but_nvmm", BOX, || {
        let bare = play(&format!("{} ! nvv4l2h264enc", card(3, 320, 180)));
        assert!(bare.error.is_some() && bare.units.is_empty());
        assert_eq!(play(&encoder(3, "")).sound().units.len(), 3);
    });
}

#[test]
fn idrinterval_is_256_whatever_iframeinterval_is() {
    on_box(
        "nvidia::idrinterval_is_256_whatever_iframeinterval_is",
        BOX,
        || {
            let default = play(&encoder(300, "iframeinterval=30")).sound();
            assert_eq!(default.idrs(), [0, 256]);
            let set = play(&encoder(70, "iframeinterval=30 idrinterval=30")).sound();
            assert_eq!(set.idrs(), [0, 30, 60]);
        },
    );
}

#[test]
fn only_the_first_idr_has_parameters_unless_asked() {
    on_box(
        "nvidia::only_the_first_idr_has_parameters_unless_asked",
        BOX,
        || {
            let default = play(&encoder(70, "idrinterval=30")).sound();
            assert_eq!(default.numbers(Unit::has_parameters), [0]);
            let asked = play(&encoder(70, "idrinterval=30 insert-sps-pps=true")).sound();
            assert_eq!(asked.numbers(Unit::has_parameters), [0, 30, 60]);
        },
    );
}

#[test]
fn no_unit_is_marked_as_a_keyframe() {
    on_box("nvidia::no_unit_is_marked_as_a_keyframe", BOX, || {
        let played = play(&encoder(40, "idrinterval=30")).sound();
        assert_eq!(played.idrs(), [0, 30]);
        assert!(played.units.iter().all(|unit| !unit.marked));
    });
}

#[test]
fn stamps_are_those_of_the_pictures() {
    on_box("nvidia::stamps_are_those_of_the_pictures", BOX, || {
        let played = play(&encoder(10, "")).sound();
        let stamps = played.units.iter().map(|unit| unit.at.mseconds());
        assert!(stamps.eq((0..10).map(|number| number * 1000 / 30)));
    });
}

#[test]
fn two_units_are_held_back_until_it_is_drained() {
    let test = "nvidia::two_units_are_held_back_until_it_is_drained";
    let visit = on_box(test, "nvv4l2h264enc:fail@20 nvvidconv", || {
        // It takes four more before it gives one back.
        let units = play(&encoder(30, "")).units.len();
        assert!(units <= 17, "{units}");
        assert_eq!(play(&encoder(19, "")).sound().units.len(), 19);
    });
    if let Some(visit) = visit {
        visit.tells("nvv4l2h264enc", "pictures in=19 out=19");
    }
}

#[test]
fn events_keep_their_place_among_the_units() {
    on_box(
        "nvidia::events_keep_their_place_among_the_units",
        BOX,
        || {
            let pipeline = gst::parse::launch(&format!("{} ! fakesink", encoder(20, ""))).unwrap();
            let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
            let encoder = pipeline.by_name("encoder").unwrap();
            let mark = |name| gst::event::CustomDownstream::new(gst::Structure::new_empty(name));
            let sink = encoder.static_pad("sink").unwrap();
            let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
            let taken = std::sync::atomic::AtomicUsize::new(0);
            sink.add_probe(kinds, move |sink, info| {
                if info.buffer().is_some() && taken.fetch_add(1, Ordering::Relaxed) == 9 {
                    sink.send_event(mark("middle"));
                }
                if info
                    .event()
                    .is_some_and(|event| event.type_() == gst::EventType::Eos)
                {
                    sink.send_event(mark("end"));
                }
                gst::PadProbeReturn::Ok
            });
            let (told, order) = std::sync::mpsc::sync_channel(10_000);
            encoder
                .static_pad("src")
                .unwrap()
                .add_probe(kinds, move |_, info| {
                    let event = info.event().map(|event| match event.structure() {
                        Some(mark) if event.type_() == gst::EventType::CustomDownstream => {
                            mark.name().to_string()
                        }
                        _ => event.type_().name().to_string(),
                    });
                    told.send(event.unwrap_or_else(|| "unit".to_owned()))
                        .unwrap();
                    gst::PadProbeReturn::Ok
                });
            pipeline.set_state(gst::State::Playing).unwrap();
            let limit = std::time::Duration::from_secs(20);
            let mut came = Vec::new();
            while came.last().is_none_or(|last| last != "eos") {
                came.push(order.recv_timeout(limit).unwrap());
            }
            pipeline.set_state(gst::State::Null).unwrap();
            let units_before = |name: &str| {
                let at = came.iter().position(|one| one == name).unwrap();
                came[..at].iter().filter(|one| *one == "unit").count()
            };
            assert_eq!(
                (units_before("middle"), units_before("end")),
                (9, 20),
                "{came:?}"
            );
        },
    );
}

#[test]
fn force_key_unit_is_ignored() {
    let visit = on_box("nvidia::force_key_unit_is_ignored", BOX, || {
        let played = play_with(&encoder(60, ""), |pipeline, number| {
            if number == 20 {
                ask_by_event(pipeline);
            }
        });
        assert_eq!(played.sound().idrs(), [0]);
    });
    if let Some(visit) = visit {
        visit.tells("nvv4l2h264enc", "request event ignored");
    }
}

#[test]
fn force_idr_is_heard_after_the_first_unit_only() {
    let visit = on_box(
        "nvidia::force_idr_is_heard_after_the_first_unit_only",
        BOX,
        || {
            let force = |pipeline: &gst::Pipeline| {
                let encoder = pipeline.by_name("encoder").unwrap();
                encoder.emit_by_name::<()>("force-IDR", &[]);
            };
            let pipeline = gst::parse::launch(&format!("{} ! fakesink", encoder(5, ""))).unwrap();
            let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
            force(&pipeline);
            let played = play_with(&encoder(60, ""), |pipeline, number| {
                if number == 20 {
                    force(pipeline);
                }
            });
            let idrs = played.sound().idrs();
            assert!(
                matches!(idrs[..], [0, late] if (21..=32).contains(&late)),
                "{idrs:?}"
            );
        },
    );
    if let Some(visit) = visit {
        visit.tells("nvv4l2h264enc", "request signal ignored");
        visit.tells("nvv4l2h264enc", "request signal served");
        assert!(visit.stdout.contains("Error while signalling force IDR"));
    }
}

#[test]
fn a_discrete_gpu_has_other_properties_and_no_force_idr() {
    let test = "nvidia::a_discrete_gpu_has_other_properties_and_no_force_idr";
    on_box(test, "nvv4l2h264enc:cuvid nvvidconv", || {
        let encoder = gst::ElementFactory::make("nvv4l2h264enc").build().unwrap();
        for missing in [
            "idrinterval",
            "peak-bitrate",
            "preset-level",
            "insert-sps-pps",
            "insert-vui",
            "insert-aud",
            "maxperf-enable",
        ] {
            assert!(encoder.find_property(missing).is_none(), "{missing}");
        }
        assert!(encoder.find_property("gpu-id").is_some());
        let signal = gst::glib::subclass::SignalId::lookup("force-IDR", encoder.type_());
        assert!(signal.is_none());
        let played = play(&self::encoder(70, "iframeinterval=30")).sound();
        assert_eq!(played.numbers(Unit::has_parameters), [0, 30, 60]);
        let forced = play_with(
            &self::encoder(60, "iframeinterval=200"),
            |pipeline, number| {
                if number == 20 {
                    let encoder = pipeline.by_name("encoder").unwrap();
                    encoder.set_property("force-idr", true);
                }
            },
        );
        assert_eq!(forced.sound().idrs().len(), 2);
    });
}

#[test]
fn defaults_and_ranges_are_the_vendors() {
    on_box("nvidia::defaults_and_ranges_are_the_vendors", BOX, || {
        let encoder = gst::ElementFactory::make("nvv4l2h264enc").build().unwrap();
        let default = |name: &str| encoder.property_value(name).serialize().unwrap();
        for (name, value) in [
            ("bitrate", "4000000"),
            ("peak-bitrate", "0"),
            ("control-rate", "constant_bitrate"),
            ("iframeinterval", "30"),
            ("idrinterval", "256"),
            ("preset-level", "UltraFastPreset"),
            ("profile", "Baseline"),
            ("num-B-Frames", "0"),
            ("maxperf-enable", "false"),
            ("insert-sps-pps", "false"),
        ] {
            assert_eq!(default(name), value, "{name}");
        }
    });
}

#[test]
fn the_bitrate_is_in_bits() {
    on_box("nvidia::the_bitrate_is_in_bits", BOX, || {
        let bytes = |bitrate: &str| {
            let noise = encoder(60, bitrate).replace("pattern=ball", "pattern=snow");
            play(&noise).sound().bytes(30..60)
        };
        // One second at 800 kbit/s, and the same number for one who thinks in kbit/s.
        let (right, wrong) = (bytes("bitrate=800000"), bytes("bitrate=800"));
        assert!((60_000..160_000).contains(&right), "{right}");
        assert!(wrong < right / 2, "{wrong}");
    });
}
