//! The task of one room: sorts its tracks into recordings and gives each its units.
//!
//! It owns the recordings' inboxes and nothing of the media, and never waits for one of them: a
//! recording that fails or hangs doesn't touch the others of its room.
//!
//! A recording belongs to an identity, not to a stay in the room: who comes back under another
//! `sid`, their new tracks announced before the old ones end, is recorded on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::live::{Key, LONGEST_RETRY, Live, RETRY, State};
use crate::backoff::Backoff;
use crate::media::GraphSettings;
use crate::recorder::WriterSettings;
use crate::recorder::recording::{self, INBOX, RecordingSetup};
use crate::recorder::summary::{RecordingProgress, RecordingSummary};
use crate::room::{
    AccessUnit, EventReceiver, EventSender, Interruption, Refusals, RoomCommand, RoomEvent, Source,
    Track, TrackEnd, TrackId,
};

/// How often progress is put together.
const TICK: Duration = Duration::from_millis(500);

/// How a room is recorded.
#[derive(Debug, Clone)]
pub struct RoomSettings {
    /// Below which directory.
    pub root: PathBuf,
    /// The room's name.
    pub room: String,
    /// How each segment's graph works.
    pub graph: GraphSettings,
    /// How files are written, and how long segments are.
    pub writer: WriterSettings,
    /// A picture of another size starts a new segment.
    pub cut_on_resize: bool,
    /// The most bytes that an encoded picture or packet of sound may have.
    pub max_unit_bytes: usize,
    /// Gaps in picture or sound longer than this are warned of.
    pub warn_after: Duration,
    /// What to do about a recording that failed.
    pub on_failure: OnFailure,
}

/// What to do about a recording that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// End the room: somebody is watching.
    Stop,
    /// Try again after a while.
    Retry,
}

/// The recordings of a room at one moment.
#[derive(Debug, Clone, Default)]
pub struct RoomProgress {
    /// Participant, source and state of each.
    pub recordings: Vec<(String, Source, RecordingProgress)>,
}

/// What a whole stay in a room was about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomTotals {
    /// Tracks that were subscribed to; one that comes back, or in another codec, counts again.
    pub tracks: u64,
    /// Tracks that were asked for and not recorded.
    pub refused: Refusals,
}

/// Records the room whose events these are, until they end or `stop` is cancelled. Everything
/// is sealed on return; `finished` is given each recording when it is over.
///
/// With `stop`, the events' receiver is dropped first: the source leaves the room while the
/// recordings are sealed.
pub async fn follow(
    settings: RoomSettings,
    mut events: EventReceiver,
    commands: mpsc::Sender<RoomCommand>,
    stop: CancellationToken,
    progress: watch::Sender<RoomProgress>,
    mut finished: impl FnMut(RecordingSummary),
) -> RoomTotals {
    let mut room = Room {
        settings,
        commands,
        sid: String::new(),
        interrupted: None,
        keys: BTreeMap::new(),
        live: BTreeMap::new(),
        tasks: JoinSet::new(),
        started: 0,
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
                room.retry(Instant::now());
                progress.send_replace(room.progress());
            }
            Some(ended) = room.tasks.join_next() => {
                if room.ended(ended, &mut finished) && room.settings.on_failure == OnFailure::Stop {
                    break;
                }
            }
            () = stop.cancelled() => break,
        }
    }
    drop(events);
    room.live.clear();
    while let Some(ended) = room.tasks.join_next().await {
        room.ended(ended, &mut finished);
    }
    if room.unrecorded > 0 {
        tracing::warn!(
            room = room.settings.room.as_str(),
            units = room.unrecorded,
            "units came while their recording had failed"
        );
    }
    room.totals
}

struct Room {
    settings: RoomSettings,
    commands: mpsc::Sender<RoomCommand>,
    sid: String,
    /// What is broken between us and the room.
    interrupted: Option<Interruption>,
    keys: BTreeMap<TrackId, Key>,
    live: BTreeMap<Key, Live>,
    tasks: JoinSet<(Key, u64, RecordingSummary)>,
    started: u64,
    /// Units of tracks whose recording has failed.
    unrecorded: u64,
    totals: RoomTotals,
}

