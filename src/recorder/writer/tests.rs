//! The writer on the real file system, with every call logged and any one made to fail.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::sync::mpsc;

use crate::recorder::error::{Closed, RecorderError};
use crate::recorder::folder::Place;
use crate::recorder::handle::{SegmentInput, WriterHandle};
use crate::recorder::manifest::{
    FileCodec, Findings, LayerRecord, Manifest, RecordingState, TrackRecord,
};
use crate::recorder::messages::*;
use crate::recorder::names::{SegmentIndex, to_hex};
use crate::recorder::pts_scan::{Frames, PACKET};
use crate::recorder::test_disk::{Fault, Log, PANIC, TestDisk};
use crate::recorder::test_stream::{AUDIO, VIDEO, pat, pes};
use crate::recorder::{DropReason, Drops};
use crate::room::{Codec, Participant, Source, TrackId};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// Longer than anything takes here: reaching it is a failure.
const LONG: Duration = Duration::from_mins(1);

struct Recording {
    folder: TempDir,
    log: Log,
    handle: WriterHandle,
    events: mpsc::Receiver<WriterEvent>,
}

impl Recording {
    fn start(fail: Option<Fault>) -> Self {
        Self::start_with(fail, Duration::from_millis(20))
    }

    fn start_with(fail: Option<Fault>, flush_interval: Duration) -> Self {
        let identity = RecordingIdentity {
            room: "../room".to_owned(),
            room_sid: String::new(),
            participant: Arc::new(Participant {
                sid: "PA_1".to_owned(),
                identity: "anna".to_owned(),
                name: String::new(),
            }),
            source: Source::Camera,
            started: datetime!(2026-11-22 04:17:00 UTC),
        };
        let settings = WriterSettings {
            flush_bytes: 64 * 1024,
            flush_interval,
            handover_bytes: 256 * 1024,
            segment_duration: Duration::from_mins(1),
        };
        let folder = tempfile::tempdir().unwrap();
        let (disk, log) = TestDisk::new(fail);
        let path = folder.path().to_owned();
        let (handle, events) =
            WriterHandle::start(disk, Place::unclaimed(path), &identity, settings).unwrap();
        Self {
            folder,
            log,
            handle,
            events,
        }
    }

    fn open(&mut self, starts_at: u64) -> SegmentInput {
        let layout = SegmentLayout {
            tracks: vec![TrackRecord {
                id: TrackId::new("TR_1"),
                source: Source::Camera,
                codec_in: Codec::H264,
                codec_out: FileCodec::H264,
            }],
            starts_at: Duration::from_secs(starts_at),
            // An hour later each second.
            clock_moved: time::Duration::HOUR * f64::from(u32::try_from(starts_at).unwrap()),
            discontinuity: false,
        };
        self.handle.open_segment(layout).unwrap()
    }

    async fn event(&mut self) -> WriterEvent {
        let event = tokio::time::timeout(LONG, self.events.recv()).await;
        event.expect("an event in time").expect("a writer")
    }

    /// The next events, as words.
    async fn words(&mut self, count: usize) -> Vec<String> {
        let mut words = Vec::new();
        for _ in 0..count {
            words.push(match self.event().await {
                WriterEvent::Opened(n) => format!("opened {}", n.0),
                WriterEvent::FirstBytes(n) => format!("first bytes {}", n.0),
                WriterEvent::Sealed(n, _) => format!("sealed {}", n.0),
                WriterEvent::Empty(n) => format!("empty {}", n.0),
                WriterEvent::Damaged(n, error) => format!("damaged {}: {error}", n.0),
                WriterEvent::IndexFailed(error) => format!("index failed: {error}"),
                WriterEvent::Finished => "finished".to_owned(),
            });
        }
        words
    }

    async fn finish(self) -> (TempDir, Log, Outcome) {
        let outcome = tokio::time::timeout(LONG, self.handle.finish()).await;
        let outcome = outcome.expect("an end in time").expect("an outcome");
        (self.folder, self.log, outcome)
    }
}

