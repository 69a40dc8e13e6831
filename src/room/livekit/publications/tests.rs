use std::num::NonZeroUsize;

use proptest::prelude::*;
use proto::VideoQuality;

use super::*;
use crate::room::{Limit, Source};

fn publications(globs: &[&str]) -> Publications {
    let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
    let sources = [Source::Camera, Source::Microphone, Source::ScreenShare];
    let selection = Selection::new(&globs, &sources, NonZeroUsize::MIN).unwrap();
    let av1 = BTreeMap::from([(Codec::Av1, "install a decoder".to_owned())]);
    Publications::new(
        "PA_me".to_owned(),
        selection,
        Given::AsSent(av1),
        NonZeroU32::new(360),
    )
}

fn update(room: &mut Publications, infos: &[proto::ParticipantInfo]) -> Vec<Change> {
    room.update(infos, Instant::now())
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
        subscribed(&update(&mut room, std::slice::from_ref(&ann))),
        ["TR_1"]
    );
    assert_eq!(update(&mut room, &[ann]), []);

    let unpublished = update(&mut room, &[person("PA_a", vec![])]);
    assert_eq!(
        unpublished,
        [Change::Unsubscribe(
            TrackId::new("TR_1"),
            TrackEnd::Unpublished
        )]
    );

    update(
        &mut room,
        &[person("PA_a", vec![video("TR_2", "video/VP8")])],
    );
    let mut gone = person("PA_a", vec![]);
    gone.state = State::Disconnected.into();
    let left = update(&mut room, &[gone]);
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
    assert_eq!(update(&mut room, &[me, other]), []);
}

#[test]
fn mutes_are_told_once() {
    let mut room = publications(&["*"]);
    let mut track = video("TR_1", "video/H264");
    update(&mut room, &[person("PA_a", vec![track.clone()])]);
    track.muted = true;
    let muted = person("PA_a", vec![track]);
    assert_eq!(
        update(&mut room, std::slice::from_ref(&muted)),
        [Change::Muted(TrackId::new("TR_1"), true)]
    );
    assert_eq!(update(&mut room, &[muted]), []);
}

#[test]
fn an_old_version_of_a_participant_is_passed_over() {
    let mut room = publications(&["*"]);
    let mut new = person("PA_a", vec![video("TR_1", "video/H264")]);
    new.version = 7;
    update(&mut room, &[new]);
    let mut old = person("PA_a", vec![]);
    old.version = 6;
    assert_eq!(update(&mut room, &[old]), []);
}

#[test]
fn what_can_not_be_recorded_is_said_once_with_the_reason() {
    let mut room = publications(&["*"]);
    let mut secret = video("TR_e", "video/VP8");
    secret.encryption = proto::encryption::Type::Gcm.into();
    let av1 = video("TR_y", "video/AV1");
    let ann = person("PA_a", vec![video("TR_x", "video/h266"), av1, secret]);
    let reasons: Vec<String> = room
        .update(std::slice::from_ref(&ann), Instant::now())
        .into_iter()
        .map(|change| match change {
            Change::Refused {
                refusal: Refusal::Unrecordable(reason),
                ..
            } => reason,
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
            .any(|reason| reason.contains("not 'video/h266'"))
    );
    assert_eq!(update(&mut room, &[ann]), []);
}

#[test]
fn what_finds_no_place_is_said_once_with_its_limit_and_its_source() {
    let refusals = |changes: Vec<Change>| -> Vec<(String, String, Source, Refusal)> {
        let refused = changes.into_iter().filter_map(|change| match change {
            Change::Refused {
                track,
                identity,
                source,
                refusal,
            } => Some((track.as_str().to_owned(), identity, source, refusal)),
            _ => None,
        });
        refused.collect()
    };
    let selection = Selection::new(
        &["*".to_owned()],
        &[Source::Camera, Source::Microphone],
        NonZeroUsize::MIN,
    );
    let selection = selection.unwrap().with_most_tracks(NonZeroUsize::MIN);
    let mut room = Publications::new(
        "PA_me".to_owned(),
        selection,
        Given::AsSent(BTreeMap::new()),
        None,
    );
    let microphone = proto::TrackInfo {
        r#type: proto::TrackType::Audio.into(),
        source: proto::TrackSource::Microphone.into(),
        ..video("TR_2", "audio/opus")
    };
    let ann = person("PA_a", vec![video("TR_1", "video/H264"), microphone]);
    let bob = person("PA_b", vec![video("TR_3", "video/H264")]);
    let people = [ann, bob];
    let expected = [
        ("TR_2", "pa_a", Source::Microphone, Limit::Tracks),
        ("TR_3", "pa_b", Source::Camera, Limit::Participants),
    ]
    .map(|(id, identity, source, limit)| {
        let (id, identity) = (id.to_owned(), identity.to_owned());
        (id, identity, source, Refusal::Limit(limit))
    });
    assert_eq!(refusals(update(&mut room, &people)), expected);
    assert_eq!(update(&mut room, &people), []);
}

/// A room with Ann's camera, and what it is now.
fn with_ann() -> (Publications, Instant) {
    let mut room = publications(&["*"]);
    let now = Instant::now();
    room.update(&[person("PA_a", vec![video("TR_1", "video/H264")])], now);
    (room, now)
}

/// Ann again, as another participant.
fn ann_again(tracks: Vec<proto::TrackInfo>) -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        sid: "PA_a2".to_owned(),
        ..person("PA_a", tracks)
    }
}

