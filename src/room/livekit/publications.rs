//! Who publishes what, as the server's updates tell it, and which of it we want.
//!
//! Pure: updates in, what to ask the server for and what to tell the room's task out.

use std::collections::BTreeMap;
use std::sync::Arc;

use livekit_protocol as proto;
use proto::participant_info::State;

use crate::room::{
    Codec, Kind, Participant, Present, Publication, Selection, Source, Track, TrackEnd, TrackId,
};

/// What an update means to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Ask the server for the track.
    Subscribe(Track),
    /// Take the request back; the track has ended for us.
    Unsubscribe(TrackId, TrackEnd),
    /// A track that we asked for was muted or unmuted.
    Muted(TrackId, bool),
    /// A track that the selection wants can't be recorded. Said once for each track.
    Unrecordable {
        /// Which track.
        track: TrackId,
        /// Who publishes it.
        identity: String,
        /// Why, and what could be done.
        reason: String,
    },
}

/// The publications of a room.
#[derive(Debug)]
pub struct Publications {
    own_sid: String,
    selection: Selection,
    /// Codecs that can't be recorded on this machine, and why.
    unrecordable: BTreeMap<Codec, String>,
    participants: BTreeMap<String, Known>,
    subscribed: BTreeMap<TrackId, Track>,
}

#[derive(Debug)]
struct Known {
    participant: Arc<Participant>,
    joined_ms: i64,
    version: u32,
    tracks: BTreeMap<TrackId, Published>,
}

#[derive(Debug, Clone)]
struct Published {
    source: Source,
    codec: Result<Codec, String>,
    stereo: bool,
    muted: bool,
}

impl Publications {
    /// An empty room seen by the participant `own_sid`.
    #[must_use]
    pub const fn new(
        own_sid: String,
        selection: Selection,
        unrecordable: BTreeMap<Codec, String>,
    ) -> Self {
        Self {
            own_sid,
            selection,
            unrecordable,
            participants: BTreeMap::new(),
            subscribed: BTreeMap::new(),
        }
    }

    /// Takes the participants that the server tells of: all at the join, the changed ones later.
    pub fn update(&mut self, infos: &[proto::ParticipantInfo]) -> Vec<Change> {
        let mut changes = Vec::new();
        for info in infos.iter().filter(|info| info.sid != self.own_sid) {
            if info.state() == State::Disconnected {
                self.participants.remove(&info.sid);
                continue;
            }
            let old = self.participants.get(&info.sid);
            if old.is_some_and(|known| known.version > info.version) {
                continue;
            }
            let known = Known::read(info, &self.unrecordable);
            for (id, published) in &known.tracks {
                let before = old.and_then(|known| known.tracks.get(id));
                if before.is_none()
                    && self
                        .selection
                        .wants(&known.participant.identity, published.source)
                    && let Err(reason) = &published.codec
                {
                    changes.push(Change::Unrecordable {
                        track: id.clone(),
                        identity: known.participant.identity.clone(),
                        reason: reason.clone(),
                    });
                }
            }
            self.participants.insert(info.sid.clone(), known);
        }
        self.mutes(&mut changes);
        self.select(&mut changes);
        changes
    }

    /// A track's units turn out to be encoded otherwise than announced (a backup codec): gives
    /// the track as it is.
    pub fn correct_codec(&mut self, id: &TrackId, codec: Codec) -> Option<Track> {
        let track = self.subscribed.get_mut(id)?;
        track.codec = codec;
        Some(track.clone())
    }

    /// The track, if we asked for it.
    #[must_use]
    pub fn subscribed(&self, id: &TrackId) -> Option<&Track> {
        self.subscribed.get(id)
    }

    fn mutes(&mut self, changes: &mut Vec<Change>) {
        for known in self.participants.values() {
            for (id, published) in &known.tracks {
                if let Some(track) = self.subscribed.get_mut(id)
                    && track.muted != published.muted
                {
                    track.muted = published.muted;
                    changes.push(Change::Muted(id.clone(), published.muted));
                }
            }
        }
    }

    fn select(&mut self, changes: &mut Vec<Change>) {
        let view: Vec<Present> = self.participants.values().map(Known::view).collect();
        let decided = self.selection.update(&view);
        for id in decided.unsubscribe {
            if let Some(track) = self.subscribed.remove(&id) {
                let here = self.participants.contains_key(&track.participant.sid);
                let end = if here {
                    TrackEnd::Unpublished
                } else {
                    TrackEnd::ParticipantLeft
                };
                changes.push(Change::Unsubscribe(id, end));
            }
        }
        for id in decided.subscribe {
            let track = self
                .participants
                .values()
                .find_map(|known| known.track(&id));
            if let Some(track) = track {
                self.subscribed.insert(id, track.clone());
                changes.push(Change::Subscribe(track));
            }
        }
    }
}

impl Known {
    fn read(info: &proto::ParticipantInfo, unrecordable: &BTreeMap<Codec, String>) -> Self {
        let joined_ms = if info.joined_at_ms == 0 {
            info.joined_at * 1000
        } else {
            info.joined_at_ms
        };
        Self {
            participant: Arc::new(Participant {
                sid: info.sid.clone(),
                identity: info.identity.clone(),
                name: info.name.clone(),
            }),
            joined_ms,
            version: info.version,
            tracks: info
                .tracks
                .iter()
                .filter_map(|track| {
                    Some((
                        TrackId::new(&track.sid),
                        Published::read(track, unrecordable)?,
                    ))
                })
                .collect(),
        }
    }

