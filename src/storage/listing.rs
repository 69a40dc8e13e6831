//! The recordings below a directory, as their names, files and manifests describe them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::recorder::claim;
use crate::recorder::contents::Contents;
use crate::recorder::manifest::RecordingState;
use crate::recorder::names::MANIFEST;
use crate::recorder::recording::one_line;
use crate::recorder::shelf::{self, RecordingFolder};
use crate::recorder::{Drops, Findings, Manifest, RecorderError};
use crate::timebase::milliseconds;

/// How a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on: a process works on it.
    Recording,
    /// It ended in order and is whole.
    Sealed,
    /// It is whole, and ended by a crash in at least one of its segments.
    Recovered,
    /// The disk failed while a segment of it was written.
    Damaged,
    /// Its process has gone without sealing it; `reeld run` repairs it.
    Interrupted,
    /// Nothing is known of it: there is no manifest, or none that can be read.
    Unknown,
}

impl State {
    /// The word in tables and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Sealed => "sealed",
            Self::Recovered => "recovered",
            Self::Damaged => "damaged",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}

/// One recording. In JSON as it stands here; fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its folder.
    pub path: String,
    /// How it stands.
    pub state: State,
    /// Whether it is never deleted.
    pub kept: bool,
    /// When it started, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended: Option<OffsetDateTime>,
    /// The room's own name; absent, as all that follows but `bytes`, when there is no manifest.
    pub room: Option<String>,
    /// The participant's identity.
    pub participant: Option<String>,
    /// Camera, microphone or screen share.
    pub source: Option<&'static str>,
    /// How long its finished segments play, in milliseconds; of one that goes on, the time since
    /// it started.
    pub duration_ms: Option<u64>,
    /// What its files take of the disk.
    pub bytes: u64,
    /// Its segments, open ones too.
    pub segments: usize,
    /// What is missing in it.
    pub gaps: Gaps,
    /// Pictures and packets of sound that came and are not in it, by reason.
    pub drops: Drops,
    /// Why something is not known.
    pub error: Option<String>,
}

/// Times without picture or sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// The longest of those that the manifest lists, in milliseconds.
    pub longest_ms: u64,
}

impl Gaps {
    fn of(findings: &Findings) -> Self {
        let longest = findings.gaps.iter().map(|gap| gap.duration).max();
        Self {
            count: (findings.gaps.len() as u64).saturating_add(findings.gaps_omitted),
            longest_ms: milliseconds(longest.unwrap_or_default()),
        }
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub struct Listing {
    /// The recordings.
    pub recordings: Vec<Entry>,
    /// Folders that can't be read.
    pub errors: Vec<RecorderError>,
}

/// Lists the recordings at and below `path`. Writes nothing.
///
/// # Errors
/// When `path` itself can't be read.
pub fn list(path: &Path, now: OffsetDateTime) -> Result<Listing, RecorderError> {
    let shelf = shelf::recordings(path)?;
    let mut listing = Listing {
        errors: shelf.errors,
        ..Listing::default()
    };
    for folder in shelf.recordings {
        match describe(&folder, now) {
            Ok(entry) => listing.recordings.push(entry),
            // Deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let error = RecorderError::from_io("read", &folder.path, error);
                listing.errors.push(error);
            }
        }
    }
    Ok(listing)
}

fn describe(folder: &RecordingFolder, now: OffsetDateTime) -> io::Result<Entry> {
    let contents = Contents::read(&folder.path)?;
    let (manifest, error) = read_manifest(&folder.path);
    let ended_in_order = manifest
        .as_ref()
        .is_some_and(|manifest| manifest.state == RecordingState::Sealed);
    // Whether somebody works on it is only asked where it matters.
    let taken = if ended_in_order && !contents.has_open_segment() {
        Ok(false)
    } else {
        claim::is_taken(&folder.path)
    };
    let unknown = taken.as_ref().err().map(|error| {
        format!("whether it goes on is not known, as this file system knows no locks: {error}")
    });
    let taken = taken.unwrap_or(false);
    let mut entry = Entry {
        path: folder.path.display().to_string(),
        state: state(manifest.as_ref(), taken),
        kept: contents.is_kept(),
        started: folder.started,
        ended: None,
        room: None,
        participant: None,
        source: None,
        duration_ms: None,
        bytes: contents.on_disk(),
        segments: contents
            .own
            .iter()
            .filter(|file| file.segment.is_some())
            .count(),
        gaps: Gaps::default(),
        drops: Drops::default(),
        error: error.or(unknown),
    };
    if let Some(manifest) = manifest {
        entry.tell(manifest, now);
    }
    Ok(entry)
}

impl Entry {
    /// Adds what the manifest says.
    fn tell(&mut self, manifest: Manifest, now: OffsetDateTime) {
        let played = manifest.totals.duration;
        let duration = match self.state {
            // The open segment is in no total yet.
            State::Recording => Duration::try_from(now - manifest.started)
                .unwrap_or_default()
                .max(played),
            _ => played,
        };
        self.started = manifest.started;
        self.ended = manifest.ended;
        self.duration_ms = Some(milliseconds(duration));
        self.room = Some(manifest.room.name);
        self.participant = Some(manifest.participant.identity);
        self.source = Some(manifest.source.as_str());
        self.gaps = Gaps::of(&manifest.findings);
        self.drops = manifest.totals.drops;
    }
}

/// The manifest, or why there is none.
fn read_manifest(folder: &Path) -> (Option<Manifest>, Option<String>) {
    let path: PathBuf = folder.join(MANIFEST);
    match Manifest::read(&path) {
        Ok(manifest) => (Some(manifest), None),
        Err(RecorderError::Missing { .. }) => (None, Some("no manifest".to_owned())),
        Err(error) => (None, Some(one_line(&error))),
    }
}

fn state(manifest: Option<&Manifest>, taken: bool) -> State {
    let Some(manifest) = manifest else {
        return if taken {
            State::Recording
        } else {
            State::Unknown
        };
    };
    let segments = &manifest.segments;
    if taken {
        State::Recording
    } else if manifest.state == RecordingState::Recording {
        State::Interrupted
    } else if segments.iter().any(|segment| segment.damaged) {
        State::Damaged
    } else if segments.iter().any(|segment| segment.recovered) {
        State::Recovered
    } else {
        State::Sealed
    }
}
