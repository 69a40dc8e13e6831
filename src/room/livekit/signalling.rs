//! What we tell the server of ourselves, and how its messages are to be understood.

use std::net::IpAddr;

use livekit_protocol as proto;
use livekit_signaling::SignalOptions;

use super::link::Leave;
use crate::room::{Interruption, RoomEnd};

/// Only what our media stack can do is offered to the server: no packet trailers, no tracks that
/// we did not ask for, no layer chosen for us.
pub fn signal_options() -> SignalOptions {
    let mut options = SignalOptions::default();
    options.auto_subscribe = false;
    options.adaptive_stream = false;
    options.client_capabilities = Vec::new();
    options.sdk_options.sdk_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    options
}

/// The part of a browser's `RTCIceCandidateInit` that we use.
#[derive(serde::Deserialize)]
pub struct CandidateInit {
    /// An SDP candidate line; empty when there are no more.
    pub candidate: String,
}

/// What a leave request asks for. Its action is obeyed, but for shutdowns, timeouts and mix-ups:
/// the server ends these sessions without a way back, yet the room is there, or will be.
pub fn meaning_of(reason: proto::DisconnectReason, action: proto::leave_request::Action) -> Leave {
    use proto::DisconnectReason as Reason;
    use proto::leave_request::Action;
    let cause = match reason {
        Reason::RoomDeleted | Reason::RoomClosed => return Leave::End(RoomEnd::Closed),
        Reason::ParticipantRemoved => return Leave::End(RoomEnd::Removed),
        Reason::DuplicateIdentity => {
            return Leave::Reconnect(Interruption::DuplicateIdentity);
        }
        Reason::Migration => Interruption::Migration,
        Reason::ConnectionTimeout | Reason::MediaFailure => Interruption::Media,
        Reason::SignalClose => Interruption::Signalling,
        _ => Interruption::ServerAway,
    };
    match (action, reason) {
        (Action::Resume, _) => Leave::Resume(cause),
        (Action::Reconnect, _)
        | (
            Action::Disconnect,
            Reason::Migration
            | Reason::ConnectionTimeout
            | Reason::MediaFailure
            | Reason::SignalClose
            | Reason::ServerShutdown
            | Reason::StateMismatch
            | Reason::JoinFailure,
        ) => Leave::Reconnect(cause),
        (Action::Disconnect, _) => Leave::End(RoomEnd::Removed),
    }
}

/// Whether the server's name leads to this machine's loopback.
pub async fn is_on_this_machine(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or(url);
    let authority = authority.split(['/', '?']).next().unwrap_or(authority);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    match tokio::net::lookup_host((host, 0)).await {
        Ok(mut addresses) => addresses.any(|address| address.ip().is_loopback()),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_on_loopback_is_recognised() {
        for url in [
            "ws://127.0.0.1:7880",
            "http://localhost",
            "ws://[::1]:7880/x",
            "wss://127.1.2.3",
        ] {
            assert!(is_on_this_machine(url).await, "{url}");
        }
        for url in [
            "ws://192.0.2.1:7880",
            "ws://[2001:db8::1]:80",
            "ws://0.0.0.1",
        ] {
            assert!(!is_on_this_machine(url).await, "{url}");
        }
    }

    #[test]
    fn a_deleted_room_is_closed_and_a_restarting_server_is_away() {
        use proto::DisconnectReason as Reason;
        use proto::leave_request::Action;
        for (reason, action, meaning) in [
            (
                Reason::RoomDeleted,
                Action::Disconnect,
                Leave::End(RoomEnd::Closed),
            ),
            (
                Reason::ParticipantRemoved,
                Action::Disconnect,
                Leave::End(RoomEnd::Removed),
            ),
            (
                Reason::UnknownReason,
                Action::Disconnect,
                Leave::End(RoomEnd::Removed),
            ),
            (
                Reason::RoomClosed,
                Action::Disconnect,
                Leave::End(RoomEnd::Closed),
            ),
            (
                Reason::ServerShutdown,
                Action::Disconnect,
                Leave::Reconnect(Interruption::ServerAway),
            ),
            (
                Reason::ConnectionTimeout,
                Action::Disconnect,
                Leave::Reconnect(Interruption::Media),
            ),
            (
                Reason::SignalClose,
                Action::Disconnect,
                Leave::Reconnect(Interruption::Signalling),
            ),
            (
                Reason::Migration,
                Action::Resume,
                Leave::Resume(Interruption::Migration),
            ),
            (
                Reason::Migration,
                Action::Disconnect,
                Leave::Reconnect(Interruption::Migration),
            ),
            (
                Reason::UnknownReason,
                Action::Resume,
                Leave::Resume(Interruption::ServerAway),
            ),
            (
                Reason::StateMismatch,
                Action::Reconnect,
                Leave::Reconnect(Interruption::ServerAway),
            ),
            (
                Reason::DuplicateIdentity,
                Action::Disconnect,
                Leave::Reconnect(Interruption::DuplicateIdentity),
            ),
        ] {
            assert_eq!(meaning_of(reason, action), meaning, "{reason:?} {action:?}");
        }
    }
}
