//! The thread that looks after the storage. A disk that hangs holds up this thread alone.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Moment;
use super::custodian::Custodian;
use super::retention::Limits;
use super::state::Storage;
use crate::events;

/// Between two looks at the free space: one system call that does not touch the disk.
const LOOK: Duration = Duration::from_secs(1);

/// Between two steps of a deletion, so that recordings get at the disk meanwhile.
const BREATH: Duration = Duration::from_millis(50);

/// Looks after the storage until its last clone is dropped; nothing waits for its end.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// One call is enough for any number: more are dropped. When it is gone, the thread ends.
    calls: SyncSender<Call>,
    storage: watch::Receiver<Storage>,
}

/// What a writer has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Error,
    NoRoom,
}

impl Keeper {
    /// Starts to look after `output`, which should be there.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(output: PathBuf, limits: Limits) -> io::Result<Self> {
        let (calls, called) = mpsc::sync_channel(1);
        let custodian = Custodian::new(output, limits);
        let (publish, storage) = watch::channel(custodian.storage().clone());
        thread::Builder::new()
            .name("reeld-storage".to_owned())
            .spawn(move || run(custodian, &called, &publish))?;
        Ok(Self { calls, storage })
    }

    /// How the storage stands. Before the first look it says that it is ready, with `looked` none.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Storage> {
        self.storage.clone()
    }

    /// Asks for a thorough look at once: a writer has met an error. Never waits.
    pub fn look_now(&self) {
        self.call(Call::Error);
    }

    /// The same where the error was that there is no room: the probe is smaller than what a
    /// recording writes, and may still find some.
    pub fn found_no_room(&self) {
        self.call(Call::NoRoom);
    }

    fn call(&self, call: Call) {
        match self.calls.try_send(call) {
            // Who finds it full meets the same error again, and calls again.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => {
                tracing::error!(
                    message_id = events::DIED,
                    "the thread of the storage has died, please report this"
                );
            }
        }
    }
}

fn run(mut custodian: Custodian, called: &Receiver<Call>, publish: &watch::Sender<Storage>) {
    let mut thorough = true;
    loop {
        announce(custodian.look(Moment::now(), thorough), publish);
        let mut pause = || match called.recv_timeout(BREATH) {
            Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
            // A look follows the deletion anyway.
            Ok(_) | Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
        };
        if custodian.tidy(Moment::now(), &mut pause) {
            announce(custodian.look(Moment::now(), false), publish);
        }
        thorough = match called.recv_timeout(LOOK) {
            Ok(call) => {
                if call == Call::NoRoom {
                    custodian.found_no_room();
                }
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
    }
}

/// Publishes how the storage stands, and logs a change.
fn announce(storage: &Storage, publish: &watch::Sender<Storage>) {
    publish.send_if_modified(|published| {
        let first = published.looked.is_none();
        let changed = !published.state.is_like(&storage.state);
        published.clone_from(storage);
        if changed {
            say(storage);
        }
        first || changed
    });
}

fn say(storage: &Storage) {
    let free = storage.space.map(|space| space.free);
    let (used, floor) = (storage.used, storage.floor);
    if storage.state.may_record() {
        tracing::info!(
            message_id = events::STORAGE_BACK,
            free,
            floor,
            used,
            "storage: {}",
            storage.state
        );
    } else {
        tracing::error!(
            message_id = events::STORAGE_PAUSED,
            reason = storage.state.as_str(),
            free,
            floor,
            used,
            "storage: {}",
            storage.state
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageState;
    use std::fs;

    #[tokio::test]
    async fn a_directory_that_goes_and_comes_back_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let output = root.path().join("output");
        fs::create_dir(&output).unwrap();
        let limits = Limits {
            min_free: Some(0),
            ..Limits::default()
        };
        let keeper = Keeper::start(output.clone(), limits).unwrap();
        let mut watch = keeper.watch();
        watch.wait_for(|now| now.looked.is_some()).await.unwrap();
        assert_eq!(watch.borrow().state, StorageState::Ready);
        fs::remove_dir(&output).unwrap();
        watch
            .wait_for(|now| now.state == StorageState::Missing)
            .await
            .unwrap();
        assert!(!output.exists());
        fs::create_dir(&output).unwrap();
        keeper.look_now();
        watch.wait_for(|now| now.state.may_record()).await.unwrap();
        assert!(watch.borrow().space.is_some());
        drop(keeper);
        // The thread ends, and what it publishes with it.
        while watch.changed().await.is_ok() {}
    }
}
