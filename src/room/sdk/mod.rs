//! A LiveKit room through LiveKit's own SDK: for rooms that are end-to-end encrypted, whose frames
//! only libwebrtc opens, and for sites that ask for the vendor's client.
//!
//! ```text
//!                 subscribes, asks for quality
//!  SDK's room ◄──────────────────────────────── session ◄── publications, selection (pure)
//!      │
//!      ├─ video stream ─► pictures: a place, or counted as dropped ─┐
//!      └─ audio stream ─► sound: samples counted, loss seen         ┴─► room's task
//! ```
//!
//! The SDK decodes all it receives, in software. Each stream is drained on a task of its own: the
//! SDK's queue in front of it drops without saying so, and must never be what fills up.
//!
//! What needs no libwebrtc is here whether the feature `livekit-sdk` is on or not; the rest
//! translates.

#[cfg(feature = "livekit-sdk")]
mod drain;
mod ending;
mod people;
mod pictures;
mod places;
mod quality;
#[cfg(feature = "livekit-sdk")]
mod session;
mod sound;
#[cfg(feature = "livekit-sdk")]
mod translate;

use std::fmt;

pub use ending::{Ending, ending};
pub use people::{Person, Published, described};
pub use pictures::{Frame, Pictures};
pub use places::{Place, Places, held};
pub use quality::{Form, Step, Wish, steps, wish};
#[cfg(feature = "livekit-sdk")]
pub use session::run;
pub use sound::{SOUND_QUEUE, Sound};

/// What only this source is told.
#[derive(Clone, PartialEq, Eq)]
pub struct SdkSettings {
    /// Pictures that may wait in the SDK's queue; at least one, because it takes none for no limit.
    pub queue_size_frames: usize,
    /// Decoded pictures of a track between the SDK and the encoder.
    pub in_flight: u8,
    /// The key that all participants share, where the room is end-to-end encrypted.
    pub shared_key: Option<Vec<u8>>,
}

impl fmt::Debug for SdkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkSettings")
            .field("queue_size_frames", &self.queue_size_frames)
            .field("in_flight", &self.in_flight)
            .field("shared_key", &self.shared_key.as_ref().map(|_| "…"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_key_is_not_shown() {
        let settings = SdkSettings {
            queue_size_frames: 8,
            in_flight: 2,
            shared_key: Some(b"s3cr3t".to_vec()),
        };
        let shown = format!("{settings:?}");
        assert!(shown.contains('…') && !shown.contains("115"), "{shown}");
    }
}
