//! The one task that owns signalling, peer and sockets of a room, for as long as we stay.
//!
//! ```text
//!            offers, updates, leave              access units, track events
//! server ◄──────────────────────────► session ────────────────────────────► room's task
//!            answers, subscriptions    │  ▲  └── asks for keyframes ◄─────────┘
//!                                      │ peer (str0m) over UDP sockets, TCP where UDP finds no way
//!                              link, silence (pure): what to do when it breaks
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use livekit_signaling::{SignalClient, SignalEvent, SignalEvents};
use proto::signal_request::Message as Request;
use tokio::sync::mpsc;
use tokio::time::Instant as TokioInstant;

use super::datagram::Look;
use super::door::{Attempt, Door, Outcome};
use super::keyframes::KeyframeRequests;
use super::link::{Input, Link};
use super::peer::{Peer, PeerEvent};
use super::publications::{Given, Publications};
use super::silence::{Remedy, Silence};
use super::units::Units;
use super::{Credentials, LiveKitError};
use crate::room::sdk::SdkSettings;
use crate::room::{
    Codec, EventSender, ReceiverGone, RoomCommand, RoomEnd, RoomEvent, Selection, TrackId,
};

/// How long leaving may take.
const LEAVE_DEADLINE: Duration = Duration::from_millis(500);

/// A backlog is worked off at this many times the speed at which it came: what encodes sound on
/// its way to the files must keep up.
const MAKE_GOOD: u32 = 12;

/// The longest pause in that. Between two packets of a backlog may lie hours in which none came,
/// and meanwhile nobody here listens.
const LONGEST_BREATH: Duration = Duration::from_millis(500);

/// The timer's longest rest: who looks after us must see that the loop turns.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What to join, and as whom.
#[derive(Debug)]
pub struct Join {
    /// The server: `ws://`, `wss://`, `http://` or `https://`.
    pub url: String,
    /// The room's name.
    pub room: String,
    /// How to sign in.
    pub credentials: Credentials,
    /// What to subscribe to.
    pub selection: Selection,
    /// Codecs that can't be recorded on this machine, and why: their tracks are left out.
    pub unrecordable: BTreeMap<Codec, String>,
    /// Of a picture that comes in several sizes, the most lines.
    pub most_lines: Option<NonZeroU32>,
    /// Pictures that wait for a missing one before them at most.
    pub max_frames: u16,
    /// Bytes of a unit that is too large to be recorded: no more of it is put together.
    pub max_unit_bytes: usize,
    /// The room is joined by LiveKit's own SDK.
    pub sdk: Option<SdkSettings>,
}

/// Joins the room and delivers its events until it ends, or until the receiver of `events` or
/// the sender of `commands` is gone. Once joined, it stays: lost connections are made anew for as
/// long as it takes.
///
/// # Errors
/// When the room can't be joined the first time, or can't be joined again in a way that only
/// somebody's action helps (a refused or expired token).
pub async fn run(
    join: Join,
    events: EventSender,
    mut commands: mpsc::Receiver<RoomCommand>,
) -> Result<RoomEnd, LiveKitError> {
    let door = Door::new(join.url, join.room, join.max_frames, join.credentials);
    let entered = door.connect(None).await?;
    let now = Instant::now();
    let mut session = Session {
        link: Link::joined(now),
        door,
        client: entered.client,
        signals: Some(entered.signals),
        peer: Some(entered.peer),
        attempt: None,
        stuck: false,
        publications: Publications::new(
            own_sid(&entered.response),
            join.selection,
            Given::AsSent(join.unrecordable),
            join.most_lines,
        ),
        answer: None,
        silence: Silence::default(),
        units: Units::new(now, join.max_unit_bytes, events.clone()),
        events,
        keyframes: KeyframeRequests::default(),
    };
    let end = session.stay(&entered.response, &mut commands).await;
    session.leave().await;
    match end {
        Ok(end) => Ok(end),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::ReceiverGone) => Ok(RoomEnd::Left),
    }
}

/// Why the loop stops early.
pub(super) enum Stop {
    Failed(LiveKitError),
    ReceiverGone,
}

impl From<ReceiverGone> for Stop {
    fn from(_: ReceiverGone) -> Self {
        Self::ReceiverGone
    }
}

