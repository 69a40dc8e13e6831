//! What the SDK tells of participants, in the server's words: then what selects tracks for the
//! source that has no SDK does so for this one.

use livekit_protocol as proto;
use proto::{TrackType, VideoLayer, VideoQuality};

/// The lines of the lower layers that LiveKit's clients send unless told otherwise (`h180` and
/// `h360` in client-sdk-js' `src/room/track/options.ts`, and alike in the others).
const LOW_LINES: u32 = 180;
const MEDIUM_LINES: u32 = 360;

/// Pictures whose longer side has so many pixels have three layers (`computeVideoEncodings` in
/// client-sdk-js' `src/room/participant/publishUtils.ts`).
const THREE_LAYERS: u32 = 960;

/// So many, two.
const TWO_LAYERS: u32 = 480;

/// A participant, as the SDK describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The server's name for this stay.
    pub sid: String,
    /// The application's name.
    pub identity: String,
    /// A name for people to read.
    pub name: String,
    /// When it joined, in milliseconds since 1970.
    pub joined_ms: i64,
    /// It has left.
    pub gone: bool,
    /// What it publishes.
    pub tracks: Vec<Published>,
}

/// A publication, as the SDK describes it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one answer of the SDK"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The track's name.
    pub sid: String,
    /// What it shows or sounds.
    pub source: proto::TrackSource,
    /// It is a picture.
    pub is_video: bool,
    /// Its codec.
    pub mime: String,
    /// It is muted.
    pub muted: bool,
    /// It is end-to-end encrypted.
    pub encrypted: bool,
    /// Its sound has two channels.
    pub stereo: bool,
    /// It comes in several sizes.
    pub simulcast: bool,
    /// Its largest picture: pixels across and down, as the publisher announced it.
    pub size: (u32, u32),
}

/// A participant in the server's words.
#[must_use]
pub fn described(person: &Person) -> proto::ParticipantInfo {
    use proto::participant_info::State;
    let state = if person.gone {
        State::Disconnected
    } else {
        State::Active
    };
    proto::ParticipantInfo {
        sid: person.sid.clone(),
        identity: person.identity.clone(),
        name: person.name.clone(),
        joined_at_ms: person.joined_ms,
        state: state.into(),
        tracks: person.tracks.iter().map(track).collect(),
        ..Default::default()
    }
}

#[expect(deprecated, reason = "read where no codec is listed")]
fn track(published: &Published) -> proto::TrackInfo {
    use proto::encryption::Type as Encryption;
    let kind = if published.is_video {
        TrackType::Video
    } else {
        TrackType::Audio
    };
    let encryption = if published.encrypted {
        Encryption::Gcm
    } else {
        Encryption::None
    };
    let stereo = proto::AudioTrackFeature::TfStereo.into();
    proto::TrackInfo {
        sid: published.sid.clone(),
        r#type: kind.into(),
        source: published.source.into(),
        mime_type: published.mime.clone(),
        muted: published.muted,
        encryption: encryption.into(),
        audio_features: published.stereo.then_some(stereo).into_iter().collect(),
        layers: layers(published),
        ..Default::default()
    }
}

