//! What we tell the server of ourselves, and how its messages are to be understood.

use std::net::IpAddr;

use livekit_protocol as proto;
use livekit_signaling::SignalOptions;

use crate::room::RoomEnd;

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

/// What a leave request says of the room.
pub fn end_of(leave: &proto::LeaveRequest) -> RoomEnd {
    use proto::DisconnectReason as Reason;
    match (leave.action(), leave.reason()) {
        (_, Reason::RoomDeleted | Reason::RoomClosed) => RoomEnd::Closed,
        (_, Reason::DuplicateIdentity) => RoomEnd::DuplicateIdentity,
        (_, Reason::ParticipantRemoved) => RoomEnd::Removed,
        _ => RoomEnd::ServerAway,
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
        let leave = |reason: proto::DisconnectReason| proto::LeaveRequest {
            reason: reason.into(),
            ..Default::default()
        };
        assert_eq!(
            end_of(&leave(proto::DisconnectReason::RoomDeleted)),
            RoomEnd::Closed
        );
        assert_eq!(
            end_of(&leave(proto::DisconnectReason::ServerShutdown)),
            RoomEnd::ServerAway
        );
        assert_eq!(
            end_of(&leave(proto::DisconnectReason::ParticipantRemoved)),
            RoomEnd::Removed
        );
    }
}
