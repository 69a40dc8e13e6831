//! The output directory, or the card with it, is taken away and comes back.

use reeld::storage::Limits;

use crate::rig::Rig;
use crate::script::ms;
use crate::stage::steady::steady;

const CARD: u64 = 64 << 20;

fn limits() -> Limits {
    Limits {
        min_free: Some(0),
        ..Limits::default()
    }
}

#[test]
fn an_output_directory_that_is_removed_is_waited_for() {
    steady(|| {
        let Some(mut rig) = Rig::start(CARD, limits(), "output", |settings| settings) else {
            return;
        };
        // As `rm -rf`, whatever is made in it meanwhile.
        while rig.output().exists() {
            let _ = std::fs::remove_dir_all(rig.output());
        }
        rig.forget_sealed();
        rig.play_until("missing");
        rig.publish("bob", "B");
        rig.play(ms(6_000));
        assert!(!rig.output().exists(), "it is not for us to make");
        assert_eq!(rig.states, ["ready", "missing"]);
        std::fs::create_dir(rig.output()).unwrap();
        rig.play_until_recorded();
        rig.play(ms(1_500));
        let after = rig.finish();
        assert_eq!(after.states, ["ready", "missing", "ready"]);
        assert_eq!((after.of("ann").len(), after.of("bob").len()), (1, 1));
    });
}

#[test]
fn a_card_that_is_pulled_is_waited_for_and_nothing_is_written_in_its_place() {
    steady(|| {
        let Some(mut rig) = Rig::on_card(CARD, limits()) else {
            return;
        };
        rig.publish("bob", "B");
        rig.play(ms(2_000));
        rig.note_sealed();
        rig.card.pull().unwrap();
        // Whoever comes before anybody has noticed.
        rig.publish("eve", "E");
        rig.play_until("missing");
        rig.play(ms(6_000));
        assert_eq!(rig.states, ["ready", "missing"]);
        assert_eq!(rig.folders(), [] as [std::path::PathBuf; 0]);
        assert_eq!(std::fs::read_dir(rig.card.path()).unwrap().count(), 0);
        rig.card.reinsert().unwrap();
        rig.play_until_recorded();
        rig.play(ms(2_000));
        let after = rig.finish();
        assert_eq!(after.states, ["ready", "missing", "ready"]);
        assert_eq!(after.of("ann").len(), 2);
        assert_eq!(after.of("bob").len(), 2);
        assert_eq!(after.of("eve").len(), 1);
    });
}
