//! The file of one segment: does to the disk what [`Segment`] asks for.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::disk::Disk;
use super::error::{Closed, RecorderError};
use super::handover::Chunk;
use super::manifest::SegmentRecord;
use super::messages::{SegmentCounts, SegmentLayout};
use super::names::{SegmentIndex, to_hex};
use super::page_cache::Pages;
use super::pts_scan::PtsScan;
use super::segment::{Action, FlushPolicy, Segment, State};

/// An open segment.
pub(super) struct SegmentFile<F> {
    folder: PathBuf,
    index: SegmentIndex,
    /// The name that the file has at the moment.
    name: String,
    file: F,
    segment: Segment,
    pages: Pages,
    hash: Sha256,
    scan: PtsScan,
    layout: SegmentLayout,
    /// Known once the segment is closed.
    counts: Option<SegmentCounts>,
    wake_at: Option<Instant>,
}

/// One thing that was done.
#[derive(Debug)]
pub(super) struct Step {
    /// Bytes that are no longer in memory.
    pub(super) released: usize,
    pub(super) done: Done,
}

#[derive(Debug)]
pub(super) enum Done {
    /// Bytes were appended; whether they were the first.
    Wrote { first: bool },
    /// This many more bytes are on the disk for good.
    Synced(u64),
    /// The segment is complete.
    Sealed,
    /// The segment was empty, and its file is gone.
    Removed,
    /// The segment is given up.
    Damaged(RecorderError),
    /// Nothing, for now.
    Nothing,
}

impl<F: Send> SegmentFile<F> {
    pub(super) fn create(
        disk: &mut impl Disk<File = F>,
        folder: &Path,
        index: SegmentIndex,
        layout: SegmentLayout,
        policy: FlushPolicy,
    ) -> Result<Self, RecorderError> {
        let name = index.open_name();
        let path = folder.join(&name);
        let file = disk
            .create_new(&path)
            .map_err(|error| RecorderError::from_io("create", &path, error))?;
        // Without this a power cut can lose the whole file, synced or not.
        disk.sync_dir(folder)
            .map_err(|error| RecorderError::from_io("fsync", folder, error))?;
        Ok(Self {
            folder: folder.to_owned(),
            index,
            name,
            file,
            segment: Segment::new(policy),
            pages: Pages::default(),
            hash: Sha256::new(),
            scan: PtsScan::default(),
            layout,
            counts: None,
            wake_at: None,
        })
    }

    pub(super) fn push(&mut self, chunk: Chunk) -> Result<(), Closed> {
        self.segment.push(chunk.bytes, chunk.since)
    }

    pub(super) fn close(&mut self, counts: SegmentCounts) {
        self.segment.close();
        self.counts.get_or_insert(counts);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.counts.is_some()
    }

    pub(super) fn state(&self) -> State {
        self.segment.state()
    }

    /// When the file asks to be looked at again.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    /// From the next write on so many bytes are gathered for it at most.
    pub(super) fn gather(&mut self, bytes: usize) {
        self.segment.gather(bytes);
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.segment.pending_bytes()
    }

    pub(super) fn layout(&self) -> &SegmentLayout {
        &self.layout
    }

    /// Does the next thing that is due at `now`.
    pub(super) fn step(&mut self, disk: &mut impl Disk<File = F>, now: Instant) -> Step {
        self.wake_at = None;
        let action = self.segment.next(now);
        let attempted = match &action {
            Action::Write(piece) => piece.len(),
            _ => 0,
        };
        match self.act(disk, action) {
            Ok(step) => step,
            Err(error) => Step {
                released: attempted + self.segment.failed(),
                done: Done::Damaged(error),
            },
        }
    }