fn held() -> [Change; 1] {
    [Change::Held(TrackId::new("TR_1"))]
}

fn removed(id: &str, end: TrackEnd) -> Change {
    Change::Unsubscribe(TrackId::new(id), end)
}

#[test]
fn a_track_that_outlives_our_absence_goes_on() {
    let (mut room, now) = with_ann();
    let mut camera = video("TR_1", "video/H264");
    camera.muted = true;
    let here = [person("PA_a", vec![camera])];
    let changes = room.rejoin("PA_me2".to_owned(), &here, now);
    let id = TrackId::new("TR_1");
    assert_eq!(
        changes,
        [Change::Muted(id.clone(), true), Change::Again(id)]
    );
    assert_eq!(room.deadline(), None);
}

#[test]
fn a_publisher_that_returns_after_us_takes_its_place_again() {
    let (mut room, now) = with_ann();
    assert_eq!(room.rejoin("PA_me2".to_owned(), &[], now), held());
    let later = now + Duration::from_secs(3);
    assert_eq!(room.update(&[ann_again(vec![])], later), []);
    let changes = room.update(&[ann_again(vec![video("TR_9", "video/VP8")])], later);
    assert_eq!(subscribed(&changes[..1]), ["TR_9"]);
    assert_eq!(changes[1..], [removed("TR_1", TrackEnd::Unpublished)]);
    assert_eq!(room.deadline(), None);
}

#[test]
fn who_is_still_missing_after_the_grace_has_left() {
    let (mut room, now) = with_ann();
    room.rejoin("PA_me2".to_owned(), &[], now);
    assert_eq!(room.expire(now + Duration::from_millis(14_999)), []);
    assert_eq!(room.deadline(), Some(now + GRACE));
    let left = removed("TR_1", TrackEnd::ParticipantLeft);
    assert_eq!(room.expire(now + GRACE), [left]);

    // Back, but without a camera.
    let (mut room, now) = with_ann();
    room.rejoin("PA_me2".to_owned(), &[ann_again(vec![])], now);
    let without = removed("TR_1", TrackEnd::Unpublished);
    assert_eq!(room.expire(now + GRACE), [without]);
}

#[test]
fn a_track_that_is_named_late_was_never_gone() {
    let (mut room, now) = with_ann();
    room.rejoin("PA_me2".to_owned(), &[], now);
    let ann = person("PA_a", vec![video("TR_1", "video/H264")]);
    let again = [Change::Again(TrackId::new("TR_1"))];
    assert_eq!(room.update(&[ann], now), again);
    assert_eq!(room.expire(now + GRACE), []);
}

