//! What is in a recording's folder, by names and sizes alone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::names::{KEPT, SegmentIndex, SegmentName};
use super::recovery::table::Ours;

/// `st_blocks` counts these, whatever blocks the file system has (`stat(2)`).
const STAT_BLOCK: u64 = 512;

/// A file that this program made, as its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// Its name.
    pub name: String,
    /// Whether it is a segment, and which.
    pub segment: Option<(SegmentIndex, SegmentName)>,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// What it takes of the disk, in bytes; at least its length.
    pub on_disk: u64,
    /// When it was last written, by the wall clock of that time.
    pub modified: SystemTime,
    /// How many names it has: more than one when somebody linked it.
    pub links: u64,
}

/// The files of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Ours, in the order of their names.
    pub own: Vec<OwnFile>,
    /// How many entries are not ours: links, directories, other names.
    pub foreign: usize,
}

impl Contents {
    /// Looks into `folder`. What goes meanwhile is left out.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut contents = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Of the entry itself: links are not followed.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match entry.file_name().into_string() {
                Ok(name) if metadata.is_file() && is_own(&name) => {
                    contents.own.push(OwnFile {
                        segment: SegmentIndex::of_file(&name),
                        name,
                        bytes: metadata.len(),
                        on_disk: metadata.len().max(metadata.blocks() * STAT_BLOCK),
                        modified: metadata.modified()?,
                        links: metadata.nlink(),
                    });
                }
                _ => contents.foreign += 1,
            }
        }
        contents.own.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(contents)
    }

    /// What our files take of the disk, in bytes.
    #[must_use]
    pub fn on_disk(&self) -> u64 {
        self.own
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.on_disk))
    }

    /// When any of our files was last written.
    #[must_use]
    pub fn last_written(&self) -> Option<SystemTime> {
        self.own.iter().map(|file| file.modified).max()
    }

    /// Whether somebody marked the recording to be kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.own.iter().any(|file| file.name == KEPT)
    }

    /// Whether a segment has the name that it has while it is written.
    #[must_use]
    pub fn has_open_segment(&self) -> bool {
        let mut segments = self.own.iter().filter_map(|file| file.segment);
        segments.any(|(_, name)| name == SegmentName::Open)
    }
}

/// Whether this program gives this name to files in a recording's folder.
fn is_own(name: &str) -> bool {
    name == KEPT || Ours::of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn own_files_are_told_from_foreign_ones() {
        let root = tempfile::tempdir().unwrap();
        let own = [
            "00000.ts",
            "00001.recording.ts",
            "00004.damaged",
            "00005.recovering.tmp",
            "index.m3u8",
            "manifest.json",
            "manifest.json.tmp",
        ];
        for name in own.iter().chain(&["holiday.ts", "kept.txt", ".hidden"]) {
            fs::write(root.path().join(name), [0; 1_000]).unwrap();
        }
        symlink("00000.ts", root.path().join("00002.ts")).unwrap();
        fs::create_dir(root.path().join("00003.ts")).unwrap();

        let contents = Contents::read(root.path()).unwrap();
        let names: Vec<_> = contents.own.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, own);
        assert_eq!(contents.foreign, 5);
        assert!(contents.on_disk() >= 7_000);
        assert!(contents.has_open_segment() && !contents.is_kept());
        assert!(contents.last_written().is_some());

        fs::write(root.path().join(KEPT), "").unwrap();
        assert!(Contents::read(root.path()).unwrap().is_kept());
    }
}
