//! A storage that takes nothing for a while.

use reeld::daemon::settings::{OnFailure, RoomSettings};
use reeld::storage::{Storage, StorageState};
use tokio::sync::watch;

use crate::files::Recording;
use crate::script::{LONG, Room, ms};
use crate::steady::steady;
use crate::{output, whole};

const LOW: StorageState = StorageState::Low { free: 1, floor: 2 };

fn publish(storage: &watch::Sender<Storage>, state: StorageState) {
    storage.send_modify(|storage| storage.state = state);
}

#[test]
fn recordings_pause_while_the_storage_takes_nothing_and_go_on_by_themselves() {
    steady(|| {
        let output = output();
        let (storage, watched) = watch::channel(Storage::default());
        let mut room = Room::open_with_ann(RoomSettings {
            storage: watched,
            ..whole(&output)
        });
        room.play(ms(2_000));
        publish(&storage, LOW);
        let first = room.play_until_finished();
        let paused = room.sent("V");
        room.play(ms(1_500));
        // Whoever comes meanwhile waits with the others.
        let bob = crate::participant("bob");
        room.camera(&bob, "B");
        room.play(ms(500));
        let folders = std::fs::read_dir(output.path().join("room")).unwrap();
        assert_eq!(folders.count(), 1);
        publish(&storage, StorageState::Ready);
        let resumed = room.sent("V");
        room.play(ms(2_000));
        let played = room.close();

        assert_eq!(first.error, None, "a pause is no failure");
        let first = Recording::read(&first.dir.unwrap());
        // Nothing that came before the pause is lost, but for what was on its way.
        assert!(first.pictures() + 5 >= paused, "{paused}");
        assert_eq!(played.summaries.len(), 2);
        assert!(played.summaries.iter().all(|it| it.error.is_none()));
        let second = Recording::read(&played.folder("ann", reeld::room::Source::Camera));
        let missing = played.sent("V") - resumed - second.pictures();
        assert!(missing <= 15, "{missing} pictures after there was room");
        Recording::read(&played.folder("bob", reeld::room::Source::Camera));
    });
}

#[test]
fn a_room_that_is_watched_ends_when_the_storage_takes_nothing() {
    steady(|| {
        let output = output();
        let (storage, watched) = watch::channel(Storage::default());
        let mut room = Room::open_with_ann(RoomSettings {
            storage: watched,
            on_failure: OnFailure::Stop,
            ..whole(&output)
        });
        room.play(ms(1_000));
        publish(&storage, StorageState::Missing);
        room.play(LONG / 10);
        assert!(!room.is_recorded(), "nobody was told");
        let played = room.close();
        assert_eq!(played.only().error, None);
        let recording = Recording::read(played.only().dir.as_ref().unwrap());
        assert!(recording.pictures() > 20);
    });
}

/// Between a card that is pulled and the next look at the storage somebody may join.
#[test]
fn nothing_is_recorded_below_a_card_that_is_not_mounted() {
    steady(|| {
        let output = output();
        let (_storage, watched) = watch::channel(Storage {
            mounted: true,
            ..Storage::default()
        });
        let mut room = Room::open_with_ann(RoomSettings {
            storage: watched,
            ..whole(&output)
        });
        let failed = room.play_until_finished();
        assert!(failed.is_of_the_disk());
        let error = failed.error.unwrap();
        assert!(error.contains("no such directory"), "{error}");
        room.close();
        assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
    });
}
