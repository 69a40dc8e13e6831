//! What the server says, and what we tell it.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::media::MediaData;

use super::layers::Asked;
use super::link::{Input, Leave};
use super::publications::Change;
use super::session::{Session, Stop};
use super::signalling::{CandidateInit, meaning_of};
use super::silence::Excuse;
use super::units::codec_of;
use crate::room::{Codec, Interruption, RoomEnd, RoomEvent, Track, TrackEnd, TrackId};

/// A signalling message that is not taken in this time means a dead connection.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(2);

impl Session {
    /// Does what a message of the server asks for; gives the end of the room when it is one.
    pub(super) async fn obey(&mut self, message: Response) -> Result<Option<RoomEnd>, Stop> {
        match message {
            Response::Offer(offer) => return self.answer_offer(offer).await,
            Response::Trickle(trickle) if trickle.target() == proto::SignalTarget::Subscriber => {
                self.add_candidate(&trickle.candidate_init);
            }
            Response::Update(update) => self.update(&update.participants).await?,
            Response::Leave(leave) => return self.sent_away(&leave).await,
            Response::RefreshToken(token) => self.door.keep_token(token),
            Response::StreamStateUpdate(update) => {
                for state in update.stream_states {
                    let paused = state.state() == proto::StreamState::Paused;
                    let id = TrackId::new(&state.track_sid);
                    let news = self
                        .silence
                        .excuse(&id, Excuse::Paused, paused, Instant::now());
                    if news {
                        let paused = RoomEvent::TrackPaused { id, paused };
                        self.events.tell(paused).await?;
                    }
                }
            }
            Response::SubscriptionResponse(refusal) => {
                let track = refusal.track_sid.as_str();
                let reason = refusal.err();
                tracing::warn!(
                    room = self.door.room(),
                    track,
                    ?reason,
                    "subscription refused"
                );
                self.excuse_refused(track, true);
            }
            Response::SubscriptionPermissionUpdate(permission) => {
                let track = permission.track_sid.as_str();
                if !permission.allowed {
                    tracing::warn!(
                        room = self.door.room(),
                        track,
                        "the publisher does not let this track be recorded (track permissions)"
                    );
                }
                self.excuse_refused(track, !permission.allowed);
            }
            _ => {}
        }
        Ok(None)
    }

