//! Sound alone, pictures alone, and both with one of them muted.

use std::time::Duration;

use super::stage::process::peak_memory;
use super::stage::reeld::{self, Summary};
use super::stage::scene::{DURATION_TOLERANCE_S, START_S, Scene};
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

/// The most that a mute may cost, in bytes.
const GROWTH: u64 = 16 << 20;

/// The manifest lists the four seconds for which this kind was muted, and no other gap of it. For a
/// second of them silence may still be sent.
fn assert_one_mute(scene: &Scene, summary: &Summary, kind: &str) {
    let manifest = reeld::manifest(&summary.recordings[0].place(&scene.output()));
    let all = manifest["gaps"].as_array().expect("a list of gaps").iter();
    let gaps: Vec<_> = all.filter(|gap| gap["kind"] == kind).collect();
    let [gap] = gaps.as_slice() else {
        panic!("one gap of {kind}: {gaps:?}");
    };
    assert_eq!(gap["cause"], "muted", "{gap}");
    let length_ms = gap["duration_ms"].as_u64().expect("a number");
    assert!((2_500..5_500).contains(&length_ms), "{gap}");
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
        let mut publisher = scene.publish("shy", &options);
        publisher.await_second(5);
        let before = peak_memory(reeld.pid());
        let report = publisher.finish(Duration::from_secs(40));
        reeld.await_sealed("shy");
        assert!(peak_memory(reeld.pid()) <= before + GROWTH);
        let summary = reeld.stop().summary();
        assert_one_mute(&scene, &summary, "audio");

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
        let mut publisher = scene.publish("hidden", &options);
        publisher.await_second(5);
        let before = peak_memory(reeld.pid());
        let report = publisher.finish(Duration::from_secs(40));
        reeld.await_sealed("hidden");
        assert!(peak_memory(reeld.pid()) <= before + GROWTH);
        let summary = reeld.stop().summary();
        assert_one_mute(&scene, &summary, "video");

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