#[test]
fn a_publisher_that_replaces_its_own_ghost_goes_on() {
    let (mut room, now) = with_ann();
    let mut ghost = person("PA_a", vec![]);
    ghost.state = State::Disconnected.into();
    ghost.disconnect_reason = proto::DisconnectReason::DuplicateIdentity.into();
    assert_eq!(room.update(&[ghost], now), held());
    let changes = room.update(&[ann_again(vec![video("TR_2", "video/H264")])], now);
    assert_eq!(subscribed(&changes[..1]), ["TR_2"]);
    assert_eq!(changes[1..], [removed("TR_1", TrackEnd::Unpublished)]);
}

#[test]
fn a_ghost_that_nobody_names_any_more_is_replaced_as_well() {
    let (mut room, now) = with_ann();
    assert_eq!(room.update(&[ann_again(vec![])], now), held());
    let changes = room.update(&[ann_again(vec![video("TR_2", "video/H264")])], now);
    assert_eq!(subscribed(&changes[..1]), ["TR_2"]);
    assert_eq!(changes[1..], [removed("TR_1", TrackEnd::Unpublished)]);

    // What is told late of the ghost brings it not back.
    let mut late = person("PA_a", vec![]);
    late.state = State::Disconnected.into();
    assert_eq!(room.update(&[late], now), []);
}

#[test]
fn who_left_while_signalling_was_away_is_missed() {
    let (mut room, now) = with_ann();
    room.resumed(now);
    // Another update first, then the list, without Ann.
    assert_eq!(room.update(&[person("PA_b", vec![])], now), []);
    let left = removed("TR_1", TrackEnd::ParticipantLeft);
    assert_eq!(room.expire(now + NAMED_WITHIN), [left]);

    // Named: still there.
    let (mut room, now) = with_ann();
    room.resumed(now);
    let ann = person("PA_a", vec![video("TR_1", "video/H264")]);
    room.update(&[ann], now);
    assert_eq!(room.expire(now + NAMED_WITHIN), []);

    // A server that names nobody says nothing.
    let (mut room, now) = with_ann();
    room.resumed(now);
    assert_eq!(room.expire(now + NAMED_WITHIN), []);
    assert_eq!(room.deadline(), None);
}

#[expect(deprecated, reason = "older publishers fill in nothing else")]
fn simulcast(sid: &str, heights: [u32; 2]) -> proto::TrackInfo {
    let qualities = [VideoQuality::Low, VideoQuality::High];
    let layers = qualities.into_iter().zip(heights);
    let layers = layers.map(|(quality, height)| proto::VideoLayer {
        quality: quality.into(),
        height,
        ..Default::default()
    });
    proto::TrackInfo {
        layers: layers.collect(),
        ..video(sid, "video/H264")
    }
}

/// What is to be asked for, in the order of the tracks.
fn asked(changes: Vec<Change>) -> Vec<Asked> {
    let asked = changes.into_iter().filter_map(|change| match change {
        Change::Ask(_, asked) => Some(asked),
        _ => None,
    });
    asked.collect()
}

const LOW: Asked = Asked {
    quality: VideoQuality::Low,
    ..Asked::ALL
};

#[test]
fn a_layer_is_asked_for_once_and_again_with_another_choice_or_connection() {
    let mut room = publications(&["*"]);
    let ann = |heights| [person("PA_a", vec![simulcast("TR_1", heights)])];
    let id = TrackId::new("TR_1");
    assert_eq!(asked(update(&mut room, &ann([360, 720]))), [LOW]);
    assert_eq!(room.asked(&id), Some(LOW));
    assert_eq!(asked(update(&mut room, &ann([360, 720]))), []);

    let again = room.rejoin("PA_me2".to_owned(), &ann([360, 720]), Instant::now());
    assert_eq!(again.first(), Some(&Change::Again(id.clone())));
    assert_eq!(asked(again), [LOW]);
    // A window was made smaller: both fit now, as what comes unasked does.
    assert_eq!(asked(update(&mut room, &ann([180, 360]))), [Asked::ALL]);
    assert_eq!(room.asked(&id), None);
    update(&mut room, &ann([360, 720]));
    update(&mut room, &[person("PA_a", vec![])]);
    assert_eq!(room.asked(&id), None);
}

