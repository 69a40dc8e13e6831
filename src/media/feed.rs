//! The queues at the entrance of a graph, bounded in bytes and time before they are pushed to.

use std::time::Duration;

use gstreamer as gst;

use super::MediaError;
use super::level::{Level, Limits};
use super::line::{Line, Unit};

/// Sound and passed-through video enter in lots of this length: a thread switch for each lot
/// instead of one for each unit.
const LOT: Duration = Duration::from_millis(200);

/// A line that never blocks: its owner asks for room first, and may hand units over in lots.
#[derive(Debug)]
pub(super) struct Feed {
    line: Line,
    level: Level,
    lot: Option<Lot>,
}

#[derive(Debug)]
struct Lot {
    list: gst::BufferList,
    first: Duration,
    last: Duration,
}

impl Feed {
    pub(super) fn new(
        name: &'static str,
        caps: Option<&gst::Caps>,
        limits: Limits,
    ) -> Result<Self, MediaError> {
        Ok(Self {
            line: Line::new(name, caps, None)?,
            level: Level::new(limits),
            lot: None,
        })
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// Whether a unit at this time may be pushed.
    pub(super) fn has_room(&mut self, at: Duration) -> bool {
        self.level.drain(self.line.out());
        self.level.has_room(at)
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.level.bytes()
    }

    /// Pushes a unit at once. False when the graph is going down.
    pub(super) fn push(&mut self, unit: Unit) -> bool {
        self.level.add(unit.at, unit.data.len());
        self.line.push(unit)
    }

    /// Adds a unit to the lot that is being gathered. False when the graph is going down.
    pub(super) fn gather(&mut self, unit: Unit) -> bool {
        let at = unit.at;
        self.level.add(at, unit.data.len());
        let lot = self.lot.get_or_insert_with(|| Lot {
            list: gst::BufferList::new(),
            first: at,
            last: at,
        });
        lot.last = at;
        if let Some(list) = lot.list.get_mut() {
            list.add(unit.into_buffer());
        }
        if at.saturating_sub(lot.first) >= LOT {
            return self.flush();
        }
        true
    }

    /// Hands over what was gathered. False when the graph is going down.
    pub(super) fn flush(&mut self) -> bool {
        self.level.drain(self.line.out());
        match self.lot.take() {
            Some(lot) => self.line.push_lot(lot.list, lot.last),
            None => true,
        }
    }
}
