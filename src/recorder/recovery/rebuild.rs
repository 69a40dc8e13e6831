//! What a manifest says of recovered segments, and a manifest made of the segments alone: pure.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use time::OffsetDateTime;

use super::super::drops::Drops;
use super::super::manifest::{FileCodec, Manifest, RecordingState, SegmentRecord, segment_number};
use super::super::messages::RecordingIdentity;
use super::super::names::{SegmentIndex, start_of_recording};
use super::super::pts_scan::{Frames, Scanned};
use crate::room::{Participant, Source, TrackId};
use crate::timebase::duration_of_ticks;
use crate::verify::StreamCodec;

/// Segments that follow each other closer than this go on without a break.
const JOINED: Duration = Duration::from_millis(500);

/// What a sealed file holds.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) scanned: Scanned,
    pub(super) codecs: Vec<StreamCodec>,
}

/// The manifest of a recording of which only the folder's name and the room's are known; none
/// when the folder is not named like a recording.
pub(super) fn manifest(room: &str, folder: &str) -> Option<Manifest> {
    let started = start_of_recording(folder)?;
    let (_, rest) = folder.split_once('-')?;
    let (identity, source) = rest.rsplit_once('-')?;
    let source = Source::ALL.into_iter().find(|it| it.as_str() == source)?;
    Some(Manifest::new(&RecordingIdentity {
        room: decoded(room),
        room_sid: String::new(),
        participant: Arc::new(Participant {
            sid: String::new(),
            identity: decoded(identity),
            name: String::new(),
        }),
        source,
        started,
    }))
}

/// A name as it was before it became a folder's; of a name that was cut, what is left of it.
fn decoded(component: &str) -> String {
    match component {
        "_" => String::new(),
        _ => percent_decode_str(component)
            .decode_utf8_lossy()
            .into_owned(),
    }
}

/// What the manifest says of a segment that was made whole.
pub(super) fn recovered(
    manifest: &Manifest,
    index: SegmentIndex,
    content: &Content,
) -> SegmentRecord {
    let scanned = &content.scanned;
    let before = before(manifest, index);
    let old = given_up(manifest, index);
    let started = old.map_or_else(|| start(manifest, before, scanned), |old| old.started);
    let tracks = tracks(manifest, &content.codecs);
    SegmentRecord {
        file: index.final_name(),
        bytes: content.bytes,
        duration: scanned.duration,
        first_pts: scanned.first_pts,
        last_pts: scanned.last_pts,
        packets: scanned.packets,
        frames: scanned.frames,
        sha256: Some(content.sha256.clone()),
        recovered: true,
        damaged: false,
        discontinuity: old.map_or_else(
            || before.is_some_and(|before| !joins(before, started, &tracks)),
            |old| old.discontinuity,
        ),
        tracks: match old {
            Some(old) if !old.tracks.is_empty() => old.tracks.clone(),
            _ => tracks,
        },
        ..empty(started, old)
    }
}

/// What it says of a file in which nothing could be decoded.
pub(super) fn set_aside(
    manifest: &Manifest,
    index: SegmentIndex,
    file: String,
    bytes: u64,
) -> SegmentRecord {
    let old = given_up(manifest, index);
    let end = before(manifest, index).and_then(end_of);
    let started = old.map(|old| old.started).or(end);
    SegmentRecord {
        file,
        bytes,
        damaged: true,
        ..empty(started.unwrap_or(manifest.started), old)
    }
}

/// Ends the recording where its last segment ends, if nobody said before when it ended.
pub(super) fn seal(manifest: &mut Manifest) {
    let last = manifest.segments.iter().filter_map(end_of).max();
    let already = manifest
        .ended
        .filter(|_| manifest.state == RecordingState::Sealed);
    manifest.ended = already.or(last).or(Some(manifest.started));
    manifest.state = RecordingState::Sealed;
    manifest.sum_up();
}

/// What the writer said of the same segment when it gave it up.
fn given_up(manifest: &Manifest, index: SegmentIndex) -> Option<&SegmentRecord> {
    let same = |it: &&SegmentRecord| segment_number(&it.file) == Some(index.0);
    manifest.segments.iter().find(same)
}

fn before(manifest: &Manifest, index: SegmentIndex) -> Option<&SegmentRecord> {
    let earlier = |it: &&SegmentRecord| segment_number(&it.file) < Some(index.0) && !it.damaged;
    manifest.segments.iter().rev().find(earlier)
}

fn end_of(segment: &SegmentRecord) -> Option<OffsetDateTime> {
    let length = time::Duration::try_from(segment.duration).ok()?;
    segment.started.checked_add(length)
}

/// All segments of a recording are on one timeline: the stamps say how far apart they are.
fn start(manifest: &Manifest, before: Option<&SegmentRecord>, scanned: &Scanned) -> OffsetDateTime {
    let Some(before) = before else {
        return manifest.started;
    };
    let ticks = match (before.first_pts, scanned.first_pts) {
        (Some(from), Some(to)) => to.ticks_since(from),
        _ => 0,
    };
    let after = time::Duration::try_from(duration_of_ticks(ticks));
    let by_stamps = after
        .ok()
        .and_then(|after| before.started.checked_add(after));
    by_stamps
        .filter(|_| ticks > 0)
        .or_else(|| end_of(before))
        .unwrap_or(before.started)
}

fn joins(before: &SegmentRecord, started: OffsetDateTime, tracks: &[TrackId]) -> bool {
    let apart = end_of(before).map(|end| (started - end).unsigned_abs());
    apart.is_some_and(|apart| apart <= JOINED) && before.tracks == tracks
}

/// The newest tracks that are encoded as the streams of the file are.
fn tracks(manifest: &Manifest, codecs: &[StreamCodec]) -> Vec<TrackId> {
    let newest = |codec: &StreamCodec| {
        let codec = file_codec(*codec)?;
        let known = manifest.tracks.iter().rev();
        let track = known.into_iter().find(|track| track.codec_out == codec)?;
        Some(track.id.clone())
    };
    codecs.iter().filter_map(newest).collect()
}

const fn file_codec(codec: StreamCodec) -> Option<FileCodec> {
    Some(match codec {
        StreamCodec::H264 => FileCodec::H264,
        StreamCodec::H265 => FileCodec::H265,
        StreamCodec::Aac => FileCodec::Aac,
        StreamCodec::Opus => FileCodec::Opus,
        StreamCodec::Other { .. } => return None,
    })
}

/// A record without a file, with what was counted when the segment was recorded.
fn empty(started: OffsetDateTime, old: Option<&SegmentRecord>) -> SegmentRecord {
    SegmentRecord {
        file: String::new(),
        bytes: 0,
        started,
        duration: Duration::ZERO,
        first_pts: None,
        last_pts: None,
        packets: 0,
        frames: Frames::default(),
        received: old.map_or_else(Frames::default, |old| old.received),
        silence: old.map_or(0, |old| old.silence),
        drops: old.map_or_else(Drops::default, |old| old.drops.clone()),
        sha256: None,
        damaged: false,
        recovered: false,
        discontinuity: old.is_some_and(|old| old.discontinuity),
        tracks: old.map_or_else(Vec::new, |old| old.tracks.clone()),
    }
}
