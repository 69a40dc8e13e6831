//! `reeld ls` and `reeld keep` on directories with recordings in every state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reeld::recorder::{
    RecordingIdentity, SegmentCounts, SegmentInput, SegmentLayout, WriterEvent, WriterHandle,
    WriterSettings,
};
use reeld::room::{Participant, Source};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

const START: OffsetDateTime = datetime!(2026-11-22 04:17:00 UTC);
const STORAGE: i32 = 6;

fn reeld(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reeld"))
        .args(arguments)
        .args(paths)
        .env_remove("REELD_OUTPUT")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A recording that goes on for as long as this lives.
struct Running {
    handle: WriterHandle,
    input: SegmentInput,
    events: tokio::sync::mpsc::Receiver<WriterEvent>,
}

impl Running {
    fn start(output: &Path, room: &str, identity: &str, started: OffsetDateTime) -> Self {
        let identity = RecordingIdentity {
            room: room.to_owned(),
            room_sid: String::new(),
            participant: Arc::new(Participant {
                sid: String::new(),
                identity: identity.to_owned(),
                name: String::new(),
            }),
            source: Source::Camera,
            started,
        };
        let settings = WriterSettings::default();
        let (mut handle, mut events) = WriterHandle::create(output, &identity, settings).unwrap();
        let mut input = handle.open_segment(SegmentLayout::default()).unwrap();
        let mut packet = [0xff; 188];
        packet[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
        input.write(&packet.repeat(1_000)).unwrap();
        // By then there is a manifest as well.
        while !matches!(events.blocking_recv(), Some(WriterEvent::FirstBytes(_))) {}
        Self {
            handle,
            input,
            events,
        }
    }

    fn seal(self) -> PathBuf {
        let folder = self.handle.folder().to_owned();
        self.handle
            .close_segment(self.input.index(), SegmentCounts::default());
        let mut events = self.events;
        drop(self.handle);
        // The writer ends, and its claim with it, behind the last event.
        while events.blocking_recv().is_some() {}
        folder
    }
}

/// A recording of the same files in another second.
fn copy(folder: &Path, second: u64) -> PathBuf {
    let name = format!("20261122T0417{second:02}Z-dan-camera");
    let copy = folder.parent().unwrap().join(name);
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    copy
}

fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

/// Every path below, with its last change; but not what a writer is at work on.
fn everything(root: &Path, running: &Running) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        if path == running.handle.folder() {
            continue;
        }
        let metadata = fs::metadata(&path).unwrap();
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        }
        found.insert(path, metadata.modified().unwrap());
    }
    found
}

