//! What a loss costs.

use super::*;

/// A unit before which something is missing.
fn after_a_loss(ms: u64) -> AccessUnit {
    AccessUnit {
        contiguous: false,
        ..unit(ms, false)
    }
}

#[test]
fn after_a_hole_nothing_is_taken_before_the_next_keyframe() {
    let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
    let mut broken = unit(100, false);
    broken.contiguous = false;
    let decision = case.cutter.unit(&TrackId::new("V"), &broken);
    assert_eq!(decision.step, Step::Drop(DropReason::Discontinuity));
    assert!(decision.ask_keyframe);
    assert_eq!(
        case.step("V", &unit(133, false)),
        Step::Drop(DropReason::Discontinuity)
    );
    assert_eq!(case.step("V", &unit(166, true)), Step::Push);
    assert_eq!(case.step("V", &unit(200, false)), Step::Push);
    case.cutter.lost(Kind::Video, DropReason::QueueFull);
    assert_eq!(
        case.step("V", &unit(233, false)),
        Step::Drop(DropReason::QueueFull)
    );
}

#[test]
fn after_a_loss_each_picture_asks_for_a_keyframe_until_it_comes() {
    for keep_damaged in [false, true] {
        let mut cutter = Cutter::new(Duration::from_mins(1), keep_damaged, VideoMode::Auto);
        cutter.track_added(camera(), Instant::now());
        let id = TrackId::new("V");
        assert_eq!(cutter.unit(&id, &unit(0, true)).step, Step::Hold);
        cutter.opened(PICTURE, Duration::ZERO);
        assert_eq!(cutter.unit(&id, &unit(33, false)), Step::Push.into());
        let expected = Decision {
            step: if keep_damaged {
                Step::Push
            } else {
                Step::Drop(DropReason::Discontinuity)
            },
            ask_keyframe: true,
        };
        assert_eq!(cutter.unit(&id, &after_a_loss(100)), expected);
        for number in 0..100 {
            assert_eq!(cutter.unit(&id, &unit(133 + number, false)), expected);
        }
        assert_eq!(cutter.unit(&id, &unit(500, true)), Step::Push.into());
        assert_eq!(cutter.unit(&id, &unit(533, false)), Step::Push.into());
    }
}

#[test]
fn what_is_encoded_again_is_never_damaged() {
    let mut cutter = Cutter::new(Duration::from_mins(1), true, VideoMode::Auto);
    let vp8 = track("V", Source::Camera, Codec::Vp8);
    cutter.track_added(vp8, Instant::now());
    let id = TrackId::new("V");
    cutter.unit(&id, &unit(0, true));
    let lost = cutter.unit(&id, &after_a_loss(33));
    assert_eq!(lost.step, Step::Drop(DropReason::Discontinuity));
}

#[test]
fn a_loss_before_a_decoded_picture_costs_nothing_else() {
    let decoded = track("V", Source::Camera, Codec::I420);
    let layout = Layout {
        video: Some(Codec::I420),
        audio: None,
    };
    let mut case = Case::new(&[decoded]).open(layout);
    let decision = case.cutter.unit(&TrackId::new("V"), &after_a_loss(100));
    assert_eq!(decision, Step::Push.into());
    case.cutter.lost(Kind::Video, DropReason::QueueFull);
    assert_eq!(case.step("V", &unit(133, false)), Step::Push);
}
