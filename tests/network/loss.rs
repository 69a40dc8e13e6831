//! Datagrams that are lost, late, twice or out of order: repaired, or left out whole.

use std::time::Duration;

use super::distance::{Ended, Visit};
use super::stage::relay::faults::Faults;
use super::stage::steady::steady;

/// Pictures of several datagrams each, so that one can be lost in the middle.
const BUSY: [&str; 3] = ["--secs", "17", "--busy"];

/// The last seconds are clean: what is lost just before somebody leaves can't be repeated.
const CLEAN_FROM: u32 = 15;

/// A visit whose datagrams suffer `faults` in between.
fn visit(seed: u64, faults: Faults) -> Ended {
    let mut visit = Visit::begin(seed, &BUSY);
    visit.suffer_until(faults, CLEAN_FROM);
    visit.end()
}

fn visit_with_loss(seed: u64, loss: f64) -> Ended {
    let ended = visit(
        seed,
        Faults {
            loss,
            ..Faults::default()
        },
    );
    // 10 s of pictures and sound are more than 1500 datagrams.
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let dropped = ended.counts.lost as f64;
    assert!(dropped > 1000.0 * loss, "{:?}", ended.counts);
    ended
}

#[test]
fn one_percent_of_loss_is_repaired() {
    steady(|| {
        visit_with_loss(2, 0.01).film.assert_whole();
    });
}

#[test]
fn five_percent_of_loss_is_repaired() {
    steady(|| {
        let ended = visit_with_loss(3, 0.05);
        assert!(
            ended.film.counters.ratio() >= 0.95,
            "{:?}",
            ended.film.counters
        );
    });
}

// Measured: all of them, 97 % and 96 %. A packet that is lost four times in a row costs what is
// left up to the next keyframe.
#[test]
fn ten_percent_of_loss_are_repaired_all_but_a_little() {
    steady(|| {
        let ended = visit_with_loss(4, 0.1);
        assert!(
            ended.film.counters.ratio() >= 0.9,
            "{:?}",
            ended.film.counters
        );
    });
}

#[test]
fn datagrams_out_of_order_and_twice_are_put_right() {
    steady(|| {
        let ended = visit(
            5,
            Faults {
                duplication: 0.05,
                reorder: 0.05,
                ..Faults::default()
            },
        );
        let counts = ended.counts;
        assert!(
            counts.duplicated > 30 && counts.held_back > 30,
            "{counts:?}"
        );
        ended.film.assert_whole();
    });
}

#[test]
fn a_long_and_unsteady_way_is_recorded_whole() {
    steady(|| {
        let ended = visit(
            6,
            Faults {
                delay: Duration::from_millis(80),
                jitter: Duration::from_millis(40),
                ..Faults::default()
            },
        );
        ended.film.assert_whole();
    });
}

#[test]
fn loss_on_a_long_and_unsteady_way_is_repaired() {
    steady(|| {
        let ended = visit(
            7,
            Faults {
                loss: 0.05,
                duplication: 0.02,
                delay: Duration::from_millis(80),
                jitter: Duration::from_millis(40),
                ..Faults::default()
            },
        );
        assert!(ended.counts.lost > 50, "{:?}", ended.counts);
        assert!(
            ended.film.counters.ratio() >= 0.9,
            "{:?}",
            ended.film.counters
        );
    });
}
