//! Recordings whose process is killed, and what `reeld recover` makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use stage::{decode, poll, reeld};

const LIMIT: Duration = Duration::from_mins(1);
const PACKET: usize = 188;

/// Records the test card and kills the process a while after its first bytes are on the disk;
/// gives the folder and how long that was.
fn killed(output: &Path, after: Duration) -> (PathBuf, Duration) {
    let mut child = reeld::command()
        .args(["demo", "--duration", "60s", "--output"])
        .arg(output)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = poll("first bytes", LIMIT, || {
        let file = only(&output.join("demo"))?.join("00000.recording.ts");
        (fs::metadata(&file).ok()?.len() > 0).then_some(file)
    });
    let began = Instant::now();
    // The instant of the kill is what is tested; there is nothing to wait for.
    std::thread::sleep(after);
    child.kill().unwrap();
    let recorded = began.elapsed();
    child.wait().unwrap();
    (file.parent().unwrap().to_owned(), recorded)
}

/// The only entry of a directory.
fn only(path: &Path) -> Option<PathBuf> {
    fs::read_dir(path).ok()?.next()?.ok().map(|it| it.path())
}

fn recover(path: &Path, options: &[&str]) -> reeld::Outcome {
    reeld::run(
        reeld::command().arg("recover").arg(path).args(options),
        LIMIT,
    )
}

