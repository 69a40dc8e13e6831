//! The queue of events, bounded in number and in the bytes of its units.
//!
//! It stands twice on the way of media: from a source to its room's task, and from there to each
//! recording. A unit that finds it full is dropped: the receiver is told how many of which track,
//! before it gets the next unit of that track, which no longer says that it joins on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{AccessUnit, RoomEvent, TrackId};
use crate::buffers::{self, Buffer, amount};

/// Events waiting for the room's task. A media unit that finds the queue full is dropped and
/// counted; the other events wait for room.
pub const EVENT_QUEUE: usize = 512;

/// Bytes of media waiting for the room's task: several of the largest keyframes.
pub const EVENT_BYTES: usize = 8 << 20;

/// Places that units leave free: what is said of tracks must get through when media does not.
const RESERVED: usize = 32;

/// What a queue may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Events, of which units take all but 32 at most.
    pub events: usize,
    /// Bytes of units. A single unit may be larger: it passes when no other waits.
    pub bytes: usize,
}

/// The sending half of an event queue, which never waits for media.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: mpsc::Sender<RoomEvent>,
    level: Arc<Level>,
}

/// The receiving half of an event queue.
#[derive(Debug)]
pub struct EventReceiver {
    queue: mpsc::Receiver<RoomEvent>,
    level: Arc<Level>,
    /// Taken from the queue, to be given out next.
    next: Option<RoomEvent>,
}

/// The receiver is gone: the source should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes this room's events any more")]
pub struct ReceiverGone;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the queue.
    Queued,
    /// The queue was full: it is gone. If it was a unit, the next one of its track does not
    /// join on.
    Dropped,
}

/// What both ends know of the units in the queue.
#[derive(Debug)]
struct Level {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Turns of the source's loop.
    beats: u64,
    bytes: usize,
    /// The most bytes there have been.
    high_water: usize,
    /// Units dropped, ever.
    dropped_ever: u64,
    /// Units dropped that the receiver has not been told of.
    dropped: BTreeMap<TrackId, u64>,
    /// Tracks whose last unit was dropped.
    torn: BTreeSet<TrackId>,
}

impl EventSender {
    /// What waits in it.
    #[must_use]
    pub fn buffer(&self, name: &'static str) -> Buffer {
        self.level.buffer(name)
    }

    /// Makes the event queue of one room.
    #[must_use]
    pub fn channel() -> (Self, EventReceiver) {
        Self::bounded(QueueLimits {
            events: EVENT_QUEUE,
            bytes: EVENT_BYTES,
        })
    }

    /// Makes a queue with limits of its own.
    #[must_use]
    pub fn bounded(limits: QueueLimits) -> (Self, EventReceiver) {
        let (sender, receiver) = mpsc::channel(limits.events.max(RESERVED + 1));
        let level = Arc::new(Level {
            limit: limits.bytes,
            state: Mutex::default(),
        });
        let sender = Self {
            queue: sender,
            level: Arc::clone(&level),
        };
        let receiver = EventReceiver {
            queue: receiver,
            level,
            next: None,
        };
        (sender, receiver)
    }

    /// The source goes on, also where it has nothing to tell: to be called each second at least.
    pub fn beat(&self) {
        let mut state = self.level.lock();
        state.beats = state.beats.wrapping_add(1);
    }

    /// Sends what must not be lost, waiting for room in the queue.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub async fn tell(&self, event: RoomEvent) -> Result<(), ReceiverGone> {
        self.level.told(&event);
        self.queue.send(event).await.map_err(|_| ReceiverGone)
    }

    /// Does what [`Self::tell`] does, for a source that is a thread.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn tell_blocking(&self, event: RoomEvent) -> Result<(), ReceiverGone> {
        self.level.told(&event);
        self.queue.blocking_send(event).map_err(|_| ReceiverGone)
    }

    /// Does what [`Self::tell`] does, but rather drops the event than wait.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn try_tell(&self, event: RoomEvent) -> Result<Delivery, ReceiverGone> {
        self.level.told(&event);
        self.put(event)
    }

    /// Sends a media unit, or drops it when the queue is full.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn offer(&self, id: TrackId, mut unit: AccessUnit) -> Result<Delivery, ReceiverGone> {
        let bytes = unit.data.len();
        if self.queue.capacity() <= RESERVED || !self.level.enter(bytes) {
            if self.queue.is_closed() {
                return Err(ReceiverGone);
            }
            self.level.dropped(id);
            return Ok(Delivery::Dropped);
        }
        unit.contiguous &= !self.level.mended(&id);
        self.put(RoomEvent::Media { id, unit })
    }

    /// A unit of the track was dropped on its way here: it is told of like one that found the queue
    /// full.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub fn lost(&self, id: &TrackId) -> Result<(), ReceiverGone> {
        if self.queue.is_closed() {
            return Err(ReceiverGone);
        }
        self.level.dropped(id.clone());
        Ok(())
    }

    fn put(&self, event: RoomEvent) -> Result<Delivery, ReceiverGone> {
        match self.queue.try_send(event) {
            Ok(()) => Ok(Delivery::Queued),
            Err(mpsc::error::TrySendError::Full(event)) => {
                if let RoomEvent::Media { id, unit } = event {
                    self.level.leave(unit.data.len());
                    self.level.dropped(id);
                }
                Ok(Delivery::Dropped)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ReceiverGone),
        }
    }
}

