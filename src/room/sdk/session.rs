//! The one task that owns the SDK's room, for as long as we stay.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use livekit::e2ee::key_provider::{KeyProvider, KeyProviderOptions};
use livekit::e2ee::{E2eeOptions, EncryptionType};
use livekit::prelude::{
    RemoteParticipant, RemoteTrack, RemoteTrackPublication, Room, RoomEvent as Said, RoomOptions,
    TrackDimension,
};
use livekit_protocol as proto;
use tokio::sync::mpsc;

use super::drain::{Drain, Taker};
use super::ending::{Ending, ending};
use super::people::described;
use super::pictures::Pictures;
use super::quality::{Step, Wish, steps, wish};
use super::sound::Sound;
use super::{SdkSettings, translate};
use crate::room::livekit::layers::Asked;
use crate::room::livekit::publications::{Change, Given, Publications};
use crate::room::livekit::{Join, LiveKitError};
use crate::room::{
    EventSender, Interruption, Kind, ReceiverGone, RoomCommand, RoomEnd, RoomEvent, Sending, Track,
    TrackEnd, TrackId,
};

/// The loop's longest rest: who looks after us must see that it turns.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// How long leaving may take.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// Joins the room and delivers its events until it ends, the SDK gives it up, or the receiver of
/// `events` or the sender of `commands` is gone.
///
/// # Errors
/// When the room can't be joined, or the SDK has lost it for good.
pub async fn run(
    join: Join,
    settings: SdkSettings,
    events: EventSender,
    mut commands: mpsc::Receiver<RoomCommand>,
) -> Result<RoomEnd, LiveKitError> {
    let credentials = join.credentials.of_a_stay(fastrand::u32(..));
    let token = credentials.token_for(&join.room, SystemTime::now())?;
    let has_key = settings.shared_key.is_some();
    let (room, mut said) = Room::connect(&join.url, &token, options(&settings))
        .await
        .map_err(|error| translate::failed(&join.url, error))?;
    let own_sid = room.local_participant().sid().into();
    let given = Given::Decoded { has_key };
    let mut session = Session {
        room,
        name: join.room,
        publications: Publications::new(own_sid, join.selection, given, join.most_lines),
        most_lines: join.most_lines,
        sending: Sending::default(),
        settings,
        epoch: Instant::now(),
        events,
        sizes: HashMap::new(),
        tracks: HashMap::new(),
    };
    let end = session.stay(&mut said, &mut commands).await;
    session.leave().await;
    match end {
        Ok(Ending::Over(end)) => Ok(end),
        Ok(Ending::Lost) => Err(LiveKitError::Unreachable {
            url: join.url,
            reason: "LiveKit's SDK has given up the connection".to_owned(),
        }),
        Err(ReceiverGone) => Ok(RoomEnd::Left),
    }
}

/// Nothing is subscribed to that we didn't ask for. Never `adaptive_stream`: the SDK has none, and
/// the server then starts with the lowest layer.
fn options(settings: &SdkSettings) -> RoomOptions {
    let mut options = RoomOptions::default();
    options.auto_subscribe = false;
    options.adaptive_stream = false;
    options.dynacast = false;
    options.encryption = settings.shared_key.clone().map(|key| E2eeOptions {
        encryption_type: EncryptionType::Gcm,
        key_provider: KeyProvider::with_shared_key(KeyProviderOptions::default(), key),
    });
    options
}

struct Session {
    room: Room,
    name: String,
    publications: Publications,
    most_lines: Option<std::num::NonZeroU32>,
    sending: Sending,
    settings: SdkSettings,
    epoch: Instant,
    events: EventSender,
    /// How large pictures were when they were seen first: what is asked for takes the place of
    /// what is published (`update_video_dimensions`).
    sizes: HashMap<TrackId, (u32, u32)>,
    tracks: HashMap<TrackId, Running>,
}

/// A track that we asked for.
#[derive(Default)]
struct Running {
    drain: Option<Drain>,
    /// What takes its media while nothing comes.
    idle: Option<Taker>,
    wish: Option<Wish>,
}

