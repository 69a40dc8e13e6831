//! The one task that owns signalling, peer and sockets of a room.
//!
//! ```text
//!            offers, updates, leave              access units, track events
//! server ◄──────────────────────────► session ────────────────────────────► room's task
//!            answers, subscriptions      ▲  └── asks for keyframes ◄──────────┘
//!                                       peer (str0m) over UDP sockets
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use livekit_protocol as proto;
use livekit_signaling::{SignalClient, SignalEvent, SignalEvents};
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::media::MediaData;
use tokio::sync::mpsc;
use tokio::time::Instant as TokioInstant;

use super::datagram::Look;
use super::filler::is_filler;
use super::peer::{Peer, PeerEvent};
use super::publications::{Change, Publications};
use super::signalling::{CandidateInit, end_of, is_on_this_machine, signal_options};
use super::timeline::{Placed, SenderReport, Timeline};
use super::{Credentials, LiveKitError};
use crate::room::{
    AccessUnit, Codec, Delivery, EventSender, Kind, ReceiverGone, RoomCommand, RoomEnd, RoomEvent,
    Selection, TrackEnd, TrackId,
};

/// Keyframe requests of one track are at least this far apart.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// A signalling message that is not taken in this time means a dead connection.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(2);

/// How late libwebrtc's reports put sound. They pair the stamp of a packet's first sample with
/// the moment at which the packet was sent (`modules/rtp_rtcp/source/rtcp_sender.cc`: sound comes
/// without a capture time), one packet of 20 ms later; pictures
/// are paired with their capture. Measured as 22 ms against arrival. All of LiveKit's own
/// publishers, browsers included, are libwebrtc.
const AUDIO_REPORT_LATE: Duration = Duration::from_millis(20);

/// How long the server may take to say why it closed the media connection. When a room is
/// deleted, the two arrive in any order.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long leaving may take.
const LEAVE_DEADLINE: Duration = Duration::from_millis(500);

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
}

/// Joins the room and delivers its events until it ends, or until the receiver of `events` or
/// the sender of `commands` is gone.
///
/// # Errors
/// When the room can't be joined, or the connection breaks in a way that is no end of the room.
pub async fn run(
    join: Join,
    events: EventSender,
    mut commands: mpsc::Receiver<RoomCommand>,
) -> Result<RoomEnd, LiveKitError> {
    let token = join.credentials.token_for(&join.room, SystemTime::now())?;
    let (client, response, mut signals) =
        SignalClient::connect(&join.url, &token, signal_options(), None)
            .await
            .map_err(|error| LiveKitError::from_signal(&join.url, error))?;
    let now = Instant::now();
    let own_sid = response
        .participant
        .as_ref()
        .map_or_else(String::new, |p| p.sid.clone());
    let mut session = Session {
        peer: Peer::open(is_on_this_machine(&join.url).await, now)?,
        url: join.url,
        client,
        publications: Publications::new(own_sid, join.selection, join.unrecordable),
        timeline: Timeline::new(now),
        events,
        interrupted: HashSet::new(),
        keyframe_asked: HashMap::new(),
        units_dropped: 0,
        fillers: 0,
    };
    let end = session
        .join_and_follow(&response, &mut signals, &mut commands)
        .await;
    session.leave().await;
    match end {
        Ok(end) => Ok(end),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::ReceiverGone) => Ok(RoomEnd::Left),
    }
}

/// Why the loop stops early.
enum Stop {
    Failed(LiveKitError),
    ReceiverGone,
}

impl From<LiveKitError> for Stop {
    fn from(error: LiveKitError) -> Self {
        Self::Failed(error)
    }
}

impl From<ReceiverGone> for Stop {
    fn from(_: ReceiverGone) -> Self {
        Self::ReceiverGone
    }
}

struct Session {
    url: String,
    client: SignalClient,
    publications: Publications,
    peer: Peer,
    timeline: Timeline,
    events: EventSender,
    /// Tracks of which a unit was dropped here: their next unit does not join on.
    interrupted: HashSet<TrackId>,
    keyframe_asked: HashMap<TrackId, Instant>,
    units_dropped: u64,
    /// Pictures that the server made up.
    fillers: u64,
}

impl Session {
    async fn join_and_follow(
        &mut self,
        response: &proto::JoinResponse,
        signals: &mut SignalEvents,
        commands: &mut mpsc::Receiver<RoomCommand>,
    ) -> Result<RoomEnd, Stop> {
        let server = response.server_info.as_ref();
        let joined = RoomEvent::Joined {
            room_sid: response
                .room
                .as_ref()
                .map_or_else(String::new, |room| room.sid.clone()),
            server: server.map_or_else(String::new, |s| format!("livekit-server {}", s.version)),
        };
        self.events.tell(joined).await?;
        self.update(&response.other_participants).await?;
        self.follow(signals, commands).await
    }

