//! The task of one room: sorts its tracks into recordings and gives each its units.
//!
//! It owns the recordings' inboxes and nothing of the media, and never waits for one of them: a
//! recording that fails or hangs doesn't touch the others of its room.
//!
//! A recording belongs to an identity, not to a stay in the room: who comes back under another
//! `sid`, their new tracks announced before the old ones end, is recorded on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::live::{Due, Key, Live, Running, State};
use super::settings::{OnFailure, Presence, RoomProgress, RoomSettings, RoomTotals};
use crate::events;
use crate::recorder::recording::{self, INBOX, RecordingSetup};
use crate::recorder::summary::{RecordingProgress, RecordingSummary};
use crate::room::{
    AccessUnit, EventReceiver, EventSender, Interruption, Kind, RoomCommand, RoomEvent, Sending,
    Track, TrackEnd, TrackId,
};

/// How often progress is put together.
const TICK: Duration = Duration::from_millis(500);

/// Records the room whose events these are, until they end or `stop` is cancelled. Everything
/// is sealed on return; `finished` is given each recording when it is over.
///
/// With `stop`, nothing more is taken at once; the source is told to leave the room, by the events'
/// receiver that is dropped, when everything is sealed.
pub async fn follow(
    settings: RoomSettings,
    mut events: EventReceiver,
    commands: mpsc::Sender<RoomCommand>,
    stop: CancellationToken,
    progress: watch::Sender<RoomProgress>,
    mut finished: impl FnMut(RecordingSummary),
) -> RoomTotals {
    let mut storage = Some(settings.storage.clone());
    let mut orders = Some(settings.orders.clone());
    let mut room = Room {
        settings,
        commands,
        sid: String::new(),
        sending: Sending::default(),
        interrupted: None,
        presence: None,
        keys: BTreeMap::new(),
        live: BTreeMap::new(),
        tasks: JoinSet::new(),
        started: 0,
        turns: 0,
        stopping: false,
        unrecorded: 0,
        totals: RoomTotals::default(),
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => room.take(event),
                None => break,
            },
            _ = tick.tick() => {
                room.attend(Instant::now());
                progress.send_replace(room.progress(&events));
            }
            Some(ended) = room.tasks.join_next() => {
                if room.ended(ended, &mut finished) && room.settings.on_failure == OnFailure::Stop {
                    break;
                }
            }
            known = changed(&mut storage) => {
                if !known {
                    storage = None;
                } else if !room.heed_storage() && room.settings.on_failure == OnFailure::Stop {
                    break;
                }
            }
            known = changed(&mut orders) => {
                if known {
                    room.have_sent();
                } else {
                    orders = None;
                }
            }
            () = stop.cancelled() => break,
        }
    }
    // Nothing more is recorded. We stay until everything is sealed: what still comes is let go.
    room.live.clear();
    room.stopping = true;
    let mut open = true;
    loop {
        tokio::select! {
            ended = room.tasks.join_next() => match ended {
                Some(ended) => {
                    room.ended(ended, &mut finished);
                }
                None => break,
            },
            event = events.recv(), if open => open = event.is_some(),
            _ = tick.tick() => {
                progress.send_replace(room.progress(&events));
            }
        }
    }
    drop(events);
    if room.unrecorded > 0 {
        tracing::warn!(
            room = room.settings.room.as_str(),
            units = room.unrecorded,
            "units came while there was no recording of them: it had failed, or paused"
        );
    }
    room.totals
}

