//! When a recording begins, and with what.

use super::*;

#[test]
fn announced_tracks_start_together_at_the_first_keyframe() {
    let mut case = Case::new(&[camera(), microphone()]);
    assert_eq!(case.step("A", &unit(0, true)), Step::Hold);
    assert_eq!(
        case.step("V", &unit(5, false)),
        Step::Drop(DropReason::AwaitingKeyframe)
    );
    assert_eq!(case.due(50), None);
    assert_eq!(case.step("V", &unit(40, true)), Step::Hold);
    assert_eq!(case.due(50), Some(BOTH));
}

#[test]
fn a_lone_track_waits_a_moment_for_its_companion() {
    let mut case = Case::new(&[camera()]);
    assert_eq!(case.step("V", &unit(0, true)), Step::Hold);
    assert_eq!(case.due(300), None);
    assert_eq!(case.due(400), Some(PICTURE));
    case.cutter.track_added(microphone(), case.start);
    assert_eq!(case.due(300), Some(BOTH));
}

#[test]
fn sound_does_not_wait_for_ever_for_a_picture() {
    let mut case = Case::new(&[camera(), microphone()]);
    assert_eq!(case.step("A", &unit(0, true)), Step::Hold);
    assert_eq!(case.due(1_999), None);
    assert_eq!(case.due(2_000), Some(SOUND));
    case.cutter.track_muted(&TrackId::new("V"), true);
    assert_eq!(case.due(400), Some(SOUND));
}

#[test]
fn the_first_segment_starts_with_the_picture() {
    let (sound, picture) = (unit(0, true), unit(500, true));
    let held = || [(Kind::Audio, &sound), (Kind::Video, &picture)].into_iter();
    assert_eq!(start_of(BOTH, held()), Some(Duration::from_millis(500)));
    assert_eq!(start_of(SOUND, held()), Some(Duration::ZERO));
    assert_eq!(start_of(PICTURE, std::iter::empty()), None);
}

#[test]
fn after_a_failure_sound_waits_for_the_picture_again() {
    let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
    case.cutter.failed(case.start + Duration::from_mins(1));
    assert_eq!(case.step("A", &unit(60_000, true)), Step::Hold);
    assert_eq!(case.due(60_100), None);
    assert_eq!(case.step("V", &unit(60_200, true)), Step::Hold);
    assert_eq!(case.due(60_200), Some(BOTH));
}

#[test]
fn a_camera_that_is_muted_before_its_segment_starts_starts_none() {
    let mut case = Case::new(&[camera()]);
    assert_eq!(case.step("V", &unit(0, true)), Step::Hold);
    case.cutter.track_muted(&TrackId::new("V"), true);
    assert_eq!(case.due(1_000), None);
    case.cutter.track_muted(&TrackId::new("V"), false);
    assert_eq!(case.due(1_100), Some(PICTURE));
}
