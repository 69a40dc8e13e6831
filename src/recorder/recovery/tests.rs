//! Folders as a crash leaves them.

mod killed;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use proptest::prelude::*;
use time::macros::datetime;

use super::{FolderState, Options, Outcome, Pace, recover_folder};
use crate::recorder::claim::Claim;
use crate::recorder::error::RecorderError;
use crate::recorder::manifest::{Manifest, RecordingState};
use crate::verify::packets_for_tests::Builder;
use crate::verify::{self, Format};

const HASTE: Options = Options {
    dry_run: false,
    pace: Pace::Fast,
    without_locks: false,
};

/// A recording's folder in a room's in an output directory.
struct Folder {
    _root: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root
            .path()
            .join("room%201/20261122T041700Z-J%C3%BCrg-camera");
        fs::create_dir_all(&path).unwrap();
        Self { _root: root, path }
    }

    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Self::new();
        for (name, bytes) in files {
            fs::write(folder.path.join(name), bytes).unwrap();
        }
        folder
    }

    fn copy(&self) -> Self {
        let files: Vec<_> = self.files().into_iter().collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        Self::with(&files)
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.path).into_iter().flatten();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    fn changed(&self) -> Vec<SystemTime> {
        let entries = fs::read_dir(&self.path).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap())
            .collect()
    }

    fn manifest(&self) -> Manifest {
        Manifest::read(&self.path.join("manifest.json")).unwrap()
    }

    /// The verdict of `reeld verify`.
    fn assert_sound(&self) {
        let mut out = Vec::new();
        let verdict =
            verify::run(std::slice::from_ref(&self.path), Format::Human, &mut out).unwrap();
        let text = String::from_utf8_lossy(&out);
        assert_eq!(verdict.exit_code(), 0, "{text}\n{:?}", verdict.errors);
    }

    /// Recovers, with nothing left for a second time.
    fn recover(&self) -> super::FolderReport {
        let report = recover_folder(&self.path, HASTE);
        if self.path.exists() {
            let before = (self.files(), self.changed());
            let again = recover_folder(&self.path, HASTE);
            assert_eq!((self.files(), self.changed()), before, "changed again");
            if report.errors.is_empty() {
                assert_eq!(again.state, FolderState::Whole);
                assert_eq!(again.segments, []);
            }
        }
        report
    }
}

fn media(start: u64, frames: u64) -> Vec<u8> {
    let mut builder = Builder::new();
    builder.media(start, frames);
    builder.bytes
}

const SEALED: [&str; 3] = ["00000.ts", "index.m3u8", "manifest.json"];

#[test]
fn an_open_segment_is_cut_and_sealed_without_a_manifest() {
    let good = media(90_000, 60);
    let cut = [&good[..good.len() - 300], &[0; 5_000]].concat();
    let folder = Folder::with(&[("00000.recording.ts", cut)]);
    let report = folder.recover();
    assert_eq!(report.state, FolderState::Repaired);
    assert_eq!(
        report.segments[0].outcome,
        Outcome::Sealed("00000.ts".to_owned())
    );
    assert_eq!(folder.names(), SEALED);
    folder.assert_sound();

    let manifest = folder.manifest();
    assert_eq!(manifest.room.name, "room 1");
    assert_eq!(manifest.participant.identity, "Jürg");
    assert_eq!(manifest.started, datetime!(2026-11-22 04:17:00 UTC));
    assert_eq!(manifest.state, RecordingState::Sealed);
    let segment = &manifest.segments[0];
    assert!(segment.recovered && !segment.damaged);
    assert_eq!(segment.frames.video, 59);
    assert_eq!(
        manifest.ended.unwrap() - manifest.started,
        time::Duration::try_from(segment.duration).unwrap()
    );
    let playlist = fs::read_to_string(folder.path.join("index.m3u8")).unwrap();
    assert!(
        playlist.contains("VOD") && playlist.contains("ENDLIST"),
        "{playlist}"
    );
}

