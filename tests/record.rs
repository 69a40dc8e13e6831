//! Records real rooms: LiveKit's own server, libwebrtc as the publisher, the `reeld` binary;
//! and judges by what another decoder shows of the files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::net::UdpSocket;
use std::time::Duration;

use stage::card_files;
use stage::decode;
use stage::file_publisher::FilePublisher;
use stage::process::{peak_memory, udp_sockets};
use stage::publisher::{Report, unix_now};
use stage::reeld::{self, Outcome, Recording};
use stage::room;
use stage::scene::{DURATION_TOLERANCE_S, Film, ROOM, START_S, Scene, verify};
use stage::steady::steady;

/// `reeld` waits in an empty room, one participant comes with `options`, publishes for 17 s and
/// leaves: the recording is sealed with nobody's help.
fn whole_visit(options: &[&str]) -> Film {
    let scene = Scene::set();
    let mut reeld = scene.record(&[]);
    let options = [options, &["--secs", "17"]].concat();
    let publisher = scene.publish("visitor", &options);
    let report = publisher.finish(Duration::from_mins(1));
    reeld.await_sealed("visitor");
    let summary = reeld.stop().summary();

    let take = scene.take(&summary, "visitor");
    take.assert_streams(&[("audio", "aac"), ("video", "h264")]);
    let film = take.film(&report);
    film.assert_begins(0.0);
    film.assert_ends(f64::from(report.frames.unwrap()));
    assert!(film.end - film.start > 15.0 - START_S);
    film.assert_in_step_with(&take.sound(), &report);
    assert_counts_add_up(&summary.recordings[0]);
    film
}

/// Every unit that came is accounted for.
fn assert_counts_add_up(recording: &Recording) {
    let video = recording.frames.video.as_ref().expect("video is counted");
    let dropped: u64 = video.dropped.values().sum();
    // A re-encoded picture may be repeated or merged by the encoder; a copied one may not.
    assert!(
        video.written + dropped >= video.received,
        "lost without a reason: {video:?}"
    );
    assert!(recording.duration_s > 15.0 - START_S);
}

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
fn what_is_beyond_a_limit_is_refused_and_counted() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record_set(&[
            ("REELD_SELECT__MAX_PARTICIPANTS", "1"),
            ("REELD_LIMITS__MAX_TRACKS", "1"),
        ]);
        let mut first = scene.publish("first", &["--size", "320x180"]);
        reeld.await_writing(1);
        let second = scene.publish("second", &["--no-video"]);
        first.await_more(2);
        let outcome = reeld.stop();
        first.stop();
        second.stop();

        let summary = outcome.summary();
        let recorded: Vec<_> = summary.recordings.iter().map(|r| &r.participant).collect();
        assert_eq!(recorded, ["first"]);
        let counts = ["max_participants", "max_tracks", "unrecordable"].map(|r| summary.refused[r]);
        assert_eq!(counts, [1, 1, 0], "{}", outcome.stderr);
        for (reason, key) in [
            ("max_participants", "select.max_participants"),
            ("max_tracks", "limits.max_tracks"),
        ] {
            let reason = format!("reason=\"{reason}\"");
            let mut lines = outcome.stderr.lines();
            let line = lines.find(|line| line.contains(&reason)).unwrap();
            assert!(line.contains(key) && line.contains("source="), "{line}");
        }
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

#[test]
fn a_flood_of_messages_is_ignored() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record_set(&[("REELD_LOG__LEVEL", "warn,reeld::room=debug")]);
        let options = ["--codec", "h264", "--size", "640x360", "--data", "6:16"];
        let mut publisher = scene.publish("talker", &options);
        reeld.await_writing(1);
        publisher.await_second(5);
        let before = peak_memory(reeld.pid());
        publisher.await_second(17);
        let after = peak_memory(reeld.pid());
        let stopped = unix_now();
        let outcome = reeld.stop();
        let report = publisher.stop();
        let (_, ignored) = outcome.stderr.rsplit_once("ignored_messages=").unwrap();
        let digits = ignored.split(|c: char| !c.is_ascii_digit()).next();
        let ignored: u64 = digits.unwrap().parse().unwrap();
        println!("{ignored} messages, peak from {before} to {after} bytes");
        assert!(ignored > 1_000, "{ignored} messages came");
        assert!(after - before < 16_000_000, "{before} to {after} bytes");
        let film = scene.take(&outcome.summary(), "talker").film(&report);
        film.assert_ends(report.frames_due(stopped));
    });
}

