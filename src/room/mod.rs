//! What a room is to the rest of `reeld`: tracks, and encoded access units on one clock.
//!
//! A source (LiveKit with or without its SDK, or the synthetic room) delivers [`RoomEvent`]s and obeys
//! [`RoomCommand`]s. Nothing outside this module knows which source it is.

mod events;
pub mod livekit;
mod queue;
mod refusal;
pub mod sdk;
pub mod selection;
pub mod synthetic;
#[cfg(test)]
pub(crate) mod test_track;
pub mod timeline;

pub use events::{COMMAND_QUEUE, Interruption, RoomCommand, RoomEnd, RoomEvent, Sending, TrackEnd};
pub use queue::{
    Delivery, EVENT_BYTES, EVENT_QUEUE, EventReceiver, EventSender, QueueLimits, ReceiverGone,
};

pub use refusal::{Limit, Refusal, Refusals};
pub use selection::{Changes, Present, Publication, Selection, SelectionError};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A track's name in the room, unique within it (LiveKit: the track SID, `TR_…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TrackId(Arc<str>);

impl From<String> for TrackId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<TrackId> for String {
    fn from(id: TrackId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl TrackId {
    /// Wraps a track's name as the room gave it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as the room gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a track shows or sounds, as its publisher says.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Source {
    /// A camera's picture.
    Camera,
    /// A microphone's sound; recorded with the camera of the same participant.
    Microphone,
    /// A shared screen or window.
    ScreenShare,
    /// The sound of a shared screen; recorded with it.
    ScreenShareAudio,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 4] = [
        Self::Camera,
        Self::Microphone,
        Self::ScreenShare,
        Self::ScreenShareAudio,
    ];

    /// The word used in configuration, manifests and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
        }
    }

    /// Whether the source is picture or sound.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Camera | Self::ScreenShare => Kind::Video,
            Self::Microphone | Self::ScreenShareAudio => Kind::Audio,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Picture or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Picture.
    Video,
    /// Sound.
    Audio,
}

impl Kind {
    /// The word used in manifests and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// How the access units of a track are encoded, if they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// H.264, Annex B byte stream.
    H264,
    /// H.265, Annex B byte stream.
    H265,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1, low-overhead OBU stream.
    Av1,
    /// Opus, one packet an access unit, 48 kHz.
    Opus,
    /// A decoded picture, as [`crate::bitstream::raw`] lays it out.
    I420,
    /// Decoded sound: 16 bits a sample, little-endian, 48 kHz, channels interleaved.
    Pcm,
}

impl Codec {
    /// The word used in manifests and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
            Self::Opus => "opus",
            Self::I420 => "i420",
            Self::Pcm => "pcm",
        }
    }

    /// Whether its source has decoded it: no unit builds on another one.
    #[must_use]
    pub const fn is_decoded(self) -> bool {
        matches!(self, Self::I420 | Self::Pcm)
    }

    /// Picture or sound.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 | Self::Av1 | Self::I420 => Kind::Video,
            Self::Opus | Self::Pcm => Kind::Audio,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody in the room. All strings come from the network and are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The server's name for this stay in the room (`PA_…`): a rejoin has another.
    pub sid: String,
    /// The application's name for the person, unique in the room at any one time.
    pub identity: String,
    /// A name for people to read; may be empty.
    pub name: String,
}

/// A track that we are subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The track's name in the room.
    pub id: TrackId,
    /// Who publishes it.
    pub participant: Arc<Participant>,
    /// What it shows or sounds.
    pub source: Source,
    /// How it is encoded.
    pub codec: Codec,
    /// Sound in two channels; false for one channel and for video.
    pub stereo: bool,
    /// Whether it is muted at this moment.
    pub muted: bool,
}

/// One picture, or one packet of sound, complete.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// When it was captured, on the source's timeline: one clock for all tracks of a
    /// participant, never decreasing within a track, zero when the source started.
    pub at: Duration,
    /// Whether decoding can start here. Always true for sound.
    pub keyframe: bool,
    /// Whether nothing is missing between the unit before and this one.
    pub contiguous: bool,
    /// The bytes, in the format that [`Codec`] names.
    pub data: Bytes,
}

impl fmt::Debug for AccessUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessUnit")
            .field("at", &self.at)
            .field("keyframe", &self.keyframe)
            .field("contiguous", &self.contiguous)
            .field("bytes", &self.data.len())
            .finish()
    }
}
