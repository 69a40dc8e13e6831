//! What a recording tells of itself while it runs.

use std::time::{Duration, Instant};

use super::Recording;
use crate::buffers::Buffer;
use crate::media::Pictures;
use crate::recorder::segment_run::SegmentRun;
use crate::recorder::summary::{Lag, RecordingProgress};

impl Recording {
    pub(super) fn tell_progress(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        let mut tally = self.total.clone();
        tally.add(&self.unsegmented);
        if let Some(segment) = &self.segment {
            tally.add(&segment.tally());
        }
        let disk = self
            .writer
            .as_ref()
            .map(|(writer, _)| *writer.progress().borrow());
        let length = if self.writer.is_some() {
            self.end.saturating_sub(self.zero)
        } else {
            Duration::ZERO
        };
        let segment = self.segment.as_ref();
        self.progress.send_replace(RecordingProgress {
            turns: self.turns,
            passages: segment.map(SegmentRun::passages).unwrap_or_default(),
            disk: disk.unwrap_or_default(),
            length,
            tally,
            lag: self.lag(Instant::now()),
            buffers: self.buffers(),
            longest_gap: self.journal.longest_gap(),
        });
    }

    /// What is behind.
    fn lag(&self, now: Instant) -> Lag {
        let writer = self.writer.as_ref();
        let segment = self.segment.as_ref();
        Lag {
            // Where no picture is wanted, none is late.
            encoder: segment
                .filter(|_| self.thrift.saving().pictures < Pictures::None)
                .map_or(Duration::ZERO, SegmentRun::lag),
            disk: writer.map_or(Duration::ZERO, |(writer, _)| writer.lag(now)),
        }
    }

    /// What waits between here and the disk.
    fn buffers(&self) -> Vec<Buffer> {
        let segment = self.segment.iter().flat_map(SegmentRun::buffers);
        let writer = self.writer.iter().map(|(writer, _)| writer.buffer());
        segment.chain(writer).chain([self.held_buffer()]).collect()
    }
}
