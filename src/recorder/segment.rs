//! What to do with the file of a segment, and when: no IO here.
//!
//! ```text
//!  Open ──first packet──► Writing ──close──► Sealing ──► Sealed     complete, final name
//!    │                       │                  │
//!    │close                  └──write or fsync──┴──► Damaged        abandoned, `.recording.ts`
//!    ▼                                 failed
//!  Empty    removed
//! ```
//!
//! 1. Only whole 188-byte packets are written; the rest waits for what completes it.
//! 2. The first packets are written at once: that a recording runs is known from its first byte.
//!    After that, data is written when there is a write's worth of it, or a quarter of the
//!    interval after it came: that is what the death of the process costs.
//! 3. A packet is due for `fdatasync` three quarters of the interval after it came; the rest is
//!    for the sync itself, and for the way of a unit through the muxer. The interval is what a
//!    power cut costs. What still waits to be written then is written first, so that one sync
//!    serves both.
//! 4. A write or sync that failed is never tried again: after a failed `fsync` the kernel has
//!    thrown the dirty pages away and a second one would report success.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::error::Closed;
use super::pts_scan::PACKET;

/// When data leaves memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushPolicy {
    /// This many bytes are written without waiting for the interval.
    pub bytes: usize,
    /// Nothing stays unsynced longer than this, as long as the disk keeps up.
    pub interval: Duration,
}

impl FlushPolicy {
    /// How long a packet waits to be written.
    #[must_use]
    pub fn write_after(&self) -> Duration {
        self.interval / 4
    }

    /// How long a packet waits to be synced.
    #[must_use]
    pub fn sync_after(&self) -> Duration {
        self.interval * 3 / 4
    }
}

/// Where a segment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Created, nothing written.
    Open,
    /// Something is written, more may come.
    Writing,
    /// Closed; what is left is written, synced and renamed.
    Sealing,
    /// Complete, with its final name.
    Sealed,
    /// Closed without a single packet, and removed.
    Empty,
    /// Abandoned after an error.
    Damaged,
}

/// What the owner of the file has to do next. After each it says how that went.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Append these whole packets, then call [`Segment::wrote`].
    Write(Vec<u8>),
    /// `fdatasync`, then call [`Segment::synced`].
    Sync,
    /// Rename to the final name and sync the directory, then call [`Segment::sealed`].
    Seal,
    /// Remove the file, then call [`Segment::removed`].
    Remove,
    /// Nothing before this moment, unless data or the close comes.
    Wait(Option<Instant>),
}

/// The state machine of one segment's file.
#[derive(Debug)]
pub struct Segment {
    policy: FlushPolicy,
    state: State,
    /// Whole packets not written yet, each piece a multiple of 188 bytes.
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    /// The beginning of a packet.
    rest: Vec<u8>,
    /// When the oldest packet came that waits to be written.
    oldest_pending: Option<Instant>,
    /// When the oldest packet came that a power cut would lose.
    oldest_unsynced: Option<Instant>,
    written: u64,
    synced: u64,
    /// Writing until nothing is pending.
    draining: bool,
}

impl Segment {
    /// A segment whose file has just been created.
    #[must_use]
    pub fn new(policy: FlushPolicy) -> Self {
        Self {
            policy,
            state: State::Open,
            pending: VecDeque::new(),
            pending_bytes: 0,
            rest: Vec::new(),
            oldest_pending: None,
            oldest_unsynced: None,
            written: 0,
            synced: 0,
            draining: false,
        }
    }

    /// From the next write on so many bytes are gathered for it at most.
    pub const fn gather(&mut self, bytes: usize) {
        self.policy.bytes = bytes;
    }

    /// Takes bytes that came at `since`.
    ///
    /// # Errors
    ///
    /// When the segment is closed or damaged.
    pub fn push(&mut self, bytes: Vec<u8>, since: Instant) -> Result<(), Closed> {
        if !matches!(self.state, State::Open | State::Writing) {
            return Err(Closed);
        }
        let mut whole = if self.rest.is_empty() {
            bytes
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(&bytes);
            joined
        };
        self.rest = whole.split_off(whole.len() - whole.len() % PACKET);
        if !whole.is_empty() {
            self.pending_bytes += whole.len();
            self.pending.push_back(whole);
            self.oldest_pending.get_or_insert(since);
            self.oldest_unsynced.get_or_insert(since);
        }
        Ok(())
    }

    /// No more data comes. The beginning of a packet that was never completed is left out.
    pub fn close(&mut self) {
        if matches!(self.state, State::Open | State::Writing) {
            self.state = State::Sealing;
        }
    }

