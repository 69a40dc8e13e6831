//! What a recording gives up when the governor says so.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Recording;
use crate::governor::{Change, Level, Orders};
use crate::media::{Pictures, Saving};
use crate::recorder::{DropReason, WriterSettings};
use crate::room::Kind;

/// What is gathered for one write where memory is short: the least that the configuration allows.
const LEAST_FLUSH: usize = 1 << 20;

/// The governor's word, and what was made of it.
#[derive(Debug)]
pub(super) struct Thrift {
    /// None once nobody governs any more.
    orders: Option<watch::Receiver<Orders>>,
    level: Level,
    /// When a keyframe was asked for last because nothing else is recorded.
    asked: Option<Instant>,
}

impl Thrift {
    pub(super) fn new(orders: watch::Receiver<Orders>) -> Self {
        let level = orders.borrow().level();
        Self {
            level,
            orders: Some(orders),
            asked: None,
        }
    }

    /// Waits for another word; for ever where there will be none.
    pub(super) async fn changed(&mut self) {
        if let Some(orders) = &mut self.orders
            && orders.changed().await.is_ok()
        {
            return;
        }
        self.orders = None;
        std::future::pending::<()>().await;
    }

    /// What is given up at this level.
    pub(super) fn saving(&self) -> Saving {
        self.level.saving()
    }

    /// The change that led to where we are.
    fn change(&mut self) -> Option<Change> {
        self.orders.as_mut()?.borrow_and_update().change
    }

    /// Whether another picture is to be asked for: where only those are recorded that decoding
    /// can start with, publishers send one when asked.
    fn wants_keyframe(&mut self, now: Instant, interval: Duration) -> bool {
        let due = self
            .asked
            .is_none_or(|asked| now.saturating_duration_since(asked) >= interval);
        let wants = self.saving().pictures == Pictures::Keyframes && due;
        if wants {
            self.asked = Some(now);
        }
        wants
    }
}

impl Recording {
    /// Starts with what holds at this moment.
    pub(super) fn be_thrifty(&mut self) {
        self.setup.graph.saving = self.thrift.saving();
    }

    /// Gives up what is to be given up from now on, and takes back what is not.
    pub(super) fn heed_orders(&mut self, now: Instant) {
        let Some(change) = self.thrift.change() else {
            return;
        };
        let before = std::mem::replace(&mut self.thrift.level, change.to);
        if before == change.to {
            return;
        }
        let saving = change.to.saving();
        self.setup.graph.saving = saving;
        if let Some(segment) = &mut self.segment {
            segment.save(saving);
        }
        if let Some((writer, _)) = &self.writer {
            writer.gather(self.flush_bytes());
        }
        self.journal.level(self.media_time(now), change);
        self.heed_permit();
        if saving.pictures < Pictures::Keyframes && before.saving().pictures >= Pictures::Keyframes
        {
            // What was left out is missing until then.
            self.ask_keyframe();
        }
    }

    /// Notes, at the start of a recording, that less is recorded than usual.
    pub(super) fn note_level(&mut self) {
        if self.thrift.level != Level::Normal
            && let Some(change) = self.thrift.change()
        {
            self.thrift.level = change.to;
            self.be_thrifty();
            self.journal.level(self.zero, change);
        }
    }

    /// How the writer begins.
    pub(super) fn writer_settings(&self) -> WriterSettings {
        WriterSettings {
            flush_bytes: self.flush_bytes(),
            ..self.setup.writer
        }
    }

    /// How much is gathered for one write.
    fn flush_bytes(&self) -> usize {
        let usual = self.setup.writer.flush_bytes;
        if self.thrift.level.is_tight() {
            usual.min(LEAST_FLUSH)
        } else {
            usual
        }
    }

    /// Does what is to be done again and again: asks for a keyframe where nothing else is recorded,
    /// and says why no picture comes where the server was asked for none.
    pub(super) fn stay_thrifty(&mut self, now: Instant) {
        if self.thrift.level.sending().nothing {
            let gaps = &mut self.journal.gaps;
            gaps.dropped_unseen(Kind::Video, DropReason::Governor);
        }
        let interval = self.setup.graph.keyframe_interval;
        if self.thrift.wants_keyframe(now, interval) {
            self.ask_keyframe();
        }
    }
}
