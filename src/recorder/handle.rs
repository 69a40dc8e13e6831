//! What the task that drives a recording holds of its writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::disk::{Disk, LocalDisk};
use super::error::{Closed, RecorderError};
use super::folder::{self, Place};
use super::handover::{Handover, HandoverStats, OpenRefused};
use super::messages::{
    Description, Outcome, Progress, RecordingIdentity, SegmentCounts, SegmentLayout, WriterEvent,
    WriterSettings,
};
use super::names::{SegmentIndex, recording_dir, room_dir};
use super::segment::FlushPolicy;
use super::writer::{Queue, Writer};
use crate::buffers::{self, Buffer, amount};

/// Events that may wait for the recording task. A segment has three, so this is never reached
/// while the task looks at them at all; if it does not, the writer waits.
const EVENTS: usize = 64;

/// Drives the writer of one recording. Dropping it ends the recording like [`Self::finish`],
/// without waiting.
#[derive(Debug)]
pub struct WriterHandle {
    folder: PathBuf,
    queue: Arc<Queue>,
    next: SegmentIndex,
    progress: watch::Receiver<Progress>,
    outcome: Option<oneshot::Receiver<Outcome>>,
}

/// Where the bytes of one segment go. Belongs on the muxer's thread.
#[derive(Debug)]
pub struct SegmentInput {
    queue: Arc<Queue>,
    index: SegmentIndex,
}

impl WriterHandle {
    /// Makes the folder of a recording below `root`, which must exist, and starts its writer.
    /// Waits for the disk: call it off the async workers.
    ///
    /// # Errors
    ///
    /// When the folder can't be made: the error names what is in the way.
    pub fn create(
        root: &Path,
        identity: &RecordingIdentity,
        settings: WriterSettings,
    ) -> Result<(Self, mpsc::Receiver<WriterEvent>), RecorderError> {
        let name =
            |started| recording_dir(started, &identity.participant.identity, identity.source);
        let place = folder::create(root, &room_dir(&identity.room), identity.started, name)?;
        Self::start(LocalDisk, place, identity, settings)
    }

    pub(super) fn start(
        disk: impl Disk,
        place: Place,
        identity: &RecordingIdentity,
        settings: WriterSettings,
    ) -> Result<(Self, mpsc::Receiver<WriterEvent>), RecorderError> {
        let Place {
            path: folder,
            claim,
        } = place;
        let queue = Arc::new(Handover::new(settings.handover_bytes));
        let (events, receiver) = mpsc::channel(EVENTS);
        let (progress_sender, progress) = watch::channel(Progress::default());
        let (outcome_sender, outcome) = oneshot::channel();
        let policy = FlushPolicy {
            bytes: settings.flush_bytes.min(settings.handover_bytes / 2),
            interval: settings.flush_interval,
        };
        let writer = Writer::new(
            disk,
            folder.clone(),
            identity,
            (policy, settings.segment_duration),
            Arc::clone(&queue),
            (events, progress_sender),
        );
        thread::Builder::new()
            .name("reeld-writer".to_owned())
            .spawn(move || {
                let outcome = writer.run();
                // Nothing is written from here on.
                drop(claim);
                // Nobody waits for it when the handle was dropped.
                drop(outcome_sender.send(outcome));
            })
            .map_err(|source| RecorderError::NoThread {
                path: folder.clone(),
                source,
            })?;
        let handle = Self {
            folder,
            queue,
            next: SegmentIndex(0),
            progress,
            outcome: Some(outcome),
        };
        Ok((handle, receiver))
    }

    /// The folder of the recording.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Running totals, published at least once an interval while data comes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// How full the hand-over to the disk is at this moment.
    #[must_use]
    pub fn handover(&self) -> HandoverStats {
        self.queue.stats()
    }

    /// What waits for the disk.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        let stats = self.queue.stats();
        Buffer {
            name: "handover",
            unit: buffers::Unit::Bytes,
            depth: amount(stats.depth),
            high_water: amount(stats.high_water),
            limit: amount(stats.limit),
            // Who finds it full waits, and drops what comes meanwhile.
            dropped: 0,
        }
    }

    /// For how long bytes have waited for the disk and none was written.
    #[must_use]
    pub fn lag(&self, now: Instant) -> Duration {
        self.queue.lag(now)
    }

    /// From the next write on so many bytes are gathered for it at most. Never waits.
    pub fn gather(&self, flush_bytes: usize) {
        self.queue
            .gather(flush_bytes.min(self.queue.stats().limit / 2));
    }

    /// Opens the next segment; the one before may still be open. Never waits.
    ///
    /// Whether its file could be made comes as [`WriterEvent::Opened`] or
    /// [`WriterEvent::Damaged`].
    ///
    /// # Errors
    ///
    /// When the disk is so far behind that several closed segments are not finished, or the
    /// writer has ended.
    pub fn open_segment(&mut self, layout: SegmentLayout) -> Result<SegmentInput, RecorderError> {
        let index = self.next;
        self.queue
            .open(index, layout)
            .map_err(|refused| match refused {
                OpenRefused::TooMany(unfinished) => RecorderError::Behind {
                    path: self.folder.clone(),
                    unfinished,
                },
                OpenRefused::Ended => self.ended(),
            })?;
        self.next = SegmentIndex(index.0.saturating_add(1));
        Ok(SegmentInput {
            queue: Arc::clone(&self.queue),
            index,
        })
    }

    /// Closes a segment, so that it is sealed; also one that was damaged, for its counts. What
    /// its input is still given is refused, and an input that waits for room is freed.
    /// Never waits. A segment that is closed already, or was never opened, is left alone.
    pub fn close_segment(&self, index: SegmentIndex, counts: SegmentCounts) {
        if !self.queue.close(index, counts) {
            tracing::debug!(SEGMENT = %index, "closed already");
        }
    }

    /// Takes no more data for a segment: an input that waits for room is freed. It is to be closed
    /// all the same, once it is known what became of its units. Never waits.
    pub fn refuse_segment(&self, index: SegmentIndex) {
        self.queue.refuse(index);
    }

    /// Says what is new about the recording. Each call replaces manifest and playlist on the
    /// disk, so don't call it for each unit. Never waits.
    pub fn describe(&self, description: Description) {
        self.queue.describe(description);
    }

    /// Ends the recording: closes and seals what is open, and waits until that is done.
    ///
    /// A disk that hangs can hold the writer for ever, so put a deadline around it. Events that
    /// are not received meanwhile must not be more than the channel holds; the outcome has all
    /// that they say.
    ///
    /// # Errors
    ///
    /// When the writer's thread died.
    pub async fn finish(mut self) -> Result<Outcome, RecorderError> {
        self.queue.finish();
        match self.outcome.take() {
            Some(outcome) => outcome.await.map_err(|_| self.ended()),
            None => Err(self.ended()),
        }
    }

    fn ended(&self) -> RecorderError {
        RecorderError::Ended {
            path: self.folder.clone(),
        }
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.queue.finish();
    }
}

impl SegmentInput {
    /// Which segment it is.
    #[must_use]
    pub fn index(&self) -> SegmentIndex {
        self.index
    }

    /// Gives bytes of the transport stream to the writer. Waits while the disk is behind: the
    /// muxer waits with it, and what does not fit into the graph meanwhile is dropped there.
    ///
    /// # Errors
    ///
    /// When the segment was closed, its file failed, or the writer ended.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.queue.send(self.index, bytes)
    }
}
