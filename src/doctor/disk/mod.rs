//! The disk that recordings go to: whether it can be written, what it is, how fast it is.

pub mod judge;
pub mod medium;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde::Serialize;

pub use judge::judge;
pub use medium::Medium;

use super::sync_times::SyncTimes;
use crate::board::Root;
use crate::board::mounts::{self, Mount};
use crate::recorder::RecorderError;
use crate::recorder::recording::one_line;
use crate::storage::{Limits, Space};

/// A disk that has not answered after this long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The disk with the output directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The output directory.
    pub directory: String,
    /// Whether it is there; else its nearest parent was looked at.
    pub exists: bool,
    /// Its file system.
    pub file_system: Option<FileSystem>,
    /// What may still be written, in bytes.
    pub free: Option<u64>,
    /// All of it, in bytes.
    pub total: Option<u64>,
    /// What is to stay free, in bytes.
    pub floor: Option<u64>,
    /// Whether old recordings are deleted to make room.
    pub may_delete: bool,
    /// How long it takes to sync.
    pub sync: Option<SyncTimes>,
    /// Why something is not known.
    pub trouble: Option<Trouble>,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// `ext4`, `tmpfs` …
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// Where.
    pub mounted_at: String,
    /// Its options and the mount's.
    pub options: Vec<String>,
    /// What it lies on.
    pub medium: Medium,
}

/// Why the disk can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It does not answer.
    Hangs,
    /// It answers with this.
    Fails(String),
}

impl Disk {
    /// Looks at the disk with `directory`, and writes to it for a moment. Blocks, but not for
    /// ever: a disk that hangs is left behind with its thread.
    #[must_use]
    pub fn read(root: &Root, directory: &Path, limits: Limits) -> Self {
        let mut disk = Self {
            directory: directory.display().to_string(),
            exists: false,
            file_system: None,
            free: None,
            total: None,
            floor: None,
            may_delete: limits.allow_deletion(),
            sync: None,
            trouble: None,
        };
        let (sender, looks) = sync_channel(1);
        let (mut looking, root) = (disk.clone(), root.clone());
        let directory = directory.to_owned();
        let thread = std::thread::Builder::new()
            .name("doctor-disk".to_owned())
            .spawn(move || {
                if let Err(error) = looking.look(&root, &directory, limits) {
                    looking.trouble = Some(Trouble::Fails(one_line(&error)));
                }
                // Whoever asked has given up: nobody wants to know.
                let _ = sender.send(looking);
            });
        disk.trouble = match thread {
            Ok(_) => Some(Trouble::Hangs),
            Err(error) => Some(Trouble::Fails(format!("starting a thread: {error}"))),
        };
        looks.recv_timeout(PATIENCE).unwrap_or(disk)
    }

    fn look(&mut self, root: &Root, directory: &Path, limits: Limits) -> Result<(), RecorderError> {
        let place = existing(directory)?;
        self.exists = directory.exists();
        let mounts = mounts::read(root);
        let mount = mounts::holding(&mounts, &place);
        self.file_system = mount.map(|mount| FileSystem::of(root, mount));
        let space = Space::of(&place)?;
        self.free = Some(space.free);
        self.total = Some(space.total);
        self.floor = Some(limits.floor(space.total));
        self.sync = SyncTimes::measure(&place)
            .map_err(|error| RecorderError::from_io("write", &place, error))?;
        Ok(())
    }
}

impl FileSystem {
    fn of(root: &Root, mount: &Mount) -> Self {
        Self {
            kind: mount.kind.clone(),
            source: mount.source.clone(),
            mounted_at: mount.point.display().to_string(),
            options: mount.options.clone(),
            medium: Medium::of(root, mount),
        }
    }

    /// Whether nothing can be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }
}

/// The directory, or the nearest one above it that is there; without links.
fn existing(directory: &Path) -> Result<PathBuf, RecorderError> {
    let failed = |error| RecorderError::from_io("stat", directory, error);
    let absolute = std::path::absolute(directory).map_err(failed)?;
    let there = absolute.ancestors().find(|path| path.exists());
    there.unwrap_or(&absolute).canonicalize().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_judged_by_what_is_above_it() {
        let folder = tempfile::tempdir().unwrap();
        for (below, exists) in [("", true), ("a/b", false)] {
            let directory = folder.path().join(below);
            let disk = Disk::read(&Root::here(), &directory, Limits::default());
            assert_eq!((disk.exists, &disk.trouble), (exists, &None));
            assert!(disk.sync.is_some() && disk.free <= disk.total);
            assert!(disk.file_system.is_some());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for directory in [file.clone(), file.join("below")] {
            let disk = Disk::read(&Root::here(), &directory, Limits::default());
            let Some(Trouble::Fails(error)) = disk.trouble else {
                panic!("{disk:?}");
            };
            assert!(error.contains("not a directory"), "{error}");
        }
    }
}