pub(super) struct Session {
    pub(super) link: Link,
    pub(super) door: Door,
    pub(super) client: Arc<SignalClient>,
    /// What the server says; nothing while everything is being connected anew.
    pub(super) signals: Option<SignalEvents>,
    /// Nothing once it failed, until there is another one.
    pub(super) peer: Option<Box<Peer>>,
    pub(super) attempt: Option<Attempt>,
    /// Signalling did not take a message in time.
    pub(super) stuck: bool,
    pub(super) publications: Publications,
    /// Our last answer to an offer.
    pub(super) answer: Option<proto::SessionDescription>,
    pub(super) silence: Silence,
    pub(super) units: Units,
    pub(super) events: EventSender,
    pub(super) keyframes: KeyframeRequests,
}

/// What the loop waits for.
enum Happened {
    Tried(Outcome),
    Command(Option<RoomCommand>),
    Signal(Option<SignalEvent>),
    Due,
    Packets,
}

impl Session {
    async fn stay(
        &mut self,
        response: &proto::JoinResponse,
        commands: &mut mpsc::Receiver<RoomCommand>,
    ) -> Result<RoomEnd, Stop> {
        self.events.tell(joined(response)).await?;
        self.update(&response.other_participants).await?;
        let mut heard = Vec::new();
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        loop {
            self.events.beat();
            let deadline = TokioInstant::from_std(self.deadline());
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            // In this order: what a resumed session says must not overtake the resume.
            let happened = tokio::select! {
                biased;
                outcome = finished(&mut self.attempt) => Happened::Tried(outcome),
                command = commands.recv() => Happened::Command(command),
                signal = next(&mut self.signals) => Happened::Signal(signal),
                () = &mut timer => Happened::Due,
                () = readable(self.peer.as_deref_mut()) => Happened::Packets,
            };
            let mut ended = self.take(happened, &mut heard).await?;
            for event in heard.drain(..) {
                ended = match event {
                    PeerEvent::Media(track, data) => {
                        self.media(track, &data).await?;
                        None
                    }
                    PeerEvent::Candidate(candidate) => {
                        self.offer_candidate(candidate).await;
                        None
                    }
                    PeerEvent::Moved => self.happen(Input::PathLost).await?,
                    PeerEvent::Up => self.happen(Input::MediaUp).await?,
                    PeerEvent::Lost => self.happen(Input::MediaLost).await?,
                }
                .or(ended);
            }
            if std::mem::take(&mut self.stuck) {
                tracing::warn!(room = self.door.room(), "signalling takes no messages");
                ended = self.happen(Input::SignalLost).await?.or(ended);
            }
            if let Some(end) = ended {
                return Ok(end);
            }
            if let Some(gone_by) = self.peer.as_ref().and_then(|peer| peer.made_good()) {
                // What was taken finds its way to the files before more is: the queues on it hold
                // a moment of media, and this is seconds of it at once.
                tokio::time::sleep(breath(gone_by)).await;
            } else {
                self.units.expire(Instant::now())?;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let silence = self.silence.deadline().filter(|_| self.link.is_live());
        let peer = self.peer.as_deref().map(Peer::deadline);
        [
            self.link.deadline(),
            silence,
            peer,
            self.units.deadline(),
            self.publications.deadline(),
        ]
        .into_iter()
        .flatten()
        .fold(Instant::now() + LONGEST_REST, Instant::min)
    }

    async fn take(
        &mut self,
        happened: Happened,
        heard: &mut Vec<PeerEvent>,
    ) -> Result<Option<RoomEnd>, Stop> {
        let mut ended = None;
        match happened {
            Happened::Packets => {}
            Happened::Tried(outcome) => ended = self.tried(outcome).await?,
            Happened::Command(Some(RoomCommand::RequestKeyframe(track))) => {
                self.request_keyframe(&track, Instant::now());
            }
            Happened::Command(Some(RoomCommand::Send(sending))) => {
                let changes = self.publications.send(sending);
                self.apply(changes).await?;
            }
            Happened::Command(Some(RoomCommand::Leave) | None) => return Ok(Some(RoomEnd::Left)),
            Happened::Signal(Some(SignalEvent::Message(message))) => {
                ended = self.obey(*message).await?;
            }
            Happened::Signal(Some(SignalEvent::Close(reason))) => {
                tracing::info!(room = self.door.room(), %reason, "signalling closed");
                ended = self.happen(Input::SignalLost).await?;
            }
            Happened::Signal(None) => {
                self.signals = None;
                ended = self.happen(Input::SignalLost).await?;
            }
            Happened::Due => ended = self.due(Instant::now()).await?,
        }
        // Packets are to be taken; an answer, a candidate or a request gives it something to say.
        if let Some(peer) = &mut self.peer {
            let ticked = peer.tick(Look::now(), heard);
            ended = self.peer_did(ticked).await?.or(ended);
        }
        Ok(ended)
    }

    /// A media stack that failed is not asked again.
    pub(super) async fn peer_did(
        &mut self,
        done: Result<(), LiveKitError>,
    ) -> Result<Option<RoomEnd>, Stop> {
        let Err(error) = done else {
            return Ok(None);
        };
        let room = self.door.room();
        tracing::warn!(
            room,
            error = &error as &dyn std::error::Error,
            "the media connection failed"
        );
        self.peer = None;
        self.happen(Input::MediaLost).await
    }

    async fn due(&mut self, now: Instant) -> Result<Option<RoomEnd>, Stop> {
        let mut ended = self.happen(Input::Timer).await?;
        let changes = self.publications.expire(now);
        self.apply(changes).await?;
        if !self.link.is_live() {
            return Ok(ended);
        }
        for remedy in self.silence.check(now) {
            match remedy {
                Remedy::Resubscribe(id) => self.resubscribe(&id).await?,
                Remedy::Rebuild => {
                    tracing::warn!(room = self.door.room(), "no media comes, connecting anew");
                    ended = self.happen(Input::MediaSilent).await?.or(ended);
                }
            }
        }
        Ok(ended)
    }

    fn request_keyframe(&mut self, track: &TrackId, now: Instant) {
        if let Some(peer) = &mut self.peer
            && self.keyframes.needed(track, now)
        {
            peer.request_keyframe(track);
        }
    }

    async fn leave(&mut self) {
        // A resume holds the client, which could take no goodbye.
        self.attempt = None;
        let goodbye = async {
            let reason = proto::DisconnectReason::ClientInitiated.into();
            self.client
                .send(Request::Leave(proto::LeaveRequest {
                    reason,
                    ..Default::default()
                }))
                .await;
            self.client.close().await;
        };
        if tokio::time::timeout(LEAVE_DEADLINE, goodbye).await.is_err() {
            tracing::debug!("the server did not take our goodbye in time");
        }
        if let Some(peer) = self.peer.take() {
            part(peer);
        }
        let counts = self.units.counts();
        tracing::debug!(
            room = self.door.room(),
            units_dropped = counts.dropped,
            fillers = counts.fillers,
            torn_pictures = counts.torn,
            "left the room"
        );
    }
}

/// How long to let packets that took `gone_by` to come find their way.
fn breath(gone_by: Duration) -> Duration {
    (gone_by / MAKE_GOOD).min(LONGEST_BREATH)
}

/// Closes a media connection, and says what came over it and was of no use.
pub(super) fn part(mut peer: Box<Peer>) {
    peer.close();
    let counts = peer.counts();
    tracing::debug!(
        foreign_datagrams = counts.foreign_datagrams,
        unnamed_units = counts.unnamed_units,
        ignored_messages = counts.ignored_messages,
        bad_candidates = counts.bad_candidates,
        oversized_packets = peer.oversized(),
        unsent_packets = peer.unsent(),
        "media connection closed"
    );
}

pub(super) fn own_sid(response: &proto::JoinResponse) -> String {
    let own = response.participant.as_ref();
    own.map_or_else(String::new, |participant| participant.sid.clone())
}

fn joined(response: &proto::JoinResponse) -> RoomEvent {
    let server = response.server_info.as_ref();
    let room = response.room.as_ref();
    RoomEvent::Joined {
        room_sid: room.map_or_else(String::new, |room| room.sid.clone()),
        server: server.map_or_else(String::new, |s| format!("livekit-server {}", s.version)),
    }
}

async fn readable(peer: Option<&mut Peer>) {
    match peer {
        Some(peer) => peer.readable().await,
        None => std::future::pending().await,
    }
}

async fn next(signals: &mut Option<SignalEvents>) -> Option<SignalEvent> {
    match signals {
        Some(signals) => signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits for the try that is on its way, and takes it off.
async fn finished(attempt: &mut Option<Attempt>) -> Outcome {
    let outcome = match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    };
    *attempt = None;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_with_hours_in_it_is_worked_off_at_once() {
        assert_eq!(
            breath(Duration::from_millis(600)),
            Duration::from_millis(50)
        );
        assert_eq!(breath(Duration::from_hours(3)), LONGEST_BREATH);
    }
}
