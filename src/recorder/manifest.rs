//! `manifest.json`: what a recording is and what its files hold.
//!
//! Replaced as a whole and atomically whenever a segment is done; it can be made again from the
//! segments, so nothing is lost with it but names and counts. Readers must ignore fields that
//! they do not know, and refuse a `version` above the one they know.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};

use super::drops::Drops;
use super::error::RecorderError;
pub use super::findings::{
    ClockRecord, CoderRecord, Findings, GapRecord, LayerRecord, LevelRecord,
};
use super::messages::RecordingIdentity;
use super::milliseconds;
use super::pts_scan::Frames;
use crate::room::{Codec, Participant, Source, TrackId};
use crate::timebase::Pts;

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Changes when a field changes its meaning or goes; new fields alone do not change it.
    pub version: u32,
    /// Whether more is to come.
    pub state: RecordingState,
    /// The room's own name, unescaped, and the server's name for it.
    pub room: RoomRecord,
    /// Who was recorded.
    pub participant: ParticipantRecord,
    /// `camera` (with its microphone) or `screen_share` (with its audio); `microphone` or
    /// `screen_share_audio` when there was sound only.
    pub source: Source,
    /// When the recording started: the wall clock of the box, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended: `started`, the time that passed since, and what the clock was set by.
    /// Absent while `state` is `recording`.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub ended: Option<OffsetDateTime>,
    /// Every track that a segment has or had, in the order of their appearance.
    pub tracks: Vec<TrackRecord>,
    /// The segments with a file, in order.
    pub segments: Vec<SegmentRecord>,
    /// Units dropped while no segment was open.
    #[serde(default)]
    pub drops: Drops,
    /// When picture or sound was missing, and why.
    #[serde(flatten)]
    pub findings: Findings,
    /// The sums over the segments, and the drops outside of them.
    pub totals: Totals,
}

/// Whether a recording goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It does, or its process ended without sealing it.
    Recording,
    /// It has ended in order: no segment is open.
    Sealed,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// As the application named it.
    pub name: String,
    /// As the server named it (`RM_…`); empty when it did not say.
    #[serde(default)]
    pub sid: String,
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantRecord {
    /// As the application named them.
    pub identity: String,
    /// For people to read; may be empty.
    #[serde(default)]
    pub name: String,
    /// As the server named their stay (`PA_…`).
    #[serde(default)]
    pub sid: String,
}

impl From<&Participant> for ParticipantRecord {
    fn from(participant: &Participant) -> Self {
        Self {
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            sid: participant.sid.clone(),
        }
    }
}

/// A track, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRecord {
    /// As the server named it (`TR_…`).
    pub id: TrackId,
    /// What it shows or sounds.
    pub source: Source,
    /// As it came.
    pub codec_in: Codec,
    /// As it stands in the file.
    pub codec_out: FileCodec,
}

/// How a stream is encoded in the transport stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileCodec {
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// AAC-LC in ADTS.
    Aac,
    /// Opus.
    Opus,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// The file's name, in the folder of the manifest.
    pub file: String,
    /// Its length. Of a damaged segment: what is known to be on the disk.
    pub bytes: u64,
    /// When it starts, as the wall clock of the box said then; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// How long it plays, in milliseconds: from its first frame to the end of its last one.
    #[serde(rename = "duration_ms", with = "milliseconds")]
    pub duration: Duration,
    /// Least PTS in the file: ticks of 90 kHz, which wrap at 2³³.
    pub first_pts: Option<Pts>,
    /// Greatest PTS in the file.
    pub last_pts: Option<Pts>,
    /// Packets of 188 bytes.
    #[serde(default)]
    pub packets: u64,
    /// Frames in the file (PES packets).
    #[serde(default)]
    pub frames: Frames,
    /// Access units that arrived for it.
    #[serde(default)]
    pub received: Frames,
    /// Packets of silence made where no sound arrived (mute, DTX, loss).
    #[serde(default)]
    pub silence: u64,
    /// Units that arrived and are not in the file.
    #[serde(default)]
    pub drops: Drops,
    /// SHA-256 of the file, in lower-case hexadecimal; absent when damaged.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The file was given up after an error of the disk and is not in the playlist.
    #[serde(default)]
    pub damaged: bool,
    /// Made whole after its process or its box had died, or its disk had failed: it ends where
    /// what was on the disk ends, and what is counted is what stands in the file.
    #[serde(default)]
    pub recovered: bool,
    /// Its timestamps or its streams do not continue those of the segment before.
    #[serde(default)]
    pub discontinuity: bool,
    /// Its tracks.
    #[serde(default)]
    pub tracks: Vec<TrackId>,
}

