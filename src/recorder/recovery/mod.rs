//! Makes whole what a crash left: recordings whose process or box died, and segments that a
//! failing disk ended.
//!
//! ```text
//!  shelf ──► folder ──► table ──► repair ──► rebuild ──► manifest.json, index.m3u8
//!  finds     claims     what to   survey,    what the
//!            one        do; pure  cut, seal  files hold; pure
//! ```
//!
//! The order in one folder, so that a crash in it is repaired by the next recovery:
//!
//! 1. The folder is claimed: nobody records into it, no other recovery is at it.
//! 2. An open segment is cut to its whole units in place, synced, read back, renamed, the folder
//!    synced. One with holes is first written again beside, synced, and renamed over itself.
//! 3. `manifest.json`, then `index.m3u8`, each written beside, synced and renamed into place.
//!
//! Until 3 the manifest does not know the new files; the next recovery finds them undescribed
//! and describes them with the same words. A recording is done when its manifest says `sealed`
//! and every file is there with the size that it says: nothing is read then but the two small
//! files and the directory.

mod disk;
mod folder;
mod program;
mod rebuild;
mod repair;
mod report;
pub(super) mod table;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use disk::Pace;
pub use report::{FolderReport, FolderState, Outcome, SegmentReport, Totals};

use super::disk::LocalDisk;
use super::error::RecorderError;
use super::shelf;

/// How to recover.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Nothing is changed; the report says what would be.
    pub dry_run: bool,
    /// How fast to read.
    pub pace: Pace,
    /// Go ahead where the file system knows no locks: only when it is certain that nothing is
    /// recorded there.
    pub without_locks: bool,
}

impl Options {
    /// Beside recordings that go on.
    pub const IN_BACKGROUND: Self = Self {
        dry_run: false,
        pace: Pace::Gentle,
        without_locks: false,
    };
}

/// Recovers every recording below `path` (an output directory, a room's or a recording's), the
/// oldest first, and reports on each. Blocks: to be called on a thread of its own.
///
/// # Errors
/// When `path` itself can't be read.
pub fn run(
    path: &Path,
    options: Options,
    mut report: impl FnMut(&FolderReport),
) -> Result<Totals, RecorderError> {
    let shelf = shelf::recordings(path)?;
    let mut totals = Totals::default();
    for recording in shelf.recordings {
        let done = recover_folder(&recording.path, options);
        totals.add(&done);
        report(&done);
    }
    if let Some(unreadable) = report::of_shelf(path, shelf.errors) {
        totals.errors += unreadable.errors.len() as u64;
        report(&unreadable);
    }
    Ok(totals)
}

/// Recovers one recording's folder.
#[must_use]
pub fn recover_folder(folder: &Path, options: Options) -> FolderReport {
    folder::recover(&mut LocalDisk, folder, options)
}