/// Waits for news of the storage, or of the governor; for ever when nobody looks after it any more,
/// which is told once, as false.
async fn changed<T>(news: &mut Option<watch::Receiver<T>>) -> bool {
    match news {
        Some(news) => news.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

struct Room {
    settings: RoomSettings,
    commands: mpsc::Sender<RoomCommand>,
    sid: String,
    /// What the server was asked to send.
    sending: Sending,
    /// What is broken between us and the room.
    interrupted: Option<Interruption>,
    /// Whether we are in it, for who asks.
    presence: Option<Presence>,
    keys: BTreeMap<TrackId, Key>,
    live: BTreeMap<Key, Live>,
    tasks: JoinSet<(Key, u64, RecordingSummary)>,
    started: u64,
    /// How often we have looked around.
    turns: u64,
    /// Nothing more is recorded.
    stopping: bool,
    /// Units of tracks whose recording has failed.
    unrecorded: u64,
    totals: RoomTotals,
}

impl Room {
    fn take(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Joined { room_sid, server } => {
                tracing::info!(
                    message_id = events::JOINED,
                    room = self.settings.room.as_str(),
                    server,
                    "joined"
                );
                self.sid = room_sid;
                self.presence = Some(Presence::begin());
            }
            RoomEvent::TrackAdded(track) => self.track_added(track),
            RoomEvent::TrackRefused {
                id,
                identity,
                source,
                refusal,
            } => {
                tracing::warn!(
                    message_id = events::TRACK_REFUSED,
                    room = self.settings.room.as_str(),
                    participant = identity.as_str(),
                    track = id.as_str(),
                    source = source.as_str(),
                    reason = refusal.as_str(),
                    "track not recorded: {refusal}"
                );
                self.totals.refused.add(&refusal);
            }
            RoomEvent::TrackMuted { id, muted } => {
                if let Some(live) = self.live_of(&id) {
                    live.mute(id, muted);
                }
            }
            RoomEvent::TrackPaused { id, paused } => {
                tracing::info!(
                    room = self.settings.room.as_str(),
                    track = id.as_str(),
                    paused,
                    "the server holds the track back or lets it go"
                );
                if let Some(live) = self.live_of(&id) {
                    live.pause(id, paused);
                }
            }
            RoomEvent::TrackRemoved { id, end } => {
                tracing::info!(
                    room = self.settings.room.as_str(),
                    track = id.as_str(),
                    ?end,
                    "track ended"
                );
                self.track_removed(id, end);
            }
            RoomEvent::Interrupted { cause } => {
                tracing::warn!(
                    message_id = events::INTERRUPTED,
                    room = self.settings.room.as_str(),
                    reason = cause.as_str(),
                    "connection interrupted"
                );
                self.interrupted = Some(cause);
                self.presence = Some(Presence::interrupted());
                self.tell_all(&RoomEvent::Interrupted { cause });
            }
            RoomEvent::Resumed => {
                tracing::info!(
                    message_id = events::RESUMED,
                    room = self.settings.room.as_str(),
                    "connection resumed"
                );
                self.interrupted = None;
                self.presence = Some(Presence::begin());
                self.tell_all(&RoomEvent::Resumed);
            }
            RoomEvent::Media { id, unit } => self.media(id, unit),
            RoomEvent::UnitsDropped { id, units } => {
                let event = RoomEvent::UnitsDropped {
                    id: id.clone(),
                    units,
                };
                if !self.live_of(&id).is_some_and(|live| live.tell(event)) {
                    self.unrecorded += units;
                }
            }
        }
    }

    fn media(&mut self, id: TrackId, unit: AccessUnit) {
        let taken = self.live_of(&id).is_some_and(|live| live.offer(id, unit));
        self.unrecorded += u64::from(!taken);
    }

    fn track_added(&mut self, track: Track) {
        tracing::info!(
            room = self.settings.room.as_str(),
            participant = track.participant.identity.as_str(),
            track = track.id.as_str(),
            source = %track.source,
            codec = %track.codec,
            muted = track.muted,
            "track added"
        );
        self.totals.tracks += 1;
        let key = Key::of(&track);
        self.keys.insert(track.id.clone(), key.clone());
        if let Some(live) = self.live.get_mut(&key) {
            live.tracks.insert(track.id.clone(), track.clone());
            live.tell(RoomEvent::TrackAdded(track));
            return;
        }
        let state = if self.may_record() {
            State::Recording(self.start(&key, &track))
        } else {
            State::Suspended
        };
        let live = Live::new(&self.settings.room, track, state);
        live.introduce(self.interrupted);
        self.live.insert(key, live);
    }

    fn track_removed(&mut self, id: TrackId, end: TrackEnd) {
        let Some(key) = self.keys.remove(&id) else {
            return;
        };
        let Some(live) = self.live.get_mut(&key) else {
            return;
        };
        live.tracks.remove(&id);
        live.paused.remove(&id);
        // Also for the last track: what was dropped of it is told with its end.
        live.tell(RoomEvent::TrackRemoved { id, end });
        if live.tracks.is_empty() {
            // Dropping its inbox seals the recording.
            self.live.remove(&key);
        }
    }

    fn tell_all(&mut self, event: &RoomEvent) {
        for live in self.live.values_mut() {
            live.tell(event.clone());
        }
    }

    fn live_of(&mut self, id: &TrackId) -> Option<&mut Live> {
        self.live.get_mut(self.keys.get(id)?)
    }

    fn start(&mut self, key: &Key, track: &Track) -> Running {
        let setup = RecordingSetup {
            root: self.settings.root.clone(),
            mounted: self.settings.storage.borrow().mounted,
            room: self.settings.room.clone(),
            room_sid: self.sid.clone(),
            participant: track.participant.clone(),
            source: track.source,
            graph: self.settings.graph,
            writer: self.settings.writer,
            cut_on_resize: self.settings.cut_on_resize,
            equipment: self.settings.equipment.clone(),
            orders: self.settings.orders.clone(),
            door: self.settings.door.clone(),
            max_unit_bytes: self.settings.max_unit_bytes,
            warn_after: self.settings.warn_after,
        };
        let (inbox, receiver) = EventSender::bounded(INBOX);
        let (sender, progress) = watch::channel(RecordingProgress::default());
        let (key, commands) = (key.clone(), self.commands.clone());
        self.started += 1;
        let number = self.started;
        self.tasks.spawn(async move {
            (
                key,
                number,
                recording::run(setup, receiver, commands, sender).await,
            )
        });
        Running {
            number,
            inbox,
            progress,
            since: Instant::now(),
        }
    }

    /// Takes a recording that is over; true when it failed.
    fn ended(
        &mut self,
        ended: Result<(Key, u64, RecordingSummary), tokio::task::JoinError>,
        finished: &mut impl FnMut(RecordingSummary),
    ) -> bool {
        let (key, number, summary) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(
                    message_id = events::DIED,
                    room = self.settings.room.as_str(),
                    "a recording's task died, please report this: {error}"
                );
                return true;
            }
        };
        if let Some(error) = &summary.error {
            tracing::error!(
                message_id = events::RECORDING_FAILED,
                room = self.settings.room.as_str(),
                participant = summary.participant.as_str(),
                "recording failed: {error}"
            );
        }
        if let Some(live) = self.live.get_mut(&key) {
            live.ended(number, Instant::now());
        }
        let failed = summary.error.is_some();
        finished(summary);
        failed
    }

    fn may_record(&self) -> bool {
        self.settings.storage.borrow().state.may_record()
    }

    /// Ends what is recorded when the storage takes nothing any more, and begins again when it
    /// does. False when it does not.
    fn heed_storage(&mut self) -> bool {
        let state = self.settings.storage.borrow().state.clone();
        if state.may_record() {
            self.attend(Instant::now());
            return true;
        }
        let mut recording = 0;
        for live in self.live.values_mut() {
            recording += u64::from(live.suspend());
        }
        if recording > 0 {
            tracing::error!(
                message_id = events::STORAGE_PAUSED,
                room = self.settings.room.as_str(),
                recordings = recording,
                reason = state.as_str(),
                "recording pauses: {state}"
            );
        }
        self.totals.storage = Some(state);
        false
    }

    /// Has the server send what the governor says. A full queue is tried again.
    fn have_sent(&mut self) {
        let sending = self.settings.orders.borrow().level().sending();
        if sending != self.sending && self.commands.try_send(RoomCommand::Send(sending)).is_ok() {
            self.sending = sending;
        }
    }

    /// Starts and ends what is due.
    fn attend(&mut self, now: Instant) {
        self.have_sent();
        let (may_record, turnover) = (self.may_record(), self.settings.turnover);
        let due: Vec<(Key, Due)> = self
            .live
            .iter()
            .map(|(key, live)| (key.clone(), live.due(now, may_record, turnover)))
            .filter(|(_, due)| *due != Due::Nothing)
            .collect();
        for (key, due) in due {
            self.attend_to(&key, due);
        }
    }

    fn attend_to(&mut self, key: &Key, due: Due) {
        let first = |live: &Live| live.tracks.values().next().cloned();
        let Some(track) = self.live.get(key).and_then(first) else {
            return;
        };
        tracing::info!(
            room = self.settings.room.as_str(),
            participant = track.participant.identity.as_str(),
            source = %track.source,
            "{}",
            due.as_str()
        );
        let begins = matches!(due, Due::Start | Due::Succeed);
        let running = begins.then(|| self.start(key, &track));
        let Some(live) = self.live.get_mut(key) else {
            return;
        };
        match (due, running) {
            (Due::Start, Some(running)) => live.start(running, self.interrupted),
            (Due::Succeed, Some(running)) => live.succeed(running, self.interrupted),
            (Due::HandOver, _) => live.hand_over(),
            _ => {}
        }
    }

    fn progress(&mut self, events: &EventReceiver) -> RoomProgress {
        self.turns = self.turns.wrapping_add(1);
        let recordings = self.live.values().filter_map(|live| {
            // With a picture it is known by that, whichever of the two came first.
            let tracks = live.tracks.values();
            let track = tracks.min_by_key(|it| it.source.kind() == Kind::Audio)?;
            let State::Recording(running) = &live.state else {
                return None;
            };
            let progress = running.progress.borrow().clone();
            Some((track.participant.identity.clone(), track.source, progress))
        });
        let inboxes = self.live.values().flat_map(Live::inboxes);
        RoomProgress {
            presence: self.presence,
            turns: self.turns,
            source_beats: events.beats(),
            open: self.tasks.len(),
            stopping: self.stopping,
            recordings: recordings.collect(),
            buffers: inboxes.chain([events.buffer("room-events")]).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