#[test]
fn a_recorder_that_comes_late_records_from_there() {
    steady(|| {
        let scene = Scene::set();
        let mut publisher = scene.publish("early bird", &["--codec", "h264"]);
        publisher.await_second(3);
        let joined = unix_now();
        let outcome = scene
            .record(&["--duration", "15s"])
            .finish(Duration::from_secs(40));
        let ended = unix_now();
        let report = publisher.stop();

        let summary = outcome.summary();
        let take = scene.take(&summary, "early bird");
        let film = take.film(&report);
        film.assert_whole();
        film.assert_begins(report.frames_due(joined));
        // Sealing and leaving take their time after the last picture.
        let early = report.frames_due(ended) / f64::from(report.fps)
            - f64::from(film.counters.last) / f64::from(report.fps);
        assert!(
            (0.0..2.0).contains(&early),
            "ends {early} s before the exit"
        );
        let recorded = film.end - film.start;
        assert!(
            (15.0 - START_S..15.0 + DURATION_TOLERANCE_S).contains(&recorded),
            "{recorded} s of 15"
        );
        film.assert_in_step_with(&take.sound(), &report);
    });
}

#[test]
fn two_participants_are_recorded_each_for_their_own_stay() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let mut first = scene.publish("first", &["--size", "640x360"]);
        first.await_second(3);
        let second = scene.publish("second", &["--size", "640x360", "--secs", "10", "--screen"]);
        // The second one leaves early: sealed while the first one is still being recorded.
        let second_report = second.finish(Duration::from_secs(30));
        reeld.await_sealed("second");
        first.await_second(15);
        let stopped = unix_now();
        let summary = reeld.stop().summary();
        let first_report = first.stop();

        assert_eq!(summary.recordings.len(), 2);
        let sources: Vec<_> = ["first", "second"]
            .iter()
            .filter_map(|name| summary.recordings.iter().find(|r| r.participant == **name))
            .map(|recording| recording.source.as_str())
            .collect();
        assert_eq!(sources, ["camera", "screen_share"]);

        let take = scene.take(&summary, "first");
        let film = take.film(&first_report);
        film.assert_whole();
        film.assert_begins(0.0);
        film.assert_ends(first_report.frames_due(stopped));
        film.assert_in_step_with(&take.sound(), &first_report);

        let take = scene.take(&summary, "second");
        let film = take.film(&second_report);
        film.assert_whole();
        film.assert_begins(0.0);
        film.assert_ends(f64::from(second_report.frames.unwrap()));
        film.assert_in_step_with(&take.sound(), &second_report);
    });
}

#[test]
fn only_the_participants_asked_for_are_recorded() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&["--participant", "camera-*"]);
        let small = ["--size", "320x180", "--no-audio"];
        let other = scene.publish("somebody", &small);
        let mut wanted = scene.publish("camera-7", &small);
        reeld.await_writing(1);
        wanted.await_second(3);
        let summary = reeld.stop().summary();
        let names: Vec<_> = summary.recordings.iter().map(|r| &r.participant).collect();
        assert_eq!(names, ["camera-7"]);
        wanted.stop();
        other.stop();
    });
}

#[test]
fn a_killed_publisher_leaves_a_sound_recording() {
    steady(|| {
        let scene = Scene::set();
        let reeld = scene.record(&[]);
        let mut publisher = scene.publish("victim", &["--size", "640x360"]);
        publisher.await_second(9);
        let (report, killed) = publisher.kill();
        // The server keeps the place for one who may come back: the recorder sees only silence.
        std::thread::sleep(Duration::from_secs(4));
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "victim");
        let film = take.film(&report);
        film.assert_whole();
        film.assert_ends(report.frames_due(killed));
        film.assert_begins(0.0);
    });
}

#[test]
fn a_deleted_room_ends_and_seals_the_recording() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let mut publisher = scene.publish("guest", &["--size", "640x360"]);
        reeld.await_writing(1);
        publisher.await_second(9);
        room::delete(&scene.server, ROOM);
        let deleted = unix_now();
        let summary = reeld.finish(Duration::from_secs(15)).summary();
        let report = publisher.finish(Duration::from_secs(15));

        let take = scene.take(&summary, "guest");
        let film = take.film(&report);
        film.assert_whole();
        film.assert_begins(0.0);
        film.assert_ends(report.frames_due(deleted));
        film.assert_in_step_with(&take.sound(), &report);
    });
}

#[test]
fn sound_alone_is_recorded() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let publisher = scene.publish("voice", &["--no-video", "--secs", "10"]);
        let report = publisher.finish(Duration::from_secs(30));
        reeld.await_sealed("voice");
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "voice");
        take.assert_streams(&[("audio", "aac")]);
        let sound = take.sound();
        assert!((8..=10).contains(&sound.beeps.len()), "{:?}", sound.beeps);
        for pair in sound.beeps.windows(2) {
            assert!((pair[1] - pair[0] - 1.0).abs() < 0.03, "{:?}", sound.beeps);
        }
        let recorded = sound.end - sound.start;
        let sent = report.ran_s.unwrap();
        assert!(
            recorded > sent - START_S && recorded < sent + DURATION_TOLERANCE_S,
            "{recorded} s of {sent}"
        );
    });
}

