//! Publishers that go away, come back, change what they send, and are many.

use std::time::Duration;

use super::distance::{Distance, SETTLED};
use super::stage::crowd::Crowd;
use super::stage::publisher::unix_now;
use super::stage::reeld;
use super::stage::scene::verify;
use super::stage::steady::steady;

#[test]
fn a_publisher_that_is_killed_and_comes_back_goes_on_in_its_recording() {
    steady(|| {
        let distance = Distance::set(21);
        let mut far = distance.record(&[]);
        let mut first = distance.publish("phoenix", &[]);
        first.await_second(SETTLED);
        far.remember_memory();
        let (first, killed) = first.kill();
        let t0 = first.t0.to_string();
        let second = distance.publish("phoenix", &["--t0", &t0, "--secs", "22"]);
        let came_back = unix_now();
        let report = first.and_then(second.finish(Duration::from_mins(1)));
        let summary = far.await_visit("phoenix");

        let take = distance.scene.take(&summary, "phoenix");
        let film = take.film(&report);
        film.assert_present(0.5, 0);
        film.assert_begins(0.0);
        film.assert_ends(f64::from(report.frames.unwrap()));
        film.assert_in_step_with(&take.sound(), &report);
        let away = f64::from(film.counters.longest_gap) / f64::from(film.fps);
        let least = came_back - killed;
        assert!(
            (least - 0.5..least + 2.0).contains(&away),
            "{away} s of {least}"
        );
        let gaps = distance.gaps(&summary, "phoenix", "video");
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        distance.counts();
    });
}

#[test]
fn a_picture_published_with_another_codec_is_the_next_segment() {
    steady(|| {
        let distance = Distance::set(22);
        let mut far = distance.record(&[]);
        let options = ["--codec", "h264", "--switch", "8:vp8", "--secs", "20"];
        let mut publisher = distance.publish("turncoat", &options);
        publisher.await_second(SETTLED);
        far.remember_memory();
        let report = publisher.finish(Duration::from_mins(1));
        let summary = far.await_visit("turncoat");

        assert!(report.switched.is_some());
        // One more where the sound comes back later than the picture.
        let take = distance.scene.take_in_segments(&summary, "turncoat", 2..=4);
        let film = take.film(&report);
        film.assert_present(0.85, 0);
        film.assert_begins(0.0);
        film.assert_ends(f64::from(report.frames.unwrap()));
        film.assert_in_step_with(&take.sound(), &report);
        let away = f64::from(film.counters.longest_gap) / f64::from(film.fps);
        assert!(away < 2.0, "{away} s");
        distance.counts();
    });
}

#[test]
fn twenty_who_come_and_go_leave_no_memory_behind() {
    steady(|| {
        const MANY: usize = 20;
        let distance = Distance::set(23);
        let mut far = distance.record(&[("REELD_SELECT__MAX_PARTICIPANTS", "21")]);
        let mut host = distance.publish("host", &["--fps", "15"]);
        host.await_second(1);
        // The first crowd shows what so many cost; the second must find room in that.
        let first = Crowd::gather(&distance.scene.server, "first", MANY);
        far.reeld.await_writing(MANY + 1);
        first.disperse();
        far.reeld.await_sealed("first");
        far.remember_memory();
        let second = Crowd::gather(&distance.scene.server, "second", MANY);
        far.reeld.await_writing(MANY + 1);
        second.disperse();
        far.reeld.await_sealed("second");
        let report = host.stop();
        let summary = far.await_visit("host");

        assert_eq!(summary.recordings.len(), 2 * MANY + 1);
        for recording in &summary.recordings {
            let dir = recording.place(&distance.scene.output());
            verify(&dir);
            assert_eq!(reeld::manifest(&dir)["state"], "sealed");
        }
        let take = distance.scene.take(&summary, "host");
        let film = take.film(&report);
        // So many starve the host's own process and the server as well: its pictures are there, but
        // when it took them and when it sent them is no measure of us.
        film.assert_sent(97);
        film.assert_begins(0.0);
        take.sound();
        distance.counts();
    });
}