    fn view(&self) -> Present {
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

    fn track(&self, id: &TrackId) -> Option<Track> {
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

impl Published {
    fn read(info: &proto::TrackInfo, unrecordable: &BTreeMap<Codec, String>) -> Option<Self> {
        let source = source_of(info)?;
        Some(Self {
            source,
            codec: codec_of(info, source).and_then(|codec| match unrecordable.get(&codec) {
                Some(reason) => Err(reason.clone()),
                None => Ok(codec),
            }),
            stereo: info
                .audio_features()
                .any(|f| f == proto::AudioTrackFeature::TfStereo),
            muted: info.muted,
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

/// The codec that we will get, or why the track can't be recorded.
fn codec_of(info: &proto::TrackInfo, source: Source) -> Result<Codec, String> {
    if info.encryption() != proto::encryption::Type::None {
        return Err("it is end-to-end encrypted".to_owned());
    }
    let mime = info.mime_type.to_ascii_lowercase();
    let codec = match mime.as_str() {
        "video/h264" => Codec::H264,
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
                "reeld records H.264, VP8, VP9, AV1 and Opus, not '{shown}': change the publisher's codec"
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn publications(globs: &[&str]) -> Publications {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let sources = [Source::Camera, Source::Microphone, Source::ScreenShare];
        let selection = Selection::new(&globs, &sources, NonZeroUsize::MIN).unwrap();
        let av1 = BTreeMap::from([(Codec::Av1, "install a decoder".to_owned())]);
        Publications::new("PA_me".to_owned(), selection, av1)
    }

    fn video(sid: &str, mime: &str) -> proto::TrackInfo {
        proto::TrackInfo {
            sid: sid.to_owned(),
            r#type: proto::TrackType::Video.into(),
            source: proto::TrackSource::Camera.into(),
            mime_type: mime.to_owned(),
            ..Default::default()
        }
    }

    fn person(sid: &str, tracks: Vec<proto::TrackInfo>) -> proto::ParticipantInfo {
        proto::ParticipantInfo {
            sid: sid.to_owned(),
            identity: sid.to_lowercase(),
            state: State::Active.into(),
            tracks,
            ..Default::default()
        }
    }

    fn subscribed(changes: &[Change]) -> Vec<&str> {
        let ids = changes.iter().filter_map(|change| match change {
            Change::Subscribe(track) => Some(track.id.as_str()),
            _ => None,
        });
        ids.collect()
    }

    #[test]
    fn a_track_is_asked_for_once_and_ends_as_it_ended() {
        let mut room = publications(&["*"]);
        let ann = person("PA_a", vec![video("TR_1", "video/H264")]);
        assert_eq!(
            subscribed(&room.update(std::slice::from_ref(&ann))),
            ["TR_1"]
        );
        assert_eq!(room.update(&[ann]), []);

        let unpublished = room.update(&[person("PA_a", vec![])]);
        assert_eq!(
            unpublished,
            [Change::Unsubscribe(
                TrackId::new("TR_1"),
                TrackEnd::Unpublished
            )]
        );

        room.update(&[person("PA_a", vec![video("TR_2", "video/VP8")])]);
        let mut gone = person("PA_a", vec![]);
        gone.state = State::Disconnected.into();
        let left = room.update(&[gone]);
        assert_eq!(
            left,
            [Change::Unsubscribe(
                TrackId::new("TR_2"),
                TrackEnd::ParticipantLeft
            )]
        );
    }

    #[test]
    fn our_own_tracks_and_unselected_people_are_left_alone() {
        let mut room = publications(&["pa_a"]);
        let me = person("PA_me", vec![video("TR_me", "video/H264")]);
        let other = person("PA_b", vec![video("TR_b", "video/H264")]);
        assert_eq!(room.update(&[me, other]), []);
    }

    #[test]
    fn mutes_are_told_once() {
        let mut room = publications(&["*"]);
        let mut track = video("TR_1", "video/H264");
        room.update(&[person("PA_a", vec![track.clone()])]);
        track.muted = true;
        let muted = person("PA_a", vec![track]);
        assert_eq!(
            room.update(std::slice::from_ref(&muted)),
            [Change::Muted(TrackId::new("TR_1"), true)]
        );
        assert_eq!(room.update(&[muted]), []);
    }

    #[test]
    fn an_old_version_of_a_participant_is_passed_over() {
        let mut room = publications(&["*"]);
        let mut new = person("PA_a", vec![video("TR_1", "video/H264")]);
        new.version = 7;
        room.update(&[new]);
        let mut old = person("PA_a", vec![]);
        old.version = 6;
        assert_eq!(room.update(&[old]), []);
    }

    #[test]
    fn what_can_not_be_recorded_is_said_once_with_the_reason() {
        let mut room = publications(&["*"]);
        let mut secret = video("TR_e", "video/VP8");
        secret.encryption = proto::encryption::Type::Gcm.into();
        let av1 = video("TR_y", "video/AV1");
        let ann = person("PA_a", vec![video("TR_x", "video/h265"), av1, secret]);
        let reasons: Vec<String> = room
            .update(std::slice::from_ref(&ann))
            .into_iter()
            .map(|change| match change {
                Change::Unrecordable { reason, .. } => reason,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(reasons.len(), 3);
        assert!(reasons.iter().any(|reason| reason == "install a decoder"));
        assert!(
            reasons
                .iter()
                .any(|reason| reason.contains("end-to-end encrypted"))
        );
        assert!(
            reasons
                .iter()
                .any(|reason| reason.contains("not 'video/h265'"))
        );
        assert_eq!(room.update(&[ann]), []);
    }
}