#[test]
fn later_segments_keep_their_place_in_time() {
    let folder = Folder::with(&[
        ("00000.ts", media(90_000, 60)),
        ("00001.ts", media(90_000 + 60 * 3_000, 60)),
        ("00003.recording.ts", media(90_000 + 3_000_000, 60)),
    ]);
    let report = folder.recover();
    let described = Outcome::Described;
    let outcomes: Vec<_> = report.segments.iter().map(|it| &it.outcome).collect();
    let sealed = Outcome::Sealed("00003.ts".to_owned());
    assert_eq!(outcomes, [&described, &described, &sealed]);
    folder.assert_sound();
    let manifest = folder.manifest();
    let since = |at: time::OffsetDateTime| (at - manifest.started).whole_milliseconds();
    let starts: Vec<_> = manifest
        .segments
        .iter()
        .map(|it| since(it.started))
        .collect();
    assert_eq!(starts, [0, 2_000, 33_333]);
    let breaks: Vec<_> = manifest
        .segments
        .iter()
        .map(|it| it.discontinuity)
        .collect();
    assert_eq!(breaks, [false, false, true]);
}

#[test]
fn a_sealed_file_is_never_changed_and_what_is_not_ours_never_touched() {
    let sealed = media(90_000, 60);
    let folder = Folder::with(&[
        ("00000.ts", sealed.clone()),
        ("00000.recording.ts", media(900_000, 30)),
        ("notes.txt", b"mine".to_vec()),
        ("7.recording.ts", b"mine".to_vec()),
    ]);
    folder.recover();
    let files = folder.files();
    assert_eq!(files["00000.ts"], sealed);
    assert_eq!(files["00001.ts"], media(900_000, 30));
    assert_eq!(files["notes.txt"], b"mine");
    assert_eq!(files["7.recording.ts"], b"mine");
    assert_eq!(files.len(), 6);

    // What the manifest says of a sealed file holds, whatever has become of the file.
    fs::write(folder.path.join("00000.ts"), &sealed[..1_880]).unwrap();
    let told = folder.manifest().segments;
    let report = recover_folder(&folder.path, HASTE);
    assert_eq!(report.state, FolderState::Failed);
    assert!(matches!(
        report.errors[..],
        [RecorderError::Changed { found: 1_880, .. }]
    ));
    assert_eq!(folder.manifest().segments, told);
    assert_eq!(folder.files()["00000.ts"].len(), 1_880);
}

#[test]
fn what_holds_no_media_goes_and_what_cannot_be_decoded_is_set_aside() {
    let tables = Builder::new().bytes;
    for nothing in [vec![], vec![0; 10_000], tables] {
        let folder = Folder::with(&[("00000.ts", media(0, 30)), ("00001.recording.ts", nothing)]);
        let report = folder.recover();
        assert_eq!(report.segments[1].outcome, Outcome::Removed);
        assert_eq!(folder.names(), SEALED);
        folder.assert_sound();
    }
    let noise = vec![0x33; 10_000];
    let folder = Folder::with(&[
        ("00000.ts", media(0, 30)),
        ("00001.recording.ts", noise.clone()),
    ]);
    folder.recover();
    assert_eq!(folder.files()["00001.damaged"], noise);
    assert!(folder.manifest().segments[1].damaged);
    folder.assert_sound();
}

#[test]
fn a_folder_without_any_media_is_removed() {
    for files in [
        &[][..],
        &[("manifest.json.tmp", vec![1, 2, 3])],
        &[("manifest.json", vec![0; 300]), ("index.m3u8", vec![])],
        &[("00000.recording.ts", vec![]), ("index.m3u8", vec![])],
    ] {
        let folder = Folder::with(files);
        assert_eq!(folder.recover().state, FolderState::Removed);
        assert!(!folder.path.exists());
    }
    let folder = Folder::with(&[("notes.txt", vec![])]);
    folder.recover();
    assert!(folder.path.join("notes.txt").exists());
}

#[test]
fn a_hole_in_the_middle_is_taken_out() {
    let good = media(90_000, 90);
    let mut bytes = good.clone();
    let middle = bytes.len() / 2 - bytes.len() / 2 % 4_096;
    bytes[middle..middle + 4_096].fill(0);
    let folder = Folder::with(&[("00000.recording.ts", bytes)]);
    let report = folder.recover();
    assert_eq!(report.segments[0].parts, 2);
    assert_eq!(folder.names(), SEALED);
    folder.assert_sound();
    let frames = folder.manifest().segments[0].frames;
    assert!((80..90).contains(&frames.video), "{frames:?}");
}

