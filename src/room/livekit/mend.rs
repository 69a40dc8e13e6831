//! Mends what breaks: does what the link decides, and takes what becomes of it.

use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;

use super::door::{self, Entered, Outcome};
use super::link::{Action, Input};
use super::session::{Session, Stop, own_sid, part};
use crate::room::{RoomEnd, RoomEvent};

impl Session {
    /// Lets the link decide what an input leads to, and does it.
    pub(super) async fn happen(&mut self, input: Input) -> Result<Option<RoomEnd>, Stop> {
        let now = Instant::now();
        let was_live = self.link.is_live();
        let actions = self.link.take(input, now, fastrand::f64());
        if self.link.is_live() && !was_live {
            self.silence.restart(now);
        }
        for action in actions {
            match action {
                Action::TellInterrupted(cause) => {
                    self.events.tell(RoomEvent::Interrupted { cause }).await?;
                }
                Action::TellResumed => self.events.tell(RoomEvent::Resumed).await?,
                Action::Resume => self.attempt = Some(door::resume(Arc::clone(&self.client))),
                Action::Connect => self.connect(),
                Action::End(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    fn connect(&mut self) {
        self.signals = None;
        self.attempt = None;
        let entering = self.door.connect(Some(Arc::clone(&self.client)));
        self.attempt = Some(Box::pin(async move {
            Outcome::Connect(entering.await.map(Box::new))
        }));
    }

    pub(super) async fn tried(&mut self, outcome: Outcome) -> Result<Option<RoomEnd>, Stop> {
        match outcome {
            Outcome::Resume(Ok(())) => {
                self.synchronise().await;
                self.publications.resumed(Instant::now());
                self.happen(Input::Resumed).await
            }
            Outcome::Resume(Err(error)) => {
                tracing::info!(room = self.door.room(), %error, "signalling not resumed");
                self.happen(door::after_failed_resume(&error)).await
            }
            Outcome::Connect(Ok(entered)) => self.enter(*entered).await,
            Outcome::Connect(Err(error)) => {
                let Some(refusal) = door::refusal_of(&error) else {
                    return Err(Stop::Failed(error));
                };
                let room = self.door.room();
                tracing::warn!(
                    room,
                    error = &error as &dyn std::error::Error,
                    "not connected, trying again"
                );
                self.happen(Input::ConnectFailed(refusal)).await
            }
        }
    }

    /// Takes the place of the connections that were.
    async fn enter(&mut self, entered: Entered) -> Result<Option<RoomEnd>, Stop> {
        tracing::info!(room = self.door.room(), "joined anew");
        self.client = entered.client;
        self.signals = Some(entered.signals);
        self.answer = None;
        if let Some(old) = self.peer.replace(entered.peer) {
            part(old);
        }
        for id in self.silence.forget_excuses() {
            let unpaused = RoomEvent::TrackPaused { id, paused: false };
            self.events.tell(unpaused).await?;
        }
        let ended = self.happen(Input::Joined).await?;
        let response = entered.response;
        let changes = self.publications.rejoin(
            own_sid(&response),
            &response.other_participants,
            Instant::now(),
        );
        self.apply(changes).await?;
        Ok(ended)
    }

    /// Tells the server of a resumed session what we have and want.
    async fn synchronise(&mut self) {
        let wanted = self.publications.wanted();
        let state = proto::SyncState {
            answer: self.answer.clone(),
            subscription: Some(proto::UpdateSubscription {
                track_sids: wanted.map(|id| id.as_str().to_owned()).collect(),
                subscribe: true,
                participant_tracks: vec![],
            }),
            ..Default::default()
        };
        self.send(Request::SyncState(state)).await;
        self.client.set_reconnected().await;
    }
}