#[test]
fn pictures_alone_are_recorded() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let options = ["--no-audio", "--size", "640x360", "--secs", "10"];
        let publisher = scene.publish("mime", &options);
        let report = publisher.finish(Duration::from_secs(30));
        reeld.await_sealed("mime");
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "mime");
        take.assert_streams(&[("video", "h264")]);
        let film = take.film(&report);
        film.assert_whole();
        film.assert_begins(0.0);
        film.assert_ends(f64::from(report.frames.unwrap()));
    });
}

#[test]
fn a_muted_microphone_is_silence_and_sound_stays_in_step() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let options = [
            "--size",
            "640x360",
            "--mute-audio",
            "5.5:9.5",
            "--secs",
            "16",
        ];
        let publisher = scene.publish("shy", &options);
        let report = publisher.finish(Duration::from_secs(40));
        reeld.await_sealed("shy");
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "shy");
        let film = take.film(&report);
        film.assert_whole();
        let sound = take.sound();
        let muted_from = film.start + 5.7 - f64::from(film.counters.first) / 30.0;
        let muted = sound
            .beeps
            .iter()
            .filter(|beep| (muted_from..muted_from + 3.6).contains(*beep));
        assert_eq!(muted.count(), 0, "{:?}", sound.beeps);
        film.assert_in_step_with(&sound, &report);
    });
}

#[test]
fn a_muted_camera_is_a_gap_and_nothing_else() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let options = [
            "--size",
            "640x360",
            "--mute-video",
            "5.5:9.5",
            "--secs",
            "16",
        ];
        let publisher = scene.publish("hidden", &options);
        let report = publisher.finish(Duration::from_secs(40));
        reeld.await_sealed("hidden");
        let summary = reeld.stop().summary();

        let take = scene.take(&summary, "hidden");
        let film = take.film(&report);
        film.assert_present(0.7, 0);
        film.assert_ends(f64::from(report.frames.unwrap()));
        let gap = f64::from(film.counters.longest_gap) / f64::from(report.fps);
        assert!((3.5..5.0).contains(&gap), "{gap} s without pictures");
        assert!(film.black <= 5, "{} black pictures", film.black);
        film.assert_in_step_with(&take.sound(), &report);
    });
}

#[test]
fn garbage_on_the_media_port_changes_nothing() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let mut publisher = scene.publish("target", &["--size", "640x360"]);
        reeld.await_writing(1);
        publisher.await_second(4);
        let sockets = udp_sockets(reeld.pid());
        assert!(!sockets.is_empty(), "reeld has no UDP socket");
        let gun = UdpSocket::bind("127.0.0.1:0").unwrap();
        for round in 0..200u8 {
            // STUN, DTLS, RTP and RTCP are told apart by the first byte.
            let packet: Vec<u8> = (0..round).map(|i| round.wrapping_mul(31) ^ i).collect();
            for socket in &sockets {
                gun.send_to(&packet, socket).unwrap();
            }
        }
        publisher.await_second(9);
        let stopped = unix_now();
        let summary = reeld.stop().summary();
        let report = publisher.stop();

        let take = scene.take(&summary, "target");
        let film = take.film(&report);
        film.assert_whole();
        film.assert_ends(report.frames_due(stopped));
    });
}

#[test]
fn a_recording_that_nobody_comes_to_says_so() {
    steady(|| {
        let scene = Scene::set();
        let outcome = scene
            .record(&["--duration", "3s"])
            .finish(Duration::from_secs(20));
        assert_nothing_recorded(&scene, &outcome);
    });
}

#[test]
fn a_recording_that_nothing_comes_of_says_so() {
    steady(|| {
        let scene = Scene::set();
        let options = ["--no-video", "--mute-audio", "0:60"];
        let mut publisher = scene.publish("mute", &options);
        publisher.await_second(2);
        let outcome = scene
            .record(&["--duration", "3s"])
            .finish(Duration::from_secs(20));
        publisher.stop();
        assert_nothing_recorded(&scene, &outcome);
        assert!(outcome.stderr.contains("track added"), "{}", outcome.stderr);
        let last = outcome.stderr.trim_end().lines().last().unwrap();
        assert!(
            last.contains("nothing came of what was published"),
            "{last}"
        );
    });
}

fn assert_nothing_recorded(scene: &Scene, outcome: &Outcome) {
    outcome.assert_no_panic();
    assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
    let files = reeld::transport_streams(&scene.output());
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn a_second_ctrl_c_exits_at_once_and_leaves_nothing_half_done() {
    steady(|| {
        let scene = Scene::set();
        let mut reeld = scene.record(&[]);
        let mut publisher = scene.publish("host", &["--size", "640x360"]);
        reeld.await_writing(1);
        publisher.await_second(2);
        reeld.interrupt();
        let outcome = reeld.stop();
        outcome.assert_no_panic();
        // Sealing may be done before the second one arrives; if not, the open name says so.
        for file in reeld::transport_streams(&scene.output()) {
            if !file.to_string_lossy().ends_with(".recording.ts") {
                verify(&file);
            }
        }
        publisher.stop();
    });
}
