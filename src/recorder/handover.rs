//! The queue between the thread that muxes and the thread that writes to disk.
//!
//! Bounded in bytes: data counts from the moment it is sent until it has been written, so a disk
//! that stalls costs at most this much memory. Nothing is dropped here: a sender waits while the
//! queue is full, the mux waits with it, and the encoded units that can't enter the graph
//! meanwhile are dropped there, by whole GOPs, and counted there. `waits` says how often that
//! began.
//!
//! Messages to the writer (a segment begins, ends, the description changed) are bounded in
//! number: a segment has two, at most [`MAX_UNFINISHED`] segments exist at once, and of the
//! description only the last is kept. So none of them ever waits, and async code may send them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Closed;
use super::names::SegmentIndex;

/// Segments that may be opened and not yet sealed or given up: one or two on a healthy disk.
pub(super) const MAX_UNFINISHED: usize = 8;

/// Small chunks are gathered up to this size, so that a piece is worth a `write`.
const PIECE: usize = 64 * 1024;

/// What a sender hands to the writer: `B` opens a segment, `E` ends one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<B, E> {
    Open(SegmentIndex, B),
    Data(Chunk),
    Close(SegmentIndex, E),
}

/// Bytes of one segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) segment: SegmentIndex,
    /// When the first of the bytes was sent.
    pub(super) since: Instant,
    pub(super) bytes: Vec<u8>,
}

/// Everything that came since the writer last looked, in order.
#[derive(Debug)]
pub(super) struct Batch<B, E, D> {
    pub(super) items: VecDeque<Item<B, E>>,
    /// The last description, when there is a new one.
    pub(super) description: Option<D>,
    /// How much is gathered before it is written, when that is new.
    pub(super) flush_bytes: Option<usize>,
    /// Nothing will come any more.
    pub(super) finishing: bool,
}

/// When the writer wants to be woken, apart from messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wake {
    /// At this moment, for work of its own.
    pub(super) at: Option<Instant>,
    /// When the oldest data in the queue is as old as this.
    pub(super) age: Duration,
    /// When this much data is in the queue.
    pub(super) bytes: usize,
}

/// How full the hand-over to the disk is and was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandoverStats {
    /// Bytes sent and not yet written.
    pub depth: usize,
    /// The most bytes there have been.
    pub high_water: usize,
    /// The most bytes that there may be.
    pub limit: usize,
    /// How often a sender had to wait for the disk.
    pub waits: u64,
}

/// Why a segment could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenRefused {
    /// So many are not finished yet.
    TooMany(usize),
    /// The writer has ended, or was told to.
    Ended,
}

pub(super) struct Handover<B, E, D> {
    state: Mutex<State<B, E, D>>,
    /// Signalled when bytes were written, or a segment closed.
    room: Condvar,
    /// Signalled when the writer has something to do.
    work: Condvar,
}

struct State<B, E, D> {
    items: VecDeque<Item<B, E>>,
    /// Messages among `items`.
    messages: usize,
    /// Bytes of data among `items`.
    queued: usize,
    /// When the oldest data among `items` was sent.
    oldest: Option<Instant>,
    description: Option<D>,
    flush_bytes: Option<usize>,
    /// When bytes were written last, or came where there were none.
    moved: Instant,
    /// Segments not closed yet, and whether they take data (not after their file failed).
    open: BTreeMap<SegmentIndex, bool>,
    /// Segments opened that the writer has not done with.
    unfinished: usize,
    finishing: bool,
    /// What the writer waits for.
    wake_bytes: usize,
    stats: HandoverStats,
}

