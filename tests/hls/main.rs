//! A recording in players while it is made and when it is done: ffmpeg, and hls.js in Chromium.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod browser;
mod site;
#[path = "../stage/mod.rs"]
mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use browser::Browser;
use site::Site;
use stage::reeld::demo;
use stage::steady::steady;

/// The least that segments can have; the recording has two of them and a piece of a third.
const SEGMENT: &str = "10s";
const LENGTH: f64 = 24.0;
/// The playlist is read again each target duration, which is 20 s here.
const LONG: Duration = Duration::from_mins(2);

fn sealed(output: &Path) -> Option<PathBuf> {
    let shelf = reeld::recorder::shelf::recordings(output).ok()?;
    let folder = shelf.recordings.first()?.path.clone();
    folder.join("00000.ts").exists().then_some(folder)
}

#[test]
fn what_is_being_written_can_be_played() {
    steady(|| {
        let output = tempfile::tempdir().unwrap();
        let recorder = demo(output.path(), "1m", "1h");
        let file = stage::poll("three seconds of media", LONG, || {
            let shelf = reeld::recorder::shelf::recordings(output.path()).ok()?;
            let file = shelf.recordings.first()?.path.join("00000.recording.ts");
            (file.metadata().ok()?.len() > 900_000).then_some(file)
        });
        let decoded = stage::decode::pictures(&file);
        let sound = stage::decode::sound(&file);
        drop(recorder);
        let counters: Vec<u32> = decoded.pictures.iter().map(|it| it.counter).collect();
        let expected: Vec<u32> = (0..).take(counters.len()).collect();
        assert_eq!(counters, expected);
        assert!(counters.len() > 50, "{} pictures", counters.len());
        assert!(sound.beeps.len() >= 2, "{:?}", sound.beeps);
        assert!(sound.longest_gap < 0.1, "{} s", sound.longest_gap);
    });
}

#[test]
fn a_browser_plays_a_recording_while_it_is_made_and_to_its_end() {
    steady(|| {
        let output = tempfile::tempdir().unwrap();
        let mut recorder = demo(output.path(), "24s", SEGMENT);
        let folder = stage::poll("the first segment", LONG, || sealed(output.path()));
        let site = Site::serve(&folder);
        let _browser = Browser::open(&site.url());

        let report = site.await_report("it plays", LONG, |report| report.time > 2.0);
        assert!(recorder.is_running(), "recorded no more");
        assert_eq!((report.kind.as_str(), report.live), ("EVENT", true));
        assert_eq!((report.width, report.height), (1280, 720));

        assert!(recorder.wait(LONG).1.success());
        let report = site.await_report("it has played all", LONG, |report| report.ended);
        assert_eq!((report.kind.as_str(), report.live), ("VOD", false));
        let missing = LENGTH - report.time;
        assert!(missing.abs() < 0.3, "{missing} s are missing: {report:?}");
        // It waits where nothing more is sealed yet, and sound begins a little after the picture.
        let trouble = |error: &&String| {
            !error.starts_with("bufferStalledError")
                && !error.starts_with("bufferSeekOverHole at 0.")
        };
        assert_eq!(report.errors.iter().find(trouble), None);
        // 30 pictures a second less what a busy machine does not show, and 64 kb/s of AAC.
        assert!(report.decoded_pictures > 600, "{report:?}");
        assert!(report.decoded_sound > 100_000, "{report:?}");
    });
}
