//! What the server's words say of a participant and of what it publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use livekit_protocol as proto;

use super::super::layers::Layers;
use super::Given;
use crate::room::{Codec, Kind, Participant, Present, Publication, Source, Track, TrackId};

/// Tracks of one participant that are looked at. More make no sense, and who knows whose idea
/// they are.
const MOST_PUBLISHED: usize = 64;

/// A participant as the server described it last.
#[derive(Debug)]
pub struct Known {
    pub participant: Arc<Participant>,
    pub joined_ms: i64,
    pub version: u32,
    pub tracks: BTreeMap<TrackId, Published>,
}

#[derive(Debug, Clone)]
pub struct Published {
    pub source: Source,
    pub codec: Result<Codec, String>,
    pub stereo: bool,
    pub muted: bool,
    pub layers: Layers,
}

impl Known {
    pub fn read(info: &proto::ParticipantInfo, given: &Given) -> Self {
        Self {
            participant: Arc::new(Participant {
                sid: info.sid.clone(),
                identity: info.identity.clone(),
                name: info.name.clone(),
            }),
            joined_ms: joined_ms(info),
            version: info.version,
            tracks: info
                .tracks
                .iter()
                .take(MOST_PUBLISHED)
                .filter_map(|track| {
                    let published = Published::read(track, given)?;
                    Some((TrackId::new(&track.sid), published))
                })
                .collect(),
        }
    }

    pub fn view(&self) -> Present {
        Present {
            joined_ms: self.joined_ms,
            sid: self.participant.sid.clone(),
            identity: self.participant.identity.clone(),
            publications: self
                .tracks
                .iter()
                .filter(|(_, published)| published.codec.is_ok())
                .map(|(id, published)| Publication {
                    id: id.clone(),
                    source: published.source,
                })
                .collect(),
        }
    }

    pub fn track(&self, id: &TrackId) -> Option<Track> {
        let published = self.tracks.get(id)?;
        Some(Track {
            id: id.clone(),
            participant: self.participant.clone(),
            source: published.source,
            codec: published.codec.clone().ok()?,
            stereo: published.stereo,
            muted: published.muted,
        })
    }
}

/// Older servers give whole seconds only.
pub const fn joined_ms(info: &proto::ParticipantInfo) -> i64 {
    if info.joined_at_ms == 0 {
        info.joined_at * 1000
    } else {
        info.joined_at_ms
    }
}

impl Published {
    pub fn read(info: &proto::TrackInfo, given: &Given) -> Option<Self> {
        let source = source_of(info)?;
        Some(Self {
            source,
            codec: match given {
                Given::AsSent(unrecordable) => recordable(info, source, unrecordable),
                Given::Decoded { has_key } => decoded(info, source, *has_key),
            },
            stereo: info
                .audio_features()
                .any(|f| f == proto::AudioTrackFeature::TfStereo),
            muted: info.muted,
            layers: Layers::of(info),
        })
    }
}

/// What a track shows or sounds. A publisher that doesn't say is taken for camera or microphone,
/// as LiveKit's own clients do; data tracks have no source.
fn source_of(info: &proto::TrackInfo) -> Option<Source> {
    use proto::{TrackSource, TrackType};
    match (info.source(), info.r#type()) {
        (TrackSource::Camera, _) | (TrackSource::Unknown, TrackType::Video) => Some(Source::Camera),
        (TrackSource::Microphone, _) | (TrackSource::Unknown, TrackType::Audio) => {
            Some(Source::Microphone)
        }
        (TrackSource::ScreenShare, _) => Some(Source::ScreenShare),
        (TrackSource::ScreenShareAudio, _) => Some(Source::ScreenShareAudio),
        (TrackSource::Unknown, TrackType::Data) => None,
    }
}

/// The codec that we will get, or why the track can't be recorded here.
fn recordable(
    info: &proto::TrackInfo,
    source: Source,
    unrecordable: &BTreeMap<Codec, String>,
) -> Result<Codec, String> {
    let codec = codec_of(info, source)?;
    match unrecordable.get(&codec) {
        Some(reason) => Err(reason.clone()),
        None => Ok(codec),
    }
}

/// As what a track comes from a source that decodes, or why it does not.
fn decoded(info: &proto::TrackInfo, source: Source, has_key: bool) -> Result<Codec, String> {
    if is_encrypted(info) && !has_key {
        return Err("it is end-to-end encrypted: set livekit.e2ee_key".to_owned());
    }
    match source.kind() {
        Kind::Video => Ok(Codec::I420),
        Kind::Audio => Ok(Codec::Pcm),
    }
}

fn is_encrypted(info: &proto::TrackInfo) -> bool {
    info.encryption() != proto::encryption::Type::None
}

/// The codec of what is sent, or why the track can't be recorded.
fn codec_of(info: &proto::TrackInfo, source: Source) -> Result<Codec, String> {
    if is_encrypted(info) {
        return Err(
            "it is end-to-end encrypted, which only LiveKit's own SDK opens (livekit.client)"
                .to_owned(),
        );
    }
    let mime = info.mime_type.to_ascii_lowercase();
    let codec = match mime.as_str() {
        "video/h264" => Codec::H264,
        "video/h265" => Codec::H265,
        // A codec that is not named shows with the first unit.
        "" if source.kind() == Kind::Audio => Codec::Opus,
        "video/vp8" | "" => Codec::Vp8,
        "video/vp9" => Codec::Vp9,
        "video/av1" => Codec::Av1,
        // Redundant Opus: the server unwraps it for a subscriber that does not offer RED.
        "audio/opus" | "audio/red" => Codec::Opus,
        _ => {
            let shown: String = mime
                .chars()
                .filter(char::is_ascii_graphic)
                .take(40)
                .collect();
            return Err(format!(
                "reeld records H.264, H.265, VP8, VP9, AV1 and Opus, not '{shown}': change the publisher's codec"
            ));
        }
    };
    if codec.kind() == source.kind() {
        Ok(codec)
    } else {
        Err(format!(
            "its codec '{codec}' does not fit its source '{source}'"
        ))
    }
}
