//! Whole recordings of scripted rooms, through real GStreamer onto a real disk: what tracks do
//! in the middle of a recording, and what the disk does to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod decoded;
mod files;
mod gaps;
mod governed;
mod script;
#[path = "../stage/steady.rs"]
mod steady;
mod storage;
mod trouble;
mod turnover;

use reeld::daemon::settings::RoomSettings;
use reeld::recorder::DropReason;
use reeld::room::{Codec, Source};
use tempfile::TempDir;

use files::{Recording, audio, video};
use script::{Played, Room, ms, participant, settings};
use steady::steady;

/// Ticks of a picture at 30 pictures a second.
const PICTURE: i64 = 3_000;

/// How far sound and picture may be apart, in milliseconds: an AAC frame has 21 ms, a picture 33.
const APART: u64 = 50;

/// Packets of silence at the end of each file: they push out what the encoder still holds.
const TAIL: u64 = 3;

const LONG_SEGMENTS: std::time::Duration = std::time::Duration::from_mins(1);

fn output() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn whole(output: &TempDir) -> RoomSettings {
    settings(output.path(), LONG_SEGMENTS)
}

/// The only recording, of "ann" and her camera; it has ended without an error.
fn anns(played: &Played) -> Recording {
    let summary = played.only();
    assert_eq!(summary.error, None);
    let recording = Recording::read(summary.dir.as_ref().unwrap());
    assert_eq!(recording.pictures(), summary.frames.video.written);
    let drops = summary.frames.video.dropped.total();
    assert_eq!(
        summary.frames.video.received,
        summary.frames.video.written + drops,
        "each picture is in a file or counted: {summary:#?}"
    );
    recording
}

/// Each file with both begins and ends with both.
fn assert_equally_long(recording: &Recording, played: &Played) {
    for file in &recording.files {
        let Some(apart) = file.audio_video else {
            continue;
        };
        assert!(
            apart.starts_ms.unsigned_abs() <= APART && apart.ends_ms.unsigned_abs() <= APART,
            "{apart:?}, script late by {:?}: {file:#?}",
            played.worst_lag
        );
    }
}

/// No sound was made up but what ends each file.
fn assert_no_silence(recording: &Recording, played: &Played) {
    for segment in &recording.manifest.segments {
        let silence = segment.silence;
        assert!(
            silence <= TAIL,
            "{silence} packets of silence, script late by {:?}",
            played.worst_lag
        );
    }
}

/// The pictures of each file go on where those of the file before ended.
fn assert_pictures_go_on(recording: &Recording) {
    for pair in recording.files.windows(2) {
        let [last, first] = [video(&pair[0]).unwrap(), video(&pair[1]).unwrap()];
        let step = first.first_pts.unwrap().ticks_since(last.last_pts.unwrap());
        assert!((step - PICTURE).abs() <= 2, "{step} ticks between files");
    }
}

#[test]
fn a_recording_is_cut_by_time_and_loses_nothing() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(settings(output.path(), ms(2_000)));
        room.play(ms(5_000));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"; 3]);
        assert_eq!(recording.pictures(), played.sent("V"));
        assert_eq!(played.sent("V"), 150);
        assert_eq!(recording.manifest.totals.drops.total(), 0);
        assert_no_silence(&recording, &played);
        let lengths = recording.picture_lengths();
        let on_time = |length: &u64| (1_998..=2_002).contains(length);
        assert!(lengths[..2].iter().all(on_time), "{lengths:?}");
        assert_pictures_go_on(&recording);
        assert_equally_long(&recording, &played);
        assert!(recording.manifest.segments.iter().all(|s| !s.discontinuity));
    });
}

#[test]
fn sound_that_arrives_before_its_picture_is_cut_with_it() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open(settings(output.path(), ms(1_500)));
        room.camera(&ann, "V");
        room.delay("V", ms(200));
        room.microphone(&ann, "A");
        room.play(ms(4_500));
        let played = room.close();
        let recording = anns(&played);

        assert!(recording.files.len() >= 2, "{:?}", recording.layouts());
        assert_eq!(recording.pictures(), played.sent("V"));
        assert_pictures_go_on(&recording);
        assert_no_silence(&recording, &played);
        for file in &recording.files {
            let starts = file.audio_video.unwrap().starts_ms;
            assert!(starts.unsigned_abs() <= APART, "{starts} ms");
        }
    });
}

#[test]
fn a_microphone_that_comes_later_is_in_a_segment_of_both() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open(whole(&output));
        room.camera(&ann, "V");
        room.play(ms(1_200));
        assert_eq!(room.asked("V"), 0);
        room.microphone(&ann, "A");
        room.play(ms(2_000));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264", "h264+aac"]);
        assert!(played.asked("V") >= 1, "a keyframe to cut at");
        let first = recording.picture_lengths()[0];
        assert!(first < 1_700, "the next keyframe was at 2 s: {first} ms");
        assert_eq!(recording.pictures(), played.sent("V"));
        assert_pictures_go_on(&recording);
        assert_equally_long(&recording, &played);
        assert!(recording.manifest.segments[1].discontinuity);
    });
}

