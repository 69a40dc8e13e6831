//! What became of the units of a recording, by kind.

use serde::Serialize;

use super::drops::{DropReason, Drops};
use super::messages::SegmentCounts;
use super::pts_scan::Frames;
use crate::media;
use crate::room::Kind;

/// Units of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KindTally {
    /// Access units that arrived.
    pub received: u64,
    /// Frames in the files.
    pub written: u64,
    /// Units that arrived and are not in the files.
    pub dropped: Drops,
}

/// Units of a recording or a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Pictures.
    pub video: KindTally,
    /// Packets of sound.
    pub audio: KindTally,
    /// Packets of silence that were made.
    #[serde(skip)]
    pub silence: u64,
}

impl Tally {
    /// Counts a unit that arrived and is given to a graph, which counts what becomes of it.
    pub fn received(&mut self, kind: Kind) {
        self.of(kind).received += 1;
    }

    /// Counts units that arrived and were thrown away before they reached a graph.
    pub fn refused(&mut self, kind: Kind, reason: DropReason, units: u64) {
        let tally = self.of(kind);
        tally.received += units;
        tally.dropped.add(reason, units);
    }

    /// Counts pictures that a graph took and that are not in the file.
    pub fn lost_in_graph(&mut self, reason: DropReason, pictures: u64) {
        self.video.dropped.add(reason, pictures);
    }

    /// Adds what a graph counted.
    pub fn graph(&mut self, counts: &media::Counts) {
        self.video.written += counts.video.written;
        self.audio.written += counts.audio.written;
        self.silence += counts.audio.silence;
        for (reason, units) in counts.video.dropped.iter() {
            self.video.dropped.add(reason.into(), units);
        }
        let dropped = &mut self.video.dropped;
        dropped.add(DropReason::Backpressure, counts.video.over_limit);
        dropped.add(DropReason::Disk, counts.video.over_limit_blocked);
        dropped.add(DropReason::Governor, counts.video.spared);
        for (reason, units) in counts.audio.dropped.iter() {
            self.audio.dropped.add(reason.into(), units);
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.video, &other.video),
            (&mut self.audio, &other.audio),
        ] {
            mine.received += theirs.received;
            mine.written += theirs.written;
            mine.dropped.merge(&theirs.dropped);
        }
        self.silence += other.silence;
    }

    /// All drops.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let mut drops = self.video.dropped.clone();
        drops.merge(&self.audio.dropped);
        drops
    }

    /// The counts that only the recording knows, for the manifest.
    #[must_use]
    pub fn segment_counts(&self) -> SegmentCounts {
        SegmentCounts {
            received: Frames {
                video: self.video.received,
                audio: self.audio.received,
            },
            silence: self.silence,
            drops: self.drops(),
        }
    }

    const fn of(&mut self, kind: Kind) -> &mut KindTally {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }
}

impl From<media::DropReason> for DropReason {
    fn from(reason: media::DropReason) -> Self {
        match reason {
            media::DropReason::AwaitingKeyframe => Self::AwaitingKeyframe,
            media::DropReason::Discontinuity => Self::Discontinuity,
            media::DropReason::QueueFull => Self::QueueFull,
            media::DropReason::OutputBlocked => Self::Disk,
            media::DropReason::Late => Self::Late,
            media::DropReason::NoTrack => Self::Filtered,
            media::DropReason::Spared => Self::Governor,
        }
    }
}
