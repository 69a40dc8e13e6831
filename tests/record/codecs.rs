//! Each codec, recorded as it comes or encoded again.

use std::time::Duration;

use super::stage::card_files;
use super::stage::decode;
use super::stage::file_publisher::FilePublisher;
use super::stage::publisher::{Report, unix_now};
use super::stage::reeld::{self};
use super::stage::scene::{ROOM, Scene, verify};
use super::stage::steady::steady;
use super::whole_visit;

#[test]
fn h264_is_recorded_whole() {
    steady(|| {
        whole_visit(&["--codec", "h264", "--busy"]).assert_whole();
    });
}

#[test]
fn vp8_is_recorded() {
    steady(|| {
        whole_visit(&["--codec", "vp8"]).assert_encoded();
    });
}

#[test]
fn vp8_simulcast_is_recorded_through_its_layers() {
    steady(|| {
        // It begins at 180p, maybe with half the pictures, and climbs within seconds; at a switch
        // the other layer may show a picture again.
        whole_visit(&["--codec", "vp8", "--simulcast"]).assert_present(0.80, 4);
    });
}

#[test]
fn of_simulcast_the_layer_that_is_asked_for_is_recorded() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record_set(&[("REELD_VIDEO__MAX_HEIGHT", "360")]);
        let mut publisher = scene.publish("tall", &["--codec", "h264", "--simulcast"]);
        reeld.await_writing(1);
        // Whatever the server begins with, it has all to choose from now, and time to choose.
        publisher.await_layers(3);
        publisher.await_more(9);
        let summary = reeld.stop().summary();
        let sent = publisher.stop().layers;
        let recording = &summary.recordings[0];
        let dir = recording.place(&scene.output());
        verify(&dir);
        let manifest = reeld::manifest(&dir);
        println!("{} of {sent:?}", manifest["layers"]);
        let last = manifest["layers"].as_array().unwrap().last().unwrap();
        // Under load libwebrtc makes all layers smaller, and leaves the largest ones out.
        let wanted = sent.iter().filter(|height| **height <= 360).max();
        assert_eq!(last["height"].as_u64(), wanted.copied().map(u64::from));
        let held = recording.duration_s - last["at_ms"].as_f64().unwrap() / 1000.0;
        assert!(held > 4.0, "since {held} s only: {}", manifest["layers"]);
    });
}

#[test]
fn vp9_with_spatial_layers_is_recorded_at_full_height() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let options = [
            "--codec",
            "vp9",
            "--scalability",
            "L3T3_KEY",
            "--size",
            "640x360",
        ];
        let mut publisher = scene.publish("layered", &options);
        reeld.await_writing(1);
        publisher.await_second(14);
        let stopped = unix_now();
        let summary = reeld.stop().summary();
        let report = publisher.stop();
        let take = scene.take(&summary, "layered");
        take.assert_streams(&[("audio", "aac"), ("video", "h264")]);
        let film = take.film(&report);
        // While the lowest layer comes alone, so does a part of the pictures.
        film.assert_present(0.80, 4);
        film.assert_ends(report.frames_due(stopped));
        film.assert_in_step_with(&take.sound(), &report);
        let manifest = reeld::manifest(&summary.recordings[0].place(&scene.output()));
        let tracks = manifest["tracks"].as_array().unwrap();
        assert!(
            tracks.iter().any(|track| track["codec_in"] == "vp9"),
            "{manifest}"
        );
        let layers = manifest["layers"].as_array().unwrap();
        println!("{layers:?}");
        assert_eq!(layers.last().unwrap()["height"], 360, "{layers:?}");
        // Taken out of the encoder's hands, not out of the publisher's words.
        let shown = decode::pictures(take.file()).pictures;
        assert_eq!(shown.last().unwrap().height, 360);
    });
}

#[test]
fn h265_is_copied() {
    steady(|| {
        let scene = Scene::set();
        let files = tempfile::tempdir().unwrap();
        let (pictures, sound) = (
            files.path().join("card.h265"),
            files.path().join("card.ogg"),
        );
        card_files::h265(&pictures, 12 * card_files::FPS, 3);
        card_files::ogg_with_a_silent_left(&sound, 12);
        let mut reeld = scene.record(&[]);
        let publisher = FilePublisher::start(&scene.server, ROOM, "file", &[&pictures, &sound]);
        publisher.finish(Duration::from_secs(30));
        reeld.await_sealed("file");
        let outcome = reeld.stop();
        println!("{}", outcome.stderr);
        let summary = outcome.summary();

        let take = scene.take(&summary, "file");
        take.assert_streams(&[("audio", "aac"), ("video", "hevc")]);
        let film = take.film(&Report::of_file(card_files::FPS));
        film.assert_whole();
        film.assert_begins(0.0);
        film.assert_ends(f64::from(12 * card_files::FPS));
        let video = summary.recordings[0].frames.video.as_ref().unwrap();
        let dropped: u64 = video.dropped.values().sum();
        assert_eq!(video.written + dropped, video.received, "{video:?}");

        let dir = summary.recordings[0].place(&scene.output());
        let manifest = reeld::manifest(&dir);
        let tracks = manifest["tracks"].as_array().unwrap();
        let camera = tracks.iter().find(|track| track["source"] == "camera");
        assert_eq!(camera.unwrap()["codec_in"], "h265", "{manifest}");
        assert_eq!(camera.unwrap()["codec_out"], "h265", "{manifest}");
        assert_eq!(
            manifest["layers"][0]["height"],
            card_files::SIZE.1,
            "{manifest}"
        );

        let streams = verify(take.file())[0]["streams"].take();
        let streams = streams.as_array().unwrap();
        let pictures = streams
            .iter()
            .find(|stream| stream["codec"] == "h265")
            .unwrap();
        assert_eq!(pictures["frames"], video.written, "{pictures}");
        let keyframes = pictures["keyframes"].as_u64().unwrap();
        let due = video.written.div_ceil(card_files::KEYFRAME_EVERY.into());
        assert_eq!(keyframes, due, "{pictures}");
    });
}

#[test]
fn two_channels_of_sound_stay_two() {
    steady(|| {
        let scene = Scene::set();
        let files = tempfile::tempdir().unwrap();
        let sound = files.path().join("card.ogg");
        card_files::ogg_with_a_silent_left(&sound, 8);
        let mut reeld = scene.record(&[]);
        let publisher = FilePublisher::start(&scene.server, ROOM, "duo", &[&sound]);
        publisher.finish(Duration::from_secs(30));
        reeld.await_sealed("duo");
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "duo");
        take.assert_streams(&[("audio", "aac")]);
        assert_eq!(decode::probe(take.file())[0].channels, Some(2));
        let [left, right] = [0, 1].map(|number| decode::channel(take.file(), number));
        assert_eq!(left.beeps, [0.0; 0]);
        assert!((6..=8).contains(&right.beeps.len()), "{:?}", right.beeps);
        for pair in right.beeps.windows(2) {
            assert!((pair[1] - pair[0] - 1.0).abs() < 0.03, "{:?}", right.beeps);
        }
    });
}