#[test]
fn every_state_is_told_and_nothing_is_touched() {
    let output = tempfile::tempdir().unwrap();
    let output = output.path();
    let sealed = Running::start(output, "lobby", "ann", START).seal();
    // How long it goes on is counted to this day.
    let an_hour_ago = OffsetDateTime::now_utc() - Duration::from_hours(1);
    let running = Running::start(output, "lobby", "bob", an_hour_ago);
    let interrupted = copy(running.handle.folder(), 2);
    let [recovered, damaged, without, garbled] = [3, 4, 5, 6].map(|second| copy(&sealed, second));
    edit(&recovered, |it| {
        it["segments"][0]["recovered"] = true.into();
    });
    edit(&damaged, |it| {
        it["segments"][0]["damaged"] = true.into();
        it["drops"] = serde_json::json!({"late": 2});
        it["totals"]["drops"] = serde_json::json!({"late": 2, "disk": 10});
        it["gaps"] = serde_json::json!([
            {"kind": "video", "cause": "media", "started": "2026-11-22T04:17:01Z", "at_ms": 1000, "duration_ms": 4210},
        ]);
    });
    fs::remove_file(without.join("manifest.json")).unwrap();
    fs::write(garbled.join("manifest.json"), "{").unwrap();
    fs::write(recovered.join("kept"), "").unwrap();
    let before = everything(output, &running);

    let listed = reeld(&["ls", "--json"], &[output]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let report: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let recordings = report["recordings"].as_array().unwrap();
    let states: Vec<_> = recordings
        .iter()
        .map(|one| {
            (
                one["path"].as_str().unwrap(),
                one["state"].as_str().unwrap(),
            )
        })
        .collect();
    let path = |folder: &PathBuf| folder.to_str().unwrap().to_owned();
    let expected = [
        (path(&sealed), "sealed"),
        (path(&interrupted), "interrupted"),
        (path(&recovered), "recovered"),
        (path(&damaged), "damaged"),
        (path(&without), "unknown"),
        (path(&garbled), "unknown"),
        (path(&running.handle.folder().to_owned()), "recording"),
    ];
    assert_eq!(states.len(), expected.len());
    for (found, (path, state)) in states.iter().zip(&expected) {
        assert_eq!(*found, (path.as_str(), *state));
    }
    let first = &recordings[0];
    for (field, value) in [
        ("room", "lobby"),
        ("participant", "ann"),
        ("source", "camera"),
    ] {
        assert_eq!(first[field], value);
    }
    assert_eq!(first["started"], "2026-11-22T04:17:00Z");
    assert!(first["bytes"].as_u64().unwrap() >= 188_000);
    assert_eq!(
        recordings[3]["gaps"],
        serde_json::json!({"count": 1, "longest_ms": 4210})
    );
    assert_eq!(recordings[4]["error"], "no manifest");
    assert_eq!(report["totals"]["recordings"], 7);
    assert_eq!(report["totals"]["kept"], 1);
    assert!(report["space"]["free"].as_u64() <= report["space"]["total"].as_u64());

    let listed = reeld(&["ls"], &[output]);
    let table = text(&listed.stdout);
    for line in [
        "lobby/20261122T041703Z-dan-camera",
        "recovered*\n",
        "1     12  damaged",
        "longest gap 4.2 s; dropped 10 disk, 2 late",
        "    no manifest",
        "not a manifest",
        "7 recordings, 1 kept (*): ",
    ] {
        assert!(table.contains(line), "no `{line}` in\n{table}");
    }
    let rows = table.lines().filter(|line| line.starts_with("lobby/"));
    assert!(
        rows.clone().count() == 7 && rows.clone().all(|row| row.len() <= 80),
        "{table}"
    );
    assert_eq!(
        everything(output, &running),
        before,
        "something was changed"
    );
}

#[test]
fn names_of_strangers_do_not_steer_the_terminal() {
    let output = tempfile::tempdir().unwrap();
    let output = output.path();
    let folder = Running::start(output, "Küche\x1b[2J", "ann\r\x07", START).seal();
    edit(&folder, |it| {
        it["totals"]["drops"] = serde_json::json!({"\x1b]0;x\x07": 1});
    });
    let odd = output.join("odd\x1b[31m/20261122T041700Z-ann-camera");
    fs::create_dir_all(odd).unwrap();
    let listed = reeld(&["ls"], &[output]);
    let table = text(&listed.stdout);
    assert!(
        table.chars().all(|c| c == '\n' || !c.is_control()),
        "{table:?}"
    );
    assert!(
        table.contains(r#"room "Küche\u{1b}[2J", participant "ann\r\u{7}""#),
        "{table}"
    );
    // Programs get them as they are.
    let listed = reeld(&["ls", "--json"], &[output]);
    let report: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let rooms = report["recordings"].as_array().unwrap();
    assert!(rooms.iter().any(|one| one["room"] == "Küche\x1b[2J"));
}

#[test]
fn the_directory_and_its_limits_come_from_the_configuration() {
    let root = tempfile::tempdir().unwrap();
    let output = root.path().join("output");
    Running::start(&made(&output), "lobby", "ann", START).seal();
    let config = root.path().join("reeld.toml");
    let storage = "[storage]\nquota = \"5GiB\"\nmin_free = \"16MiB\"";
    fs::write(&config, format!("output = {output:?}\n{storage}")).unwrap();
    let listed = reeld(&["ls", "--config"], &[&config]);
    let table = text(&listed.stdout);
    assert!(table.contains("floor 16.0 MiB; quota 5.0 GiB"), "{table}");
    assert!(
        table.contains("\nlobby/20261122T041700Z-ann-camera"),
        "{table}"
    );

    // A room, a recording, an empty directory, and none at all.
    let of_room = reeld(&["ls"], &[&output.join("lobby")]).stdout;
    let named = "\n20261122T041700Z-ann-camera";
    assert!(text(&of_room).contains(named), "{}", text(&of_room));
    let empty = root.path().join("empty");
    let nothing = reeld(&["ls"], &[&made(&empty)]);
    assert!(text(&nothing.stdout).starts_with("0 recordings: "));
    let absent = reeld(&["ls"], &[&root.path().join("absent")]);
    assert_eq!(absent.status.code(), Some(STORAGE));
    assert!(text(&absent.stderr).contains("absent"));
}

fn made(path: &Path) -> PathBuf {
    fs::create_dir_all(path).unwrap();
    path.to_owned()
}

#[test]
fn recordings_are_marked_and_released() {
    let output = tempfile::tempdir().unwrap();
    let sealed = Running::start(output.path(), "lobby", "ann", START).seal();
    let running = Running::start(
        output.path(),
        "lobby",
        "bob",
        START + Duration::from_secs(1),
    );
    let both = [sealed.as_path(), running.handle.folder()];
    let kept = reeld(&["keep"], &both);
    assert_eq!(kept.status.code(), Some(0), "{}", text(&kept.stderr));
    let lines: Vec<_> = text(&kept.stdout).lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.ends_with(": kept")));
    assert!(both.iter().all(|folder| folder.join("kept").exists()));
    let table = reeld(&["ls"], &[output.path()]);
    assert!(text(&table.stdout).contains("sealed*\n"));

    let again = reeld(&["keep"], &[&sealed]);
    assert!(text(&again.stdout).ends_with(": was kept already\n"));
    let undone = reeld(&["keep", "--undo"], &both);
    assert!(undone.status.success() && !sealed.join("kept").exists());

    // One that is none does not keep the others from being marked.
    let mixed = reeld(&["keep"], &[output.path(), &sealed]);
    assert_eq!(mixed.status.code(), Some(STORAGE));
    assert!(text(&mixed.stderr).contains("not a recording's folder"));
    assert!(sealed.join("kept").exists());
}