    /// What to do at `now`. Ask again after each action, until it says to wait.
    pub fn next(&mut self, now: Instant) -> Action {
        match self.state {
            State::Open | State::Writing => self.next_while_open(now),
            State::Sealing => self.next_while_sealing(),
            State::Sealed | State::Empty | State::Damaged => Action::Wait(None),
        }
    }

    fn next_while_open(&mut self, now: Instant) -> Action {
        let after = |oldest: Option<Instant>, wait| oldest.map(|oldest| oldest + wait);
        let write_at = after(self.oldest_pending, self.policy.write_after());
        let sync_at = after(self.oldest_unsynced, self.policy.sync_after());
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let first = self.state == State::Open;
        if first || is_due(write_at) || is_due(sync_at) || self.pending_bytes >= self.policy.bytes {
            self.draining = true;
        }
        match self.pop_when_draining() {
            Some(write) => write,
            None if is_due(sync_at) => Action::Sync,
            None => Action::Wait(write_at.into_iter().chain(sync_at).min()),
        }
    }

    fn next_while_sealing(&mut self) -> Action {
        self.draining = true;
        match self.pop_when_draining() {
            Some(write) => write,
            None if self.written == 0 => Action::Remove,
            None if self.synced < self.written => Action::Sync,
            None => Action::Seal,
        }
    }

    fn pop_when_draining(&mut self) -> Option<Action> {
        if !self.draining {
            return None;
        }
        let Some(piece) = self.pending.pop_front() else {
            self.draining = false;
            self.oldest_pending = None;
            return None;
        };
        self.pending_bytes -= piece.len();
        Some(Action::Write(piece))
    }