/// The process died when there was sound, and no whole picture yet.
#[test]
fn sound_without_any_picture_is_a_recording_of_sound() {
    let mut builder = Builder::new();
    for n in 0..40 {
        builder.audio(90_000 + n * 1_920);
    }
    builder.media(166_800, 1);
    builder.bytes.truncate((2 + 40 + 1) * 188);
    let folder = Folder::with(&[("00000.recording.ts", builder.bytes)]);
    folder.recover();
    folder.assert_sound();
    let frames = folder.manifest().segments[0].frames;
    assert_eq!((frames.video, frames.audio), (0, 40));
}

#[test]
fn a_folder_in_use_is_left_alone_and_a_dry_run_changes_nothing() {
    let cut = [media(0, 30), vec![0; 999]].concat();
    let folder = Folder::with(&[
        ("00000.recording.ts", cut),
        ("manifest.json", b"{".to_vec()),
        ("manifest.json.tmp", b"{".to_vec()),
    ]);
    let before = (folder.files(), folder.changed());
    let claim = Claim::take(&folder.path).unwrap();
    assert_eq!(
        recover_folder(&folder.path, HASTE).state,
        FolderState::InUse
    );
    drop(claim);
    let dry_run = Options {
        dry_run: true,
        ..HASTE
    };
    let report = recover_folder(&folder.path, dry_run);
    assert_eq!(report.state, FolderState::Repaired);
    assert_eq!(report.segments[0].cut_bytes(), 999);
    assert_eq!((folder.files(), folder.changed()), before);
}

#[test]
fn a_manifest_of_a_newer_program_is_not_ours_to_replace() {
    let folder = Folder::with(&[
        ("00000.recording.ts", media(0, 30)),
        ("manifest.json", br#"{"version": 99}"#.to_vec()),
    ]);
    let before = folder.files();
    let report = recover_folder(&folder.path, HASTE);
    assert!(matches!(
        report.errors[..],
        [RecorderError::ManifestVersion { .. }]
    ));
    assert_eq!(folder.files(), before);
}

/// What the old manifest knows stays, of the recording and of a segment that was given up.
#[test]
fn what_was_known_is_kept() {
    let folder = Folder::with(&[("00000.ts", media(0, 30))]);
    folder.recover();
    let mut manifest = folder.manifest();
    manifest.state = RecordingState::Recording;
    manifest.ended = None;
    manifest.room.sid = "RM_1".to_owned();
    manifest.participant.name = "Jürg!".to_owned();
    let sealed = manifest.segments[0].clone();
    let mut given_up = sealed.clone();
    given_up.file = "00001.recording.ts".to_owned();
    given_up.damaged = true;
    given_up.recovered = false;
    given_up.started += time::Duration::SECOND * 7;
    given_up.received.video = 77;
    given_up.discontinuity = true;
    manifest.put(given_up.clone(), &[]);
    let json = manifest.to_json().unwrap();
    fs::write(folder.path.join("manifest.json"), json).unwrap();
    fs::write(folder.path.join("00001.recording.ts"), media(630_000, 30)).unwrap();

    folder.recover();
    folder.assert_sound();
    let now = folder.manifest();
    assert_eq!(
        (now.room, now.participant),
        (manifest.room, manifest.participant)
    );
    assert_eq!(now.segments[0], sealed);
    let [_, second] = &now.segments[..] else {
        panic!("{:?}", now.segments);
    };
    assert!(second.recovered && !second.damaged && second.discontinuity);
    assert_eq!(
        (second.started, second.received.video),
        (given_up.started, 77)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_recovers_to_a_sound_recording(
        cut in any::<prop::sample::Index>(),
        tail in prop_oneof![
            (0..5_000_usize).prop_map(|length| vec![0; length]),
            prop::collection::vec(any::<u8>(), 0..2_000),
        ],
        holes in prop::collection::vec((any::<prop::sample::Index>(), 1..3_000_usize, any::<u8>()), 0..3),
    ) {
        let mut bytes = media(90_000, 60);
        bytes.truncate(cut.index(bytes.len()));
        for (at, length, filling) in holes {
            if !bytes.is_empty() {
                let from = at.index(bytes.len());
                let to = (from + length).min(bytes.len());
                bytes[from..to].fill(filling);
            }
        }
        bytes.extend(tail);
        let folder = Folder::with(&[
            ("00000.ts", media(0, 3)),
            ("00001.recording.ts", bytes),
        ]);
        let report = folder.recover();
        prop_assert!(report.errors.is_empty());
        folder.assert_sound();
    }
}
