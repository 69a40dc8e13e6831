//! Who comes late, leaves early, is not asked for, or is thrown out.

use std::time::Duration;

use super::stage::publisher::unix_now;
use super::stage::room;
use super::stage::scene::{DURATION_TOLERANCE_S, ROOM, START_S, Scene};
use super::stage::steady::steady;

#[test]
fn a_recorder_that_comes_late_records_from_there() {
    steady(|| {
        let scene = Scene::set();
        let mut publisher = scene.publish("early bird", &["--codec", "h264"]);
        publisher.await_second(3);
        let joined = unix_now();
        let outcome = scene
            .record(&["--duration", "15s"])
            .finish(Duration::from_mins(1));
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
        let second_report = second.finish(Duration::from_mins(1));
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