/// Sums.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Milliseconds that all segments play.
    #[serde(rename = "duration_ms", with = "milliseconds")]
    pub duration: Duration,
    /// Frames in the files.
    pub frames: Frames,
    /// Access units that arrived.
    pub received: Frames,
    /// Packets of silence made.
    pub silence: u64,
    /// Drops of all segments, and those outside of segments.
    pub drops: Drops,
}

impl Manifest {
    /// The manifest of a recording that begins.
    #[must_use]
    pub fn new(identity: &RecordingIdentity) -> Self {
        Self {
            version: VERSION,
            state: RecordingState::Recording,
            room: RoomRecord {
                name: identity.room.clone(),
                sid: identity.room_sid.clone(),
            },
            participant: ParticipantRecord::from(identity.participant.as_ref()),
            source: identity.source,
            started: identity.started.to_offset(UtcOffset::UTC),
            ended: None,
            tracks: Vec::new(),
            segments: Vec::new(),
            drops: Drops::default(),
            findings: Findings::default(),
            totals: Totals::default(),
        }
    }

    /// Lists tracks that are not listed yet; true if there were any.
    pub fn know(&mut self, tracks: &[TrackRecord]) -> bool {
        let before = self.tracks.len();
        for track in tracks {
            if !self.tracks.contains(track) {
                self.tracks.push(track.clone());
            }
        }
        self.tracks.len() > before
    }

    /// Puts a segment in its place, instead of what was said about the same segment before.
    pub fn put(&mut self, segment: SegmentRecord, tracks: &[TrackRecord]) {
        self.know(tracks);
        // A segment that fails late has another name than when it was opened: compare numbers.
        let number = segment_number(&segment.file);
        self.segments
            .retain(|other| segment_number(&other.file) != number);
        let place = self
            .segments
            .partition_point(|other| segment_number(&other.file) < number);
        self.segments.insert(place, segment);
        self.sum_up();
    }

    /// Makes `totals` agree with the rest.
    pub fn sum_up(&mut self) {
        let mut totals = Totals::default();
        totals.drops.merge(&self.drops);
        for segment in &self.segments {
            totals.bytes = totals.bytes.saturating_add(segment.bytes);
            totals.duration = totals.duration.saturating_add(segment.duration);
            totals.frames.add(segment.frames);
            totals.received.add(segment.received);
            totals.silence = totals.silence.saturating_add(segment.silence);
            totals.drops.merge(&segment.drops);
        }
        self.totals = totals;
    }

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// When JSON can't express it.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a manifest; fields that this version does not know are ignored.
    ///
    /// # Errors
    ///
    /// When the file can't be read, is not a manifest, or has a newer version.
    pub fn read(path: &Path) -> Result<Self, RecorderError> {
        let bytes =
            std::fs::read(path).map_err(|source| RecorderError::from_io("read", path, source))?;
        Self::parse(&bytes, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, RecorderError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let bad = |source| RecorderError::ManifestSyntax {
            path: path.to_owned(),
            source,
        };
        // First the version alone: of a newer one nothing else need make sense.
        let Head { version } = serde_json::from_slice(bytes).map_err(bad)?;
        if version > VERSION {
            return Err(RecorderError::ManifestVersion {
                path: path.to_owned(),
                found: version,
                known: VERSION,
            });
        }
        serde_json::from_slice(bytes).map_err(bad)
    }
}

/// The number that a segment's file name starts with.
#[must_use]
pub fn segment_number(file: &str) -> Option<u32> {
    let (number, _) = file.split_once('.')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::drops::DropReason;
    use std::sync::Arc;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-11-22 06:17:00.25 +2);

    fn manifest() -> Manifest {
        Manifest::new(&RecordingIdentity {
            room: "../etc".to_owned(),
            room_sid: "RM_1".to_owned(),
            participant: Arc::new(Participant {
                sid: "PA_1".to_owned(),
                identity: "anna".to_owned(),
                name: "Anna".to_owned(),
            }),
            source: Source::Camera,
            started: START,
        })
    }

    fn track() -> TrackRecord {
        TrackRecord {
            id: TrackId::new("TR_1"),
            source: Source::Camera,
            codec_in: Codec::Vp8,
            codec_out: FileCodec::H264,
        }
    }

