//! Recordings that come, and the custodian that makes room for them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::macros::datetime;

use super::clock::Moment;
use super::custodian::Custodian;
use super::{Limits, StorageState};
use crate::recorder::{
    RecordingIdentity, SegmentCounts, SegmentInput, SegmentLayout, WriterHandle, WriterSettings,
    kept, shelf,
};
use crate::room::{Participant, Source};
use crate::verify::packets_for_tests::sound_file;
use crate::verify::{self, Format};

const NOON: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// A recording into which somebody writes.
struct Writing {
    handle: WriterHandle,
    input: SegmentInput,
    /// Kept open, as the writer waits for whoever listens.
    _events: tokio::sync::mpsc::Receiver<crate::recorder::WriterEvent>,
}

impl Writing {
    fn start(output: &Path, room: &str, started: OffsetDateTime) -> Self {
        let participant = Participant {
            sid: String::new(),
            identity: "ann".to_owned(),
            name: String::new(),
        };
        let identity = RecordingIdentity {
            room: room.to_owned(),
            room_sid: String::new(),
            participant: Arc::new(participant),
            source: Source::Camera,
            started,
        };
        let settings = WriterSettings {
            flush_interval: Duration::from_millis(20),
            ..WriterSettings::default()
        };
        let (mut handle, events) = WriterHandle::create(output, &identity, settings).unwrap();
        let input = handle.open_segment(SegmentLayout::default()).unwrap();
        Self {
            handle,
            input,
            _events: events,
        }
    }

    /// Writes, and waits until it is in the file.
    async fn write(&mut self, bytes: &[u8]) {
        let mut progress = self.handle.progress();
        let target = progress.borrow_and_update().written + bytes.len() as u64;
        self.input.write(bytes).unwrap();
        progress
            .wait_for(|now| now.written >= target)
            .await
            .unwrap();
    }

    async fn seal(self) -> PathBuf {
        let folder = self.handle.folder().to_owned();
        self.handle
            .close_segment(self.input.index(), SegmentCounts::default());
        self.handle.finish().await.unwrap().index.unwrap();
        folder
    }
}

/// A custodian whose clock the test moves.
struct Rounds {
    custodian: Custodian,
    now: Moment,
}

impl Rounds {
    fn new(output: &Path, limits: Limits) -> Self {
        let now = Moment {
            at: Instant::now(),
            wall: NOON,
        };
        Self {
            custodian: Custodian::new(output.to_owned(), limits),
            now,
        }
    }

    /// What is done each time that the recordings are counted.
    fn round(&mut self) -> StorageState {
        self.now.at += Duration::from_secs(10);
        self.now.wall += Duration::from_secs(10);
        self.custodian.look(self.now, false);
        let mut pause = || ControlFlow::Continue(());
        assert!(self.custodian.tidy(self.now, &mut pause));
        self.custodian.look(self.now, false).state.clone()
    }

    fn used(&mut self) -> u64 {
        self.custodian.look(self.now, false).used.unwrap()
    }
}

fn quota(bytes: u64) -> Limits {
    Limits {
        quota: Some(bytes),
        min_free: Some(0),
        max_age: None,
    }
}

fn names(output: &Path) -> BTreeSet<PathBuf> {
    let shelf = shelf::recordings(output).unwrap();
    shelf.recordings.into_iter().map(|one| one.path).collect()
}

fn assert_sound(output: &Path) {
    let mut report = Vec::new();
    let verdict = verify::run(&[output.to_owned()], Format::Human, &mut report).unwrap();
    let report = String::from_utf8_lossy(&report);
    assert!(
        verdict.unsound == 0 && verdict.errors.is_empty(),
        "{report}"
    );
}