impl<B, E, D> Handover<B, E, D> {
    /// A queue for `capacity` bytes, at least one piece.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                messages: 0,
                queued: 0,
                oldest: None,
                description: None,
                flush_bytes: None,
                moved: Instant::now(),
                open: BTreeMap::new(),
                unfinished: 0,
                finishing: false,
                wake_bytes: usize::MAX,
                stats: HandoverStats {
                    limit: capacity.max(PIECE),
                    ..HandoverStats::default()
                },
            }),
            room: Condvar::new(),
            work: Condvar::new(),
        }
    }

    pub(super) fn open(&self, segment: SegmentIndex, begin: B) -> Result<(), OpenRefused> {
        let mut state = self.lock();
        if state.finishing {
            return Err(OpenRefused::Ended);
        }
        if state.unfinished >= MAX_UNFINISHED {
            return Err(OpenRefused::TooMany(state.unfinished));
        }
        state.open.insert(segment, true);
        state.unfinished += 1;
        state.push_message(Item::Open(segment, begin));
        self.work.notify_one();
        Ok(())
    }

    /// Gives `bytes` to the writer; waits while the queue is full.
    pub(super) fn send(&self, segment: SegmentIndex, bytes: &[u8]) -> Result<(), Closed> {
        bytes
            .chunks(PIECE)
            .try_for_each(|piece| self.send_piece(segment, piece))
    }

    fn send_piece(&self, segment: SegmentIndex, piece: &[u8]) -> Result<(), Closed> {
        let mut state = self.lock();
        let mut waited = false;
        loop {
            if state.open.get(&segment) != Some(&true) {
                return Err(Closed);
            }
            if state.stats.depth + piece.len() <= state.stats.limit {
                break;
            }
            if !waited {
                waited = true;
                state.stats.waits += 1;
            }
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let first = state.oldest.is_none();
        state.push_data(segment, piece);
        // The first bytes set the writer's alarm clock; those after it only at the threshold:
        // each needless wake-up costs a thread switch.
        if first || state.queued >= state.wake_bytes {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Ends a segment; false when it was not open. Frees a sender that waits.
    pub(super) fn close(&self, segment: SegmentIndex, end: E) -> bool {
        let mut state = self.lock();
        let was_open = state.open.remove(&segment).is_some();
        if was_open {
            state.push_message(Item::Close(segment, end));
            self.work.notify_one();
            self.room.notify_all();
        }
        was_open
    }

    /// Replaces the description.
    pub(super) fn describe(&self, description: D) {
        self.lock().description = Some(description);
        self.work.notify_one();
    }

    /// Nothing more will come: every segment is closed, every sender freed.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.finishing = true;
        state.open.clear();
        self.work.notify_one();
        self.room.notify_all();
    }

    /// For the writer: waits for what `wake` says, or a message, and takes everything.
    pub(super) fn take(&self, wake: Wake) -> Batch<B, E, D> {
        let mut state = self.lock();
        state.wake_bytes = wake.bytes;
        while !state.has_work(wake) {
            let of_data = state.oldest.map(|oldest| oldest + wake.age);
            let alarm = match (wake.at, of_data) {
                (Some(own), Some(data)) => Some(own.min(data)),
                (own, data) => own.or(data),
            };
            state = match alarm.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(wait) => {
                    self.work
                        .wait_timeout(state, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.wake_bytes = usize::MAX;
        state.messages = 0;
        state.queued = 0;
        state.oldest = None;
        Batch {
            items: std::mem::take(&mut state.items),
            description: state.description.take(),
            flush_bytes: state.flush_bytes.take(),
            finishing: state.finishing,
        }
    }

    /// For the writer: `bytes` have been written or thrown away.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.stats.depth = state.stats.depth.saturating_sub(bytes);
        state.moved = Instant::now();
        self.room.notify_all();
    }

    /// What comes for a segment is refused from now on: its file failed, or is too slow.
    pub(super) fn refuse(&self, segment: SegmentIndex) {
        if let Some(takes_data) = self.lock().open.get_mut(&segment) {
            *takes_data = false;
        }
        self.room.notify_all();
    }

    /// For the writer: a closed segment is sealed or given up, another one may be opened.
    pub(super) fn done_with_one(&self) {
        let mut state = self.lock();
        state.unfinished = state.unfinished.saturating_sub(1);
    }

    pub(super) fn stats(&self) -> HandoverStats {
        self.lock().stats
    }

    /// From the next write on so much is gathered for it at most.
    pub(super) fn gather(&self, flush_bytes: usize) {
        self.lock().flush_bytes = Some(flush_bytes);
        self.work.notify_one();
    }

    /// For how long bytes have waited and none was written. A healthy disk takes some each time
    /// that the writer gathers.
    pub(super) fn lag(&self, now: Instant) -> Duration {
        let state = self.lock();
        if state.stats.depth == 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(state.moved)
    }

    fn lock(&self) -> MutexGuard<'_, State<B, E, D>> {
        // No invariant spans a panic: every method leaves the state whole before it can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, E, D> fmt::Debug for Handover<B, E, D> {
    /// How full it is; not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<B, E, D> State<B, E, D> {
    fn has_work(&self, wake: Wake) -> bool {
        self.messages > 0
            || self.description.is_some()
            || self.flush_bytes.is_some()
            || self.finishing
            || self.queued >= wake.bytes
    }

    fn push_message(&mut self, message: Item<B, E>) {
        self.items.push_back(message);
        self.messages += 1;
    }

    fn push_data(&mut self, segment: SegmentIndex, piece: &[u8]) {
        if self.stats.depth == 0 {
            self.moved = Instant::now();
        }
        self.queued += piece.len();
        self.stats.depth += piece.len();
        self.stats.high_water = self.stats.high_water.max(self.stats.depth);
        if let Some(Item::Data(last)) = self.items.back_mut()
            && last.segment == segment
            && last.bytes.len() + piece.len() <= PIECE
        {
            last.bytes.extend_from_slice(piece);
            return;
        }
        let since = Instant::now();
        self.oldest.get_or_insert(since);
        self.items.push_back(Item::Data(Chunk {
            segment,
            since,
            bytes: piece.to_vec(),
        }));
    }
}

#[cfg(test)]
mod tests;
