//! What a source tells and what it can be told.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{AccessUnit, Refusal, Source, Track, TrackId};

/// Commands waiting for the source. One that finds the queue full is dropped: keyframe requests
/// are repeated, and leaving is also asked for by dropping the sender.
pub const COMMAND_QUEUE: usize = 64;

/// What happens in a room, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// We are in. First event, exactly once.
    Joined {
        /// The server's name for this life of the room (`RM_…`); empty for a synthetic room.
        room_sid: String,
        /// The server's software and version, for the log.
        server: String,
    },
    /// We asked for a track; its units may follow.
    TrackAdded(Track),
    /// A track that is asked for is not recorded. Said once, as long as it is refused; when its
    /// turn comes, [`RoomEvent::TrackAdded`] follows.
    TrackRefused {
        /// Which track.
        id: TrackId,
        /// Who publishes it: the application's name for the person, untrusted.
        identity: String,
        /// What it shows or sounds.
        source: Source,
        /// Why.
        refusal: Refusal,
    },
    /// The publisher muted or unmuted the track.
    TrackMuted {
        /// Which track.
        id: TrackId,
        /// Whether it is silent now.
        muted: bool,
    },
    /// The server stopped forwarding the track to us for want of bandwidth, or goes on with it.
    TrackPaused {
        /// Which track.
        id: TrackId,
        /// Whether the server holds it back now.
        paused: bool,
    },
    /// No unit of the track will follow.
    TrackRemoved {
        /// Which track.
        id: TrackId,
        /// Why it ended.
        end: TrackEnd,
    },
    /// An encoded picture or packet of sound.
    Media {
        /// The track it belongs to.
        id: TrackId,
        /// The unit.
        unit: AccessUnit,
    },
    /// Units of the track found a queue full and are gone. A queue says so itself, before the
    /// next unit of the track or its end; sources don't send it.
    UnitsDropped {
        /// Which track.
        id: TrackId,
        /// How many.
        units: u64,
    },
    /// The connection is broken, and the source works on it. Tracks stay what they are; units
    /// may be missing until [`RoomEvent::Resumed`]. Sent once for each interruption.
    Interrupted {
        /// What broke.
        cause: Interruption,
    },
    /// Media can flow again.
    Resumed,
}

/// What broke a connection that is being mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// The signalling connection was lost. Media may go on flowing meanwhile.
    Signalling,
    /// The media connection was lost, or nothing came over it.
    Media,
    /// The server is shutting down or can't be reached.
    ServerAway,
    /// The server handed the room over to another one.
    Migration,
    /// Another client joined with our identity.
    DuplicateIdentity,
}

impl Interruption {
    /// The word used in manifests and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signalling => "signalling",
            Self::Media => "media",
            Self::ServerAway => "server_away",
            Self::Migration => "migration",
            Self::DuplicateIdentity => "duplicate_identity",
        }
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a track ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackEnd {
    /// Its publisher took it back, or what we record changed.
    Unpublished,
    /// Its publisher left the room.
    ParticipantLeft,
}

/// How much of all pictures is to be sent; all of it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sending {
    /// Where a picture comes in several sizes, one with no more lines than this.
    pub lines: Option<NonZeroU32>,
    /// No more pictures a second than this, where the server can thin them.
    pub pictures_per_second: Option<u32>,
    /// None at all.
    pub nothing: bool,
}

/// What a source can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomCommand {
    /// Ask the publisher for a keyframe. Repeated requests are thinned by the source.
    RequestKeyframe(TrackId),
    /// Have this much sent from now on.
    Send(Sending),
    /// Leave the room and end.
    Leave,
}

/// Why a source ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEnd {
    /// We were asked to leave.
    Left,
    /// The room was deleted or closed by the server.
    Closed,
    /// The server removed us from the room.
    Removed,
}

impl RoomEnd {
    /// One line for the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left the room",
            Self::Closed => "the room was closed",
            Self::Removed => "the server removed the recorder from the room",
        }
    }
}
