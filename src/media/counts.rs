//! What happened to every unit that was offered to a graph.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::DropReason;

/// Units refused at the entrance, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    /// How many were refused for this reason.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|r| (r, self.of(r)))
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counters of the video track. `received = accepted + dropped.total()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VideoCounts {
    /// Units offered.
    pub received: u64,
    /// Units that entered the graph.
    pub accepted: u64,
    /// Bytes that entered the graph.
    pub bytes: u64,
    /// Units refused at the entrance.
    pub dropped: Drops,
    /// Pictures decoded; zero when the track is passed through.
    pub decoded: u64,
    /// Decoded pictures that found no place before the encoder: the in-flight limit.
    pub over_limit: u64,
    /// The same while the output took nothing: the encoder waited for it.
    pub over_limit_blocked: u64,
    /// Decoded pictures that were given up so that the rest keeps up.
    pub spared: u64,
    /// Pictures that left the encoder; zero when the track is passed through.
    pub encoded: u64,
    /// Units that reached the mux.
    pub written: u64,
    /// The most bytes that ever waited at the entrance.
    pub queue_high_water: u64,
}

impl VideoCounts {
    /// Accepted units that have neither reached the mux nor been dropped as pictures: they are
    /// on their way, or, once the graph is finished, could not be decoded or were lost when it
    /// failed.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        let dropped = self.over_limit + self.over_limit_blocked + self.spared;
        self.accepted.saturating_sub(self.written + dropped)
    }
}

/// Counters of the audio track. `received = accepted + dtx + dropped.total()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AudioCounts {
    /// Units offered.
    pub received: u64,
    /// Units that entered the graph.
    pub accepted: u64,
    /// Bytes that entered the graph, silence not counted.
    pub bytes: u64,
    /// Units that only said that nothing is being sent; silence took their place.
    pub dtx: u64,
    /// Units refused at the entrance.
    pub dropped: Drops,
    /// Packets of 20 ms of silence put where nothing was captured.
    pub silence: u64,
    /// Units (AAC frames, or Opus packets) that reached the mux.
    pub written: u64,
    /// The most bytes that ever waited at the entrance.
    pub queue_high_water: u64,
}

/// Counters of a graph at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The video track.
    pub video: VideoCounts,
    /// The audio track.
    pub audio: AudioCounts,
    /// Bytes handed to the output.
    pub output_bytes: u64,
    /// Warnings that elements posted, undecodable units among them.
    pub warnings: u64,
}

/// A number that several threads count up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, by: usize) {
        // Lossless: usize is at most 64 bits wide.
        self.0.fetch_add(by as u64, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn raise_to(&self, value: usize) {
        self.0.fetch_max(value as u64, Relaxed);
    }
}

/// The counters of one track's entrance and of its pad at the mux.
#[derive(Debug, Default)]
pub(super) struct TrackCounters {
    received: Counter,
    accepted: Counter,
    bytes: Counter,
    dropped: [Counter; DropReason::ALL.len()],
    pub(super) written: Counter,
    high_water: Counter,
}

impl TrackCounters {
    pub(super) fn received(&self) {
        self.received.add(1);
    }

    /// A unit entered, and this many bytes wait now.
    pub(super) fn accepted(&self, bytes: usize, waiting: usize) {
        self.accepted.add(1);
        self.bytes.add(bytes);
        self.high_water.raise_to(waiting);
    }

    pub(super) fn dropped(&self, reason: DropReason) {
        if let Some(counter) = self.dropped.get(reason.index()) {
            counter.add(1);
        }
    }

    fn drops(&self) -> Drops {
        let mut drops = Drops::default();
        for (to, from) in drops.0.iter_mut().zip(&self.dropped) {
            *to = from.get();
        }
        drops
    }
}

/// The living counters of a graph, shared with its streaming threads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) video: TrackCounters,
    pub(super) audio: TrackCounters,
    pub(super) decoded: Counter,
    pub(super) over_limit: Counter,
    pub(super) over_limit_blocked: Counter,
    pub(super) spared: Counter,
    pub(super) encoded: Counter,
    pub(super) dtx: Counter,
    pub(super) silence: Counter,
    pub(super) output_bytes: Counter,
    pub(super) warnings: Counter,
    /// The output is being given bytes, which it may take its time with.
    output_busy: AtomicBool,
}

impl Counters {
    pub(super) fn set_output_busy(&self, busy: bool) {
        self.output_busy.store(busy, Relaxed);
    }

    /// Whether the output holds the mux up. Only asked when a queue of two seconds has filled up
    /// behind it: that a healthy output is busy just then is hardly ever so.
    pub(super) fn output_blocks(&self) -> bool {
        self.output_busy.load(Relaxed)
    }

    /// Why a queue is full.
    pub(super) fn why_full(&self) -> DropReason {
        if self.output_blocks() {
            DropReason::OutputBlocked
        } else {
            DropReason::QueueFull
        }
    }

    pub(super) fn snapshot(&self) -> Counts {
        Counts {
            video: VideoCounts {
                received: self.video.received.get(),
                accepted: self.video.accepted.get(),
                bytes: self.video.bytes.get(),
                dropped: self.video.drops(),
                decoded: self.decoded.get(),
                over_limit: self.over_limit.get(),
                over_limit_blocked: self.over_limit_blocked.get(),
                spared: self.spared.get(),
                encoded: self.encoded.get(),
                written: self.video.written.get(),
                queue_high_water: self.video.high_water.get(),
            },
            audio: AudioCounts {
                received: self.audio.received.get(),
                accepted: self.audio.accepted.get(),
                bytes: self.audio.bytes.get(),
                dtx: self.dtx.get(),
                dropped: self.audio.drops(),
                silence: self.silence.get(),
                written: self.audio.written.get(),
                queue_high_water: self.audio.high_water.get(),
            },
            output_bytes: self.output_bytes.get(),
            warnings: self.warnings.get(),
        }
    }
}
