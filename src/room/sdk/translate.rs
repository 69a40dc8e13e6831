//! The SDK's words in ours.

use livekit::prelude::{
    RemoteParticipant, RemoteTrackPublication, TrackDimension, TrackKind, TrackSource,
};
use livekit::track::VideoQuality;
use livekit::webrtc::video_frame::VideoRotation;
use livekit::{RoomError, e2ee, rtc_engine};
use livekit_protocol as proto;

use super::people::{Person, Published};
use crate::bitstream::raw::Turn;
use crate::room::livekit::LiveKitError;

/// A participant; `size` tells how large a track's picture was when it was seen first.
pub fn person(
    participant: &RemoteParticipant,
    gone: bool,
    mut size: impl FnMut(&RemoteTrackPublication) -> (u32, u32),
) -> Person {
    let publications = participant.track_publications();
    let tracks = publications.values().map(|it| published(it, size(it)));
    Person {
        sid: participant.sid().into(),
        identity: participant.identity().into(),
        name: participant.name(),
        joined_ms: participant.joined_at(),
        gone,
        tracks: tracks.collect(),
    }
}

fn published(publication: &RemoteTrackPublication, size: (u32, u32)) -> Published {
    let stereo = proto::AudioTrackFeature::TfStereo;
    Published {
        sid: publication.sid().into(),
        source: match publication.source() {
            TrackSource::Unknown => proto::TrackSource::Unknown,
            TrackSource::Camera => proto::TrackSource::Camera,
            TrackSource::Microphone => proto::TrackSource::Microphone,
            TrackSource::Screenshare => proto::TrackSource::ScreenShare,
            TrackSource::ScreenshareAudio => proto::TrackSource::ScreenShareAudio,
        },
        is_video: publication.kind() == TrackKind::Video,
        mime: publication.mime_type(),
        muted: publication.is_muted(),
        encrypted: publication.encryption_type() != e2ee::EncryptionType::None,
        stereo: publication.audio_features().contains(&stereo),
        simulcast: publication.simulcasted(),
        size,
    }
}

/// Pixels across and down.
pub fn size(TrackDimension(width, height): TrackDimension) -> (u32, u32) {
    (width, height)
}

pub fn quality(quality: proto::VideoQuality) -> VideoQuality {
    match quality {
        proto::VideoQuality::Low => VideoQuality::Low,
        proto::VideoQuality::Medium => VideoQuality::Medium,
        proto::VideoQuality::High | proto::VideoQuality::Off => VideoQuality::High,
    }
}

pub fn turn(rotation: VideoRotation) -> Turn {
    match rotation {
        VideoRotation::VideoRotation0 => Turn::None,
        VideoRotation::VideoRotation90 => Turn::Quarter,
        VideoRotation::VideoRotation180 => Turn::Half,
        VideoRotation::VideoRotation270 => Turn::ThreeQuarters,
    }
}

/// Why the SDK did not get into the room.
pub fn failed(url: &str, error: RoomError) -> LiveKitError {
    match error {
        RoomError::Engine(rtc_engine::EngineError::Signal(error)) => {
            LiveKitError::from_signal(url, error)
        }
        other => LiveKitError::Unreachable {
            url: url.to_owned(),
            reason: other.to_string(),
        },
    }
}
