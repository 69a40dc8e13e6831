//! The thread that owns the files of one recording.
//!
//! It sleeps until data is due, a write's worth has come, or a message; then it does for each
//! open segment what its state machine asks. A disk that stalls holds up this thread alone.
//!
//! The order of everything, so that a crash between any two steps loses no more than an
//! interval and leaves no file that claims too much:
//!
//! 1. `NNNNN.recording.ts` is created (never over another file), its directory synced.
//! 2. Whole packets are appended; `fdatasync` each interval.
//! 3. At the close: the rest appended, `fdatasync`, renamed to `NNNNN.ts`, directory synced.
//! 4. `manifest.json`, then `index.m3u8`, each written beside, synced and renamed into place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::disk::Disk;
use super::drops::Drops;
use super::error::RecorderError;
use super::handover::{Batch, Chunk, Handover, Item, Wake};
use super::manifest::{Manifest, RecordingState, SegmentRecord};
use super::messages::{
    Description, Outcome, Progress, RecordingIdentity, SegmentCounts, SegmentLayout, WriterEvent,
};
use super::names::{MANIFEST, PLAYLIST, SegmentIndex};
use super::playlist;
use super::replace::replace;
use super::segment::{FlushPolicy, State};
use super::segment_file::{Done, SegmentFile, Step};

pub(super) type Queue = Handover<SegmentLayout, SegmentCounts, Description>;

/// The state of the thread.
pub(super) struct Writer<D: Disk> {
    disk: D,
    folder: PathBuf,
    queue: Arc<Queue>,
    policy: FlushPolicy,
    planned: Duration,
    /// When the thread's recording began, on the clock that never steps.
    since: Instant,
    files: BTreeMap<SegmentIndex, SegmentFile<D::File>>,
    manifest: Manifest,
    /// Drops that the recording task counted outside of segments.
    outside: Drops,
    /// Drops of segments that have no record, because they never had a packet.
    unrecorded: Drops,
    index: Index,
    events: mpsc::Sender<WriterEvent>,
    totals: Progress,
    progress: watch::Sender<Progress>,
}

/// How manifest and playlist on the disk compare with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    Current,
    Stale,
    /// Stale, and the last try to change that failed.
    Failing,
}