    async fn follow(
        &mut self,
        signals: &mut SignalEvents,
        commands: &mut mpsc::Receiver<RoomCommand>,
    ) -> Result<RoomEnd, Stop> {
        let mut heard = Vec::new();
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        loop {
            let deadline = TokioInstant::from_std(self.peer.deadline());
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            tokio::select! {
                () = self.peer.readable() => self.peer.receive(Look::now(), &mut heard)?,
                () = &mut timer => {
                    let look = Look::now();
                    self.peer.receive(look, &mut heard)?;
                    self.peer.tick(look.now, &mut heard)?;
                }
                signal = signals.recv() => match signal {
                    Some(SignalEvent::Message(message)) => {
                        if let Some(end) = self.obey(*message).await? {
                            return Ok(end);
                        }
                        // An answer or a candidate gives the peer something to say.
                        self.peer.tick(Instant::now(), &mut heard)?;
                    }
                    Some(SignalEvent::Close(reason)) => {
                        tracing::warn!(%reason, "signalling closed");
                        return Ok(RoomEnd::SignalLost);
                    }
                    None => return Ok(RoomEnd::SignalLost),
                },
                command = commands.recv() => match command {
                    Some(RoomCommand::RequestKeyframe(track)) => {
                        self.request_keyframe(track, Instant::now());
                        self.peer.tick(Instant::now(), &mut heard)?;
                    }
                    Some(RoomCommand::Leave) | None => return Ok(RoomEnd::Left),
                },
            }
            for event in heard.drain(..) {
                match event {
                    PeerEvent::Media(track, data) => self.media(track, &data).await?,
                    PeerEvent::Lost => return Ok(last_word(signals).await),
                }
            }
        }
    }