impl Session {
    async fn stay(
        &mut self,
        said: &mut mpsc::UnboundedReceiver<Said>,
        commands: &mut mpsc::Receiver<RoomCommand>,
    ) -> Result<Ending, ReceiverGone> {
        let room_sid = self.room.maybe_sid().map_or_else(String::new, Into::into);
        let server = "livekit-server, by LiveKit's SDK".to_owned();
        self.events
            .tell(RoomEvent::Joined { room_sid, server })
            .await?;
        self.look(None).await?;
        let mut turn = tokio::time::interval(LONGEST_REST);
        loop {
            self.events.beat();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(RoomCommand::RequestKeyframe(id)) => self.want_keyframe(&id),
                    Some(RoomCommand::Send(sending)) => {
                        self.sending = sending;
                        let changes = self.publications.send(sending);
                        self.apply(changes).await?;
                        self.ask_all();
                    }
                    Some(RoomCommand::Leave) | None => return Ok(Ending::Over(RoomEnd::Left)),
                },
                event = said.recv() => {
                    let Some(event) = event else { return Ok(Ending::Lost) };
                    if let Some(ending) = self.hear(event).await? {
                        return Ok(ending);
                    }
                }
                _ = turn.tick() => {
                    let changes = self.publications.expire(Instant::now());
                    self.apply(changes).await?;
                }
            }
        }
    }

    async fn hear(&mut self, event: Said) -> Result<Option<Ending>, ReceiverGone> {
        match event {
            Said::TrackSubscribed {
                track, publication, ..
            } => self.subscribed(track, &publication).await,
            Said::TrackUnsubscribed { publication, .. } => {
                self.rest(&TrackId::new(&String::from(publication.sid())))
                    .await;
            }
            Said::ParticipantDisconnected(participant) => self.look(Some(&participant)).await?,
            Said::ParticipantConnected(_)
            | Said::TrackPublished { .. }
            | Said::TrackUnpublished { .. }
            | Said::TrackMuted { .. }
            | Said::TrackUnmuted { .. }
            | Said::ParticipantsUpdated { .. } => self.look(None).await?,
            Said::TrackSubscriptionFailed {
                error, track_sid, ..
            } => {
                let track = track_sid.as_str();
                tracing::warn!(room = self.name, track, %error, "subscription failed");
            }
            Said::E2eeStateChanged { participant, state } => {
                let identity = participant.identity().to_string();
                tracing::info!(room = self.name, identity, ?state, "end-to-end encryption");
            }
            Said::Reconnecting => {
                let cause = Interruption::Signalling;
                self.events.tell(RoomEvent::Interrupted { cause }).await?;
            }
            Said::Reconnected => {
                self.events.tell(RoomEvent::Resumed).await?;
                self.rejoin().await?;
            }
            Said::Disconnected { reason } => {
                tracing::info!(room = self.name, ?reason, "LiveKit's SDK has left");
                return Ok(Some(ending(reason)));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes who is there, and who has just left.
    async fn look(&mut self, gone: Option<&RemoteParticipant>) -> Result<(), ReceiverGone> {
        let infos = self.infos(gone);
        let changes = self.publications.update(&infos, Instant::now());
        self.apply(changes).await
    }

    async fn rejoin(&mut self) -> Result<(), ReceiverGone> {
        let infos = self.infos(None);
        let own_sid = self.room.local_participant().sid().into();
        let changes = self.publications.rejoin(own_sid, &infos, Instant::now());
        self.apply(changes).await
    }

    fn infos(&mut self, gone: Option<&RemoteParticipant>) -> Vec<proto::ParticipantInfo> {
        let sizes = &mut self.sizes;
        let mut size = |it: &RemoteTrackPublication| {
            let id = TrackId::new(it.sid().as_str());
            *sizes
                .entry(id)
                .or_insert_with(|| translate::size(it.dimension()))
        };
        let participants = self.room.remote_participants();
        let there = participants
            .values()
            .map(|it| described(&translate::person(it, false, &mut size)));
        let mut infos: Vec<_> = there.collect();
        infos.extend(gone.map(|it| described(&translate::person(it, true, |_| (0, 0)))));
        infos
    }

    fn publication(&self, id: &TrackId) -> Option<RemoteTrackPublication> {
        let participants = self.room.remote_participants();
        participants.values().find_map(|participant| {
            let publications = participant.track_publications();
            let mut all = publications.into_values();
            all.find(|it| it.sid().as_str() == id.as_str())
        })
    }

    async fn apply(&mut self, changes: Vec<Change>) -> Result<(), ReceiverGone> {
        for change in changes {
            match change {
                Change::Subscribe(track) => {
                    self.tracks.insert(track.id.clone(), Running::default());
                    self.set_subscribed(&track.id, true);
                    self.events.tell(RoomEvent::TrackAdded(track)).await?;
                }
                Change::Again(id) => self.set_subscribed(&id, true),
                Change::Held(id) => self.rest(&id).await,
                Change::Unsubscribe(id, end) => {
                    if end == TrackEnd::Unpublished {
                        self.set_subscribed(&id, false);
                    }
                    self.rest(&id).await;
                    self.tracks.remove(&id);
                    self.sizes.remove(&id);
                    let removed = RoomEvent::TrackRemoved { id, end };
                    self.events.tell(removed).await?;
                }
                Change::Ask(id, _) => self.ask(&id),
                Change::Muted(id, muted) => {
                    let muted = RoomEvent::TrackMuted { id, muted };
                    self.events.tell(muted).await?;
                }
                Change::Refused {
                    track: id,
                    identity,
                    source,
                    refusal,
                } => {
                    let refused = RoomEvent::TrackRefused {
                        id,
                        identity,
                        source,
                        refusal,
                    };
                    self.events.tell(refused).await?;
                }
            }
        }
        Ok(())
    }

    fn set_subscribed(&self, id: &TrackId, subscribed: bool) {
        if let Some(publication) = self.publication(id) {
            publication.set_subscribed(subscribed);
        }
    }

    /// A track's stream is there: from now on it is drained.
    async fn subscribed(&mut self, track: RemoteTrack, publication: &RemoteTrackPublication) {
        let id = TrackId::new(publication.sid().as_str());
        let Some(wanted) = self.publications.subscribed(&id).cloned() else {
            publication.set_subscribed(false);
            return;
        };
        self.rest(&id).await;
        let taker = self.taker(&wanted);
        let drain = match (track, taker) {
            (RemoteTrack::Video(track), Taker::Pictures(pictures)) => {
                Drain::pictures(track.rtc_track(), self.settings.queue_size_frames, pictures)
            }
            (RemoteTrack::Audio(track), Taker::Sound(sound)) => {
                Drain::sound(track.rtc_track(), sound)
            }
            // Announced as the one, sent as the other.
            _ => return,
        };
        let running = self.tracks.entry(id.clone()).or_default();
        running.drain = Some(drain);
        running.wish = None;
        self.ask(&id);
    }

    /// What takes the media of a track: what took it before, so that its times go on.
    fn taker(&mut self, track: &Track) -> Taker {
        let running = self.tracks.entry(track.id.clone()).or_default();
        if let Some(mut taker) = running.idle.take() {
            taker.restart();
            return taker;
        }
        let (id, events) = (track.id.clone(), self.events.clone());
        match track.source.kind() {
            Kind::Video => {
                let in_flight = self.settings.in_flight;
                Taker::Pictures(Box::new(Pictures::new(id, self.epoch, in_flight, events)))
            }
            Kind::Audio => Taker::Sound(Box::new(Sound::new(id, self.epoch, track.stereo, events))),
        }
    }

    /// Nothing comes of a track for now.
    async fn rest(&mut self, id: &TrackId) {
        let Some(running) = self.tracks.get_mut(id) else {
            return;
        };
        if let Some(drain) = running.drain.take() {
            running.idle = drain.stop().await;
        }
    }

    fn want_keyframe(&self, id: &TrackId) {
        let drain = self.tracks.get(id).and_then(|it| it.drain.as_ref());
        if let Some(wanted) = drain.and_then(|it| it.wanted.as_ref()) {
            wanted.store(true, Relaxed);
        }
    }

    fn ask_all(&mut self) {
        let all: Vec<TrackId> = self.tracks.keys().cloned().collect();
        for id in all {
            self.ask(&id);
        }
    }

    /// Asks for as much of a picture as is wanted, once it is subscribed to.
    fn ask(&mut self, id: &TrackId) {
        let Some(publication) = self.publication(id) else {
            return;
        };
        let size = self.sizes.get(id).copied().unwrap_or_default();
        let Some(running) = self.tracks.get_mut(id).filter(|it| it.drain.is_some()) else {
            return;
        };
        if self.publications.subscribed(id).map(|it| it.source.kind()) != Some(Kind::Video) {
            return;
        }
        let asked = self.publications.asked(id).unwrap_or(Asked::ALL);
        let lines = self.most_lines.into_iter().chain(self.sending.lines).min();
        let now = wish(asked, lines, publication.simulcasted(), size);
        for step in steps(running.wish.replace(now), now) {
            match step {
                Step::Enable(enabled) => publication.set_enabled(enabled),
                Step::Quality(quality) => {
                    publication.set_video_quality(translate::quality(quality));
                }
                Step::Size(width, height) => {
                    publication.update_video_dimensions(TrackDimension(width, height));
                }
            }
        }
    }

    async fn leave(&mut self) {
        let ids: Vec<TrackId> = self.tracks.keys().cloned().collect();
        for id in ids {
            self.rest(&id).await;
        }
        let left = tokio::time::timeout(LEAVE_DEADLINE, self.room.close()).await;
        if let Ok(Err(error)) = left {
            tracing::debug!(room = self.name, %error, "LiveKit's SDK did not leave cleanly");
        } else if left.is_err() {
            tracing::debug!(room = self.name, "LiveKit's SDK did not leave in time");
        }
    }
}
