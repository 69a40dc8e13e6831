//! Converters and decoders: memories, sizes, and pictures that come late.

use gst::prelude::*;
use gstreamer as gst;

use super::rig::{Played, card, on_box, play};

fn memory(played: &Played) -> String {
    let caps = played.caps.as_ref().unwrap();
    caps.features(0).unwrap().to_string()
}

fn size(played: &Played) -> (i32, i32) {
    let caps = played.caps.as_ref().unwrap();
    let structure = caps.structure(0).unwrap();
    (
        structure.get("width").unwrap(),
        structure.get("height").unwrap(),
    )
}

#[test]
fn converters_scale_into_their_vendors_memory_and_back() {
    let test = "pictures::converters_scale_into_their_vendors_memory_and_back";
    on_box(test, "nvvidconv nvvideoconvert vapostproc", || {
        for (converter, vendors) in [
            ("nvvidconv", "memory:NVMM"),
            ("nvvideoconvert", "memory:NVMM"),
            ("vapostproc", "memory:VAMemory"),
        ] {
            let up = format!(
                "{} ! {converter} ! video/x-raw({vendors}),format=I420,width=160,height=90",
                card(3, 320, 180)
            );
            let up_there = play(&up).sound();
            assert_eq!(
                (memory(&up_there).as_str(), size(&up_there)),
                (vendors, (160, 90))
            );
            assert_eq!(up_there.units[0].data.len(), 160 * 90 * 3 / 2);
            let back = play(&format!(
                "{up} ! {converter} ! video/x-raw,width=80,height=46"
            ))
            .sound();
            assert_eq!(
                (memory(&back).as_str(), size(&back)),
                ("memory:SystemMemory", (80, 46))
            );
            let stays = play(&format!("{up} ! x264enc"));
            assert!(
                stays.error.is_some(),
                "{vendors} goes into {converter} only"
            );
        }
    });
}

#[test]
fn v4l2convert_scales_in_ordinary_memory() {
    on_box(
        "pictures::v4l2convert_scales_in_ordinary_memory",
        "v4l2convert",
        || {
            let scaled = format!(
                "{} ! v4l2convert ! video/x-raw,width=160,height=90",
                card(3, 320, 180)
            );
            let scaled = play(&scaled).sound();
            assert_eq!(
                (memory(&scaled).as_str(), size(&scaled)),
                ("memory:SystemMemory", (160, 90))
            );
        },
    );
}

#[test]
fn each_decoder_decodes_what_it_says() {
    let boxes = "v4l2h264dec v4l2slh264dec v4l2vp8dec v4l2slvp8dec vah264dec vavp8dec vavp9dec vaav1dec \
        nvv4l2decoder";
    on_box("pictures::each_decoder_decodes_what_it_says", boxes, || {
        let h264 = "videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast ! h264parse ! \
            video/x-h264,stream-format=byte-stream,alignment=au";
        let vp8 = "videoconvert ! vp8enc deadline=1 cpu-used=8";
        let vp9 = "videoconvert ! vp9enc deadline=1 cpu-used=8 lag-in-frames=0";
        let av1 = "videoconvert ! av1enc cpu-used=8 usage-profile=realtime ! av1parse";
        for (decoder, encoder, vendors) in [
            ("v4l2h264dec", h264, "memory:SystemMemory"),
            ("v4l2slh264dec", h264, "memory:SystemMemory"),
            ("v4l2vp8dec", vp8, "memory:SystemMemory"),
            ("v4l2slvp8dec", vp8, "memory:SystemMemory"),
            ("vah264dec", h264, "memory:VAMemory"),
            ("vavp8dec", vp8, "memory:VAMemory"),
            ("vavp9dec", vp9, "memory:VAMemory"),
            ("vaav1dec", av1, "memory:VAMemory"),
            ("nvv4l2decoder", h264, "memory:NVMM"),
            ("nvv4l2decoder", vp8, "memory:NVMM"),
            ("nvv4l2decoder", vp9, "memory:NVMM"),
            ("nvv4l2decoder", av1, "memory:NVMM"),
        ] {
            let played = play(&format!("{} ! {encoder} ! {decoder}", card(4, 160, 96))).sound();
            assert_eq!(played.units.len(), 4, "{decoder}");
            assert_eq!(
                (memory(&played).as_str(), size(&played)),
                (vendors, (160, 96)),
                "{decoder}"
            );
        }
    });
}

#[test]
fn nvidias_decoder_holds_two_pictures_and_has_a_thread_of_its_own() {
    let test = "pictures::nvidias_decoder_holds_two_pictures_and_has_a_thread_of_its_own";
    on_box(test, "nvv4l2decoder:fail@20 nvvidconv", || {
        let decoder = |pictures| {
            let card = card(pictures, 160, 96);
            format!("{card} ! videoconvert ! vp8enc deadline=1 cpu-used=8 ! nvv4l2decoder")
        };
        let units = play(&decoder(30)).units.len();
        assert!(units <= 17, "{units}");
        assert_eq!(play(&decoder(19)).sound().units.len(), 19);

        let pipeline =
            gst::parse::launch(&format!("{} name=decoder ! fakesink", decoder(3))).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let decoder = pipeline.by_name("decoder").unwrap();
        let (told, threads) = std::sync::mpsc::sync_channel(10_000);
        for pad in ["sink", "src"] {
            let told = told.clone();
            let pad = decoder.static_pad(pad).unwrap();
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
                told.send((pad.name(), std::thread::current().id()))
                    .unwrap();
                gst::PadProbeReturn::Remove
            });
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        let both: std::collections::HashMap<_, _> = threads.iter().take(2).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        assert_ne!(both["sink"], both["src"]);
    });
}

#[test]
fn nvidias_decoder_says_what_it_cannot_decode_here() {
    let test = "pictures::nvidias_decoder_says_what_it_cannot_decode_here";
    on_box(test, "nvv4l2decoder", || {
        let jpeg = play(&format!(
            "{} ! videoconvert ! jpegenc ! nvv4l2decoder",
            card(2, 160, 96)
        ));
        assert!(jpeg.error.is_some() && jpeg.units.is_empty());
    });
}
