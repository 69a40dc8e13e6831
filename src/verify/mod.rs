//! Reads finished recordings back and says whether they are sound.
//!
//! ```text
//!  paths ──► target ──► reader ──► analysis ──► stream ──► pes ──► scanner / framer
//!            files and  packets    continuity,  one PID    units   what they consist of
//!            folders               sections                clock   when they are shown
//!               └──► recording (manifest and playlist against the files) ──► report
//! ```
//!
//! `salvage` reads a damaged stream with the same parsers and says which parts of it are sound.
//!
//! A file of any size is read once, in constant memory. What is wrong is a [`Problem`] and makes
//! a file unsound; what is only worth knowing is a [`Warning`]. Nothing here knows how reeld
//! writes: the numbers come from the bytes alone.

mod analysis;
mod clock;
mod continuity;
#[cfg(test)]
mod damage_tests;
mod finding;
mod framer;
#[cfg(test)]
pub(crate) mod packets_for_tests;
mod pcr;
mod pes;
mod reader;
mod recording;
mod render;
mod salvage;
mod scanner;
mod sections;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

pub use crate::bitstream::Picture;
pub use analysis::AudioVideo;
pub(crate) use continuity::{Continuity, Step};
pub use finding::{Findings, Group, KEPT_OF_EACH_KIND, Located, Pid, Problem, Table, Warning};
pub use framer::Sound;
pub use recording::{RecordingProblem, RecordingReport};
pub use salvage::{Salvage, salvage};
pub use stream::{StreamCodec, StreamReport};

use analysis::Analyzer;
use recording::SegmentOnDisk;
use target::Target;

/// Why something could not be verified at all.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// There is nothing at the path.
    #[error("{}: not found; give a .ts file, a recording's directory or the output directory", path.display())]
    NotFound {
        /// As it was given.
        path: PathBuf,
    },
    /// It is there but cannot be read.
    #[error("{}: cannot be read; check its permissions and the disk", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory without recordings.
    #[error("{}: holds no recordings (no .ts files)", path.display())]
    Nothing {
        /// The directory.
        path: PathBuf,
    },
    /// The report could not be written.
    #[error("the report cannot be written; check where the output goes")]
    Output {
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl VerifyError {
    fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Unreadable { path, source },
        }
    }
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A block of lines a file, at most 80 columns where paths allow it.
    Human,
    /// One array with an element for each [`Report`].
    Json,
}

/// What was found in one transport stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// As it was given or found.
    #[serde(serialize_with = "render::path")]
    pub path: PathBuf,
    /// Whether there are no problems.
    pub sound: bool,
    /// Whether it has its final name; `*.recording.ts` is still open or was left by a crash.
    pub sealed: bool,
    /// Its length.
    pub bytes: u64,
    /// Whole packets of 188 bytes.
    pub packets: u64,
    /// SHA-256 in hexadecimal; only taken where a manifest is there to compare it with.
    pub sha256: Option<String>,
    /// From the first frame of any stream to the end of the last, in milliseconds.
    pub duration_ms: u64,
    /// All bytes by duration, in bits a second.
    pub bits_per_second: u64,
    /// What the program map declares, in the order of their PIDs.
    pub streams: Vec<StreamReport>,
    /// How the first audio stream lies against the first video stream.
    pub audio_video: Option<AudioVideo>,
    /// What makes it unsound.
    pub problems: Findings<Problem>,
    /// What is worth knowing.
    pub warnings: Findings<Warning>,
}

/// One element of the report. In JSON the variant is the field `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report {
    /// One transport stream.
    File(FileReport),
    /// A recording's directory, behind the reports of its segments.
    Recording(RecordingReport),
}

impl Report {
    /// Whether it has no problems.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::File(file) => file.sound,
            Self::Recording(recording) => recording.sound,
        }
    }
}

/// The outcome of a whole run.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Transport streams that were read.
    pub files: u64,
    /// Reports, of files and of recordings, that are not sound.
    pub unsound: u64,
    /// What could not be read, in the order of the paths.
    pub errors: Vec<VerifyError>,
}

impl Verdict {
    /// 0: all sound. 1: something is not. 2: something could not be read.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.errors.is_empty(), self.unsound) {
            (false, _) => 2,
            (true, 0) => 0,
            (true, _) => 1,
        }
    }
}

/// Verifies files, recordings and whole output directories, and writes a report on each as soon
/// as it is done. What cannot be read is left out of the report and named in the verdict.
///
/// # Errors
/// Only when `out` cannot be written to.
pub fn run(
    paths: &[PathBuf],
    format: Format,
    out: &mut impl Write,
) -> Result<Verdict, VerifyError> {
    let mut verdict = Verdict::default();
    let mut printer = render::Printer::new(format, out);
    for path in paths {
        let targets = match target::find(path) {
            Ok(targets) => targets,
            Err(error) => {
                verdict.errors.push(error);
                continue;
            }
        };
        for target in targets {
            verify_target(target, &mut verdict, &mut printer)
                .map_err(|source| VerifyError::Output { source })?;
        }
    }
    printer
        .finish(&verdict)
        .map_err(|source| VerifyError::Output { source })?;
    Ok(verdict)
}

fn verify_target<W: Write>(
    target: Target,
    verdict: &mut Verdict,
    printer: &mut render::Printer<'_, W>,
) -> io::Result<()> {
    let mut report = |verdict: &mut Verdict, report: Report| {
        verdict.unsound += u64::from(!report.is_sound());
        printer.print(&report)
    };
    let (directory, segments) = match target {
        Target::File(path) => (None, vec![path]),
        Target::Recording {
            directory,
            segments,
        } => (Some(directory), segments),
    };
    let catalogue = directory.as_deref().map(recording::Catalogue::read);
    let with_digest = matches!(&catalogue, Some(Ok(catalogue)) if catalogue.has_manifest());
    let mut on_disk = Vec::new();
    for path in segments {
        match verify_file(&path, with_digest) {
            Ok(file) => {
                verdict.files += 1;
                on_disk.extend(SegmentOnDisk::of(&file));
                report(verdict, Report::File(file))?;
            }
            Err(error) => verdict.errors.push(error),
        }
    }
    match catalogue {
        Some(Ok(catalogue)) => report(verdict, Report::Recording(catalogue.compare(&on_disk)))?,
        Some(Err(error)) => verdict.errors.push(error),
        None => {}
    }
    Ok(())
}

/// Verifies one transport stream, whatever its name. Its SHA-256 is taken on the way where
/// asked for.
///
/// # Errors
/// When the file is not there or cannot be read to its end.
pub fn verify_file(path: &Path, with_digest: bool) -> Result<FileReport, VerifyError> {
    let mut file = File::open(path).map_err(|source| VerifyError::reading(path, source))?;
    let mut analyzer = Analyzer::default();
    let (bytes, sha256) = reader::read(&mut file, with_digest, &mut analyzer)
        .map_err(|source| VerifyError::reading(path, source))?;
    let analysis = analyzer.finish();
    let duration_ms = analysis.duration_ms();
    Ok(FileReport {
        path: path.to_owned(),
        sound: analysis.problems.is_empty(),
        sealed: target::is_sealed(path),
        bytes,
        packets: analysis.packets,
        sha256,
        duration_ms,
        bits_per_second: stream::bits_per_second(bytes, duration_ms),
        streams: analysis.streams,
        audio_video: analysis.audio_video,
        problems: analysis.problems,
        warnings: analysis.warnings,
    })
}
