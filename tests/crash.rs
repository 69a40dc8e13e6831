//! A real recording killed at any moment: what it leaves, once recovered, is whole up to the last
//! second.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod stage;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use reeld::recorder::Manifest;
use reeld::verify::{self, StreamCodec};
use stage::decode;
use stage::reeld::{command, demo, run};
use stage::steady::steady;
use time::OffsetDateTime;

/// Instants at which recordings are killed: most while one starts and runs, some around the
/// change of segments.
const EARLY: usize = 150;
const AT_A_CUT: usize = 50;
/// A recording takes a seventh of a core, and as much again to be looked at.
const AT_ONCE: usize = 4;
/// The shortest that segments can be.
const SEGMENT: &str = "10s";
const FPS: f64 = 30.0;
/// What may be lost before the kill, in seconds.
const MOST_LOST: f64 = 1.0;
/// Longer than anything takes here: reaching it is a failure.
const LONG: Duration = Duration::from_mins(2);

/// What a kill left.
#[derive(Debug, Default)]
struct Left {
    /// Seconds from the last picture's end to the kill; none where no picture is left.
    lost: Option<f64>,
    segments: usize,
}

#[test]
fn a_recording_killed_at_any_instant_loses_its_last_second_at_most() {
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let early = (0..EARLY).map(|_| 0.1 + 3.4 * random.f64());
    let early: Vec<f64> = early.collect();
    let at_a_cut = (0..AT_A_CUT).map(|_| 9.8 + 1.6 * random.f64());
    // The long ones first, so that none is waited for at the end.
    let instants: Vec<f64> = at_a_cut.chain(early).collect();
    let next = AtomicUsize::new(0);
    let left: Vec<Left> = std::thread::scope(|scope| {
        let worker = || {
            let mut left = Vec::new();
            while let Some(after) = instants.get(next.fetch_add(1, Relaxed)) {
                left.push(kill_steadily(Duration::from_secs_f64(*after)));
            }
            left
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    report(&left);
}

fn report(left: &[Left]) {
    let mut lost: Vec<f64> = left.iter().filter_map(|left| left.lost).collect();
    lost.sort_by(f64::total_cmp);
    let several = left.iter().filter(|left| left.segments > 1).count();
    println!(
        "{} kills: {} left pictures, {several} of them several files; lost {:.2} s at least, \
         {:.2} s in the middle, {:.2} s at most",
        left.len(),
        lost.len(),
        lost[0],
        lost[lost.len() / 2],
        lost[lost.len() - 1],
    );
    assert!(lost.len() > EARLY / 2, "most kills hit a recording");
    assert!(several > AT_A_CUT / 4, "some kills hit a second segment");
}

/// What a machine that stood still has cost is not the recorder's.
fn kill_steadily(after: Duration) -> Left {
    let left = Cell::new(Left::default());
    steady(|| left.set(kill(after)));
    left.into_inner()
}

/// Kills a recording `after` it was started, repairs what it left and looks at every picture.
fn kill(after: Duration) -> Left {
    let output = tempfile::tempdir().unwrap();
    let victim = demo(output.path(), "1m", SEGMENT);
    std::thread::sleep(after);
    let killed = OffsetDateTime::now_utc();
    drop(victim);
    let name = format!("killed after {after:?}");
    let recovered = run(command().arg("recover").arg(output.path()), LONG);
    assert_eq!(recovered.code, Some(0), "{name}: {recovered:#?}");
    let Some(folder) = folder(output.path()) else {
        return Left::default();
    };
    let manifest = Manifest::read(&folder.join("manifest.json")).unwrap();
    let files: Vec<PathBuf> = manifest
        .segments
        .iter()
        .map(|it| folder.join(&it.file))
        .collect();
    let verified = run(command().arg("verify").arg(output.path()), LONG);
    assert_eq!(verified.code, Some(0), "{name}: {verified:#?}");
    let mut next = 0;
    for file in &files {
        if !has_pictures(file) {
            continue;
        }
        let decoded = decode::pictures(file);
        assert!(decoded.errors.is_empty(), "{name}: {:?}", decoded.errors);
        for picture in decoded.pictures {
            assert_eq!(picture.counter, next, "{name}: {}", file.display());
            next += 1;
        }
    }
    let lasted = (killed - manifest.started).as_seconds_f64();
    let lost = lasted - f64::from(next) / FPS;
    assert!(
        lost <= MOST_LOST,
        "{name}: {lost:.3} s of {lasted:.3} s are lost"
    );
    Left {
        lost: (next > 0).then_some(lost),
        segments: files.len(),
    }
}

/// Sound alone is left of a file whose first picture was not whole yet.
fn has_pictures(file: &Path) -> bool {
    let report = verify::verify_file(file, false).unwrap();
    let mut streams = report.streams.iter();
    streams.any(|stream| stream.codec == StreamCodec::H264 && stream.frames > 0)
}

/// The only recording's folder, if anything was recorded.
fn folder(output: &Path) -> Option<PathBuf> {
    let mut shelf = reeld::recorder::shelf::recordings(output).unwrap();
    assert!(shelf.errors.is_empty() && shelf.recordings.len() <= 1);
    shelf.recordings.pop().map(|recording| recording.path)
}
