//! What it means that the SDK has left the room.

use livekit_protocol::DisconnectReason as Reason;

use crate::room::RoomEnd;

/// How a stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// For good.
    Over(RoomEnd),
    /// The SDK has given up; a new stay may go better.
    Lost,
}

/// What a reason means. Shutdowns, timeouts and mix-ups end a session without a way back, yet the
/// room is there, or will be.
#[must_use]
pub const fn ending(reason: Reason) -> Ending {
    match reason {
        Reason::ClientInitiated => Ending::Over(RoomEnd::Left),
        Reason::RoomDeleted | Reason::RoomClosed => Ending::Over(RoomEnd::Closed),
        Reason::ParticipantRemoved => Ending::Over(RoomEnd::Removed),
        _ => Ending::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_somebody_wanted_is_over() {
        for (reason, expected) in [
            (Reason::RoomDeleted, Ending::Over(RoomEnd::Closed)),
            (Reason::ParticipantRemoved, Ending::Over(RoomEnd::Removed)),
            (Reason::ClientInitiated, Ending::Over(RoomEnd::Left)),
            (Reason::ServerShutdown, Ending::Lost),
            (Reason::DuplicateIdentity, Ending::Lost),
            (Reason::UnknownReason, Ending::Lost),
        ] {
            assert_eq!(ending(reason), expected, "{reason:?}");
        }
    }
}
