//! What becomes of segments that end, in order or not.

use std::time::Instant;

use super::{Recording, RecordingSetup};
use crate::events;
use crate::heap;
use crate::media::{Ending, MediaError};
use crate::recorder::failure::{RecordingError, one_line};
use crate::recorder::segment_run::{ClosedSegment, SegmentRun};
use crate::recorder::{SegmentIndex, WriterEvent};

/// Segments that may fail one after the other before the recording is given up.
const FAILURES: u32 = 3;

impl Recording {
    pub(super) fn heard(&mut self, event: WriterEvent) -> Result<(), RecordingError> {
        match event {
            WriterEvent::Sealed(index, record) => {
                self.failures = 0;
                say_sealed(&self.setup, index, record.bytes);
            }
            WriterEvent::Damaged(index, error) => {
                return self.segment_failed(Some(index), error.into());
            }
            WriterEvent::IndexFailed(error) => {
                tracing::warn!(
                    room = self.setup.room.as_str(),
                    participant = self.setup.participant.identity.as_str(),
                    "manifest and playlist are out of date: {}",
                    one_line(&error)
                );
            }
            WriterEvent::Opened(_)
            | WriterEvent::FirstBytes(_)
            | WriterEvent::Empty(_)
            | WriterEvent::Finished => {}
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, ending: Ending) -> Result<(), RecordingError> {
        match ending {
            // The writer refused its bytes: its own event says why, and is what counts.
            Ending::Failed(MediaError::OutputClosed) => {
                self.unexplained = self.segment.as_ref().map(SegmentRun::index);
                self.give_up_segment();
                Ok(())
            }
            Ending::Failed(error) => self.segment_failed(None, error.into()),
            Ending::Running | Ending::Complete => Ok(()),
        }
    }

    /// A segment is over before its time: goes on with a new one, unless that keeps failing.
    fn segment_failed(
        &mut self,
        index: Option<SegmentIndex>,
        error: RecordingError,
    ) -> Result<(), RecordingError> {
        let open = self.segment.as_ref().map(SegmentRun::index);
        let given_up = index.is_some() && index == self.unexplained;
        if !given_up && (open.is_none() || index.is_some_and(|index| Some(index) != open)) {
            tracing::warn!(
                room = self.setup.room.as_str(),
                participant = self.setup.participant.identity.as_str(),
                segment = index.map(tracing::field::display),
                "a segment was cut short: {}",
                one_line(&error)
            );
            return Ok(());
        }
        if self.replace(&error) {
            self.give_up_segment();
            return Ok(());
        }
        self.failures += 1;
        let hopeless = matches!(&error, RecordingError::Storage(it) if it.is_of_the_place());
        if hopeless || self.failures >= FAILURES {
            return Err(error);
        }
        tracing::error!(
            message_id = events::SEGMENT_FAILED,
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            segment = index.or(open).map(tracing::field::display),
            "a segment failed, going on with a new one: {}",
            one_line(&error)
        );
        if given_up {
            self.unexplained = None;
        } else {
            self.give_up_segment();
        }
        Ok(())
    }

    fn give_up_segment(&mut self) {
        self.close_segment(self.end);
        self.cutter.failed(Instant::now());
        self.ask_keyframe();
    }

    pub(super) fn closed(&mut self, closed: ClosedSegment) {
        if let Some(error) = closed.error {
            tracing::warn!(
                room = self.setup.room.as_str(),
                participant = self.setup.participant.identity.as_str(),
                segment = %closed.index,
                "segment cut short: {}",
                one_line(&error)
            );
        }
        self.total.add(&closed.tally);
        self.draining.remove(&closed.index);
        // A graph's threads free what others have allocated: without this each leaves some behind.
        tokio::task::spawn_blocking(heap::trim);
        if let Some((writer, _)) = &self.writer {
            writer.close_segment(closed.index, closed.tally.segment_counts());
        }
    }
}

/// A segment has its final name.
pub(super) fn say_sealed(setup: &RecordingSetup, index: SegmentIndex, bytes: u64) {
    tracing::info!(
        message_id = events::SEGMENT_SEALED,
        room = setup.room.as_str(),
        participant = setup.participant.identity.as_str(),
        segment = %index,
        bytes,
        "segment sealed"
    );
}