#[test]
fn a_camera_that_comes_later_is_in_a_segment_of_both() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open(whole(&output));
        room.microphone(&ann, "A");
        room.play(ms(1_200));
        room.camera(&ann, "V");
        room.play(ms(1_500));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["aac", "h264+aac"]);
        assert_eq!(recording.pictures(), played.sent("V"));
        let lengths: u64 = recording
            .files
            .iter()
            .filter_map(audio)
            .map(|a| a.duration_ms)
            .sum();
        assert!((2_600..2_800).contains(&lengths), "{lengths} ms of sound");
        assert_equally_long(&recording, &played);
        assert_eq!(recording.manifest.source, Source::Microphone);
    });
}

#[test]
fn another_codec_after_a_republish_is_another_segment() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_500));
        room.unpublish("V");
        room.publish(&ann, Source::Camera, "V2", Codec::Vp8);
        room.play(ms(2_000));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"; 2]);
        let codecs: Vec<_> = recording
            .manifest
            .tracks
            .iter()
            .map(|t| (t.id.as_str(), t.codec_in))
            .collect();
        for track in [("V", Codec::H264), ("V2", Codec::Vp8), ("A", Codec::Opus)] {
            assert!(codecs.contains(&track), "{codecs:?}");
        }
        let [h264, vp8] =
            [&recording.files[0], &recording.files[1]].map(|f| video(f).unwrap().frames);
        assert_eq!(h264, played.sent("V"));
        // A busy machine may encode less than it is sent.
        assert!(
            vp8 * 10 >= played.sent("V2") * 9,
            "{vp8} of {}",
            played.sent("V2")
        );
        assert_equally_long(&recording, &played);
    });
}

#[test]
fn the_same_codec_after_a_republish_goes_on() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_500));
        room.unpublish("V");
        room.play(ms(300));
        room.camera(&ann, "V2");
        room.play(ms(1_500));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"]);
        assert_eq!(recording.pictures(), played.sent("V") + played.sent("V2"));
        assert_equally_long(&recording, &played);
    });
}

#[test]
fn sound_has_no_hole_while_the_camera_is_muted() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_000));
        room.mute("V", true);
        room.play(ms(2_000));
        room.mute("V", false);
        room.play(ms(1_000));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"]);
        assert_eq!(recording.pictures(), played.sent("V"));
        let sound = audio(&recording.files[0]).unwrap();
        assert!(sound.longest_gap_ms <= APART, "{sound:#?}");
        assert!((3_950..=4_050).contains(&sound.duration_ms), "{sound:#?}");
        let gap = video(&recording.files[0]).unwrap().longest_gap_ms;
        assert!((1_950..=2_100).contains(&gap), "{gap} ms without a picture");
        let missing = &recording.manifest.findings.gaps;
        let causes: Vec<_> = missing.iter().map(|gap| gap.cause.as_str()).collect();
        assert_eq!(causes, ["muted"], "{missing:#?}");
        assert_no_silence(&recording, &played);
        assert_equally_long(&recording, &played);
    });
}

#[test]
fn a_muted_or_quiet_microphone_is_silence() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(whole(&output));
        for (who, video, audio) in [(&ann, "V1", "A1"), (&bob, "V2", "A2")] {
            room.camera(who, video);
            room.microphone(who, audio);
        }
        room.play(ms(1_000));
        // One comes back, the other stays quiet until the end.
        room.mute("A1", true);
        room.fall_silent("A2");
        room.play(ms(1_500));
        room.mute("A1", false);
        room.play(ms(1_000));
        let played = room.close();

        for (who, least, most) in [("ann", 70, 80), ("bob", 115, 130)] {
            let recording = Recording::read(&played.folder(who, Source::Camera));
            assert_eq!(recording.layouts(), ["h264+aac"]);
            assert_eq!(recording.pictures(), 105, "{who}");
            let silence = recording.manifest.totals.silence;
            assert!(
                (least..=most).contains(&silence),
                "{who}: {silence} packets of silence, script late by {:?}",
                played.worst_lag
            );
            let sound = audio(&recording.files[0]).unwrap();
            assert!(sound.longest_gap_ms <= APART, "{who}: {sound:#?}");
            assert_equally_long(&recording, &played);
        }
    });
}

