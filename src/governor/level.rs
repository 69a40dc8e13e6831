//! Where the governor stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is given up, from nothing to all pictures.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing is given up.
    #[default]
    Normal,
    /// Lines of the picture.
    LowerLayer,
    /// And every second picture.
    HalfRate,
    /// And all pictures but those that decoding can start with.
    KeyframesOnly,
    /// And those.
    AudioOnly,
    /// And the server does not send them either.
    PauseVideo,
}

impl Level {
    /// All, in order.
    pub const ALL: [Self; 6] = [
        Self::Normal,
        Self::LowerLayer,
        Self::HalfRate,
        Self::KeyframesOnly,
        Self::AudioOnly,
        Self::PauseVideo,
    ];

    /// The word used in manifests, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::LowerLayer => "lower_layer",
            Self::HalfRate => "half_rate",
            Self::KeyframesOnly => "keyframes_only",
            Self::AudioOnly => "audio_only",
            Self::PauseVideo => "pause_video",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
