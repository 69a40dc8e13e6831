//! Whether a video track is copied or encoded again, decided for each track by its codec.

use super::copied::Copied;
use crate::room::Codec;

/// What may be done to video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VideoMode {
    /// What players of MPEG-TS take is copied, all else encoded again.
    #[default]
    Auto,
    /// What would have to be encoded again is not recorded.
    Passthrough,
    /// All of it is encoded again, so that its size and bitrate can be held.
    Transcode,
}

/// What becomes of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Its units are written as they came.
    Copied(Copied),
    /// It is decoded and encoded as H.264.
    Encoded,
    /// It is not recorded.
    Refused,
}

impl Treatment {
    /// What becomes of video of this codec.
    #[must_use]
    pub const fn of(codec: Codec, mode: VideoMode) -> Self {
        match (mode, Copied::of(codec)) {
            (VideoMode::Auto | VideoMode::Passthrough, Some(copied)) => Self::Copied(copied),
            (VideoMode::Passthrough, None) => Self::Refused,
            (VideoMode::Auto, None) | (VideoMode::Transcode, _) => Self::Encoded,
        }
    }

    /// How it is copied, if it is.
    #[must_use]
    pub const fn copied(self) -> Option<Copied> {
        match self {
            Self::Copied(copied) => Some(copied),
            Self::Encoded | Self::Refused => None,
        }
    }

    /// One word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copied(_) => "copied",
            Self::Encoded => "encoded",
            Self::Refused => "refused",
        }
    }

    /// Why, for people.
    #[must_use]
    pub const fn reason(self, mode: VideoMode) -> &'static str {
        match (self, mode) {
            (Self::Copied(_), _) => "players of MPEG-TS take this codec as it comes",
            (Self::Encoded, VideoMode::Transcode) => "video.mode is \"transcode\"",
            (Self::Encoded, _) => "players of MPEG-TS do not take this codec",
            (Self::Refused, _) => {
                "video.mode is \"passthrough\", and players of MPEG-TS do not take this codec"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_to_be_is_encoded_unless_told() {
        use Treatment::{Copied as Copy, Encoded, Refused};
        let of = |codec, mode| Treatment::of(codec, mode);
        for (codec, copied) in [(Codec::H264, Copied::H264), (Codec::H265, Copied::H265)] {
            assert_eq!(of(codec, VideoMode::Auto), Copy(copied));
            assert_eq!(of(codec, VideoMode::Passthrough), Copy(copied));
            assert_eq!(of(codec, VideoMode::Transcode), Encoded);
        }
        for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
            assert_eq!(of(codec, VideoMode::Auto), Encoded);
            assert_eq!(of(codec, VideoMode::Passthrough), Refused);
            assert_eq!(of(codec, VideoMode::Transcode), Encoded);
        }
    }
}
