//! One recording as its room sees it: its tracks, and what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::buffers::Buffer;
use crate::events;
use crate::recorder::summary::RecordingProgress;
use crate::room::{
    AccessUnit, Delivery, EventSender, Interruption, ReceiverGone, RoomEvent, Source, Track,
    TrackId,
};

/// How long a recording that failed is left alone before it is tried again, at first.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The same at most, when it keeps failing. A card that was put back is not waited for longer:
/// while the storage is known not to take anything, nothing is tried at all.
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What has run for this long without a failure starts with the first wait again.
const GOOD_RUN: Duration = Duration::from_mins(1);

/// A successor that failed is not tried again for this long.
const NEXT_TRY: Duration = Duration::from_mins(5);

/// What belongs together: a participant's camera and microphone, or a screen and its sound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The participant's identity.
    participant: String,
    screen: bool,
}

impl Key {
    /// Where a track belongs.
    pub(super) fn of(track: &Track) -> Self {
        let screen = matches!(track.source, Source::ScreenShare | Source::ScreenShareAudio);
        Self {
            participant: track.participant.identity.clone(),
            screen,
        }
    }
}

/// The tracks that belong together, and their recording.
pub(super) struct Live {
    /// The room's name, for the log.
    room: String,
    pub(super) tracks: BTreeMap<TrackId, Track>,
    /// Tracks that the server holds back.
    pub(super) paused: BTreeSet<TrackId>,
    pub(super) state: State,
    /// Takes over once it has written something.
    successor: Option<Running>,
    no_successor_before: Option<Instant>,
    retries: Backoff,
}

/// How their recording stands.
pub(super) enum State {
    Recording(Running),
    /// The storage takes nothing at the moment.
    Suspended,
    Failed {
        retry_at: Instant,
    },
}

/// A recording that runs.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) inbox: EventSender,
    pub(super) progress: watch::Receiver<RecordingProgress>,
    pub(super) since: Instant,
}

/// When a recording has become so long that another one takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turnover {
    /// After this long.
    pub after: Duration,
    /// When it has this many bytes, if that is a reason.
    pub bytes: Option<u64>,
}

/// What is to be done for one [`Live`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Start a recording.
    Start,
    /// Start one beside the other, which has become too long.
    Succeed,
    /// The successor has begun: the other one can end.
    HandOver,
}

impl Due {
    /// For the log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing is due",
            Self::Start => "trying to record again",
            Self::Succeed => "this recording has become long: the next one begins",
            Self::HandOver => "the next recording has begun: this one ends",
        }
    }
}

impl Running {
    fn is_too_long(&self, now: Instant, turnover: Turnover) -> bool {
        let written = self.progress.borrow().disk.written;
        now.saturating_duration_since(self.since) >= turnover.after
            || turnover.bytes.is_some_and(|most| written >= most)
    }

    fn has_begun(&self) -> bool {
        self.progress.borrow().disk.written > 0
    }
}

impl Live {
    pub(super) fn new(room: &str, track: Track, state: State) -> Self {
        Self {
            room: room.to_owned(),
            tracks: BTreeMap::from([(track.id.clone(), track)]),
            paused: BTreeSet::new(),
            state,
            successor: None,
            no_successor_before: None,
            retries: Backoff::new(RETRY, LONGEST_RETRY),
        }
    }

    /// What is to be done at `now`, as the storage may or may not be written.
    pub(super) fn due(&self, now: Instant, may_record: bool, turnover: Turnover) -> Due {
        match (&self.state, &self.successor) {
            (State::Failed { retry_at }, _) if may_record && *retry_at <= now => Due::Start,
            (State::Suspended, _) if may_record => Due::Start,
            (State::Recording(_), Some(next)) if next.has_begun() => Due::HandOver,
            (State::Recording(current), None)
                if current.is_too_long(now, turnover)
                    && self.no_successor_before.is_none_or(|at| at <= now) =>
            {
                Due::Succeed
            }
            _ => Due::Nothing,
        }
    }

    /// A recording was started for these tracks: it is told how things stand.
    pub(super) fn start(&mut self, running: Running, interrupted: Option<Interruption>) {
        self.state = State::Recording(running);
        self.introduce(interrupted);
    }

    /// The same for one that is to take over.
    pub(super) fn succeed(&mut self, running: Running, interrupted: Option<Interruption>) {
        self.introduce_to(&running.inbox, interrupted);
        self.successor = Some(running);
    }

    /// Lets the successor take over. Dropping the inbox of the other one seals it.
    pub(super) fn hand_over(&mut self) {
        if let Some(next) = self.successor.take() {
            self.state = State::Recording(next);
        }
    }

