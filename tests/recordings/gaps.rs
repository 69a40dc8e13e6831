//! What recordings miss: broken connections, tracks that are held back, people who come back.

use std::path::Path;
use std::sync::Arc;

use reeld::recorder::{DropReason, GapRecord};
use reeld::room::{Interruption, Kind, Participant};

use crate::files::{Recording, audio, names, video};
use crate::script::{Played, Room, ms, participant, settings};
use crate::steady::steady;
use crate::{APART, anns, assert_equally_long, output, whole};

/// How much longer than the fault a gap may be: what was on its way, and a keyframe that has to
/// be asked for.
const SLACK: u64 = 500;

/// The recording's gaps: kind, cause, and milliseconds.
fn gaps(recording: &Recording) -> Vec<(Kind, &str, u64)> {
    let read = |gap: &'_ GapRecord| u64::try_from(gap.duration.as_millis()).unwrap();
    let gaps = recording.manifest.findings.gaps.iter();
    gaps.map(|gap| (gap.kind, gap.cause.as_str(), read(gap)))
        .collect()
}

/// Bytes of the only segment, which is being written.
fn written(output: &Path) -> u64 {
    let room = output.join("room");
    let folder = room.join(&names(&room, "-camera")[0]);
    std::fs::metadata(folder.join("00000.recording.ts"))
        .unwrap()
        .len()
}

/// One gap in each, of that cause, as long as the fault; and the file has the same.
fn assert_one_gap(recording: &Recording, played: &Played, cause: &str, fault: u64) {
    let found = gaps(recording);
    for kind in [Kind::Video, Kind::Audio] {
        let of_kind: Vec<_> = found.iter().filter(|gap| gap.0 == kind).collect();
        let [(_, named, length)] = of_kind[..] else {
            panic!("{found:?}, script late by {:?}", played.worst_lag);
        };
        assert_eq!(*named, cause, "{found:?}");
        assert!((fault..fault + SLACK).contains(length), "{found:?}");
    }
    let hole = video(&recording.files[0]).unwrap().longest_gap_ms;
    let listed = found.iter().find(|gap| gap.0 == Kind::Video).unwrap().2;
    assert!(
        hole.abs_diff(listed) <= 1,
        "{hole} ms in the file: {found:?}"
    );
    let sound = audio(&recording.files[0]).unwrap();
    assert!(
        sound.longest_gap_ms <= APART,
        "silence fills it: {sound:#?}"
    );
}

#[test]
fn a_broken_connection_is_a_gap_in_the_same_file() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_500));
        room.interrupt(Interruption::Media);
        room.play(ms(1_500));
        let halfway = written(output.path());
        room.play(ms(1_500));
        assert!(written(output.path()) > halfway, "silence reaches the disk");
        room.resume();
        room.play(ms(1_700));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"]);
        assert_one_gap(&recording, &played, "media", 3_000);
        // Nothing was written before a keyframe, which was asked for.
        let waited = recording
            .manifest
            .totals
            .drops
            .of(DropReason::Discontinuity);
        assert!(waited >= 1, "{:?}", recording.manifest.totals.drops);
        assert_eq!(recording.pictures(), played.sent("V") - waited);
        assert!(played.asked("V") >= 1);
        let length = audio(&recording.files[0]).unwrap().duration_ms;
        assert!(
            (6_150..=6_250).contains(&length),
            "{length} ms of wall time"
        );
        assert_equally_long(&recording, &played);
        let gap = &recording.manifest.findings.gaps[0];
        assert_eq!(gap.started, recording.manifest.started + gap.at);
        let summary = played.only().gaps;
        assert_eq!(summary.count, 2);
        assert!((3.0..3.5).contains(&summary.longest_s), "{summary:?}");
    });
}

#[test]
fn who_comes_back_as_another_stay_is_recorded_on() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut room = Room::open(whole(&output));
        room.camera(&ann, "V1");
        room.microphone(&ann, "A1");
        room.play(ms(1_500));
        room.interrupt(Interruption::ServerAway);
        room.play(ms(2_000));
        let again = Arc::new(Participant {
            sid: "PA_again".to_owned(),
            ..(*ann).clone()
        });
        room.camera(&again, "V2");
        room.microphone(&again, "A2");
        room.unpublish("V1");
        room.unpublish("A1");
        room.resume();
        room.play(ms(1_500));
        let played = room.close();
        let recording = anns(&played);

        assert_eq!(recording.layouts(), ["h264+aac"]);
        assert_eq!(
            recording.pictures(),
            played.sent("V1") + played.sent("V2"),
            "a new track starts with a keyframe"
        );
        assert_one_gap(&recording, &played, "server_away", 2_000);
        assert_equally_long(&recording, &played);
    });
}

#[test]
fn a_track_that_the_server_holds_back_is_paused_and_no_other() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(whole(&output));
        room.play(ms(1_500));
        room.pause("V", true);
        room.play(ms(1_500));
        room.pause("V", false);
        room.play(ms(1_500));
        room.unpublish("A");
        room.play(ms(1_000));
        let played = room.close();
        let recording = anns(&played);

        let found = gaps(&recording);
        let [
            (Kind::Video, "paused", paused),
            (Kind::Audio, "unpublished", unpublished),
        ] = found[..]
        else {
            panic!("{found:?}, script late by {:?}", played.worst_lag);
        };
        assert!((1_500..1_500 + SLACK).contains(&paused), "{found:?}");
        assert!((900..1_500).contains(&unpublished), "{found:?}");
    });
}

#[test]
fn a_picture_of_another_size_goes_where_it_is_told_to() {
    steady(|| {
        let sizes = |recording: &Recording| -> Vec<_> {
            let layers = recording.manifest.findings.layers.iter();
            layers.map(|layer| (layer.width, layer.height)).collect()
        };
        for (cut_on_resize, layouts) in [(false, vec!["h264+aac"]), (true, vec!["h264+aac"; 2])] {
            let output = output();
            let mut room = Room::open_with_ann(reeld::daemon::settings::RoomSettings {
                cut_on_resize,
                ..settings(output.path(), crate::LONG_SEGMENTS)
            });
            room.play(ms(1_500));
            room.resize("V", 640, 360);
            room.play(ms(1_500));
            let played = room.close();
            let recording = anns(&played);

            assert_eq!(recording.layouts(), layouts);
            assert_eq!(sizes(&recording), [(320, 180), (640, 360)]);
            let at = recording.manifest.findings.layers[1].at;
            assert!((ms(1_450)..ms(1_550)).contains(&at), "{at:?}");
            assert_eq!(gaps(&recording), []);
            assert_eq!(recording.pictures(), played.sent("V"));
            assert_equally_long(&recording, &played);
        }
    });
}
