//! Nothing comes through for a while: the recording goes on behind it, in the same file.

use std::time::Duration;

use super::distance::{SETTLED, Visit};
use super::stage::relay::faults::Faults;
use super::stage::steady::steady;

const BLACKOUT: Faults = Faults {
    loss: 0.0,
    duplication: 0.0,
    reorder: 0.0,
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    rate: None,
    blackout: true,
};

#[test]
fn ten_seconds_without_media_are_a_gap() {
    steady(|| {
        let mut visit = Visit::begin(11, &["--secs", "28"]);
        visit.suffer_until(BLACKOUT, SETTLED + 10);
        let ended = visit.end();
        assert!(ended.counts.blacked_out > 0, "{:?}", ended.counts);
        // The last seconds of it can come afterwards: the server repeats what it still has.
        ended.assert_one_gap(6.0..12.0, &["media", "packet_loss"]);
    });
}

#[test]
fn ten_seconds_without_a_cable_are_a_gap() {
    steady(|| {
        let mut visit = Visit::begin(12, &["--secs", "28"]);
        visit.distance.relay.hold_signalling(true);
        visit.suffer_until(BLACKOUT, SETTLED + 10);
        visit.distance.relay.hold_signalling(false);
        let ended = visit.end();
        assert!(ended.counts.blacked_out > 0, "{:?}", ended.counts);
        ended.assert_one_gap(6.0..13.0, &["media", "packet_loss", "signalling"]);
    });
}

#[test]
fn a_lost_signalling_connection_alone_costs_nothing() {
    steady(|| {
        let visit = Visit::begin(13, &["--secs", "20"]);
        visit.distance.relay.cut_signalling(Duration::from_secs(4));
        visit.end().assert_no_gap();
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_a_gap() {
    steady(|| {
        let mut visit = Visit::begin(14, &["--secs", "30"]);
        visit.distance.scene.server.kill();
        visit.publisher.await_second(SETTLED + 3);
        visit.distance.scene.server.start_again();
        visit
            .end()
            .assert_one_gap(2.5..16.0, &["signalling", "media", "server_away"]);
    });
}

#[test]
fn a_recorder_that_is_frozen_goes_on() {
    steady(|| {
        let mut visit = Visit::begin(15, &["--secs", "35"]);
        visit.far.reeld.freeze();
        visit.publisher.await_second(SETTLED + 20);
        visit.far.reeld.thaw();
        let ended = visit.end();
        // The kernel keeps what comes until the server hears nothing of us any more: all of that is
        // worked off in a moment, and nothing of it is dropped.
        ended.assert_one_gap(
            4.0..16.0,
            &["recorder_stalled", "signalling", "media", "server_away"],
        );
        ended.assert_nothing_dropped_by("queue_full");
    });
}

#[test]
fn a_line_that_is_too_narrow_for_a_while_leaves_a_sound_file() {
    steady(|| {
        let mut visit = Visit::begin(16, &["--secs", "25", "--busy"]);
        let narrow = Faults {
            rate: Some(500_000),
            ..Faults::default()
        };
        visit.suffer_until(narrow, SETTLED + 10);
        let ended = visit.end();
        assert!(ended.counts.over_rate > 0, "{:?}", ended.counts);
        // Before and behind it all pictures are there.
        assert!(
            ended.film.counters.ratio() > 0.5,
            "{:?}",
            ended.film.counters
        );
    });
}
