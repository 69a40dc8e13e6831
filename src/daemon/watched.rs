//! What all rooms together have come to, as the governor needs it and as it is told.

use std::time::Instant;

use tokio::sync::watch;

use super::rates::Rates;
use super::settings::RoomProgress;
use crate::buffers::{self, Alike};
use crate::governor::Load;
use crate::recorder::DropReason;
use crate::recorder::summary::RecordingProgress;
use crate::room::Source;
use crate::status::RecordingStatus;
use crate::timebase::milliseconds;

/// A room, and what its stay tells of its progress.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) room: String,
    pub(super) progress: watch::Receiver<RoomProgress>,
}

/// What the rooms have come to.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    watched: Vec<Watched>,
    /// What was counted of what is recorded now, and of everything that was ever recorded.
    now: Totals,
    ever: Totals,
    rates: Rates,
}

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    /// Pictures that came and were to be recorded.
    pub(super) pictures: u64,
    /// Those of them that were lost here.
    pub(super) dropped: u64,
    /// Bytes that reached the files.
    pub(super) written: u64,
}

impl Rooms {
    pub(super) fn add(&mut self, room: Watched) {
        self.watched.push(room);
    }

    pub(super) const fn totals(&self) -> Totals {
        self.ever
    }

    pub(super) fn look(&mut self) -> Load {
        // Its sender is gone when nobody is in the room any more.
        self.watched.retain(|it| it.progress.has_changed().is_ok());
        let mut load = Load::default();
        let mut now = Totals::default();
        self.each(|_, _, _, recording| {
            load.encoder_lag = load.encoder_lag.max(recording.lag.encoder);
            load.disk_lag = load.disk_lag.max(recording.lag.disk);
            let video = &recording.tally.video;
            let dropped = |reason| video.dropped.of(reason);
            now.pictures += video.received - dropped(DropReason::Governor);
            now.dropped += dropped(DropReason::Backpressure)
                + dropped(DropReason::QueueFull)
                + dropped(DropReason::Disk);
            now.written += recording.disk.written;
        });
        // Recordings end and take their counts with them.
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        self.ever.pictures += grown(now.pictures, self.now.pictures);
        self.ever.dropped += grown(now.dropped, self.now.dropped);
        self.ever.written += grown(now.written, self.now.written);
        self.now = now;
        load.pictures = self.ever.pictures;
        load.dropped = self.ever.dropped;
        load
    }

    /// Bytes of what is recorded now that a power cut would cost.
    pub(super) fn bytes_since_last_flush(&self) -> u64 {
        let mut sum = 0;
        self.each(|_, _, _, recording| sum += since_last_flush(recording));
        sum
    }

    pub(super) fn buffers(&self) -> Vec<Alike> {
        let mut found = Vec::new();
        for it in &self.watched {
            let progress = it.progress.borrow();
            found.extend_from_slice(&progress.buffers);
            for (_, _, recording) in &progress.recordings {
                found.extend_from_slice(&recording.buffers);
            }
        }
        buffers::alike(&found)
    }

    pub(super) fn recordings(&self) -> Vec<RecordingStatus> {
        let mut found = Vec::new();
        self.each(|room, participant, source, recording| {
            found.push(RecordingStatus {
                room: room.to_owned(),
                participant: participant.to_owned(),
                source,
                duration_ms: milliseconds(recording.length),
                bytes_written: recording.disk.written,
                bits_per_second: self.rates.of(room, participant, source),
                bytes_since_last_flush: since_last_flush(recording),
                encoder_lag_ms: milliseconds(recording.lag.encoder),
                disk_lag_ms: milliseconds(recording.lag.disk),
                longest_gap_ms: milliseconds(recording.longest_gap),
                video: recording.tally.video.clone(),
                audio: recording.tally.audio.clone(),
            });
        });
        found
    }

    /// Takes note of what has been written, each second or so.
    pub(super) fn measure(&mut self, now: Instant) {
        let mut written = Vec::new();
        self.each(|room, participant, source, recording| {
            written.push((
                Rates::key(room, participant, source),
                recording.disk.written,
            ));
        });
        self.rates.take(now, written);
    }

    /// What the stay in a room tells, if there is one.
    pub(super) fn progress(&self, room: &str) -> Option<RoomProgress> {
        let it = self.watched.iter().rev().find(|it| it.room == room)?;
        Some(it.progress.borrow().clone())
    }

    fn each(&self, mut see: impl FnMut(&str, &str, Source, &RecordingProgress)) {
        for it in &self.watched {
            for (participant, source, recording) in &it.progress.borrow().recordings {
                see(&it.room, participant, *source, recording);
            }
        }
    }
}

fn since_last_flush(recording: &RecordingProgress) -> u64 {
    let disk = &recording.disk;
    disk.written.saturating_sub(disk.synced)
}