    /// `bytes` were appended.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
        if self.state == State::Open {
            self.state = State::Writing;
        }
    }

    /// All that was written is on the disk.
    pub fn synced(&mut self) {
        self.synced = self.written;
        // A sync is only ever asked for when nothing is pending.
        self.oldest_unsynced = None;
    }

    /// The file has its final name.
    pub fn sealed(&mut self) {
        self.state = State::Sealed;
    }

    /// The file is gone.
    pub fn removed(&mut self) {
        self.state = State::Empty;
    }

    /// An action failed. Says how many bytes were waiting and are lost.
    pub fn failed(&mut self) -> usize {
        self.state = State::Damaged;
        self.pending.clear();
        self.oldest_unsynced = None;
        std::mem::take(&mut self.pending_bytes) + std::mem::take(&mut self.rest).len()
    }

    /// Where the segment stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Bytes appended to the file so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that survive a power cut.
    #[must_use]
    pub fn synced_bytes(&self) -> u64 {
        self.synced
    }

    /// Whole packets that wait to be written, in bytes.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Bytes of a packet that is not complete.
    #[must_use]
    pub fn rest_bytes(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: FlushPolicy = FlushPolicy {
        bytes: 10 * PACKET,
        interval: Duration::from_secs(1),
    };

    fn packets(n: usize) -> Vec<u8> {
        (0..n * PACKET)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect()
    }

    /// Does what the segment asks; returns the words of it and the bytes written.
    fn run(segment: &mut Segment, now: Instant) -> (Vec<&'static str>, Vec<u8>, Option<Instant>) {
        let (mut words, mut file) = (Vec::new(), Vec::new());
        loop {
            match segment.next(now) {
                Action::Write(piece) => {
                    assert_eq!(piece.len() % PACKET, 0);
                    segment.wrote(piece.len());
                    file.extend(piece);
                    words.push("write");
                }
                Action::Sync => {
                    segment.synced();
                    words.push("sync");
                }
                Action::Seal => {
                    segment.sealed();
                    words.push("seal");
                }
                Action::Remove => {
                    segment.removed();
                    words.push("remove");
                }
                Action::Wait(at) => return (words, file, at),
            }
        }
    }

    #[test]
    fn the_life_of_a_segment() {
        // (milliseconds, packets pushed then, whether it is closed then, what is done, state)
        type Step = (u64, usize, bool, &'static [&'static str], State);
        let steps: [Step; 12] = [
            (0, 0, false, &[], State::Open),
            // The first packets at once, synced before they are an interval old.
            (100, 1, false, &["write"], State::Writing),
            (200, 2, false, &[], State::Writing),
            (449, 0, false, &[], State::Writing),
            (450, 0, false, &["write"], State::Writing),
            (700, 1, false, &[], State::Writing),
            (849, 0, false, &[], State::Writing),
            (850, 0, false, &["write", "sync"], State::Writing),
            // A write's worth does not wait, but its sync does.
            (1_200, 10, false, &["write"], State::Writing),
            (1_950, 0, false, &["sync"], State::Writing),
            (9_000, 0, false, &[], State::Writing),
            (9_100, 3, true, &["write", "sync", "seal"], State::Sealed),
        ];
        let start = Instant::now();
        let mut segment = Segment::new(POLICY);
        for (at, pushed, closed, expected, state) in steps {
            let now = start + Duration::from_millis(at);
            if pushed > 0 {
                segment.push(packets(pushed), now).unwrap();
            }
            if closed {
                segment.close();
            }
            let (words, ..) = run(&mut segment, now);
            assert_eq!(words, expected, "at {at} ms");
            assert_eq!(segment.state(), state, "at {at} ms");
        }
        assert_eq!(segment.written(), 17 * PACKET as u64);
        assert_eq!(segment.synced_bytes(), segment.written());
        assert_eq!(segment.push(packets(1), start), Err(Closed));
    }

    #[test]
    fn a_segment_without_a_whole_packet_is_removed() {
        let now = Instant::now();
        let mut segment = Segment::new(POLICY);
        segment.push(vec![0x47; PACKET - 1], now).unwrap();
        assert_eq!(run(&mut segment, now).0, [""; 0]);
        assert_eq!(segment.rest_bytes(), PACKET - 1);
        segment.close();
        assert_eq!(run(&mut segment, now).0, ["remove"]);
        assert_eq!(segment.state(), State::Empty);
    }

    #[test]
    fn after_a_failure_nothing_is_tried_again() {
        let now = Instant::now();
        let mut segment = Segment::new(POLICY);
        segment.push(packets(1), now).unwrap();
        run(&mut segment, now);
        segment.push(packets(2), now).unwrap();
        segment.push(vec![0x47; 5], now).unwrap();
        assert_eq!(segment.failed(), 2 * PACKET + 5);
        assert_eq!(segment.push(packets(1), now), Err(Closed));
        segment.close();
        let later = now + POLICY.interval * 9;
        assert_eq!(segment.next(later), Action::Wait(None));
        assert_eq!(segment.state(), State::Damaged);
        assert_eq!(segment.synced_bytes(), 0);
    }

    proptest! {
        #[test]
        fn the_file_is_the_input_and_nothing_waits_for_long(
            chunks in prop::collection::vec((0..3_000_usize, 0..400_u64), 1..60),
        ) {
            let mut now = Instant::now();
            let mut segment = Segment::new(POLICY);
            let (mut input, mut file) = (Vec::new(), Vec::new());
            // When each whole packet came, oldest first, until it is synced.
            let mut unsynced: VecDeque<Instant> = VecDeque::new();
            let mut synced_packets = 0;
            // The same until it is written.
            let mut came: Vec<Instant> = Vec::new();
            for (length, pause) in chunks {
                // A timer that goes off on time, at each moment asked for during the pause.
                let until = now + Duration::from_millis(pause);
                while let (_, written, Some(alarm)) = run(&mut segment, now) {
                    file.extend(written);
                    if alarm > until { break; }
                    now = now.max(alarm);
                    file.extend(run(&mut segment, now).1);
                    if let Some(came) = came.get(file.len() / PACKET) {
                        prop_assert!(now - *came < POLICY.interval / 4);
                    }
                    for _ in synced_packets..segment.synced_bytes() / PACKET as u64 {
                        let came = unsynced.pop_front().unwrap();
                        prop_assert!(now - came <= POLICY.interval * 3 / 4);
                    }
                    synced_packets = segment.synced_bytes() / PACKET as u64;
                }
                now = until;
                prop_assert!(unsynced.front().is_none_or(|came| now - *came <= POLICY.interval * 3 / 4));

                let before = input.len() / PACKET;
                input.extend((0..length).map(|i| u8::try_from(i % 256).unwrap()));
                let whole = before..input.len() / PACKET;
                came.extend(whole.clone().map(|_| now));
                unsynced.extend(whole.map(|_| now));
                let from = input.len() - length;
                segment.push(input.get(from..).unwrap().to_vec(), now).unwrap();
                file.extend(run(&mut segment, now).1);
                prop_assert!(segment.pending_bytes() < POLICY.bytes);
            }
            segment.close();
            let (words, written, _) = run(&mut segment, now);
            file.extend(written);
            let whole = input.len() - input.len() % PACKET;
            prop_assert_eq!(&file[..], input.get(..whole).unwrap());
            prop_assert_eq!(words.last(), Some(if whole == 0 { &"remove" } else { &"seal" }));
            prop_assert_eq!(segment.rest_bytes(), input.len() - whole);
        }
    }
}