impl EventReceiver {
    /// What waits in it.
    #[must_use]
    pub fn buffer(&self, name: &'static str) -> Buffer {
        self.level.buffer(name)
    }

    /// How often the source has said that it goes on; zero before it has come so far.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.level.lock().beats
    }

    /// The next event; none when all senders are gone and all they sent was given out.
    pub async fn recv(&mut self) -> Option<RoomEvent> {
        if let Some(event) = self.next.take() {
            return Some(event);
        }
        match self.queue.recv().await {
            Some(event) => Some(self.taken(event)),
            None => self.level.last_drops(),
        }
    }

    /// Counts a unit out, and puts what was dropped of its track in front of it.
    fn taken(&mut self, event: RoomEvent) -> RoomEvent {
        let id = match &event {
            RoomEvent::Media { id, unit } => {
                self.level.leave(unit.data.len());
                id
            }
            RoomEvent::TrackRemoved { id, .. } => id,
            _ => return event,
        };
        match self.level.take_drops(id) {
            Some(drops) => {
                self.next = Some(event);
                drops
            }
            None => event,
        }
    }
}

impl Level {
    fn buffer(&self, name: &'static str) -> Buffer {
        let state = self.lock();
        Buffer {
            name,
            unit: buffers::Unit::Bytes,
            depth: amount(state.bytes),
            high_water: amount(state.high_water),
            limit: amount(self.limit),
            dropped: state.dropped_ever,
        }
    }

    /// Whether a unit may enter; if so, it is counted.
    fn enter(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        let fits = state.bytes == 0 || state.bytes.saturating_add(bytes) <= self.limit;
        if fits {
            state.bytes = state.bytes.saturating_add(bytes);
            state.high_water = state.high_water.max(state.bytes);
        }
        fits
    }

