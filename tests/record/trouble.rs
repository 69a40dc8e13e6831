//! What should change nothing, and what leaves nothing.

use std::net::UdpSocket;
use std::time::Duration;

use super::stage::process::{peak_memory, udp_sockets};
use super::stage::publisher::unix_now;
use super::stage::reeld::{self, Outcome};
use super::stage::scene::{Scene, verify};
use super::stage::steady::steady;

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
