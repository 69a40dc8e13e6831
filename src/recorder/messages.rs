//! What the recording task and the writer tell each other.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::drops::Drops;
use super::error::RecorderError;
use super::handover::HandoverStats;
use super::manifest::{Findings, Manifest, SegmentRecord, TrackRecord};
use super::names::SegmentIndex;
use super::pts_scan::Frames;
use crate::room::{Participant, Source};

/// Whose recording it is. Names are those of the room, unescaped.
#[derive(Debug, Clone)]
pub struct RecordingIdentity {
    /// The room's name.
    pub room: String,
    /// The server's name for the room; empty when not known (yet).
    pub room_sid: String,
    /// Who is recorded.
    pub participant: Arc<Participant>,
    /// What gives the recording its name: camera or screen share, or the sound if there is only
    /// that.
    pub source: Source,
    /// The wall clock when it started.
    pub started: OffsetDateTime,
}

/// How the writer works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterSettings {
    /// This many bytes are written without waiting. At most half of `handover_bytes` is used,
    /// so that the next bytes have room meanwhile. Default 4 MiB.
    pub flush_bytes: usize,
    /// No byte stays longer than this in memory or in the page cache only. Default 1 s.
    pub flush_interval: Duration,
    /// Bytes between muxer and disk, at least 64 KiB; beyond it the muxer waits. Default 8 MiB.
    pub handover_bytes: usize,
    /// How long segments are planned to be, for the playlist. Default 1 h.
    pub segment_duration: Duration,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            flush_bytes: 4 << 20,
            flush_interval: Duration::from_secs(1),
            handover_bytes: 8 << 20,
            segment_duration: Duration::from_hours(1),
        }
    }
}

/// What a segment is made of; known when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentLayout {
    /// Its tracks.
    pub tracks: Vec<TrackRecord>,
    /// When its media starts, from the start of the recording, on the recording's timeline.
    pub starts_at: Duration,
    /// By how much the wall clock was set forward since the recording's start.
    pub clock_moved: time::Duration,
    /// Whether its timestamps or streams do not continue those of the segment before.
    pub discontinuity: bool,
}

/// What only the recording task can count; known when a segment is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// Access units that arrived for the segment.
    pub received: Frames,
    /// Packets of silence that were made.
    pub silence: u64,
    /// Units that arrived and were not muxed.
    pub drops: Drops,
}

/// What may change about a recording while it runs. Replaces what was said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The server's name for the room.
    pub room_sid: String,
    /// The participant's name for people.
    pub participant_name: String,
    /// Units dropped while no segment was open, from the start of the recording.
    pub drops: Drops,
    /// Gaps and picture sizes, from the start of the recording.
    pub findings: Findings,
}

/// What the writer reports. None is lost; running totals are in [`Progress`].
#[derive(Debug)]
pub enum WriterEvent {
    /// The file of a segment is there.
    Opened(SegmentIndex),
    /// The first bytes of a segment are written.
    FirstBytes(SegmentIndex),
    /// A segment is complete: synced, and durable under its final name.
    Sealed(SegmentIndex, Box<SegmentRecord>),
    /// A segment was closed without a packet, and its file removed.
    Empty(SegmentIndex),
    /// A segment is given up and takes no more data: close it and open another. What is on the
    /// disk stays there under the name that it has.
    Damaged(SegmentIndex, RecorderError),
    /// Manifest and playlist could not be replaced and are out of date. It is tried again from
    /// time to time; this is said once each time that it begins to fail.
    IndexFailed(RecorderError),
    /// The last one: the thread ends.
    Finished,
}

/// Running totals of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes written, of all segments.
    pub written: u64,
    /// Bytes of them that survive a power cut.
    pub synced: u64,
    /// Segments sealed.
    pub sealed: u64,
    /// Segments given up.
    pub damaged: u64,
    /// How full the hand-over is.
    pub handover: HandoverStats,
}

/// How a recording ended.
#[derive(Debug)]
pub struct Outcome {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Whether the manifest and the playlist on the disk say so too.
    pub index: Result<(), RecorderError>,
}
