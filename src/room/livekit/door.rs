//! Into the room: the first time, again within the same session, and everything anew.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use livekit_protocol as proto;
use livekit_signaling::{SignalClient, SignalError, SignalEvents};

use super::link::{Input, Refusal};
use super::peer::Peer;
use super::signalling::{is_on_this_machine, meaning_of, signal_options};
use super::{Credentials, LiveKitError, Remedy};

/// A try that is on its way.
pub type Attempt = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What became of it.
pub enum Outcome {
    /// Signalling was to be opened anew within the session.
    Resume(Result<(), SignalError>),
    /// Everything was to be connected anew.
    Connect(Result<Box<Entered>, LiveKitError>),
}

/// What a join gives.
pub struct Entered {
    pub client: Arc<SignalClient>,
    pub response: proto::JoinResponse,
    pub signals: SignalEvents,
    /// Large, and moved from hand to hand.
    pub peer: Box<Peer>,
}

/// The way into one room, and as whom.
pub struct Door {
    url: String,
    room: String,
    /// Pictures that wait for a missing one at most.
    max_frames: u16,
    given: Credentials,
    /// The same with an identity of this stay's own, or the newest token.
    current: Credentials,
}

impl Door {
    pub fn new(url: String, room: String, max_frames: u16, given: Credentials) -> Self {
        Self {
            current: given.of_a_stay(fastrand::u32(..)),
            url,
            room,
            max_frames,
            given,
        }
    }

    pub fn room(&self) -> &str {
        &self.room
    }

    /// The server renewed our token: a token that was given to us would run out.
    pub fn keep_token(&mut self, token: String) {
        if matches!(self.current, Credentials::Token(_)) {
            self.current = Credentials::Token(token);
        }
    }

    /// Somebody else has our identity.
    pub fn change_identity(&mut self) {
        if matches!(self.given, Credentials::Key { .. }) {
            self.current = self.given.of_a_stay(fastrand::u32(..));
        }
    }

    /// Joins the room over connections of its own, once `old` is closed: as long as it is open,
    /// its tasks and its socket live.
    pub fn connect(
        &self,
        old: Option<Arc<SignalClient>>,
    ) -> impl Future<Output = Result<Entered, LiveKitError>> + Send + use<> {
        let token = self.current.token_for(&self.room, SystemTime::now());
        let url = self.url.clone();
        let max_frames = self.max_frames;
        async move {
            if let Some(old) = old {
                old.close().await;
            }
            let (client, response, signals) =
                SignalClient::connect(&url, &token?, signal_options(), None)
                    .await
                    .map_err(|error| LiveKitError::from_signal(&url, error))?;
            let is_local = is_on_this_machine(&url).await;
            let peer = match Peer::open(is_local, max_frames, Instant::now()) {
                Ok(peer) => peer,
                Err(error) => {
                    client.close().await;
                    return Err(error);
                }
            };
            Ok(Entered {
                client: Arc::new(client),
                response,
                signals,
                peer: Box::new(peer),
            })
        }
    }
}

/// Opens signalling anew within the session of `client`.
pub fn resume(client: Arc<SignalClient>) -> Attempt {
    Box::pin(async move {
        let reason = proto::ReconnectReason::RrSignalDisconnected;
        Outcome::Resume(client.restart(reason).await.map(|_| ()))
    })
}

/// What a failed resume means.
pub fn after_failed_resume(error: &SignalError) -> Input {
    match error {
        // With the server's word that the room is over, nothing has to be tried.
        SignalError::LeaveRequest { reason, action } => match meaning_of(*reason, *action) {
            end @ super::link::Leave::End(_) => Input::Leave(end),
            _ => Input::ResumeFailed(Refusal::Gone),
        },
        SignalError::Timeout(_) | SignalError::Connection(_) | SignalError::Closed => {
            Input::ResumeFailed(Refusal::Later)
        }
        _ => Input::ResumeFailed(Refusal::Gone),
    }
}

