//! Where one segment ends and the next one starts.

use super::*;

#[test]
fn a_picture_that_comes_later_cuts_at_its_keyframe() {
    let mut case = Case::new(&[microphone()]).open(SOUND);
    assert_eq!(case.step("A", &unit(20, true)), Step::Push);
    case.cutter.track_added(camera(), case.start);
    let late = case.cutter.unit(&TrackId::new("V"), &unit(30, false));
    assert_eq!(late.step, Step::Drop(DropReason::AwaitingKeyframe));
    assert!(late.ask_keyframe);
    assert_eq!(case.step("V", &unit(60, true)), Step::Cut(BOTH));
    assert_eq!(case.step("V", &unit(90, false)), Step::Push);
}

#[test]
fn sound_that_comes_later_waits_for_a_keyframe_of_the_picture() {
    let mut case = Case::new(&[camera()]).open(PICTURE);
    case.cutter.track_added(microphone(), case.start);
    let sound = case.cutter.unit(&TrackId::new("A"), &unit(10, true));
    assert!(sound.ask_keyframe);
    assert_eq!(sound.step, Step::Drop(DropReason::AwaitingKeyframe));
    let picture = case.cutter.unit(&TrackId::new("V"), &unit(15, false));
    assert_eq!((picture.step, picture.ask_keyframe), (Step::Push, true));
    assert_eq!(case.step("V", &unit(40, true)), Step::Cut(BOTH));
}

#[test]
fn a_segment_ends_at_the_first_keyframe_after_its_time() {
    let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
    assert_eq!(case.step("V", &unit(59_999, true)), Step::Push);
    let over = case.cutter.unit(&TrackId::new("V"), &unit(60_001, false));
    assert_eq!((over.step, over.ask_keyframe), (Step::Push, true));
    assert_eq!(case.step("A", &unit(60_010, true)), Step::Push);
    assert_eq!(case.step("V", &unit(60_100, true)), Step::Cut(BOTH));
    assert_eq!(case.step("V", &unit(60_133, true)), Step::Push);
}

#[test]
fn sound_alone_cuts_anywhere_and_a_dark_camera_does_not_stop_it() {
    let mut alone = Case::new(&[microphone()]).open(SOUND);
    assert_eq!(alone.step("A", &unit(60_000, true)), Step::Cut(SOUND));
    let mut dark = Case::new(&[camera(), microphone()]).open(BOTH);
    dark.cutter.track_muted(&TrackId::new("V"), true);
    assert_eq!(dark.step("A", &unit(69_999, true)), Step::Push);
    assert_eq!(dark.step("A", &unit(70_000, true)), Step::Cut(SOUND));
}

#[test]
fn a_republish_goes_on_in_the_segment_or_cuts_with_another_codec() {
    let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
    case.cutter.track_removed(&TrackId::new("V"));
    case.cutter
        .track_added(track("V2", Source::Camera, Codec::H264), case.start);
    assert_eq!(
        case.step("V2", &unit(100, false)),
        Step::Drop(DropReason::AwaitingKeyframe)
    );
    assert_eq!(case.step("V2", &unit(133, true)), Step::Push);
    assert_eq!(
        case.step("V", &unit(150, true)),
        Step::Drop(DropReason::Filtered)
    );

    case.cutter
        .track_added(track("V3", Source::Camera, Codec::Vp8), case.start);
    let vp8 = Layout {
        video: Some(Codec::Vp8),
        ..BOTH
    };
    assert_eq!(case.step("V3", &unit(200, true)), Step::Cut(vp8));
}

#[test]
fn a_picture_that_stands_still_does_not_hold_sound_back_for_ever() {
    let mut case = Case::new(&[camera()]).open(PICTURE);
    assert_eq!(case.step("V", &unit(1_000, true)), Step::Push);
    case.cutter.track_added(microphone(), case.start);
    let wait = Step::Drop(DropReason::AwaitingKeyframe);
    assert_eq!(case.step("A", &unit(10_999, true)), wait);
    assert_eq!(case.step("A", &unit(11_000, true)), Step::Cut(SOUND));
    assert_eq!(case.step("V", &unit(11_500, false)), wait);
    assert_eq!(case.step("V", &unit(11_600, true)), Step::Cut(BOTH));
    // And a segment of both is cut at its time.
    assert_eq!(case.step("A", &unit(71_599, true)), Step::Push);
    assert_eq!(case.step("A", &unit(81_600, true)), Step::Cut(SOUND));
}
