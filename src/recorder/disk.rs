//! The few things that a recording asks of a file system, so that tests can make each one fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::page_cache;

/// What the writer does to the disk. Nothing else in this program writes media.
pub(super) trait Disk: Send + 'static {
    /// An open file.
    type File: Send;

    /// Makes a new file; fails when there is one.
    fn create_new(&mut self, path: &Path) -> io::Result<Self::File>;
    /// Makes a file, or empties the one there is.
    fn create_or_empty(&mut self, path: &Path) -> io::Result<Self::File>;
    /// Appends all of `bytes`.
    fn append(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// `fdatasync`: the data and what is needed to find it are on the disk afterwards. Fails when
    /// the file has been removed.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;
    /// Starts to write a range of whole pages to the disk, without waiting for it.
    fn start_write_back(&mut self, file: &mut Self::File, range: &Range<u64>) -> io::Result<()>;
    /// Gives back the memory that holds a range which has been synced. It may stay.
    fn forget(&mut self, file: &mut Self::File, range: &Range<u64>);
    /// Renames, over a file of that name if there is one.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&mut self, path: &Path) -> io::Result<()>;
}

/// The file system of the box.
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    type File = File;

    fn create_new(&mut self, path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).create_new(true).open(path)
    }

    fn create_or_empty(&mut self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_data()?;
        // It takes data all the same, and all of it would be gone when it is closed.
        if file.metadata()?.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    }

    fn start_write_back(&mut self, file: &mut File, range: &Range<u64>) -> io::Result<()> {
        page_cache::start_write_back(file, range)
    }

    fn forget(&mut self, file: &mut File, range: &Range<u64>) {
        if let Err(error) = page_cache::forget(file, range) {
            tracing::debug!("written pages stay in memory: {error}");
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
