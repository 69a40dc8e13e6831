//! A card that fails writes or flushes for a while: ext4 gives it up until it is mounted again.

use std::time::Duration;

use reeld::storage::Limits;

use crate::rig::{LONG, Rig};
use crate::script::ms;
use crate::stage::card::Fault;
use crate::stage::poll;
use crate::stage::steady::steady;

const CARD: u64 = 64 << 20;

/// What the state may be while a card fails.
const TROUBLE: [&str; 2] = ["failing", "read_only"];

fn assert_survives(fault: Fault) {
    let Some(mut rig) = Rig::on_card(
        CARD,
        Limits {
            min_free: Some(0),
            ..Limits::default()
        },
    ) else {
        return;
    };
    rig.card.fail(fault);
    rig.play_while("trouble", |rig| rig.states == ["ready"]);
    rig.play(Duration::from_secs(5));
    rig.card.heal();
    // The probe comes each five seconds, and finds what ext4 has made of it.
    rig.play(ms(6_000));
    assert!(
        rig.states[1..].iter().all(|it| TROUBLE.contains(it)),
        "{:?}",
        rig.states
    );
    assert_eq!(rig.states.last(), Some(&"read_only"));
    assert!(rig.folders().len() <= 3, "{:?}", rig.folders());

    // Nothing is in the operator's way.
    poll("an unmounted card", LONG, || rig.card.unmount().ok());
    rig.play_until("missing");
    rig.play(ms(2_000));
    assert_eq!(std::fs::read_dir(rig.card.path()).unwrap().count(), 0);
    rig.card.reinsert().unwrap();
    rig.play_until_recorded();
    rig.play(ms(1_500));
    let after = rig.finish();
    assert_eq!(after.states.last(), Some(&"ready"));
    assert!(
        (2..=4).contains(&after.of("ann").len()),
        "{:?}",
        after.summaries
    );
}

#[test]
fn a_card_that_fails_writes_is_used_again_once_it_is_mounted_again() {
    steady(|| {
        assert_survives(Fault::Writes);
    });
}

#[test]
fn a_card_that_fails_flushes_is_used_again_once_it_is_mounted_again() {
    steady(|| {
        assert_survives(Fault::Flushes);
    });
}

#[test]
fn a_card_that_is_read_only_is_waited_for() {
    steady(|| {
        let Some(mut rig) = Rig::on_card(
            CARD,
            Limits {
                min_free: Some(0),
                ..Limits::default()
            },
        ) else {
            return;
        };
        // It can't be made read-only while anything is written there.
        rig.room.unpublish("V");
        rig.room.unpublish("A");
        poll("a read-only card", LONG, || rig.card.read_only().ok());
        rig.note_sealed();
        rig.play_until("read_only");
        let folders = rig.folders();
        rig.publish("bob", "B");
        rig.play(ms(6_000));
        assert_eq!(rig.states, ["ready", "read_only"]);
        assert_eq!(rig.folders(), folders);
        rig.card.writable().unwrap();
        rig.play_until_recorded();
        rig.play(ms(1_500));
        let after = rig.finish();
        assert_eq!(after.states, ["ready", "read_only", "ready"]);
        assert_eq!((after.of("ann").len(), after.of("bob").len()), (1, 1));
    });
}