/// How final a failed connect is; nothing where only somebody's action helps.
pub const fn refusal_of(error: &LiveKitError) -> Option<Refusal> {
    match (error, error.remedy()) {
        (LiveKitError::NoRoom { .. }, _) => Some(Refusal::Gone),
        (_, Remedy::Configure) => None,
        (_, Remedy::Retry) => Some(Refusal::Later),
    }
}

#[cfg(test)]
mod tests {
    use proto::DisconnectReason as Reason;
    use proto::leave_request::Action;

    use super::super::link::Leave;
    use super::*;
    use crate::room::RoomEnd;

    fn door(given: Credentials) -> Door {
        Door::new("ws://h".to_owned(), "r".to_owned(), 30, given)
    }

    fn key() -> Credentials {
        Credentials::Key {
            key: "k".to_owned(),
            secret: "a-secret-of-thirty-two-characters".to_owned(),
            identity: "reeld".to_owned(),
        }
    }

    /// A token as somebody else would make it.
    fn token(identity: &str) -> String {
        let Credentials::Key { key, secret, .. } = key() else {
            unreachable!()
        };
        let made = Credentials::Key {
            key,
            secret,
            identity: identity.to_owned(),
        };
        made.token_for("r", SystemTime::now()).unwrap()
    }

    /// As whom the door would join now.
    fn identity(door: &Door) -> String {
        let token = door.current.token_for("r", SystemTime::now()).unwrap();
        livekit_token::Claims::from_unverified(&token).unwrap().sub
    }

    #[test]
    fn a_renewed_token_takes_the_place_of_a_given_one_and_a_key_mints_its_own() {
        let mut given = door(Credentials::Token(token("first")));
        assert_eq!(identity(&given), "first");
        given.keep_token(token("renewed"));
        assert_eq!(identity(&given), "renewed");

        let mut minted = door(key());
        let before = identity(&minted);
        assert!(before.starts_with("reeld-"), "{before}");
        minted.keep_token(token("renewed"));
        assert_eq!(identity(&minted), before);
    }

    #[test]
    fn an_identity_that_somebody_else_has_is_changed_where_it_is_ours_to_choose() {
        let mut minted = door(key());
        let before = identity(&minted);
        minted.change_identity();
        let after = identity(&minted);
        assert_ne!(after, before);
        // The suffix is replaced, not added to.
        assert_eq!(after.len(), before.len());

        let mut given = door(Credentials::Token(token("fixed")));
        given.change_identity();
        assert_eq!(identity(&given), "fixed");
    }

    #[test]
    fn a_resume_is_tried_again_while_the_server_is_out_of_reach() {
        let away = SignalError::Connection("refused".to_owned());
        assert_eq!(
            after_failed_resume(&away),
            Input::ResumeFailed(Refusal::Later)
        );
        let told =
            |reason, action| after_failed_resume(&SignalError::LeaveRequest { reason, action });
        assert_eq!(
            told(Reason::StateMismatch, Action::Reconnect),
            Input::ResumeFailed(Refusal::Gone)
        );
        assert_eq!(
            told(Reason::RoomDeleted, Action::Disconnect),
            Input::Leave(Leave::End(RoomEnd::Closed))
        );
        let denied = SignalError::Handshake {
            status: 401.try_into().unwrap(),
        };
        assert_eq!(
            after_failed_resume(&denied),
            Input::ResumeFailed(Refusal::Gone)
        );
    }

    #[test]
    fn a_failed_connect_is_final_only_where_somebody_must_act() {
        let url = "ws://h".to_owned();
        let reason = "r".to_owned();
        let refusals = [
            LiveKitError::Unreachable {
                url: url.clone(),
                reason: reason.clone(),
            },
            LiveKitError::NoRoom {
                url: url.clone(),
                reason: reason.clone(),
            },
            LiveKitError::Refused { url, reason },
        ];
        assert_eq!(
            refusals.map(|error| refusal_of(&error)),
            [Some(Refusal::Later), Some(Refusal::Gone), None]
        );
    }
}