/// The layers that a publication probably has: the SDK keeps to itself which ones.
fn layers(published: &Published) -> Vec<VideoLayer> {
    let (width, height) = published.size;
    if !published.is_video || !published.simulcast || height == 0 {
        return Vec::new();
    }
    let all = [
        (VideoQuality::Low, LOW_LINES),
        (VideoQuality::Medium, MEDIUM_LINES),
        (VideoQuality::High, height),
    ];
    let two = [
        (VideoQuality::Low, LOW_LINES),
        (VideoQuality::Medium, height),
    ];
    let sizes: &[_] = match width.max(height) {
        THREE_LAYERS.. => &all,
        TWO_LAYERS.. => &two,
        _ => &[],
    };
    let layer = |&(quality, lines): &(VideoQuality, u32)| VideoLayer {
        quality: quality.into(),
        height: lines.min(height),
        ..Default::default()
    };
    sizes.iter().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroUsize};
    use std::time::Instant;

    use super::*;
    use crate::room::livekit::layers::Layers;
    use crate::room::livekit::publications::{Change, Given, Publications};
    use crate::room::{Codec, Refusal, Selection, Sending, Source};

    fn camera(size: (u32, u32)) -> Published {
        Published {
            sid: "TR_v".to_owned(),
            source: proto::TrackSource::Camera,
            is_video: true,
            mime: "video/AV1".to_owned(),
            simulcast: true,
            size,
            ..Published::default()
        }
    }

    fn ann(tracks: Vec<Published>) -> Person {
        Person {
            sid: "PA_a".to_owned(),
            identity: "ann".to_owned(),
            joined_ms: 5,
            tracks,
            ..Person::default()
        }
    }

    fn publications(has_key: bool) -> Publications {
        let most = NonZeroUsize::new(16).unwrap();
        let selection = Selection::new(&["*".to_owned()], &Source::ALL, most).unwrap();
        let given = Given::Decoded { has_key };
        Publications::new("PA_us".to_owned(), selection, given, None)
    }

    #[test]
    fn the_quality_asked_for_follows_the_usual_layers() {
        let quality = |size, lines| {
            let info = track(&camera(size));
            let asked = Layers::of(&info).ask(NonZeroU32::new(lines), Sending::default());
            asked.unwrap().quality
        };
        assert_eq!(quality((1920, 1080), 1080), VideoQuality::High);
        assert_eq!(quality((1920, 1080), 720), VideoQuality::Medium);
        assert_eq!(quality((1280, 720), 180), VideoQuality::Low);
        // Its largest is called so.
        assert_eq!(quality((640, 360), 360), VideoQuality::Medium);
        // No choice.
        assert_eq!(quality((320, 180), 90), VideoQuality::High);
    }

    #[test]
    fn pictures_and_sound_come_decoded_whatever_they_are_sent_as() {
        let sound = Published {
            sid: "TR_a".to_owned(),
            source: proto::TrackSource::Microphone,
            mime: "audio/red".to_owned(),
            stereo: true,
            ..Published::default()
        };
        let person = ann(vec![camera((1280, 720)), sound]);
        let changes = publications(false).update(&[described(&person)], Instant::now());
        let subscribed = changes.iter().filter_map(|change| match change {
            Change::Subscribe(track) => Some((track.codec, track.stereo)),
            _ => None,
        });
        let mut subscribed: Vec<_> = subscribed.collect();
        subscribed.sort_unstable();
        assert_eq!(subscribed, [(Codec::I420, false), (Codec::Pcm, true)]);
    }

    #[test]
    fn what_is_encrypted_needs_the_key() {
        let locked = Published {
            encrypted: true,
            ..camera((1280, 720))
        };
        let info = described(&ann(vec![locked]));
        let changes = publications(true).update(std::slice::from_ref(&info), Instant::now());
        assert!(matches!(changes[..], [Change::Subscribe(_)]), "{changes:?}");
        let changes = publications(false).update(&[info], Instant::now());
        let [
            Change::Refused {
                refusal: Refusal::Unrecordable(why),
                ..
            },
        ] = &changes[..]
        else {
            panic!("{changes:?}");
        };
        assert!(why.contains("livekit.e2ee_key"), "{why}");
    }

    #[test]
    fn who_is_gone_has_no_tracks_left() {
        let mut publications = publications(false);
        let mut person = ann(vec![camera((1280, 720))]);
        publications.update(&[described(&person)], Instant::now());
        person.gone = true;
        let changes = publications.update(&[described(&person)], Instant::now());
        assert!(
            matches!(changes[..], [Change::Unsubscribe(..)]),
            "{changes:?}"
        );
    }
}
