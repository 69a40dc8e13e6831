//! Sound alone, pictures alone, and both with one of them muted.

use std::time::Duration;

use super::stage::process::{assert_grew_little, peak_memory};
use super::stage::publisher::Report;
use super::stage::reeld;
use super::stage::scene::{DURATION_TOLERANCE_S, START_S, Scene, Take};
use super::stage::steady::steady;

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

/// Somebody comes, is mute of one kind for four seconds, and leaves. It costs no memory, and the
/// manifest lists it and no other gap of that kind. For a second of it silence may still be sent.
fn visit_with_a_mute(identity: &str, option: &str, kind: &str) -> (Scene, Take, Report) {
    let scene = Scene::set();
    let mut reeld = scene.record(&[]);
    let options = ["--size", "640x360", option, "5.5:9.5", "--secs", "16"];
    let mut publisher = scene.publish(identity, &options);
    publisher.await_second(5);
    let before = peak_memory(reeld.pid());
    let report = publisher.finish(Duration::from_secs(40));
    reeld.await_sealed(identity);
    assert_grew_little(reeld.pid(), before);
    let summary = reeld.stop().summary();

    let dir = summary.recordings[0].place(&scene.output());
    let gaps = reeld::gaps(&dir, kind);
    let [gap] = gaps.as_slice() else {
        panic!("one gap of {kind}: {gaps:?}");
    };
    assert_eq!(gap.cause, "muted", "{gap:?}");
    assert!((2_500..5_500).contains(&gap.duration_ms), "{gap:?}");
    let take = scene.take(&summary, identity);
    // Its files are gone when it is dropped.
    (scene, take, report)
}

#[test]
fn a_muted_microphone_is_silence_and_sound_stays_in_step() {
    steady(|| {
        let (_scene, take, report) = visit_with_a_mute("shy", "--mute-audio", "audio");
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
        let (_scene, take, report) = visit_with_a_mute("hidden", "--mute-video", "video");
        let film = take.film(&report);
        film.assert_present(0.7, 0);
        film.assert_ends(f64::from(report.frames.unwrap()));
        let gap = f64::from(film.counters.longest_gap) / f64::from(report.fps);
        assert!((3.5..5.0).contains(&gap), "{gap} s without pictures");
        assert!(film.black <= 5, "{} black pictures", film.black);
        film.assert_in_step_with(&take.sound(), &report);
    });
}
