//! What recovery says of what it did.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::recorder::error::RecorderError;

/// What became of one recording's folder.
#[derive(Debug)]
pub struct FolderReport {
    /// The folder.
    pub folder: PathBuf,
    /// How it is now, or would be.
    pub state: FolderState,
    /// The segments that were not as they should be.
    pub segments: Vec<SegmentReport>,
    /// What could not be repaired, and why.
    pub errors: Vec<RecorderError>,
}

/// How a folder is after its recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderState {
    /// Nothing was to be done.
    Whole,
    /// Everything in it is sealed now.
    Repaired,
    /// It is being recorded into, or another recovery is at it.
    InUse,
    /// It held no media, and is gone.
    Removed,
    /// Something could not be repaired; see the errors.
    Failed,
}

impl FolderState {
    /// The word in the JSON report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Repaired => "repaired",
            Self::InUse => "in_use",
            Self::Removed => "removed",
            Self::Failed => "failed",
        }
    }
}

/// What became of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file as it was found.
    pub file: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Its bytes as it was found.
    pub bytes: u64,
    /// Bytes of them that are in the sealed file.
    pub kept_bytes: u64,
    /// Stretches that these bytes lie in: one and a hole for each further one.
    pub parts: usize,
    /// How long it plays; not known of a dry run.
    pub duration: Option<Duration>,
}

impl SegmentReport {
    pub(super) fn missing(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            outcome: Outcome::Missing,
            bytes: 0,
            kept_bytes: 0,
            parts: 0,
            duration: None,
        }
    }

    /// Bytes that are not in the sealed file.
    #[must_use]
    pub const fn cut_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.kept_bytes)
    }
}

/// What became of a segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is whole, under this name.
    Sealed(String),
    /// Nothing in it can be decoded; it has this name.
    SetAside(String),
    /// It held no media, and is gone.
    Removed,
    /// It was whole, and is in the manifest now.
    Described,
    /// It is in the manifest no more, as there is no file.
    Missing,
}

impl Outcome {
    /// The word in the JSON report and in the log.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sealed(_) => "sealed",
            Self::SetAside(_) => "set_aside",
            Self::Removed => "removed",
            Self::Described => "described",
            Self::Missing => "missing",
        }
    }

    /// The file's name now; none where there is no other.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Sealed(name) | Self::SetAside(name) => Some(name),
            Self::Removed | Self::Described | Self::Missing => None,
        }
    }
}

/// Counts over many folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Folders looked at.
    pub recordings: u64,
    /// Of them: in use, and left alone.
    pub in_use: u64,
    /// Of them: made whole, or removed as they held nothing.
    pub repaired: u64,
    /// Segments sealed.
    pub sealed: u64,
    /// Things that could not be repaired.
    pub errors: u64,
}

impl Totals {
    pub(super) fn add(&mut self, report: &FolderReport) {
        self.recordings += 1;
        let repaired = matches!(report.state, FolderState::Repaired | FolderState::Removed);
        self.in_use += u64::from(report.state == FolderState::InUse);
        self.repaired += u64::from(repaired);
        let sealed = |it: &&SegmentReport| matches!(it.outcome, Outcome::Sealed(_));
        self.sealed += report.segments.iter().filter(sealed).count() as u64;
        self.errors += report.errors.len() as u64;
    }
}

pub(super) fn of_shelf(path: &Path, errors: Vec<RecorderError>) -> Option<FolderReport> {
    (!errors.is_empty()).then(|| FolderReport {
        folder: path.to_owned(),
        state: FolderState::Failed,
        segments: Vec::new(),
        errors,
    })
}

impl FolderReport {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            state: FolderState::Whole,
            segments: Vec::new(),
            errors: Vec::new(),
        }
    }
}
