//! What a recording has left on a memory card after the power was cut: a real process records
//! onto a card of which every write and flush is logged, and the card is looked at as it was at
//! many moments, without what its cache had not put away.
//!
//! Needs root, FUSE, loop devices and e2fsprogs; says so where there is none of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod card;
mod cuts;
mod judge;
mod preload;
mod recovering;
#[path = "../stage/mod.rs"]
mod stage;
mod victim;

use std::time::Duration;

use cuts::Cuts;
use stage::steady::steady;
use victim::{Recorded, Victim};

/// The most of a recording that a power cut may cost.
const MOST_LOST: Duration = Duration::from_secs(1);

/// Big enough for what the tests record, small enough to be replayed a hundred times.
const CARD_BYTES: u64 = 64 << 20;

/// Records for so many seconds onto a card; none where there can be no card.
fn record(seconds: u32, without: &[&str]) -> Option<Recorded> {
    let card = match stage::card::Card::insert(CARD_BYTES) {
        Ok(card) => card,
        Err(reason) => {
            println!("skipped: {reason}");
            return None;
        }
    };
    Some(Victim::start(card, seconds, without).watch())
}

#[test]
fn a_power_cut_costs_at_most_a_second() {
    steady(|| {
        // Two segments are sealed on the way, at 10 and at 20 seconds.
        let Some(recorded) = record(24, &[]) else {
            return;
        };
        assert_eq!(recorded.sealed.len(), 3, "{:?}", recorded.sealed.keys());
        let toll = recorded.cut(&Cuts::chosen(&recorded, 40, 20));
        println!("{toll}");
        assert_eq!(toll.violations, [""; 0]);
    });
}

#[test]
fn a_power_cut_while_the_card_stalls_costs_the_stall_and_a_second() {
    steady(|| {
        let card = match stage::card::Card::insert(CARD_BYTES) {
            Ok(card) => card,
            Err(reason) => return println!("skipped: {reason}"),
        };
        let victim = Victim::start(card, 18, &[]);
        // A segment is sealed at 10 seconds, in the middle of it.
        let recorded = victim
            .stall(Duration::from_millis(8_500), Duration::from_secs(3))
            .watch();
        let toll = recorded.cut(&Cuts::chosen(&recorded, 25, 10));
        println!("{toll}");
        assert_eq!(toll.violations, [""; 0]);
    });
}

/// The test of the test: it finds what a recorder does that only thinks that it syncs.
#[test]
fn a_recorder_that_does_not_sync_is_found_out() {
    let Some(recorded) = record(12, &["fdatasync"]) else {
        return;
    };
    let toll = recorded.cut(&Cuts::chosen(&recorded, 10, 10));
    println!("{toll}");
    let found = |what| toll.violations.iter().any(|it| it.contains(what));
    assert!(found("lost"), "{toll}");
}

#[test]
fn a_recorder_that_does_not_sync_directories_either_is_found_out() {
    let Some(recorded) = record(12, &["fdatasync", "fsync"]) else {
        return;
    };
    let toll = recorded.cut(&Cuts::chosen(&recorded, 10, 10));
    println!("{toll}");
    let found = |what| toll.violations.iter().any(|it| it.contains(what));
    assert!(found("lost") && found("promised"), "{toll}");
}
