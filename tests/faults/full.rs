//! A neighbour fills the card, and makes room again.

use std::path::PathBuf;
use std::process::Command;

use reeld::storage::{Limits, Space};

use crate::rig::Rig;
use crate::script::ms;
use crate::stage::steady::steady;

const CARD: u64 = 64 << 20;

fn limits(min_free: u64) -> Limits {
    Limits {
        min_free: Some(min_free),
        ..Limits::default()
    }
}

/// Has a neighbour leave so many bytes.
fn fill(rig: &Rig, left: u64) -> PathBuf {
    let file = rig.card.path().join("neighbour");
    let free = Space::of(rig.card.path()).unwrap().free;
    let taken = Command::new("fallocate")
        .args(["-l", &(free - left).to_string()])
        .arg(&file)
        .status();
    assert!(taken.unwrap().success());
    file
}

/// Ann is recorded while there is room, and at both ends of the time when there is none.
fn assert_pauses(min_free: u64, left: u64, most_folders: usize) {
    let Some(mut rig) = Rig::on_card(CARD, limits(min_free)) else {
        return;
    };
    let neighbour = fill(&rig, left);
    rig.play_until("low");
    // Sealing takes a moment.
    rig.play(ms(1_000));
    rig.note_sealed();
    let folders = rig.folders();
    rig.play(ms(8_000));
    assert_eq!(rig.states, ["ready", "low"]);
    assert_eq!(rig.folders(), folders, "it was tried all the same");
    std::fs::remove_file(neighbour).unwrap();
    rig.play_until_recorded();
    rig.play(ms(1_500));
    let after = rig.finish();
    assert_eq!(after.states, ["ready", "low", "ready"]);
    let found = after.of("ann").len();
    assert!((2..=most_folders).contains(&found), "{found} recordings");
}

#[test]
fn recording_pauses_at_the_floor_and_goes_on_when_there_is_room() {
    steady(|| {
        assert_pauses(4 << 20, 2 << 20, 2);
    });
}

#[test]
fn recording_pauses_where_the_writer_itself_finds_no_room() {
    steady(|| {
        assert_pauses(0, 300 << 10, 3);
    });
}