    /// Does what a message of the server asks for; gives the end of the room when it is one.
    async fn obey(&mut self, message: Response) -> Result<Option<RoomEnd>, Stop> {
        match message {
            Response::Offer(offer) => {
                let sdp = self.peer.answer(&offer.sdp, &offer.mid_to_track_id)?;
                let answer = proto::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp,
                    id: offer.id,
                    ..Default::default()
                };
                self.send(Request::Answer(answer)).await?;
            }
            Response::Trickle(trickle) if trickle.target() == proto::SignalTarget::Subscriber => {
                let init: CandidateInit =
                    serde_json::from_str(&trickle.candidate_init).map_err(|error| {
                        LiveKitError::Protocol {
                            what: "candidate",
                            reason: error.to_string(),
                        }
                    })?;
                // An empty candidate says that there are no more.
                if !init.candidate.is_empty() {
                    self.peer.add_candidate(&init.candidate);
                }
            }
            Response::Update(update) => self.update(&update.participants).await?,
            Response::Leave(leave) => {
                tracing::info!(reason = ?leave.reason(), action = ?leave.action(), "told to leave");
                return Ok(Some(end_of(&leave)));
            }
            Response::SubscriptionResponse(refusal) => {
                tracing::warn!(track = refusal.track_sid.as_str(), reason = ?refusal.err(), "subscription refused");
            }
            Response::SubscriptionPermissionUpdate(permission) if !permission.allowed => {
                tracing::warn!(
                    track = permission.track_sid.as_str(),
                    "the publisher does not let this track be recorded (track permissions)"
                );
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes what changed of the participants and asks for what is now wanted.
    async fn update(&mut self, participants: &[proto::ParticipantInfo]) -> Result<(), Stop> {
        for change in self.publications.update(participants) {
            match change {
                Change::Subscribe(track) => {
                    self.timeline
                        .add_track(&track.id, &track.participant.sid, track.codec);
                    self.subscribe(&track.id, true).await?;
                    self.events.tell(RoomEvent::TrackAdded(track)).await?;
                }
                Change::Unsubscribe(id, end) => {
                    if end == TrackEnd::Unpublished {
                        self.subscribe(&id, false).await?;
                    }
                    self.forget(&id);
                    self.events
                        .tell(RoomEvent::TrackRemoved { id, end })
                        .await?;
                }
                Change::Muted(id, muted) => {
                    self.events
                        .tell(RoomEvent::TrackMuted { id, muted })
                        .await?;
                }
                Change::Unrecordable {
                    track,
                    identity,
                    reason,
                } => {
                    tracing::warn!(
                        participant = identity.as_str(),
                        track = track.as_str(),
                        "track not recorded: {reason}"
                    );
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, id: &TrackId) {
        self.timeline.remove_track(id);
        self.interrupted.remove(id);
        self.keyframe_asked.remove(id);
    }

    /// Places a unit on the timeline and hands it on.
    async fn media(&mut self, id: TrackId, data: &MediaData) -> Result<(), Stop> {
        let Some(codec) = codec_of(data) else {
            return Ok(());
        };
        if is_filler(codec, &data.data) {
            self.fillers += 1;
            return Ok(());
        }
        let Some(track) = self.publications.subscribed(&id) else {
            return Ok(());
        };
        if track.codec != codec {
            self.switch_codec(&id, codec).await?;
        }
        let Some(placed) = self.place(&id, codec, data) else {
            return Ok(());
        };
        let unit = AccessUnit {
            at: placed.at,
            keyframe: codec.kind() == Kind::Audio || data.is_keyframe(),
            contiguous: data.contiguous && !placed.discontinuity && !self.interrupted.remove(&id),
            data: data.data.clone(),
        };
        if self.events.offer(id.clone(), unit)? == Delivery::Dropped {
            self.units_dropped += 1;
            self.interrupted.insert(id);
        }
        Ok(())
    }

    /// A publisher with a backup codec may send us that one: for all that follows, another track.
    async fn switch_codec(&mut self, id: &TrackId, codec: Codec) -> Result<(), Stop> {
        let Some(track) = self.publications.correct_codec(id, codec) else {
            return Ok(());
        };
        self.timeline.add_track(id, &track.participant.sid, codec);
        let end = TrackEnd::Unpublished;
        self.events
            .tell(RoomEvent::TrackRemoved {
                id: id.clone(),
                end,
            })
            .await?;
        self.events.tell(RoomEvent::TrackAdded(track)).await?;
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP time is the low 32 bits"
    )]
    fn place(&mut self, id: &TrackId, codec: Codec, data: &MediaData) -> Option<Placed> {
        let late = match codec.kind() {
            Kind::Audio => AUDIO_REPORT_LATE,
            Kind::Video => Duration::ZERO,
        };
        let report = data.last_sender_info.as_ref().map(|info| SenderReport {
            ntp: info.ntp_time.checked_sub(late).unwrap_or(info.ntp_time),
            rtp: info.rtp_time.numer() as u32,
        });
        self.timeline
            .place(id, data.time.numer() as u32, data.network_time, report)
    }

    fn request_keyframe(&mut self, track: TrackId, now: Instant) {
        let asked = self.keyframe_asked.get(&track);
        if asked.is_none_or(|at| now.duration_since(*at) >= KEYFRAME_REQUEST_INTERVAL) {
            self.peer.request_keyframe(&track);
            self.keyframe_asked.insert(track, now);
        }
    }

    async fn subscribe(&self, id: &TrackId, subscribe: bool) -> Result<(), Stop> {
        let track_sids = vec![id.as_str().to_owned()];
        let request = proto::UpdateSubscription {
            track_sids,
            subscribe,
            participant_tracks: vec![],
        };
        self.send(Request::Subscription(request)).await
    }

    async fn send(&self, request: Request) -> Result<(), Stop> {
        tokio::time::timeout(SIGNAL_DEADLINE, self.client.send(request))
            .await
            .map_err(|_| {
                LiveKitError::SignalStuck {
                    url: self.url.clone(),
                }
                .into()
            })
    }

    async fn leave(&mut self) {
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
        self.peer.close();
        let counts = self.peer.counts();
        tracing::debug!(
            foreign_datagrams = counts.foreign_datagrams,
            unnamed_units = counts.unnamed_units,
            bad_candidates = counts.bad_candidates,
            unsent_packets = self.peer.unsent(),
            units_dropped = self.units_dropped,
            fillers = self.fillers,
            "left the room"
        );
    }
}

/// Why the media connection is gone: what the server says of it, if it says anything.
async fn last_word(signals: &mut SignalEvents) -> RoomEnd {
    let word = async {
        while let Some(SignalEvent::Message(message)) = signals.recv().await {
            if let Response::Leave(leave) = *message {
                return end_of(&leave);
            }
        }
        RoomEnd::MediaLost
    };
    let said = tokio::time::timeout(LAST_WORD, word).await;
    said.unwrap_or(RoomEnd::MediaLost)
}

fn codec_of(data: &MediaData) -> Option<Codec> {
    match data.params.spec().codec {
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::H264 => Some(Codec::H264),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        str0m::format::Codec::Vp9 => Some(Codec::Vp9),
        str0m::format::Codec::Av1 => Some(Codec::Av1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave(reason: proto::DisconnectReason) -> SignalEvent {
        let leave = proto::LeaveRequest {
            reason: reason.into(),
            ..Default::default()
        };
        SignalEvent::Message(Box::new(Response::Leave(leave)))
    }

    #[tokio::test]
    async fn a_media_connection_that_goes_first_waits_for_the_reason() {
        let (sender, mut signals) = mpsc::unbounded_channel();
        sender
            .send(SignalEvent::Message(Box::new(Response::Pong(1))))
            .unwrap();
        sender
            .send(leave(proto::DisconnectReason::RoomDeleted))
            .unwrap();
        assert_eq!(last_word(&mut signals).await, RoomEnd::Closed);
        // Nothing more is said: the wait ends.
        assert_eq!(last_word(&mut signals).await, RoomEnd::MediaLost);
    }
}
