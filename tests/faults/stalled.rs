//! A card that does nothing for ten seconds.

use std::time::Duration;

use reeld::daemon::settings::RoomSettings;
use reeld::recorder::DropReason;
use reeld::storage::Limits;

use crate::rig::{Aftermath, Rig};
use crate::script::ms;
use crate::stage::steady::steady;

const CARD: u64 = 64 << 20;
const STALL: Duration = Duration::from_secs(10);

/// Ann is recorded through a stall, and eve who comes in the middle of it.
fn record(change: impl FnOnce(RoomSettings) -> RoomSettings) -> Option<(Aftermath, u64)> {
    let limits = Limits {
        min_free: Some(0),
        ..Limits::default()
    };
    let mut rig = Rig::start(CARD, limits, "", change)?;
    rig.card.stall(STALL);
    rig.play(STALL / 2);
    rig.publish("eve", "E");
    rig.play(STALL / 2 + ms(4_000));
    let sent = rig.room.sent("V");
    Some((rig.finish(), sent))
}

#[test]
fn a_stall_that_fits_into_the_hand_over_costs_nothing() {
    steady(|| {
        let Some((after, sent)) = record(|settings| RoomSettings {
            writer: reeld::recorder::WriterSettings {
                segment_duration: ms(6_000),
                ..settings.writer
            },
            ..settings
        }) else {
            return;
        };
        assert_eq!(after.states, ["ready"]);
        assert_eq!(after.pictures("ann"), sent);
        let [ann] = after.of("ann")[..] else {
            panic!("{} recordings", after.of("ann").len())
        };
        assert_eq!(ann.manifest.totals.drops.of(DropReason::Disk), 0);
        assert_eq!(after.of("eve").len(), 1);
    });
}