    /// What waits for the recording, and for the one that is to take over.
    pub(super) fn inboxes(&self) -> impl Iterator<Item = Buffer> {
        let current = match &self.state {
            State::Recording(running) => Some(running),
            State::Suspended | State::Failed { .. } => None,
        };
        let all = current.into_iter().chain(&self.successor);
        all.map(|running| running.inbox.buffer("inbox"))
    }

    /// Ends what is recorded: the storage takes nothing any more. True if anything was.
    pub(super) fn suspend(&mut self) -> bool {
        self.successor = None;
        let before = std::mem::replace(&mut self.state, State::Suspended);
        matches!(before, State::Recording(_))
    }

    /// The recording of this number is over, and nobody has asked for that.
    pub(super) fn ended(&mut self, number: u64, now: Instant) {
        if self
            .successor
            .as_ref()
            .is_some_and(|it| it.number == number)
        {
            self.successor = None;
            self.no_successor_before = Some(now + NEXT_TRY);
        }
        let State::Recording(current) = &self.state else {
            return;
        };
        if current.number == number {
            if now.saturating_duration_since(current.since) >= GOOD_RUN {
                self.retries.reset();
            }
            self.state = match self.successor.take() {
                Some(next) => State::Recording(next),
                None => self.failed(now),
            };
        }
    }

    fn failed(&mut self, now: Instant) -> State {
        State::Failed {
            retry_at: now + self.retries.next(fastrand::f64()),
        }
    }

    /// Tells a recording that has just started how things stand.
    pub(super) fn introduce(&self, interrupted: Option<Interruption>) {
        if let State::Recording(running) = &self.state {
            self.introduce_to(&running.inbox, interrupted);
        }
    }

    fn introduce_to(&self, inbox: &EventSender, interrupted: Option<Interruption>) {
        let tracks = self.tracks.values().flat_map(|track| {
            let id = &track.id;
            let held_back = self.paused.contains(id).then(|| RoomEvent::TrackPaused {
                id: id.clone(),
                paused: true,
            });
            std::iter::once(RoomEvent::TrackAdded(track.clone())).chain(held_back)
        });
        let interrupted = interrupted.map(|cause| RoomEvent::Interrupted { cause });
        for event in tracks.chain(interrupted) {
            // It is empty: there is room, or its task is over and is about to be taken note of.
            let _ = inbox.try_tell(event);
        }
    }

    /// A track was muted, or is so no longer.
    pub(super) fn mute(&mut self, id: TrackId, muted: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.muted = muted;
        }
        self.tell(RoomEvent::TrackMuted { id, muted });
    }

    /// The server holds a track back, or does so no longer.
    pub(super) fn pause(&mut self, id: TrackId, paused: bool) {
        if paused {
            self.paused.insert(id.clone());
        } else {
            self.paused.remove(&id);
        }
        self.tell(RoomEvent::TrackPaused { id, paused });
    }

    /// Gives a unit to the recording, which counts those that it has no room for. False when it
    /// has failed and nobody listens.
    pub(super) fn offer(&self, id: TrackId, unit: AccessUnit) -> bool {
        if let Some(next) = &self.successor {
            // Whether it listens shows when it is to take over.
            let _ = next.inbox.offer(id.clone(), unit.clone());
        }
        match &self.state {
            State::Recording(running) => running.inbox.offer(id, unit).is_ok(),
            State::Suspended | State::Failed { .. } => false,
        }
    }

    /// Tells the recording something, never waiting. False when it has failed and nobody listens.
    pub(super) fn tell(&mut self, event: RoomEvent) -> bool {
        if let Some(next) = &self.successor
            && matches!(next.inbox.try_tell(event.clone()), Ok(Delivery::Dropped))
        {
            self.successor = None;
        }
        let State::Recording(running) = &self.state else {
            return false;
        };
        match running.inbox.try_tell(event) {
            Ok(Delivery::Queued) => true,
            // Its task is over, and is about to be taken note of.
            Err(ReceiverGone) => false,
            Ok(Delivery::Dropped) => {
                self.give_up();
                false
            }
        }
    }

    /// The recording takes nothing any more: its disk hangs where it can't be left alone. It ends
    /// when it can; another one is tried.
    fn give_up(&mut self) {
        if let Some(track) = self.tracks.values().next() {
            tracing::error!(
                message_id = events::RECORDING_HANGS,
                room = self.room.as_str(),
                participant = track.participant.identity.as_str(),
                source = %track.source,
                "a recording hangs and is given up: check the disk"
            );
        }
        self.state = self.failed(Instant::now());
    }
}

#[cfg(test)]
mod tests;