impl Room {
    fn take(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Joined { room_sid, server } => {
                tracing::info!(room = self.settings.room.as_str(), server, "joined");
                self.sid = room_sid;
            }
            RoomEvent::TrackAdded(track) => self.track_added(track),
            RoomEvent::TrackRefused {
                id,
                identity,
                source,
                refusal,
            } => {
                tracing::warn!(
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
                    room = self.settings.room.as_str(),
                    cause = cause.as_str(),
                    "connection interrupted"
                );
                self.interrupted = Some(cause);
                self.tell_all(&RoomEvent::Interrupted { cause });
            }
            RoomEvent::Resumed => {
                tracing::info!(room = self.settings.room.as_str(), "connection resumed");
                self.interrupted = None;
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
        let mut live = Live {
            tracks: BTreeMap::from([(track.id.clone(), track.clone())]),
            paused: BTreeSet::new(),
            state: self.start(&key, &track),
            retries: Backoff::new(RETRY, LONGEST_RETRY),
        };
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

    fn start(&mut self, key: &Key, track: &Track) -> State {
        let setup = RecordingSetup {
            root: self.settings.root.clone(),
            room: self.settings.room.clone(),
            room_sid: self.sid.clone(),
            participant: track.participant.clone(),
            source: track.source,
            graph: self.settings.graph,
            writer: self.settings.writer,
            cut_on_resize: self.settings.cut_on_resize,
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
        State::Recording {
            number,
            inbox,
            progress,
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
                    room = self.settings.room.as_str(),
                    "a recording's task died, please report this: {error}"
                );
                return true;
            }
        };
        if let Some(error) = &summary.error {
            tracing::error!(
                room = self.settings.room.as_str(),
                participant = summary.participant.as_str(),
                "recording failed: {error}"
            );
        }
        if let Some(live) = self.live.get_mut(&key)
            && matches!(live.state, State::Recording { number: current, .. } if current == number)
        {
            live.state = State::Failed {
                retry_at: Instant::now() + live.retries.next(fastrand::f64()),
            };
        }
        let failed = summary.error.is_some();
        finished(summary);
        failed
    }

    fn retry(&mut self, now: Instant) {
        let due: Vec<(Key, Track)> = self
            .live
            .iter()
            .filter(|(_, live)| matches!(live.state, State::Failed { retry_at } if retry_at <= now))
            .filter_map(|(key, live)| Some((key.clone(), live.tracks.values().next()?.clone())))
            .collect();
        for (key, first) in due {
            tracing::info!(
                room = self.settings.room.as_str(),
                participant = first.participant.identity.as_str(),
                "trying to record again"
            );
            let state = self.start(&key, &first);
            let interrupted = self.interrupted;
            if let Some(live) = self.live.get_mut(&key) {
                live.state = state;
                live.introduce(interrupted);
            }
        }
    }

    fn progress(&self) -> RoomProgress {
        let recordings = self.live.values().filter_map(|live| {
            let track = live.tracks.values().next()?;
            let State::Recording { progress, .. } = &live.state else {
                return None;
            };
            let progress = progress.borrow().clone();
            Some((track.participant.identity.clone(), track.source, progress))
        });
        RoomProgress {
            recordings: recordings.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::daemon::join;
    use crate::room::{COMMAND_QUEUE, Limit, Refusal};

    #[tokio::test]
    async fn refused_tracks_are_counted_by_reason() {
        let settings = join::room_settings(&Config::default(), "h", OnFailure::Stop);
        let (sender, events) = EventSender::channel();
        let (commands, _orders) = mpsc::channel(COMMAND_QUEUE);
        let (progress, _) = watch::channel(RoomProgress::default());
        for limit in [Limit::Tracks, Limit::Participants, Limit::Tracks] {
            let refused = RoomEvent::TrackRefused {
                id: TrackId::new("TR_1"),
                identity: "ann".to_owned(),
                source: Source::Camera,
                refusal: Refusal::Limit(limit),
            };
            sender.tell(refused).await.unwrap();
        }
        drop(sender);
        let stop = CancellationToken::new();
        let totals = follow(settings, events, commands, stop, progress, |_| {}).await;
        let refused = Refusals {
            max_participants: 1,
            max_tracks: 2,
            unrecordable: 0,
        };
        assert_eq!(totals, RoomTotals { tracks: 0, refused });
    }
}
