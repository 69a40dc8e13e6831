//! A track of somebody, for tests.

use std::sync::Arc;

use super::{Codec, Participant, Source, Track, TrackId};

/// A track of "ann", not muted, its sound in one channel.
pub fn track(id: &str, source: Source, codec: Codec) -> Track {
    Track {
        id: TrackId::new(id),
        participant: Arc::new(Participant {
            sid: "PA_1".to_owned(),
            identity: "ann".to_owned(),
            name: String::new(),
        }),
        source,
        codec,
        stereo: false,
        muted: false,
    }
}
