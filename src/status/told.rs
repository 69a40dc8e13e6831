//! What is known, from all who know something, as it is told.

use std::sync::Arc;
use std::time::Instant;

use serde::{Serialize, Serializer};
use tokio::sync::watch;

use super::snapshot::Status;
use crate::health::Health;
use crate::storage::Storage;

/// Where what is told comes from.
#[derive(Debug, Clone)]
pub struct Known {
    /// Rooms, recordings and memory: from the governor's thread.
    pub status: watch::Receiver<Arc<Status>>,
    /// Whether something hangs: from the watchdog's.
    pub health: watch::Receiver<Arc<Health>>,
    /// The disk: from the storage's.
    pub storage: watch::Receiver<Storage>,
}

/// What is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    #[serde(flatten, serialize_with = "inner")]
    pub(super) status: Arc<Status>,
    pub(super) disk: DiskStatus,
    #[serde(serialize_with = "inner")]
    pub(super) health: Arc<Health>,
}

fn inner<T: Serialize, S: Serializer>(it: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
    it.as_ref().serialize(to)
}

/// The disk.
#[derive(Debug, Serialize)]
pub(super) struct DiskStatus {
    /// One word; `ready` where recordings may be written.
    pub(super) state: &'static str,
    /// What is wrong and what to do.
    says: String,
    pub(super) free_bytes: Option<u64>,
    pub(super) total_bytes: Option<u64>,
    /// Bytes that are to stay free.
    pub(super) floor_bytes: Option<u64>,
    /// Bytes that all recordings together take.
    pub(super) recordings_bytes: Option<u64>,
    /// So many seconds ago it was looked at; long ago, the disk hangs.
    looked_s: Option<u64>,
}

impl Known {
    pub(super) fn told(&self) -> Told {
        Told {
            status: Arc::clone(&self.status.borrow()),
            disk: DiskStatus::of(&self.storage.borrow()),
            health: Arc::clone(&self.health.borrow()),
        }
    }
}

impl DiskStatus {
    fn of(storage: &Storage) -> Self {
        let looked = |at: Instant| at.elapsed().as_secs();
        Self {
            state: storage.state.as_str(),
            says: storage.state.to_string(),
            free_bytes: storage.space.map(|space| space.free),
            total_bytes: storage.space.map(|space| space.total),
            floor_bytes: storage.floor,
            recordings_bytes: storage.used,
            looked_s: storage.looked.map(looked),
        }
    }
}