    async fn answer_offer(
        &mut self,
        offer: proto::SessionDescription,
    ) -> Result<Option<RoomEnd>, Stop> {
        let Some(peer) = &mut self.peer else {
            return Ok(None);
        };
        let sdp = match peer.answer(&offer.sdp, &offer.mid_to_track_id, Instant::now()) {
            Ok(sdp) => sdp,
            Err(error) => return self.peer_did(Err(error)).await,
        };
        let answer = proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp,
            id: offer.id,
            ..Default::default()
        };
        self.answer = Some(answer.clone());
        self.send(Request::Answer(answer)).await;
        Ok(None)
    }

    fn add_candidate(&mut self, init: &str) {
        let Some(peer) = &mut self.peer else {
            return;
        };
        match serde_json::from_str::<CandidateInit>(init) {
            // An empty candidate says that there are no more.
            Ok(init) if init.candidate.is_empty() => {}
            Ok(init) => peer.add_candidate(&init.candidate),
            Err(error) => {
                tracing::warn!(room = self.door.room(), %error, "candidate left out");
            }
        }
    }

    /// Tells the server of an address that is new.
    pub(super) async fn offer_candidate(&mut self, candidate: String) {
        let init = serde_json::json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0 });
        let trickle = proto::TrickleRequest {
            candidate_init: init.to_string(),
            target: proto::SignalTarget::Subscriber.into(),
            ..Default::default()
        };
        self.tell(Request::Trickle(trickle)).await;
    }

    async fn sent_away(&mut self, leave: &proto::LeaveRequest) -> Result<Option<RoomEnd>, Stop> {
        let (reason, action) = (leave.reason(), leave.action());
        tracing::info!(room = self.door.room(), ?reason, ?action, "told to leave");
        let meaning = meaning_of(reason, action);
        if meaning == Leave::Reconnect(Interruption::DuplicateIdentity) {
            self.door.change_identity();
        }
        self.happen(Input::Leave(meaning)).await
    }

    fn excuse_refused(&mut self, track: &str, refused: bool) {
        let now = Instant::now();
        self.silence
            .excuse(&TrackId::new(track), Excuse::Refused, refused, now);
    }

    /// Takes what changed of the participants and asks for what is now wanted.
    pub(super) async fn update(
        &mut self,
        participants: &[proto::ParticipantInfo],
    ) -> Result<(), Stop> {
        let changes = self.publications.update(participants, Instant::now());
        self.apply(changes).await
    }

    pub(super) async fn apply(&mut self, changes: Vec<Change>) -> Result<(), Stop> {
        for change in changes {
            match change {
                Change::Subscribe(track) => self.add(track).await?,
                Change::Again(id) => {
                    if let Some(track) = self.publications.subscribed(&id) {
                        self.units.restart(track)?;
                        self.silence.add(&id, track.muted, Instant::now());
                        self.subscribe(&id, true).await;
                    }
                }
                Change::Held(id) => self.silence.remove(&id),
                Change::Unsubscribe(id, end) => {
                    if end == TrackEnd::Unpublished {
                        self.subscribe(&id, false).await;
                    }
                    self.units.forget(&id)?;
                    self.silence.remove(&id);
                    self.keyframes.forget(&id);
                    self.events
                        .tell(RoomEvent::TrackRemoved { id, end })
                        .await?;
                }
                Change::Ask(id, asked) => {
                    self.silence
                        .excuse(&id, Excuse::Unwanted, asked.nothing, Instant::now());
                    self.ask_for(&id, asked).await;
                }
                Change::Muted(id, muted) => {
                    self.silence
                        .excuse(&id, Excuse::Muted, muted, Instant::now());
                    self.events
                        .tell(RoomEvent::TrackMuted { id, muted })
                        .await?;
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

    async fn add(&mut self, track: Track) -> Result<(), Stop> {
        self.units.start(&track);
        self.silence.add(&track.id, track.muted, Instant::now());
        self.subscribe(&track.id, true).await;
        self.events.tell(RoomEvent::TrackAdded(track)).await?;
        Ok(())
    }

    /// Takes a unit of a track.
    pub(super) async fn media(&mut self, id: TrackId, data: &MediaData) -> Result<(), Stop> {
        let Some(codec) = codec_of(data) else {
            return Ok(());
        };
        let Some(track) = self.publications.subscribed(&id) else {
            return Ok(());
        };
        self.silence.heard(&id, data.network_time);
        if track.codec != codec {
            self.switch_codec(&id, codec).await?;
        }
        self.units.deliver(&id, codec, data)?;
        Ok(())
    }

    /// A publisher with a backup codec may send us that one: for all that follows, another track.
    async fn switch_codec(&mut self, id: &TrackId, codec: Codec) -> Result<(), Stop> {
        let Some(track) = self.publications.correct_codec(id, codec) else {
            return Ok(());
        };
        self.units.finish(id)?;
        self.units.start(&track);
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

    /// Nothing comes of a track: asks for it as if for the first time.
    pub(super) async fn resubscribe(&mut self, id: &TrackId) -> Result<(), Stop> {
        tracing::warn!(
            room = self.door.room(),
            track = id.as_str(),
            "nothing comes of a track, subscribing to it anew"
        );
        if let Some(track) = self.publications.subscribed(id) {
            self.units.restart(track)?;
        }
        self.subscribe(id, false).await;
        self.subscribe(id, true).await;
        // The server forgot it with the subscription.
        if let Some(asked) = self.publications.asked(id) {
            self.ask_for(id, asked).await;
        }
        Ok(())
    }

    async fn ask_for(&mut self, id: &TrackId, asked: Asked) {
        let settings = proto::UpdateTrackSettings {
            track_sids: vec![id.as_str().to_owned()],
            quality: asked.quality.into(),
            fps: asked.pictures_per_second,
            disabled: asked.nothing,
            ..Default::default()
        };
        self.tell(Request::TrackSetting(settings)).await;
    }

    async fn subscribe(&mut self, id: &TrackId, subscribe: bool) {
        let track_sids = vec![id.as_str().to_owned()];
        let request = proto::UpdateSubscription {
            track_sids,
            subscribe,
            participant_tracks: vec![],
        };
        self.tell(Request::Subscription(request)).await;
    }

    /// Sends a message while signalling takes any. What is left out meanwhile is told anew: what is
    /// wanted with the next connection, our addresses in the next answer.
    async fn tell(&mut self, request: Request) {
        if self.link.takes_messages() {
            self.send(request).await;
        }
    }

    /// Sends a message, or says that signalling is stuck. What is lost with a connection is told
    /// anew on the next one.
    pub(super) async fn send(&mut self, request: Request) {
        let sent = tokio::time::timeout(SIGNAL_DEADLINE, self.client.send(request)).await;
        self.stuck |= sent.is_err();
    }
}
