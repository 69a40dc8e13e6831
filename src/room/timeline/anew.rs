//! Tracks that are subscribed to anew, simulated.

use super::Counters;
use super::simulation::{MS, PICTURES, SOUND, Sender, run_both, sound_and_pictures, worst_skew};

#[test]
fn a_track_added_again_goes_on_and_never_back() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    let before = run_both(&mut timeline, epoch, &mut streams, 60.0);
    for stream in &mut streams {
        timeline.add_track(&stream.track, "somebody", stream.sender.codec);
        stream.sender.first_rtp = stream.sender.first_rtp.wrapping_add(1 << 30);
        // Another server, whose wall clock is another.
        stream.wall_step = -86_400.0;
        stream.report = None;
    }
    let after = run_both(&mut timeline, epoch, &mut streams, 120.0);
    for (before, after) in before.iter().zip(&after) {
        assert!(after[0].placed.discontinuity);
        assert!(after[0].placed.at > before.last().unwrap().placed.at);
    }
    assert!(worst_skew(&after, 80.0) < 2.0 * MS);
}

#[test]
fn sound_and_pictures_that_begin_anew_stay_together_before_reports_come() {
    let silent = |sender: Sender| Sender {
        report_every: 30.0,
        ..sender
    };
    let senders = (silent(SOUND), silent(PICTURES));
    let (mut timeline, epoch, mut streams) = sound_and_pictures(senders.0, senders.1);
    run_both(&mut timeline, epoch, &mut streams, 70.0);
    for stream in &mut streams {
        timeline.add_track(&stream.track, "somebody", stream.sender.codec);
        stream.sender.first_rtp = stream.sender.first_rtp.wrapping_add(1 << 30);
        stream.report = None;
    }
    let after = run_both(&mut timeline, epoch, &mut streams, 80.0);
    assert!(worst_skew(&after, 72.0) < 20.0 * MS);
}

#[test]
fn what_the_server_repeats_behind_an_outage_lies_where_it_was_captured() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    run_both(&mut timeline, epoch, &mut streams, 60.0);
    let [_, pictures] = &mut streams;
    // Nothing for seven seconds, and then the last three of ten at once.
    pictures.next = 67.0;
    timeline.add_track(&pictures.track, "somebody", pictures.sender.codec);
    while pictures.next < 80.0 {
        pictures.sender.delay = (70.0 - pictures.next).max(PICTURES.delay);
        let outcome = pictures.step(&mut timeline, epoch);
        assert!(outcome.error().abs() < 40.0 * MS, "{}", outcome.error());
        assert!(!outcome.placed.discontinuity);
    }
    assert_eq!(timeline.counters(), Counters::default());
}

#[test]
fn other_stamps_behind_an_outage_are_not_taken_for_the_old_ones() {
    for later in [-0.4, 0.4, 5.0] {
        let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
        run_both(&mut timeline, epoch, &mut streams, 60.0);
        let [_, pictures] = &mut streams;
        pictures.next = 70.0;
        timeline.add_track(&pictures.track, "somebody", pictures.sender.codec);
        pictures.stood_still = later;
        pictures.report = None;
        pictures.sender.report_loss = 1.0;
        while pictures.next < 80.0 {
            let outcome = pictures.step(&mut timeline, epoch);
            let settled = pictures.next > 70.6;
            assert!(!settled || outcome.error().abs() < 100.0 * MS, "{later}");
        }
        assert_eq!(timeline.counters().restarts, 1, "{later}");
    }
}