/// A second of pictures from `second`, and the table in front of it.
fn media(second: u64) -> Vec<u8> {
    let stamps = (0..30).map(|n| second * 90_000 + n * 3_000);
    let mut packets = vec![pat(0)];
    packets.extend(stamps.map(|pts| pes(VIDEO, pts)));
    packets.concat()
}

fn counts() -> SegmentCounts {
    let mut drops = Drops::default();
    drops.add(DropReason::Backpressure, 3);
    SegmentCounts {
        received: Frames {
            video: 33,
            audio: 0,
        },
        silence: 0,
        drops,
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits until so many lines of the log begin like this.
fn await_line(log: &Log, start: &str, count: usize) {
    let deadline = std::time::Instant::now() + LONG;
    let lines = || {
        let log = log.lock().unwrap();
        log.iter().filter(|line| line.starts_with(start)).count()
    };
    while lines() < count {
        assert!(std::time::Instant::now() < deadline, "{start}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[tokio::test]
async fn two_segments_overlap_and_both_are_whole() {
    let mut recording = Recording::start(None);
    let mut first = recording.open(0);
    first.write(&media(0)).unwrap();
    let mut second = recording.open(1);
    second.write(&media(1)).unwrap();
    // The muxer of the first one still has its last frames.
    first.write(&pes(AUDIO, 90_000)).unwrap();
    recording.handle.close_segment(SegmentIndex(0), counts());
    assert_eq!(first.write(b"late"), Err(Closed));
    second.write(&media(2)).unwrap();
    let (folder, _, outcome) = recording.finish().await;
    let folder = folder.path();
    outcome.index.unwrap();

    let expected = ["00000.ts", "00001.ts", "index.m3u8", "manifest.json"];
    assert_eq!(files(folder), expected);
    let content = [media(0), pes(AUDIO, 90_000).to_vec()].concat();
    assert_eq!(read(folder, "00000.ts"), content);
    assert_eq!(
        read(folder, "00001.ts"),
        [media(1), media(2)].concat(),
        "the second segment"
    );

    let manifest = Manifest::read(&folder.join("manifest.json")).unwrap();
    assert_eq!(manifest, outcome.manifest);
    assert_eq!(manifest.state, RecordingState::Sealed);
    assert!(manifest.ended.unwrap() >= manifest.started);
    assert_eq!(manifest.room.name, "../room");
    let [one, two] = manifest.segments.as_slice() else {
        panic!("{:?}", manifest.segments);
    };
    assert_eq!(one.bytes, content.len() as u64);
    assert_eq!(one.sha256, Some(to_hex(&Sha256::digest(&content))));
    assert_eq!(
        one.frames,
        Frames {
            video: 30,
            audio: 1
        }
    );
    assert_eq!(one.received.video, 33);
    assert_eq!(one.drops, counts().drops);
    assert_eq!(one.tracks, [TrackId::new("TR_1")]);
    assert_eq!(two.started, datetime!(2026-11-22 05:17:01 UTC));
    assert_eq!(two.duration, Duration::from_secs(2));
    assert!(!two.damaged && two.drops.total() == 0);

    let playlist = String::from_utf8(read(folder, "index.m3u8")).unwrap();
    assert!(
        playlist.ends_with("\n00001.ts\n#EXT-X-ENDLIST\n"),
        "{playlist}"
    );
}

#[tokio::test]
async fn files_are_durable_before_they_are_named() {
    let mut recording = Recording::start_with(None, LONG);
    let mut input = recording.open(0);
    assert_eq!(recording.words(1).await, ["opened 0"]);
    // The manifest with its tracks is written before the writer looks for what else there is.
    await_line(&recording.log, "rename index.m3u8.tmp", 2);
    input.write(&media(0)).unwrap();
    assert_eq!(recording.words(1).await, ["first bytes 0"]);
    recording.handle.close_segment(SegmentIndex(0), counts());
    assert_eq!(recording.words(1).await, ["sealed 0"]);
    let (_, log, _) = recording.finish().await;
    let index = [
        "empty manifest.json.tmp",
        "write manifest.json.tmp",
        "sync manifest.json.tmp",
        "rename manifest.json.tmp manifest.json",
        "empty index.m3u8.tmp",
        "write index.m3u8.tmp",
        "sync index.m3u8.tmp",
        "rename index.m3u8.tmp index.m3u8",
        "sync_dir",
    ];
    let opened = ["create 00000.recording.ts", "sync_dir"];
    let segment = [
        "write 00000.recording.ts",
        "sync 00000.recording.ts",
        "rename 00000.recording.ts 00000.ts",
        "sync_dir",
    ];
    let expected = [&index[..], &opened, &index, &segment, &index, &index].concat();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn data_is_on_the_disk_after_the_interval_without_a_close() {
    let mut recording = Recording::start(None);
    let mut progress = recording.handle.progress();
    let mut input = recording.open(0);
    for second in 0..3 {
        input.write(&media(second)).unwrap();
        let wanted = media(0).len() as u64 * (second + 1);
        let synced = progress.wait_for(|totals| totals.synced == wanted);
        tokio::time::timeout(LONG, synced).await.unwrap().unwrap();
    }
    let content = read(recording.folder.path(), "00000.recording.ts");
    assert_eq!(content, [media(0), media(1), media(2)].concat());
    assert_eq!(recording.handle.handover().depth, 0);
    assert!(files(recording.folder.path()).contains(&"index.m3u8".to_owned()));
    recording.finish().await;
}

#[tokio::test]
async fn an_empty_segment_leaves_nothing_but_its_drops() {
    let mut recording = Recording::start(None);
    let mut input = recording.open(0);
    input.write(&[0x47; PACKET - 1]).unwrap();
    recording.handle.close_segment(SegmentIndex(0), counts());
    assert_eq!(recording.words(2).await, ["opened 0", "empty 0"]);
    assert_eq!(recording.handle.handover().depth, 0);
    let (folder, _, outcome) = recording.finish().await;
    assert_eq!(files(folder.path()), ["index.m3u8", "manifest.json"]);
    assert!(outcome.manifest.segments.is_empty());
    assert_eq!(outcome.manifest.totals.drops.total(), 3);
}

#[tokio::test]
async fn a_failed_call_damages_one_segment_and_is_never_repeated() {
    // The call that fails, what the error says, and how many bytes are known to be on the disk.
    let cases = [
        ("write 00000", ENOSPC, "the disk is full", 0),
        ("sync 00000", EIO, "fdatasync failed", 0),
        ("rename 00000", EIO, "rename failed", media(0).len()),
    ];
    for (call, errno, message, bytes) in cases {
        let mut recording = Recording::start(Some(Fault { call, errno }));
        let mut input = recording.open(0);
        input.write(&media(0)).unwrap();
        if call.starts_with("rename") {
            recording.handle.close_segment(SegmentIndex(0), counts());
        }
        let damage = loop {
            if let WriterEvent::Damaged(SegmentIndex(0), error) = recording.event().await {
                break error.to_string();
            }
        };
        assert!(damage.contains(message), "{call}: {damage}");
        assert!(damage.contains("00000.recording.ts"), "{call}: {damage}");
        assert_eq!(input.write(&media(1)), Err(Closed), "{call}");
        recording.handle.close_segment(SegmentIndex(0), counts());

        // The next segment is not concerned.
        let mut next = recording.open(1);
        next.write(&media(1)).unwrap();
        let (folder, log, outcome) = recording.finish().await;
        assert_eq!(read(folder.path(), "00001.ts"), media(1), "{call}");
        assert!(!folder.path().join("00000.ts").exists(), "{call}");

        let failed = outcome.manifest.segments.first().unwrap();
        assert_eq!(failed.file, "00000.recording.ts", "{call}");
        assert!(failed.damaged && failed.sha256.is_none(), "{call}");
        assert_eq!(failed.bytes, bytes as u64, "{call}");
        assert_eq!(failed.drops, counts().drops, "{call}");
        let playlist = read(folder.path(), "index.m3u8");
        assert!(!String::from_utf8(playlist).unwrap().contains("00000"));

        let log = log.lock().unwrap();
        let at = log.iter().position(|line| line.starts_with(call)).unwrap();
        let again = |line: &&String| line.contains("00000.recording.ts");
        assert_eq!(log.iter().skip(at + 1).find(again), None, "{call}");
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_created_is_reported_and_its_sender_freed() {
    let fail = Fault {
        call: "create 00000",
        errno: ENOSPC,
    };
    let mut recording = Recording::start(Some(fail));
    let mut input = recording.open(0);
    let event = recording.event().await;
    let full = matches!(
        &event,
        WriterEvent::Damaged(SegmentIndex(0), RecorderError::DiskFull { .. })
    );
    assert!(full, "{event:?}");
    assert_eq!(input.write(&media(0)), Err(Closed));
    recording.handle.close_segment(SegmentIndex(0), counts());
    let (folder, _, outcome) = recording.finish().await;
    assert_eq!(files(folder.path()), ["index.m3u8", "manifest.json"]);
    assert_eq!(outcome.manifest.totals.drops, counts().drops);
}

#[tokio::test]
async fn a_manifest_that_fails_is_reported_and_made_good_later() {
    let fail = Fault {
        call: "sync manifest.json.tmp",
        errno: EIO,
    };
    let mut recording = Recording::start(Some(fail));
    let words = recording.words(1).await;
    assert!(words.concat().starts_with("index failed: "), "{words:?}");
    let mut input = recording.open(0);
    input.write(&media(0)).unwrap();
    let findings = Findings {
        layers: vec![LayerRecord {
            at: Duration::ZERO,
            width: 1280,
            height: 720,
        }],
        ..Findings::default()
    };
    let description = Description {
        room_sid: "RM_1".to_owned(),
        participant_name: "Anna".to_owned(),
        drops: counts().drops,
        findings: findings.clone(),
    };
    recording.handle.describe(description);
    let (folder, _, outcome) = recording.finish().await;
    outcome.index.unwrap();
    let manifest = Manifest::read(&folder.path().join("manifest.json")).unwrap();
    assert_eq!(manifest.room.sid, "RM_1");
    assert_eq!(manifest.participant.name, "Anna");
    assert_eq!(manifest.findings, findings);
    assert_eq!(manifest.totals.drops.total(), 3);
    assert_eq!(manifest.segments.len(), 1);
}

#[tokio::test]
async fn an_end_whose_manifest_fails_says_so() {
    let fail = Fault {
        call: "rename index.m3u8.tmp",
        errno: EIO,
    };
    let mut recording = Recording::start(Some(fail));
    let words = recording.words(1).await;
    assert!(words.concat().contains("index.m3u8.tmp: rename failed"));
    std::fs::remove_dir_all(recording.folder.path()).unwrap();
    let (_, _, outcome) = recording.finish().await;
    let missing = matches!(outcome.index, Err(RecorderError::Missing { .. }));
    assert!(missing, "{:?}", outcome.index);
}

#[tokio::test]
async fn dropping_the_handle_seals_what_is_open() {
    let mut recording = Recording::start(None);
    let mut input = recording.open(0);
    input.write(&media(0)).unwrap();
    let Recording {
        folder,
        handle,
        mut events,
        ..
    } = recording;
    drop(handle);
    assert_eq!(input.write(b"late"), Err(Closed));
    while let Some(event) = tokio::time::timeout(LONG, events.recv()).await.unwrap() {
        if matches!(event, WriterEvent::Finished) {
            assert_eq!(read(folder.path(), "00000.ts"), media(0));
            return;
        }
    }
    panic!("the writer ended without saying so");
}

#[tokio::test]
async fn a_writer_that_dies_frees_its_sender_and_says_so_at_the_end() {
    let fail = Fault {
        call: "write 00000",
        errno: PANIC,
    };
    let mut recording = Recording::start(Some(fail));
    let mut input = recording.open(0);
    let sending = tokio::task::spawn_blocking(move || {
        // More than the hand-over holds: without a writer the sender would wait for ever.
        (0..1_000).try_for_each(|second| input.write(&media(second)))
    });
    let sent = tokio::time::timeout(LONG, sending).await.unwrap().unwrap();
    assert_eq!(sent, Err(Closed));
    let end = tokio::time::timeout(LONG, recording.handle.finish()).await;
    let error = end.unwrap().unwrap_err();
    assert!(matches!(error, RecorderError::Ended { .. }), "{error}");
}
