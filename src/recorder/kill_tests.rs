//! The end of the process at every call that a writer makes on its disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::macros::datetime;

use super::folder::Place;
use super::handle::{SegmentInput, WriterHandle};
use super::manifest::{FileCodec, Manifest, RecordingState, TrackRecord};
use super::messages::{RecordingIdentity, SegmentCounts, SegmentLayout, WriterSettings};
use super::names::SegmentIndex;
use super::recovery::{FolderState, Options, recover_folder};
use super::test_disk::{Death, Log, TestDisk};
use crate::room::{Codec, Participant, Source, TrackId};
use crate::verify::packets_for_tests::Builder;
use crate::verify::{self, Format, StreamCodec};

/// Pictures of each of three segments, and of each of the pieces that they come in.
const PICTURES: u64 = 90;
const PIECES: u64 = 3;
const LONG: Duration = Duration::from_mins(1);

fn identity() -> RecordingIdentity {
    RecordingIdentity {
        room: "room".to_owned(),
        room_sid: String::new(),
        participant: Arc::new(Participant {
            sid: String::new(),
            identity: "ann".to_owned(),
            name: String::new(),
        }),
        source: Source::Camera,
        started: datetime!(2026-11-22 04:17:00 UTC),
    }
}

/// The pieces of a segment, each of which the next one goes on from.
fn pieces(segment: u64) -> Vec<Vec<u8>> {
    let mut builder = Builder::new();
    let mut pieces = Vec::new();
    for piece in 0..PIECES {
        let first = segment * PICTURES + piece * PICTURES / PIECES;
        builder.media(first * 3_000, PICTURES / PIECES);
        pieces.push(std::mem::take(&mut builder.bytes));
    }
    pieces
}

/// Records three segments onto a disk that dies. Returns how many pieces of each it had said to
/// be written before that.
async fn record(folder: &Path, disk: TestDisk) -> Vec<u64> {
    let settings = WriterSettings {
        flush_bytes: 64 << 10,
        flush_interval: Duration::from_millis(4),
        handover_bytes: 1 << 20,
        segment_duration: Duration::from_secs(3),
    };
    let place = Place::unclaimed(folder.to_owned());
    let (mut handle, mut events) = WriterHandle::start(disk, place, &identity(), settings).unwrap();
    let drain = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut written = Vec::new();
    for segment in 0..3 {
        let mut input = handle.open_segment(layout(segment)).unwrap();
        written.push(write(&handle, &mut input, segment).await);
        let index = SegmentIndex(u32::try_from(segment).unwrap());
        handle.close_segment(index, SegmentCounts::default());
    }
    tokio::time::timeout(LONG, handle.finish())
        .await
        .unwrap()
        .unwrap();
    drain.await.unwrap();
    written
}

/// How many pieces were synced before anything failed.
async fn write(handle: &WriterHandle, input: &mut SegmentInput, segment: u64) -> u64 {
    let mut progress = handle.progress();
    let mut synced = progress.borrow().synced;
    for (done, piece) in (0..).zip(pieces(segment)) {
        // Before it is written: the writer may fail at once.
        let damaged = progress.borrow().damaged;
        if input.write(&piece).is_err() {
            return done;
        }
        synced += piece.len() as u64;
        let settled = progress.wait_for(|now| now.synced >= synced || now.damaged > damaged);
        if tokio::time::timeout(LONG, settled)
            .await
            .unwrap()
            .unwrap()
            .synced
            < synced
        {
            return done;
        }
    }
    PIECES
}

fn layout(segment: u64) -> SegmentLayout {
    let track = |id: &str, source, codec_in, codec_out| TrackRecord {
        id: TrackId::new(id),
        source,
        codec_in,
        codec_out,
    };
    SegmentLayout {
        tracks: vec![
            track("V", Source::Camera, Codec::H264, FileCodec::H264),
            track("A", Source::Microphone, Codec::Opus, FileCodec::Aac),
        ],
        starts_at: Duration::from_secs(segment * 3),
        ..SegmentLayout::default()
    }
}

/// Recovers, and looks at what is there.
fn recover(folder: &Path, written: &[u64], told: bool, name: &str) {
    let options = Options {
        without_locks: true,
        ..Options::IN_BACKGROUND
    };
    let report = recover_folder(folder, options);
    assert!(report.errors.is_empty(), "{name}: {report:?}");
    if !folder.exists() {
        assert_eq!(written.iter().sum::<u64>(), 0, "{name}");
        return;
    }
    assert_ne!(report.state, FolderState::InUse, "{name}");
    let mut text = Vec::new();
    let verdict = verify::run(&[folder.to_owned()], Format::Human, &mut text).unwrap();
    assert_eq!(
        verdict.exit_code(),
        0,
        "{name}: {}",
        String::from_utf8_lossy(&text)
    );
    let manifest = Manifest::read(&folder.join("manifest.json")).unwrap();
    assert_eq!(manifest.state, RecordingState::Sealed, "{name}");
    for (segment, pieces) in (0_u64..).zip(written) {
        let file = folder.join(format!("{segment:05}.ts"));
        if *pieces == 0 && !file.exists() {
            continue;
        }
        let file = verify::verify_file(&file, false).unwrap();
        let video = file
            .streams
            .iter()
            .find(|it| it.codec == StreamCodec::H264)
            .unwrap();
        let least = pieces * PICTURES / PIECES;
        // A picture is known to be whole once something follows it.
        let enough = if *pieces == PIECES {
            least
        } else {
            least.saturating_sub(1)
        };
        assert!(
            video.frames >= enough && video.frames <= PICTURES,
            "{name}: {video:?}"
        );
        let first = video.first_pts.unwrap().ticks();
        assert_eq!(first, segment * PICTURES * 3_000, "{name}");
        let span = video.last_pts.unwrap().ticks() - first;
        assert_eq!(span, (video.frames - 1) * 3_000, "{name}: one is missing");
    }
    let tracks = manifest.segments.iter().map(|it| it.tracks.len());
    let known = tracks.min().is_none_or(|least| least == 2);
    assert!(known || !told, "{name}: whose they are is known");
}

#[tokio::test]
async fn whenever_the_process_ends_what_was_synced_is_recovered() {
    let calls = |log: &Log, start: &str| {
        let log = log.lock().unwrap();
        log.iter().filter(|line| line.starts_with(start)).count()
    };
    for after in 0.. {
        for half in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("room/20261122T041700Z-ann-camera");
            std::fs::create_dir_all(&folder).unwrap();
            let (disk, log) = TestDisk::dying(Death { after, half });
            let written = record(&folder, disk).await;
            let name = format!("ended after {after} calls, half a write {half}");
            // The second manifest has the tracks of the first segment.
            let told = calls(&log, "rename manifest") >= 2;
            recover(&folder, &written, told, &name);
            // The last call was done, and the recording ended by itself.
            if calls(&log, "") < after {
                assert_eq!(written, [PIECES; 3]);
                println!("{after} calls, each ended at once and in its middle");
                assert!(after > 60, "{after} calls");
                return;
            }
        }
    }
}
