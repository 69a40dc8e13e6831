//! What looks after the disk below all rooms, and when it is called.

use tokio::sync::watch;

use super::recovery::Recovery;
use crate::recorder::summary::RecordingSummary;
use crate::storage::{Keeper, Storage};

/// Looks after the storage, and recovers what a failing disk has left. Clones are the same.
#[derive(Debug, Clone)]
pub struct Care {
    keeper: Keeper,
    recovery: Recovery,
}

impl Care {
    /// By these two, which look after the same output directory.
    #[must_use]
    pub const fn new(keeper: Keeper, recovery: Recovery) -> Self {
        Self { keeper, recovery }
    }

    /// How the storage stands.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Storage> {
        self.keeper.watch()
    }

    /// Takes note of a recording that is over. Never waits.
    pub fn note(&self, summary: &RecordingSummary) {
        if summary.found_no_room() {
            self.keeper.found_no_room();
        } else if summary.is_of_the_disk() {
            self.keeper.look_now();
        }
        if summary.left_open {
            self.recovery.look_again();
        }
    }

    /// Has everything recovered again whenever a disk that took nothing takes something: it may
    /// have been taken away in the middle of recordings, or have been too full to be recovered.
    /// Ends when nobody looks after the storage.
    pub async fn recover_what_comes_back(&self) {
        let mut storage = self.keeper.watch();
        let mut could_write = true;
        while storage.changed().await.is_ok() {
            let can_write = storage.borrow().state.may_record();
            if can_write && !could_write {
                self.recovery.look_again();
            }
            could_write = can_write;
        }
    }
}
