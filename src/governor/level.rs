//! How much quality is given up: levels, in the order in which they are gone through.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the governor stands. The greater, the less is recorded.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All that was asked for.
    #[default]
    Normal,
    /// Smaller pictures: the server's layer of at most 720 lines, or scaled down here.
    LowerLayer,
    /// And every second picture.
    HalfRate,
    /// Keyframes and sound.
    KeyframesOnly,
    /// Sound.
    AudioOnly,
    /// Sound, and the server is asked to send no video at all.
    PauseVideo,
}

impl Level {
    /// All of them, the best first.
    pub const ALL: [Self; 6] = [
        Self::Normal,
        Self::LowerLayer,
        Self::HalfRate,
        Self::KeyframesOnly,
        Self::AudioOnly,
        Self::PauseVideo,
    ];

    /// The word in logs, manifests and metrics.
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

    /// The level that gives up one thing more; the last one stays.
    #[must_use]
    pub const fn worse(self) -> Self {
        match self {
            Self::Normal => Self::LowerLayer,
            Self::LowerLayer => Self::HalfRate,
            Self::HalfRate => Self::KeyframesOnly,
            Self::KeyframesOnly => Self::AudioOnly,
            Self::AudioOnly | Self::PauseVideo => Self::PauseVideo,
        }
    }

    /// The level that gives up one thing less; the first one stays.
    #[must_use]
    pub const fn better(self) -> Self {
        match self {
            Self::Normal | Self::LowerLayer => Self::Normal,
            Self::HalfRate => Self::LowerLayer,
            Self::KeyframesOnly => Self::HalfRate,
            Self::AudioOnly => Self::KeyframesOnly,
            Self::PauseVideo => Self::AudioOnly,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_in_order_and_say_the_same_everywhere() {
        for pair in Level::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert_eq!((pair[0].worse(), pair[1].better()), (pair[1], pair[0]));
        }
        assert_eq!(Level::PauseVideo.worse(), Level::PauseVideo);
        assert_eq!(Level::Normal.better(), Level::default());
        for level in Level::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
    }
}
