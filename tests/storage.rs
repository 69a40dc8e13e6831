//! What a recording leaves on the disk when its process is killed, or the disk fails it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "stage/mod.rs"]
mod stage;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reeld::recorder::manifest::RecordingState;
use reeld::recorder::{Manifest, RecorderError, SegmentCounts, SegmentIndex, WriterEvent};
use stage::writer::{LONG, PACKET, first_damage, open, packet, start, write_until_refused};

/// Where the child of the crash test writes.
const OUTPUT: &str = "REELD_TEST_OUTPUT";
#[test]
#[ignore = "the victim of a_killed_recording_keeps_what_was_synced, which starts it"]
fn victim() {
    let output = PathBuf::from(std::env::var_os(OUTPUT).expect("run by the crash test"));
    let (mut handle, _events) = start(&output, Duration::from_millis(20)).unwrap();
    println!("folder {}", handle.folder().display());
    let progress = handle.progress();
    let mut input = open(&mut handle);
    for n in 0.. {
        input.write(&packet(n)).unwrap();
        if n % 50 == 0 {
            println!("synced {}", progress.borrow().synced);
            std::thread::yield_now();
        }
    }
}

/// Kills its process when the test ends, however it ends.
struct Victim(Child);

impl Victim {
    fn start(output: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--ignored", "--nocapture"])
            .env(OUTPUT, output)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Reads what it says until it has synced at least `bytes`, then kills it (SIGKILL) at once.
    /// Returns its folder and what it last said was synced.
    fn kill_after(&mut self, bytes: u64) -> (PathBuf, u64) {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let mut folder = PathBuf::new();
        let mut said = 0;
        for line in lines.map_while(Result::ok) {
            // The test harness prints "test victim ... " in front of the first line.
            if let Some((_, path)) = line.split_once("folder ") {
                folder = path.into();
            }
            if let Some(synced) = line.strip_prefix("synced ") {
                said = synced.parse().unwrap_or(said);
                if said >= bytes {
                    break;
                }
            }
        }
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        (folder, said)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail when it is dead already, which is what is wanted.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_killed_recording_keeps_what_was_synced_and_names_nothing() {
    for kilobytes in [1, 300, 5_000] {
        let output = tempfile::tempdir().unwrap();
        let (folder, synced) = Victim::start(output.path()).kill_after(kilobytes * 1_000);
        assert!(synced >= kilobytes * 1_000, "it ended by itself");
        assert!(folder.starts_with(output.path().join("room")));

        let written = std::fs::read(folder.join("00000.recording.ts")).unwrap();
        assert!(
            written.len() as u64 >= synced,
            "{} < {synced}",
            written.len()
        );
        // SIGKILL may cut even one write short: the last packet need not be whole.
        for (n, found) in written.chunks(PACKET).enumerate() {
            assert_eq!(found, &packet(n as u64)[..found.len()], "packet {n}");
        }

        assert!(!folder.join("00000.ts").exists());
        let manifest = Manifest::read(&folder.join("manifest.json")).unwrap();
        assert_eq!(manifest.state, RecordingState::Recording);
        assert!(manifest.segments.is_empty());
        let playlist = std::fs::read_to_string(folder.join("index.m3u8")).unwrap();
        assert!(playlist.contains("EVENT") && !playlist.contains("#EXTINF"));
    }
}

#[tokio::test]
async fn a_folder_removed_underneath_damages_the_segment_and_frees_the_muxer() {
    let output = tempfile::tempdir().unwrap();
    let (mut handle, mut events) = start(output.path(), Duration::from_millis(20)).unwrap();
    let mut input = open(&mut handle);
    input.write(&packet(0)).unwrap();
    assert!(matches!(events.recv().await, Some(WriterEvent::Opened(_))));
    std::fs::remove_dir_all(handle.folder()).unwrap();
    // The open file still takes data, which nobody would ever find.
    let _ = input.write(&packet(1));
    let error = first_damage(&mut events).await;
    assert!(matches!(error, RecorderError::Missing { .. }), "{error}");
    write_until_refused(input, 1).await;
    handle.close_segment(SegmentIndex(0), SegmentCounts::default());
    // Nor can another be made.
    let next = open(&mut handle);
    let error = first_damage(&mut events).await;
    assert!(matches!(error, RecorderError::Missing { .. }), "{error}");
    write_until_refused(next, 1).await;
    let outcome = tokio::time::timeout(LONG, handle.finish()).await;
    assert!(outcome.unwrap().unwrap().index.is_err());
}

#[tokio::test]
async fn a_full_disk_keeps_the_sealed_segment_and_says_so() {
    let Some(disk) = TinyDisk::mount() else {
        return;
    };
    let (mut handle, mut events) = start(disk.path(), Duration::from_millis(20)).unwrap();
    let mut whole = open(&mut handle);
    (0..100).for_each(|n| whole.write(&packet(n)).unwrap());
    handle.close_segment(SegmentIndex(0), SegmentCounts::default());
    let torn = open(&mut handle);
    write_until_refused(torn, 1_000_000).await;
    let error = first_damage(&mut events).await;
    assert!(matches!(error, RecorderError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("00001.recording.ts"), "{error}");

    let folder = handle.folder().to_owned();
    let outcome = tokio::time::timeout(LONG, handle.finish()).await;
    let manifest = outcome.unwrap().unwrap().manifest;
    assert_eq!(manifest.segments[0].bytes, 100 * PACKET as u64);
    assert!(!manifest.segments[0].damaged && manifest.segments[1].damaged);
    assert_eq!(
        std::fs::read(folder.join("00000.ts")).unwrap().len(),
        100 * PACKET
    );
    assert!(!folder.join("00001.ts").exists());
}

#[test]
fn an_output_that_cannot_be_written_is_refused_at_the_start() {
    let Some(disk) = TinyDisk::mount() else {
        return;
    };
    disk.remount_read_only();
    let error = start(disk.path(), LONG).unwrap_err();
    assert!(
        matches!(error, RecorderError::NotWritable { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("read-only"), "{error}");
}

/// A file system of one megabyte in memory; needs root and mount(8).
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount")
            .args(options)
            .arg(place.path())
            .output();
        match mounted {
            Ok(result) if result.status.success() => Some(Self(place)),
            Ok(result) => {
                let reason = String::from_utf8_lossy(&result.stderr);
                println!("skipped: no tmpfs can be mounted: {}", reason.trim());
                None
            }
            Err(error) => {
                println!("skipped: mount(8) can't be run: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount_read_only(&self) {
        let arguments = ["-o", "remount,ro"];
        let status = Command::new("mount")
            .args(arguments)
            .arg(self.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Lazily, because the writer's thread may still hold a file after a test that failed.
        let status = Command::new("umount").arg("-l").arg(self.path()).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}