fn recovered(path: &Path) -> Value {
    let outcome = recover(path, &["--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn assert_sound(path: &Path) {
    let mut verify = reeld::command();
    let outcome = reeld::run(verify.arg("verify").arg(path), LIMIT);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
}

/// How long the pictures last, which are all there from the first one on; each is decoded.
fn seconds_of_pictures(file: &Path) -> f64 {
    let found = decode::pictures(file);
    assert_eq!(found.errors, [""; 0]);
    for pair in found.pictures.windows(2) {
        assert_eq!(pair[1].counter, pair[0].counter + 1, "a picture is missing");
    }
    assert!(!found.pictures.is_empty());
    f64::from(u32::try_from(found.pictures.len()).unwrap()) / 30.0
}

#[test]
fn a_killed_recording_is_made_whole() {
    for milliseconds in [300, 1_700, 3_100] {
        let output = tempfile::tempdir().unwrap();
        let (folder, recorded) = killed(output.path(), Duration::from_millis(milliseconds));
        let report = recovered(output.path());
        assert_eq!(report["totals"]["sealed"], 1, "{report}");
        assert_eq!(report["recordings"][0]["state"], "repaired");
        assert_eq!(
            report["recordings"][0]["segments"][0]["becomes"],
            "00000.ts"
        );
        assert_sound(output.path());
        let seconds = seconds_of_pictures(&folder.join("00000.ts"));
        let lost = recorded.as_secs_f64() - seconds;
        assert!(lost < 1.0, "{lost} s of {recorded:?} are lost");

        let again = recovered(output.path());
        assert_eq!(again["recordings"], serde_json::json!([]));
        assert_eq!(again["totals"]["recordings"], 1);
    }
}

/// One real recording, cut at many places and with what a file system can leave behind the cut.
#[test]
fn a_cut_at_any_place_costs_what_is_behind_it() {
    let output = tempfile::tempdir().unwrap();
    let (folder, _) = killed(output.path(), Duration::from_millis(2_500));
    recovered(output.path());
    let whole = fs::read(folder.join("00000.ts")).unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(limit).unwrap()).unwrap()
    };
    for round in 0..40 {
        let cut = whole.len() / 10 + below(whole.len() * 9 / 10);
        let tail: Vec<u8> = match round % 4 {
            0 => Vec::new(),
            1 => vec![0; below(100_000)],
            2 => (0..below(100_000))
                .map(|_| u8::try_from(below(256)).unwrap())
                .collect(),
            // What was in the blocks before: the recording's own beginning.
            _ => whole[below(PACKET)..whole.len() / 10].to_vec(),
        };
        for entry in fs::read_dir(&folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let bytes = [&whole[..cut], &tail].concat();
        fs::write(folder.join("00000.recording.ts"), bytes).unwrap();
        let report = recovered(&folder);
        let segment = &report["recordings"][0]["segments"][0];
        assert_eq!(segment["parts"], 1, "round {round}: {report}");
        let kept = usize::try_from(segment["kept_bytes"].as_u64().unwrap()).unwrap();
        // A picture and the tables in front of it.
        assert!(kept <= cut.next_multiple_of(PACKET), "round {round}");
        assert!(
            cut - kept.min(cut) < 100_000,
            "round {round}: {kept} of {cut}"
        );
        assert_sound(&folder);
        // Noise may have completed the packet of the cut; everything else is as it was.
        let sealed = fs::read(folder.join("00000.ts")).unwrap();
        let same = kept.min(cut);
        assert_eq!(sealed[..same], whole[..same], "round {round}");
        if round < 8 && round % 4 != 2 {
            seconds_of_pictures(&folder.join("00000.ts"));
        }
    }
}

#[test]
fn a_hole_in_a_real_recording_costs_the_pictures_around_it() {
    let output = tempfile::tempdir().unwrap();
    let (folder, _) = killed(output.path(), Duration::from_millis(2_500));
    let file = folder.join("00000.recording.ts");
    let mut bytes = fs::read(&file).unwrap();
    let pictures = decode::pictures(&file).pictures.len();
    let page = bytes.len() / 2 / 4_096 * 4_096;
    bytes[page..page + 4_096].fill(0);
    fs::write(&file, bytes).unwrap();
    let report = recovered(output.path());
    assert_eq!(
        report["recordings"][0]["segments"][0]["parts"], 2,
        "{report}"
    );
    assert_sound(output.path());
    let left = decode::pictures(&folder.join("00000.ts")).pictures.len();
    assert!(left + 4 >= pictures, "{left} of {pictures}");
}

#[test]
fn people_are_told_what_is_done_and_a_dry_run_does_nothing() {
    let output = tempfile::tempdir().unwrap();
    let folder = output.path().join("room/20261122T041700Z-ann-camera");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("00000.recording.ts"), [0x33; 1_000]).unwrap();
    let dry = recover(output.path(), &["--dry-run"]);
    assert_eq!(dry.code, Some(0));
    assert!(dry.stdout.contains("00000.damaged"), "{}", dry.stdout);
    assert!(
        dry.stdout.ends_with("1 recording: 1 to repair"),
        "{}",
        dry.stdout
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    let done = recover(output.path(), &[]);
    assert!(
        done.stdout.ends_with("1 recording: 1 repaired"),
        "{}",
        done.stdout
    );
    assert!(folder.join("00000.damaged").exists());
    let again = recover(output.path(), &[]);
    assert_eq!(again.stdout, "1 recording: nothing to repair");

    fs::write(folder.join("manifest.json"), r#"{"version": 99}"#).unwrap();
    let newer = recover(output.path(), &[]);
    assert_eq!(newer.code, Some(6));
    assert!(
        newer.stderr.contains("use a newer reeld"),
        "{}",
        newer.stderr
    );
    let absent = recover(&output.path().join("absent"), &[]);
    assert_eq!(absent.code, Some(6));
    assert!(absent.stderr.contains("absent"), "{}", absent.stderr);
}

#[test]
fn a_recording_that_goes_on_is_left_alone() {
    let output = tempfile::tempdir().unwrap();
    let mut child = reeld::command()
        .args(["demo", "--duration", "60s", "--output"])
        .arg(output.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let folder = poll("a folder", LIMIT, || {
        let folder = only(&output.path().join("demo"))?;
        folder.join("00000.recording.ts").exists().then_some(folder)
    });
    let report = recovered(output.path());
    assert_eq!(report["recordings"][0]["state"], "in_use", "{report}");
    assert!(folder.join("00000.recording.ts").exists());
    child.kill().unwrap();
    child.wait().unwrap();
}