#[test]
fn what_is_saved_is_asked_for_of_pictures_that_are_there_and_that_come() {
    let mut room = publications(&["*"]);
    let small = simulcast("TR_1", [180, 360]);
    let sound = proto::TrackInfo {
        r#type: proto::TrackType::Audio.into(),
        source: proto::TrackSource::Microphone.into(),
        ..video("TR_2", "audio/opus")
    };
    let ann = |more: &[proto::TrackInfo]| {
        let tracks = [&[small.clone(), sound.clone()], more].concat();
        [person("PA_a", tracks)]
    };
    assert_eq!(asked(update(&mut room, &ann(&[]))), []);
    let sending = Sending {
        lines: None,
        pictures_per_second: Some(15),
        nothing: true,
    };
    let nothing = Asked {
        pictures_per_second: 15,
        nothing: true,
        ..Asked::ALL
    };
    assert_eq!(asked(room.send(sending)), [nothing]);
    assert_eq!(asked(room.send(sending)), []);
    let screen = proto::TrackInfo {
        source: proto::TrackSource::ScreenShare.into(),
        ..simulcast("TR_3", [360, 720])
    };
    let lower = Asked {
        quality: VideoQuality::Low,
        ..nothing
    };
    assert_eq!(asked(update(&mut room, &ann(&[screen]))), [lower]);
    assert_eq!(asked(room.send(Sending::default())), [Asked::ALL, LOW]);
}

/// Somebody out of a few, with tracks out of a few, as a server could tell of them.
fn anybody() -> impl Strategy<Value = proto::ParticipantInfo> {
    let track = (0..6_u8, -1..6_i32, -1..4_i32, 0..6_usize, any::<bool>()).prop_map(
        |(sid, source, kind, mime, muted)| proto::TrackInfo {
            source,
            r#type: kind,
            muted,
            mime_type: ["", "video/H264", "audio/red", "video/H265", "a/b", "\u{0}é"][mime]
                .to_owned(),
            ..simulcast(&format!("TR_{sid}"), [360, 720])
        },
    );
    let tracks = prop::collection::vec(track, 0..80);
    (0..5_u8, 0..5_i32, 0..3_u32, tracks).prop_map(|(sid, state, version, tracks)| {
        proto::ParticipantInfo {
            state,
            version,
            ..person(&format!("PA_{sid}"), tracks)
        }
    })
}

proptest! {
    /// Whatever a server tells, no more is asked for than may be, nothing twice, and nothing ends
    /// that has not begun.
    #[test]
    fn any_updates_are_taken(
        updates in prop::collection::vec(
            (prop::collection::vec(anybody(), 0..4), 0..20_000_u64, any::<bool>()),
            0..20,
        ),
    ) {
        let sources = [Source::Camera, Source::Microphone, Source::ScreenShare];
        let selection = Selection::new(&["*".to_owned()], &sources, NonZeroUsize::MAX).unwrap();
        let selection = selection.with_most_tracks(NonZeroUsize::new(4).unwrap());
        let lines = NonZeroU32::new(360);
        let mut room = Publications::new("PA_me".to_owned(), selection, Given::AsSent(BTreeMap::new()), lines);
        let mut now = Instant::now();
        let mut going = BTreeSet::new();
        for (infos, wait, rejoins) in updates {
            now += Duration::from_millis(wait);
            let mut changes = room.expire(now);
            changes.extend(if rejoins {
                room.rejoin("PA_me".to_owned(), &infos, now)
            } else {
                room.update(&infos, now)
            });
            for change in changes {
                match change {
                    Change::Subscribe(track) => prop_assert!(going.insert(track.id)),
                    Change::Unsubscribe(id, _) => prop_assert!(going.remove(&id)),
                    Change::Ask(id, _) | Change::Again(id) | Change::Held(id) => {
                        prop_assert!(going.contains(&id));
                    }
                    Change::Muted(..) | Change::Refused { .. } => {}
                }
            }
            prop_assert!(room.wanted().count() <= 4);
        }
    }
}