    fn leave(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    fn dropped(&self, id: TrackId) {
        let mut state = self.lock();
        state.torn.insert(id.clone());
        state.dropped_ever = state.dropped_ever.saturating_add(1);
        let units = state.dropped.entry(id).or_default();
        *units = units.saturating_add(1);
    }

    /// The next unit of the track goes in; true when one before it did not.
    fn mended(&self, id: &TrackId) -> bool {
        self.lock().torn.remove(id)
    }

    /// Forgets a track that ends.
    fn told(&self, event: &RoomEvent) {
        if let RoomEvent::TrackRemoved { id, .. } = event {
            self.lock().torn.remove(id);
        }
    }

    fn take_drops(&self, id: &TrackId) -> Option<RoomEvent> {
        let units = self.lock().dropped.remove(id)?;
        Some(RoomEvent::UnitsDropped {
            id: id.clone(),
            units,
        })
    }

    fn last_drops(&self) -> Option<RoomEvent> {
        let (id, units) = self.lock().dropped.pop_first()?;
        Some(RoomEvent::UnitsDropped { id, units })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole before it can fail.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::TrackEnd;
    use proptest::prelude::*;
    use std::time::Duration;

    fn unit(number: u64, bytes: usize) -> AccessUnit {
        AccessUnit {
            at: Duration::from_millis(number),
            keyframe: false,
            contiguous: true,
            data: vec![0; bytes].into(),
        }
    }

    fn queue(bytes: usize) -> (EventSender, EventReceiver) {
        EventSender::bounded(QueueLimits {
            events: RESERVED + 8,
            bytes,
        })
    }

    fn removed(id: &TrackId) -> RoomEvent {
        RoomEvent::TrackRemoved {
            id: id.clone(),
            end: TrackEnd::Unpublished,
        }
    }

    #[tokio::test]
    async fn what_was_dropped_is_told_before_what_follows() {
        let (sender, mut events) = queue(100);
        let (one, other) = (TrackId::new("1"), TrackId::new("2"));
        // Larger than all of the queue, but alone.
        let offer = |id: &TrackId, number, bytes| sender.offer(id.clone(), unit(number, bytes));
        assert_eq!(offer(&one, 0, 500), Ok(Delivery::Queued));
        assert_eq!(offer(&one, 1, 1), Ok(Delivery::Dropped));
        assert_eq!(offer(&other, 2, 1), Ok(Delivery::Dropped));
        assert_eq!(sender.try_tell(removed(&other)), Ok(Delivery::Queued));
        let drops = |id: &TrackId, units| {
            let id = id.clone();
            Some(RoomEvent::UnitsDropped { id, units })
        };
        assert_eq!(events.recv().await, drops(&one, 1));
        let first = RoomEvent::Media {
            id: one.clone(),
            unit: unit(0, 500),
        };
        assert_eq!(events.recv().await, Some(first));
        assert_eq!(offer(&one, 3, 1), Ok(Delivery::Queued));
        assert_eq!(offer(&one, 4, 100), Ok(Delivery::Dropped));
        assert_eq!(events.recv().await, drops(&other, 1));
        assert_eq!(events.recv().await, Some(removed(&other)));
        drop(sender);
        assert_eq!(events.recv().await, drops(&one, 1));
        let torn = AccessUnit {
            contiguous: false,
            ..unit(3, 1)
        };
        let torn = RoomEvent::Media {
            id: one,
            unit: torn,
        };
        assert_eq!(events.recv().await, Some(torn));
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test]
    async fn units_leave_places_for_what_must_be_told() {
        let (sender, mut events) = queue(1_000);
        let id = TrackId::new("1");
        let queued = (0..20)
            .filter(|n| sender.offer(id.clone(), unit(*n, 1)) == Ok(Delivery::Queued))
            .count();
        assert_eq!(queued, 8);
        for _ in 0..RESERVED {
            assert_eq!(sender.try_tell(RoomEvent::Resumed), Ok(Delivery::Queued));
        }
        assert_eq!(sender.try_tell(RoomEvent::Resumed), Ok(Delivery::Dropped));
        let drops = RoomEvent::UnitsDropped { id, units: 12 };
        assert_eq!(events.recv().await, Some(drops));
        drop(events);
        assert_eq!(sender.try_tell(RoomEvent::Resumed), Err(ReceiverGone));
        let gone = sender.offer(TrackId::new("1"), unit(0, 1));
        assert_eq!(gone, Err(ReceiverGone));
    }

    proptest! {
        /// Whatever is sent and taken: each unit is given out or counted, no unit that follows
        /// a dropped one joins on, and the bytes stay within the limit.
        #[test]
        fn each_unit_is_given_out_or_counted(
            steps in prop::collection::vec((0_u8..3, 1_usize..60, 0_usize..3), 0..200),
        ) {
            const LIMIT: usize = 150;
            let (sender, mut events) = queue(LIMIT);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut sent = [0_u64; 3];
            let (mut given, mut last) = ([0_u64; 3], [None; 3]);
            let mut take = |events: &mut EventReceiver, all: bool, steps: usize| {
                for _ in 0..steps {
                    if events.queue.is_empty() && events.next.is_none() && !all { break; }
                    let Some(event) = runtime.block_on(events.recv()) else { break };
                    match event {
                        RoomEvent::Media { id, unit } => {
                            let track = id.as_str().parse::<usize>().unwrap();
                            let number = u64::try_from(unit.at.as_millis()).unwrap();
                            let joins = last[track].is_none_or(|last| last + 1 == number);
                            assert!(!unit.contiguous || joins, "{track}: {number}");
                            last[track] = Some(number);
                            given[track] += 1;
                        }
                        RoomEvent::UnitsDropped { id, units } => {
                            given[id.as_str().parse::<usize>().unwrap()] += units;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            };
            for (track, bytes, taken) in steps {
                let count = &mut sent[usize::from(track)];
                sender.offer(TrackId::new(&track.to_string()), unit(*count, bytes)).unwrap();
                *count += 1;
                prop_assert!(events.level.lock().bytes <= LIMIT);
                take(&mut events, false, taken);
            }
            drop(sender);
            take(&mut events, true, 1_000);
            prop_assert_eq!(given, sent);
            prop_assert_eq!(events.level.lock().bytes, 0);
        }
    }
}