    fn act(
        &mut self,
        disk: &mut impl Disk<File = F>,
        action: Action,
    ) -> Result<Step, RecorderError> {
        let mut released = 0;
        let done = match action {
            Action::Write(piece) => {
                self.write(disk, &piece)?;
                released = piece.len();
                Done::Wrote {
                    first: self.segment.written() == piece.len() as u64,
                }
            }
            Action::Sync => {
                let before = self.segment.synced_bytes();
                disk.sync(&mut self.file)
                    .map_err(|error| self.error("fdatasync", error))?;
                self.segment.synced();
                if let Some(range) = self.pages.next_to_forget(self.segment.synced_bytes()) {
                    disk.forget(&mut self.file, &range);
                }
                Done::Synced(self.segment.synced_bytes() - before)
            }
            Action::Seal => {
                self.seal(disk)?;
                released = self.segment.rest_bytes();
                Done::Sealed
            }
            Action::Remove => {
                disk.remove(&self.path())
                    .map_err(|error| self.error("remove", error))?;
                self.segment.removed();
                released = self.segment.rest_bytes();
                Done::Removed
            }
            Action::Wait(at) => {
                self.wake_at = at;
                Done::Nothing
            }
        };
        Ok(Step { released, done })
    }

    fn write(
        &mut self,
        disk: &mut impl Disk<File = F>,
        packets: &[u8],
    ) -> Result<(), RecorderError> {
        disk.append(&mut self.file, packets)
            .map_err(|error| self.error("write", error))?;
        self.segment.wrote(packets.len());
        self.hash.update(packets);
        self.scan.add(packets);
        if let Some(range) = self.pages.next_to_start(self.segment.written()) {
            disk.start_write_back(&mut self.file, &range)
                .map_err(|error| self.error("sync_file_range", error))?;
        }
        Ok(())
    }

    fn seal(&mut self, disk: &mut impl Disk<File = F>) -> Result<(), RecorderError> {
        let name = self.index.final_name();
        disk.rename(&self.path(), &self.folder.join(&name))
            .map_err(|error| self.error("rename", error))?;
        self.name = name;
        disk.sync_dir(&self.folder)
            .map_err(|error| RecorderError::from_io("fsync", &self.folder, error))?;
        self.segment.sealed();
        self.warn_of_a_bad_stream();
        Ok(())
    }

    /// Neither happens with a muxer that works; `reeld verify` finds the places.
    fn warn_of_a_bad_stream(&self) {
        let (rest, bad_sync) = (self.segment.rest_bytes(), self.scan.result().bad_sync);
        if rest > 0 || bad_sync > 0 {
            tracing::warn!(
                folder = %self.folder.display(),
                segment = %self.index,
                rest,
                bad_sync,
                "the muxer left out bytes: half a packet at the end, or packets without 0x47"
            );
        }
    }

    /// What the manifest says about the segment, as it stands. `start` is that of the recording.
    pub(super) fn record(&self, start: OffsetDateTime) -> SegmentRecord {
        let sealed = self.segment.state() == State::Sealed;
        let found = self.scan.result();
        let counts = self.counts.clone().unwrap_or_default();
        let starts_at = time::Duration::try_from(self.layout.starts_at);
        let starts_at = starts_at.map(|at| at.saturating_add(self.layout.clock_moved));
        SegmentRecord {
            file: self.name.clone(),
            bytes: self.segment.synced_bytes(),
            started: starts_at
                .ok()
                .and_then(|after| start.checked_add(after))
                .unwrap_or(start),
            duration: found.duration,
            first_pts: found.first_pts,
            last_pts: found.last_pts,
            packets: found.packets,
            frames: found.frames,
            received: counts.received,
            silence: counts.silence,
            drops: counts.drops,
            sha256: sealed.then(|| to_hex(&self.hash.clone().finalize())),
            damaged: !sealed,
            recovered: false,
            discontinuity: self.layout.discontinuity,
            tracks: self.layout.tracks.iter().map(|t| t.id.clone()).collect(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn error(&self, action: &'static str, error: std::io::Error) -> RecorderError {
        RecorderError::from_io(action, &self.path(), error)
    }
}