/// Frees whoever waits for the writer, however its thread ends.
struct EndOfThread(Arc<Queue>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(
        disk: D,
        folder: PathBuf,
        identity: &RecordingIdentity,
        (policy, planned): (FlushPolicy, Duration),
        queue: Arc<Queue>,
        (events, progress): (mpsc::Sender<WriterEvent>, watch::Sender<Progress>),
    ) -> Self {
        Self {
            disk,
            folder,
            queue,
            policy,
            planned,
            since: Instant::now(),
            files: BTreeMap::new(),
            manifest: Manifest::new(identity),
            outside: Drops::default(),
            unrecorded: Drops::default(),
            index: Index::Stale,
            events,
            totals: Progress::default(),
            progress,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let _end = EndOfThread(Arc::clone(&self.queue));
        self.publish_if_stale();
        loop {
            let batch = self.queue.take(self.wake());
            let finishing = batch.finishing;
            self.accept(batch);
            self.advance();
            if finishing {
                break;
            }
            self.publish_if_stale();
        }
        let result = self.end();
        self.tell(WriterEvent::Finished);
        Outcome {
            manifest: self.manifest,
            index: result,
        }
    }

    fn wake(&self) -> Wake {
        let files = || self.files.values();
        let waits_for_its_first_bytes = files().any(|file| file.state() == State::Open);
        let pending = files().map(SegmentFile::pending_bytes).max().unwrap_or(0);
        Wake {
            at: files().filter_map(SegmentFile::wake_at).min(),
            age: if waits_for_its_first_bytes {
                Duration::ZERO
            } else {
                self.policy.write_after()
            },
            bytes: self.policy.bytes.saturating_sub(pending).max(1),
        }
    }

    fn accept(&mut self, batch: Batch<SegmentLayout, SegmentCounts, Description>) {
        for item in batch.items {
            match item {
                Item::Open(index, layout) => self.open(index, layout),
                Item::Data(chunk) => self.push(chunk),
                Item::Close(index, counts) => self.close(index, counts),
            }
        }
        if let Some(bytes) = batch.flush_bytes {
            self.policy.bytes = bytes;
            for file in self.files.values_mut() {
                file.gather(bytes);
            }
        }
        if let Some(description) = batch.description {
            self.describe(description);
        }
        if batch.finishing {
            let indices: Vec<_> = self.files.keys().copied().collect();
            for index in indices {
                self.close(index, SegmentCounts::default());
            }
        }
    }

    fn open(&mut self, index: SegmentIndex, layout: SegmentLayout) {
        match SegmentFile::create(&mut self.disk, &self.folder, index, layout, self.policy) {
            Ok(file) => {
                // Who recovers this segment after a crash finds there whose it was.
                if self.manifest.know(&file.layout().tracks) {
                    self.make_stale();
                }
                self.files.insert(index, file);
                self.tell(WriterEvent::Opened(index));
            }
            Err(error) => self.report_damage(index, error),
        }
    }

    fn push(&mut self, chunk: Chunk) {
        let bytes = chunk.bytes.len();
        let accepted = self
            .files
            .get_mut(&chunk.segment)
            .is_some_and(|file| file.push(chunk).is_ok());
        if !accepted {
            // Sent before its sender could know that the file had failed.
            self.queue.release(bytes);
        }
    }

    fn close(&mut self, index: SegmentIndex, counts: SegmentCounts) {
        if let Some(file) = self.files.get_mut(&index) {
            file.close(counts);
        } else {
            // Its file could not even be made: there is no record to put the counts in.
            self.unrecorded.merge(&counts.drops);
            self.make_stale();
            self.queue.done_with_one();
        }
    }

    fn describe(&mut self, description: Description) {
        self.manifest.room.sid = description.room_sid;
        self.manifest.participant.name = description.participant_name;
        self.outside = description.drops;
        self.manifest.findings = description.findings;
        self.make_stale();
    }

    /// Does all that is due now.
    fn advance(&mut self) {
        let indices: Vec<_> = self.files.keys().copied().collect();
        for index in indices {
            while self.advance_one(index) {}
        }
        self.totals.handover = self.queue.stats();
        self.progress.send_if_modified(|published| {
            let news = *published != self.totals;
            *published = self.totals;
            news
        });
    }

    /// One step of one segment; false when there is none left for now.
    fn advance_one(&mut self, index: SegmentIndex) -> bool {
        let Some(file) = self.files.get_mut(&index) else {
            return false;
        };
        let Step { released, done } = file.step(&mut self.disk, Instant::now());
        if released > 0 {
            self.queue.release(released);
        }
        match done {
            Done::Wrote { first } => {
                self.totals.written += released as u64;
                if first {
                    self.tell(WriterEvent::FirstBytes(index));
                }
            }
            Done::Synced(bytes) => self.totals.synced += bytes,
            Done::Sealed => {
                self.totals.sealed += 1;
                if let Some(record) = self.retire(index) {
                    self.tell(WriterEvent::Sealed(index, Box::new(record)));
                }
            }
            Done::Removed => {
                self.forget(index);
                self.tell(WriterEvent::Empty(index));
            }
            Done::Damaged(error) => {
                self.put_record(index);
                self.report_damage(index, error);
            }
            Done::Nothing => {
                // A damaged file only waits for its counts.
                if file.state() == State::Damaged && file.is_closed() {
                    self.retire(index);
                }
                return false;
            }
        }
        true
    }

    /// Ends a segment that has a record: puts it into the manifest.
    fn retire(&mut self, index: SegmentIndex) -> Option<SegmentRecord> {
        let record = self.put_record(index);
        if self.files.remove(&index).is_some() {
            self.queue.done_with_one();
        }
        record
    }

    /// Ends a segment that never had a packet.
    fn forget(&mut self, index: SegmentIndex) {
        if let Some(file) = self.files.remove(&index) {
            self.unrecorded
                .merge(&file.record(self.manifest.started).drops);
            self.make_stale();
            self.queue.done_with_one();
        }
    }

    fn put_record(&mut self, index: SegmentIndex) -> Option<SegmentRecord> {
        let file = self.files.get(&index)?;
        let record = file.record(self.manifest.started);
        self.manifest.put(record.clone(), &file.layout().tracks);
        self.make_stale();
        Some(record)
    }

    fn report_damage(&mut self, index: SegmentIndex, error: RecorderError) {
        self.totals.damaged += 1;
        self.queue.refuse(index);
        self.tell(WriterEvent::Damaged(index, error));
    }

    fn make_stale(&mut self) {
        if self.index == Index::Current {
            self.index = Index::Stale;
        }
    }

    fn publish_if_stale(&mut self) {
        if self.index == Index::Current {
            return;
        }
        let failed_before = self.index == Index::Failing;
        if let Err(error) = self.publish()
            && !failed_before
        {
            self.tell(WriterEvent::IndexFailed(error));
        }
    }

    /// Seals the recording itself: every segment is done with.
    fn end(&mut self) -> Result<(), RecorderError> {
        self.manifest.state = RecordingState::Sealed;
        self.manifest.ended = time::Duration::try_from(self.since.elapsed())
            .ok()
            .and_then(|length| self.manifest.started.checked_add(length))
            .and_then(|end| end.checked_add(self.manifest.findings.clock_moved()));
        self.publish()
    }

    fn publish(&mut self) -> Result<(), RecorderError> {
        let result = self.replace_manifest_and_playlist();
        self.index = if result.is_ok() {
            Index::Current
        } else {
            Index::Failing
        };
        result
    }

    fn replace_manifest_and_playlist(&mut self) -> Result<(), RecorderError> {
        self.manifest.drops = self.outside.clone();
        self.manifest.drops.merge(&self.unrecorded);
        self.manifest.sum_up();
        let json = self
            .manifest
            .to_json()
            .map_err(|source| RecorderError::Manifest {
                path: self.folder.join(MANIFEST),
                source,
            })?;
        let playlist = playlist::render(&self.manifest, self.planned);
        replace(&mut self.disk, &self.folder, MANIFEST, &json)?;
        replace(&mut self.disk, &self.folder, PLAYLIST, playlist.as_bytes())?;
        self.disk
            .sync_dir(&self.folder)
            .map_err(|error| RecorderError::from_io("fsync", &self.folder, error))
    }

    fn tell(&mut self, event: WriterEvent) {
        if self.events.blocking_send(event).is_err() {
            // The receiver was dropped: nobody wants to know, and the files matter more.
            tracing::trace!("nobody listens to the writer");
        }
    }
}

#[cfg(test)]
mod tests;