#[test]
fn after_a_loss_the_picture_goes_on_with_a_keyframe_that_was_asked_for() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_200));
        assert_eq!(room.asked("V"), 0);
        room.lose("V", 2);
        room.play(ms(1_500));
        let played = room.close();
        let recording = anns(&played);

        let dropped = recording
            .manifest
            .totals
            .drops
            .of(DropReason::Discontinuity);
        assert!(dropped >= 1);
        assert_eq!(recording.manifest.totals.drops.total(), dropped);
        assert_eq!(recording.pictures(), played.sent("V") - dropped);
        assert!(played.asked("V") >= 1);
        let gap = video(&recording.files[0]).unwrap().longest_gap_ms;
        assert!(gap < 500, "the next keyframe was at 2 s: {gap} ms");
        assert_equally_long(&recording, &played);
    });
}

#[test]
fn each_participant_and_each_screen_has_a_folder() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(whole(&output));
        room.camera(&ann, "V1");
        room.microphone(&ann, "A1");
        room.camera(&bob, "V2");
        room.microphone(&bob, "A2");
        room.publish(&ann, Source::ScreenShare, "S1", Codec::H264);
        room.publish(&ann, Source::ScreenShareAudio, "SA1", Codec::Opus);
        room.play(ms(2_000));
        let played = room.close();

        assert_eq!(files::names(output.path(), ""), ["room"]);
        assert_eq!(files::names(&output.path().join("room"), "").len(), 3);
        for (who, source, track) in [
            ("ann", Source::Camera, "V1"),
            ("bob", Source::Camera, "V2"),
            ("ann", Source::ScreenShare, "S1"),
        ] {
            let recording = Recording::read(&played.folder(who, source));
            assert_eq!(recording.layouts(), ["h264+aac"], "{who}, {source}");
            assert_eq!(recording.pictures(), played.sent(track), "{who}, {source}");
            assert_eq!(recording.manifest.participant.identity, who);
            assert_eq!(
                recording.manifest.participant.name,
                format!("{who} by name")
            );
            assert_eq!(recording.manifest.source, source);
            assert_eq!(recording.manifest.room.sid, "RM_1");
            assert_equally_long(&recording, &played);
        }
    });
}

#[test]
fn who_leaves_is_sealed_while_the_others_go_on() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(whole(&output));
        room.camera(&ann, "V1");
        room.camera(&bob, "V2");
        room.play(ms(1_500));
        room.leave(&bob);
        let left = room.play_until_finished();
        assert_eq!((left.participant.as_str(), &left.error), ("bob", &None));
        let recording = Recording::read(&left.dir.unwrap());
        assert_eq!(recording.pictures(), left.frames.video.received);
        room.play(ms(1_000));
        let played = room.close();

        let recording = anns(&played);
        assert_eq!(recording.pictures(), played.sent("V1"));
        assert_eq!(recording.layouts(), ["h264"]);
    });
}

#[test]
fn when_told_to_stop_everything_is_sealed_at_once() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(whole(&output));
        room.camera(&ann, "V1");
        room.microphone(&ann, "A1");
        room.microphone(&bob, "A2");
        room.play(ms(1_500));
        let played = room.stop();

        assert!(played.sealing < ms(3_000), "{:?}", played.sealing);
        let ann = Recording::read(&played.folder("ann", Source::Camera));
        assert_eq!(ann.pictures(), 45);
        assert_eq!(ann.layouts(), ["h264+aac"]);
        let bob = Recording::read(&played.folder("bob", Source::Microphone));
        assert_eq!(bob.layouts(), ["aac"]);
    });
}

#[test]
fn whatever_people_are_called_their_files_stay_in_the_room() {
    steady(|| {
        let parent = output();
        let output = parent.path().join("output");
        std::fs::create_dir(&output).unwrap();
        let names = [
            "../../etc/passwd".to_owned(),
            ".hidden".to_owned(),
            String::new(),
            "ä".repeat(100),
            "a/b\0c\nd e".to_owned(),
        ];
        let mut room = Room::open(RoomSettings {
            room: "../../tmp".to_owned(),
            ..settings(&output, LONG_SEGMENTS)
        });
        for (number, name) in names.iter().enumerate() {
            room.microphone(&participant(name), &format!("A{number}"));
        }
        room.play(ms(1_000));
        let played = room.close();

        assert_eq!(files::names(parent.path(), ""), ["output"]);
        let rooms = files::names(&output, "");
        assert_eq!(rooms.len(), 1, "{rooms:?}");
        assert_eq!(files::names(&output.join(&rooms[0]), "").len(), names.len());
        for name in &names {
            let folder = played.folder(name, Source::Microphone);
            assert_eq!(folder.parent(), Some(output.join(&rooms[0]).as_path()));
            let own = folder.file_name().unwrap().to_str().unwrap();
            assert!(!own.starts_with('.') && own.len() <= 255, "{own}");
            let recording = Recording::read(&folder);
            assert_eq!(&recording.manifest.participant.identity, name);
            assert_eq!(recording.manifest.room.name, "../../tmp");
        }
    });
}