/// An hour of media comes to half as much again as the quota of 50 MB.
#[tokio::test]
async fn an_hour_of_media_stays_within_its_quota() {
    const QUOTA: u64 = 50_000_000;
    const SECONDS: u32 = 200;
    let output = tempfile::tempdir().unwrap();
    let media = sound_file(u64::from(SECONDS) * 30);
    let (half, rest) = media.split_at(media.len() / 188 / 2 * 188);
    let mut rounds = Rounds::new(output.path(), quota(QUOTA));
    let mut sealed = Vec::new();
    let mut deleted = 0;
    for n in 0..3_600 / SECONDS {
        let started = NOON + Duration::from_secs(1) * (n * SECONDS);
        let room = if n % 3 == 0 { "attic" } else { "cellar" };
        let mut writing = Writing::start(output.path(), room, started);
        for part in [half, rest] {
            writing.write(part).await;
            assert_eq!(rounds.round(), StorageState::Ready);
            assert!(rounds.used() <= QUOTA, "{} bytes", rounds.used());
        }
        sealed.push(writing.seal().await);
        if n == 1 {
            kept::keep(&sealed[1]).unwrap();
        }
        let left = names(output.path());
        // Whatever is gone is older than what is left, but for the one that is kept.
        let gone = sealed.iter().filter(|path| !left.contains(*path)).count();
        let rest: Vec<_> = sealed.iter().skip(gone + usize::from(gone > 0)).collect();
        assert!(left.contains(&sealed[n.min(1) as usize]));
        assert!(rest.iter().all(|path| left.contains(*path)));
        deleted = gone;
    }
    let total = sealed.len() * media.len();
    assert!(total as u64 > QUOTA * 3 / 2, "{total} bytes are too few");
    assert!(deleted > 5, "{deleted} deleted");
    assert_sound(output.path());
}

#[tokio::test]
async fn a_running_recording_is_never_deleted_but_pauses() {
    let output = tempfile::tempdir().unwrap();
    let mut writing = Writing::start(output.path(), "room", NOON);
    writing.write(&sound_file(3_000)).await;
    let mut rounds = Rounds::new(output.path(), quota(1_000_000));
    let state = rounds.round();
    let used = rounds.used();
    let over = StorageState::OverQuota {
        used,
        quota: 1_000_000,
    };
    assert_eq!(state, over);
    let folder = writing.seal().await;
    assert_sound(output.path());
    assert_eq!(rounds.round(), StorageState::Ready);
    assert!(!folder.exists());
    // Its room's folder went with it, and is there again for the next one.
    let next = Writing::start(output.path(), "room", NOON);
    assert_eq!(rounds.round(), StorageState::Ready);
    assert!(next.seal().await.exists());
}

#[test]
fn what_can_not_be_deleted_is_left_alone_and_others_go() {
    let output = tempfile::tempdir().unwrap();
    let folder = |n: u32| {
        let folder = output
            .path()
            .join(format!("room/20261122T04170{n}Z-ann-camera"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("00000.ts"), vec![1; 1 << 20]).unwrap();
        folder
    };
    let folders: Vec<_> = (0..3).map(folder).collect();
    // The name that the oldest one would have meanwhile is taken.
    let in_the_way = output
        .path()
        .join("room/.deleting-20261122T041700Z-ann-camera");
    std::fs::create_dir_all(in_the_way.join("notes")).unwrap();
    let mut rounds = Rounds::new(output.path(), quota(5 << 19));
    assert_eq!(rounds.round(), StorageState::Ready);
    assert_eq!(
        names(output.path()),
        BTreeSet::from([folders[0].clone(), folders[2].clone()])
    );
    assert!(in_the_way.join("notes").exists());
}

/// The probe finds room for its few bytes where a recording does not.
#[test]
fn where_a_writer_found_no_room_there_is_none() {
    let output = tempfile::tempdir().unwrap();
    let limits = Limits {
        min_free: Some(0),
        ..Limits::default()
    };
    let mut custodian = Custodian::new(output.path().to_owned(), limits);
    let mut now = Moment::now();
    assert_eq!(custodian.look(now, true).state, StorageState::Ready);
    custodian.found_no_room();
    assert_eq!(custodian.look(now, true).state.as_str(), "low");
    now.at += Duration::from_secs(1);
    assert_eq!(custodian.look(now, false).state.as_str(), "low");
    // There is enough by now, and a probe later it is believed.
    now.at += Duration::from_secs(5);
    assert_eq!(custodian.look(now, false).state, StorageState::Ready);
}
