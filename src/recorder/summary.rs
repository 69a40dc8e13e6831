//! What a recording says of itself while it runs and when it is over.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::RecorderError;
use super::findings::Findings;
use super::messages::Progress;
use super::recording::{RecordingError, RecordingSetup};
use super::sealing::Sealed;
use super::tally::{KindTally, Tally};
use crate::buffers::Buffer;
use crate::media::Passage;
use crate::room::Source;

/// A running recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingProgress {
    /// How often its task has looked around: ten times a second.
    pub turns: u64,
    /// Whether its graph takes what it is given: of pictures, and of sound. None where it has no
    /// such track, or there is no graph.
    pub passages: [Option<Passage>; 2],
    /// What reached the disk.
    pub disk: Progress,
    /// Media recorded so far.
    pub length: Duration,
    /// What became of its units.
    pub tally: Tally,
    /// What is behind, and by how much.
    pub lag: Lag,
    /// What waits where.
    pub buffers: Vec<Buffer>,
    /// The longest gap in picture or sound so far.
    pub longest_gap: Duration,
}

/// What is behind in a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// By how much pictures that are encoded again are behind those that came.
    pub encoder: Duration,
    /// For how long bytes have waited for the disk and none was written.
    pub disk: Duration,
}

/// A recording that is over.
#[derive(Debug, Serialize)]
pub struct RecordingSummary {
    /// Its folder; none when nothing could be recorded.
    pub dir: Option<PathBuf>,
    /// The participant's identity.
    pub participant: String,
    /// Camera or screen share.
    pub source: Source,
    /// Its sealed files, in order.
    pub segments: Vec<String>,
    /// How long they play, in seconds.
    pub duration_s: f64,
    /// Their bytes.
    pub bytes: u64,
    /// What became of the units.
    pub frames: FramesSummary,
    /// What is missing between them.
    pub gaps: GapsSummary,
    /// How often an encoder or decoder failed and another one took over.
    pub coders_failed: usize,
    /// Why it is not whole, on one line.
    pub error: Option<String>,
    /// The same, for exit codes.
    #[serde(skip)]
    pub cause: Option<RecordingError>,
    /// A segment was given up, or the manifest is out of date: it is to be recovered.
    #[serde(skip)]
    pub left_open: bool,
}

/// Gaps in picture and sound; the manifest lists them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct GapsSummary {
    /// How many.
    pub count: u64,
    /// The longest, in seconds.
    pub longest_s: f64,
}

impl GapsSummary {
    fn of(findings: &Findings) -> Self {
        let longest = findings.gaps.iter().map(|gap| gap.duration).max();
        Self {
            count: findings.gaps.len() as u64 + findings.gaps_omitted,
            longest_s: longest.unwrap_or_default().as_secs_f64(),
        }
    }
}

/// Units by kind.
#[derive(Debug, Default, Serialize)]
pub struct FramesSummary {
    /// Pictures.
    pub video: KindTally,
    /// Packets of sound.
    pub audio: KindTally,
}

impl RecordingSummary {
    /// Whether it ended early because of its disk.
    #[must_use]
    pub const fn is_of_the_disk(&self) -> bool {
        matches!(
            self.cause,
            Some(RecordingError::Storage(_) | RecordingError::SealDeadline { .. })
        )
    }

    /// Whether it ended early because the disk was full.
    #[must_use]
    pub const fn found_no_room(&self) -> bool {
        matches!(
            self.cause,
            Some(RecordingError::Storage(RecorderError::DiskFull { .. }))
        )
    }

    pub(super) fn new(
        setup: &RecordingSetup,
        sealed: Option<Sealed>,
        tally: Tally,
        error: Option<RecordingError>,
    ) -> Self {
        let mut summary = Self {
            dir: None,
            participant: setup.participant.identity.clone(),
            source: setup.source,
            segments: Vec::new(),
            duration_s: 0.0,
            bytes: 0,
            frames: FramesSummary {
                video: tally.video,
                audio: tally.audio,
            },
            gaps: GapsSummary::default(),
            coders_failed: 0,
            error: None,
            cause: error,
            left_open: false,
        };
        if let Some((folder, outcome)) = sealed {
            summary.dir = folder;
            match outcome {
                Ok(outcome) => {
                    let whole = outcome
                        .manifest
                        .segments
                        .iter()
                        .filter(|segment| !segment.damaged);
                    summary.segments = whole.map(|segment| segment.file.clone()).collect();
                    summary.duration_s = outcome.manifest.totals.duration.as_secs_f64();
                    summary.gaps = GapsSummary::of(&outcome.manifest.findings);
                    let coders = &outcome.manifest.findings.coders;
                    summary.coders_failed = coders.iter().filter(|it| it.failed.is_some()).count();
                    summary.bytes = outcome.manifest.totals.bytes;
                    summary.left_open = outcome.manifest.segments.iter().any(|it| it.damaged);
                    // What is on the disk then may still say that it goes on.
                    summary.left_open |= outcome.index.is_err();
                    let index = outcome.index.err().map(RecordingError::from);
                    summary.cause = summary.cause.or(index);
                }
                Err(error) => {
                    summary.cause = summary.cause.or(Some(error));
                    summary.left_open = true;
                }
            }
        }
        summary.error = summary
            .cause
            .as_ref()
            .map(|error| super::recording::one_line(error));
        summary
    }
}
