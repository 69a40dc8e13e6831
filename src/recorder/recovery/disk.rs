//! What repair asks of a file system beside what a writer does.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use crate::recorder::disk::{Disk, LocalDisk};

/// Memory of the page cache that one file may take while it is read.
const FORGET_EVERY: u64 = 1 << 20;

/// A file system in which files can be repaired. All that recovery changes goes through it.
pub(in crate::recorder) trait RepairDisk: Disk {
    /// Opens a file to read it.
    fn open(&mut self, path: &Path) -> io::Result<Self::File>;
    /// Reads some bytes from an offset on; none at the end.
    fn read_at(&mut self, file: &mut Self::File, into: &mut [u8], offset: u64)
    -> io::Result<usize>;
    /// Cuts a file to a length.
    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&mut self, path: &Path) -> io::Result<()>;
}

impl RepairDisk for LocalDisk {
    fn open(&mut self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn read_at(&mut self, file: &mut File, into: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(into, offset)
    }

    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }

    fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }
}

/// How fast files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they can be: somebody waits for it.
    Fast,
    /// The disk is left alone as long after each read as the read took: half of its time is for
    /// those who record. What is in memory already costs nobody anything.
    Gentle,
}

/// Reads a stretch of a file in order and leaves nothing of it in the page cache.
pub(super) struct Reader<'a, D: RepairDisk> {
    disk: &'a mut D,
    file: &'a mut D::File,
    pace: Pace,
    at: u64,
    end: u64,
    forgotten: u64,
}

impl<'a, D: RepairDisk> Reader<'a, D> {
    pub(super) fn new(
        disk: &'a mut D,
        file: &'a mut D::File,
        pace: Pace,
        part: std::ops::Range<u64>,
    ) -> Self {
        Self {
            disk,
            file,
            pace,
            at: part.start,
            end: part.end,
            forgotten: part.start,
        }
    }

    fn forget(&mut self) {
        self.disk.forget(self.file, &(self.forgotten..self.at));
        self.forgotten = self.at;
    }
}

impl<D: RepairDisk> Read for Reader<'_, D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let began = Instant::now();
        let piece = into.get_mut(..most).unwrap_or_default();
        let read = self.disk.read_at(self.file, piece, self.at)?;
        self.at += read as u64;
        if self.at - self.forgotten >= FORGET_EVERY {
            self.forget();
        }
        if self.pace == Pace::Gentle && read > 0 {
            std::thread::sleep(began.elapsed());
        }
        Ok(read)
    }
}

impl<D: RepairDisk> Drop for Reader<'_, D> {
    fn drop(&mut self) {
        self.forget();
    }
}