    fn segment(file: &str, bytes: u64) -> SegmentRecord {
        let mut drops = Drops::default();
        drops.add(DropReason::Backpressure, 2);
        let frames = Frames {
            video: 30,
            audio: 50,
        };
        SegmentRecord {
            file: file.to_owned(),
            bytes,
            started: START.to_offset(UtcOffset::UTC),
            duration: Duration::from_micros(1_000_600),
            first_pts: Some(Pts::from_ticks(126_000)),
            last_pts: Some(Pts::from_ticks(213_000)),
            packets: bytes / 188,
            frames,
            received: Frames {
                video: 32,
                audio: 48,
            },
            silence: 2,
            drops,
            sha256: Some("00ff".to_owned()),
            damaged: false,
            recovered: false,
            discontinuity: false,
            tracks: vec![track().id],
        }
    }

    #[test]
    fn the_format_is_this() {
        let mut manifest = manifest();
        manifest.put(segment("00000.ts", 376), &[track()]);
        let expected = serde_json::json!({
            "version": 1,
            "state": "recording",
            "room": {"name": "../etc", "sid": "RM_1"},
            "participant": {"identity": "anna", "name": "Anna", "sid": "PA_1"},
            "source": "camera",
            "started": "2026-11-22T04:17:00.25Z",
            "ended": null,
            "tracks": [
                {"id": "TR_1", "source": "camera", "codec_in": "vp8", "codec_out": "h264"}
            ],
            "segments": [{
                "file": "00000.ts",
                "bytes": 376,
                "started": "2026-11-22T04:17:00.25Z",
                "duration_ms": 1001,
                "first_pts": 126_000,
                "last_pts": 213_000,
                "packets": 2,
                "frames": {"video": 30, "audio": 50},
                "received": {"video": 32, "audio": 48},
                "silence": 2,
                "drops": {"backpressure": 2},
                "sha256": "00ff",
                "damaged": false,
                "recovered": false,
                "discontinuity": false,
                "tracks": ["TR_1"],
            }],
            "drops": {},
            "gaps": [],
            "gaps_omitted": 0,
            "layers": [],
            "layers_omitted": 0,
            "clock": [],
            "clock_omitted": 0,
            "totals": {
                "bytes": 376,
                "duration_ms": 1001,
                "frames": {"video": 30, "audio": 50},
                "received": {"video": 32, "audio": 48},
                "silence": 2,
                "drops": {"backpressure": 2},
            },
        });
        assert_eq!(serde_json::to_value(&manifest).unwrap(), expected);
    }

    #[test]
    fn it_reads_what_it_wrote_and_ignores_what_it_does_not_know() {
        let path = Path::new("manifest.json");
        let mut manifest = manifest();
        manifest.put(segment("00000.ts", 376), &[track()]);
        let json = manifest.to_json().unwrap();
        let read = Manifest::parse(&json, path).unwrap();
        assert_eq!(read.segments[0].duration, Duration::from_millis(1_001));
        assert_eq!(read.to_json().unwrap(), json);

        let mut newer: serde_json::Value = serde_json::from_slice(&json).unwrap();
        newer["moon"] = "full".into();
        newer["segments"][0]["colour"] = "red".into();
        newer["segments"][0]
            .as_object_mut()
            .unwrap()
            .remove("sha256");
        let read = Manifest::parse(newer.to_string().as_bytes(), path).unwrap();
        assert_eq!(read.segments[0].sha256, None);
        assert_eq!(read.totals.drops, manifest.totals.drops);

        let error = Manifest::parse(br#"{"version": 2}"#, path).unwrap_err();
        assert!(
            matches!(error, RecorderError::ManifestVersion { found: 2, .. }),
            "{error}"
        );
        let error = Manifest::parse(b"{}", path).unwrap_err();
        assert!(
            matches!(error, RecorderError::ManifestSyntax { .. }),
            "{error}"
        );
    }

    #[test]
    fn segments_stay_in_order_and_totals_follow() {
        let mut manifest = manifest();
        manifest.put(segment("00001.ts", 188), &[track()]);
        manifest.put(segment("00000.recording.ts", 188), &[track()]);
        manifest.put(segment("00000.ts", 376), &[]);
        let files: Vec<_> = manifest.segments.iter().map(|s| s.file.as_str()).collect();
        assert_eq!(files, ["00000.ts", "00001.ts"]);
        assert_eq!(manifest.tracks, [track()]);
        manifest.drops.add(DropReason::Filtered, 5);
        manifest.sum_up();
        assert_eq!(manifest.totals.bytes, 564);
        assert_eq!(manifest.totals.frames.video, 60);
        assert_eq!(manifest.totals.drops.total(), 9);
    }
}
