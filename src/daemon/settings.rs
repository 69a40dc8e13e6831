//! How a room is recorded, and what is known of it while it is and when it is over.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use super::live::Turnover;
use crate::buffers::Buffer;
use crate::governor::{Door, Orders};
use crate::media::{EquipmentWatch, GraphSettings};
use crate::recorder::WriterSettings;
use crate::recorder::summary::RecordingProgress;
use crate::room::{Refusals, Source};
use crate::storage::{Storage, StorageState};

/// How a room is recorded.
#[derive(Debug, Clone)]
pub struct RoomSettings {
    /// Below which directory.
    pub root: PathBuf,
    /// The room's name.
    pub room: String,
    /// How each segment's graph works.
    pub graph: GraphSettings,
    /// How files are written, and how long segments are.
    pub writer: WriterSettings,
    /// A picture of another size starts a new segment.
    pub cut_on_resize: bool,
    /// The most bytes that an encoded picture or packet of sound may have.
    pub max_unit_bytes: usize,
    /// Gaps in picture or sound longer than this are warned of.
    pub warn_after: Duration,
    /// When a recording has become so long that another one takes over.
    pub turnover: Turnover,
    /// Whether there may be recordings. While not, there are none.
    pub storage: watch::Receiver<Storage>,
    /// What decodes and encodes.
    pub equipment: EquipmentWatch,
    /// What is to be given up.
    pub orders: watch::Receiver<Orders>,
    /// Where recordings ask before they encode.
    pub door: Door,
    /// What to do about a recording that failed.
    pub on_failure: OnFailure,
}

/// What all rooms share.
#[derive(Debug, Clone)]
pub struct Means {
    /// Whether there may be recordings.
    pub storage: watch::Receiver<Storage>,
    /// What decodes and encodes.
    pub equipment: EquipmentWatch,
    /// What is to be given up.
    pub orders: watch::Receiver<Orders>,
    /// Where recordings ask before they encode.
    pub door: Door,
}

/// What to do about a recording that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// End the room: somebody is watching.
    Stop,
    /// Try again after a while.
    Retry,
}

/// The recordings of a room at one moment.
#[derive(Debug, Clone, Default)]
pub struct RoomProgress {
    /// None before it is joined.
    pub presence: Option<Presence>,
    /// How often its task has looked around: twice a second.
    pub turns: u64,
    /// The same of what its media come from; zero before it has come so far.
    pub source_beats: u64,
    /// Recordings that run or are being sealed.
    pub open: usize,
    /// Everything is being sealed, and then we leave.
    pub stopping: bool,
    /// Participant, source and state of each.
    pub recordings: Vec<(String, Source, RecordingProgress)>,
    /// What waits for them.
    pub buffers: Vec<Buffer>,
}

/// That we are in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Since when it has been as it is.
    pub since: Instant,
    /// The connection is being mended.
    pub interrupted: bool,
}

impl Presence {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            since: Instant::now(),
            interrupted: false,
        }
    }

    /// The same, with a connection that is being mended.
    #[must_use]
    pub fn interrupted() -> Self {
        Self {
            interrupted: true,
            ..Self::begin()
        }
    }
}

/// What a whole stay in a room was about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomTotals {
    /// Tracks that were subscribed to; one that comes back, or in another codec, counts again.
    pub tracks: u64,
    /// Tracks that were asked for and not recorded.
    pub refused: Refusals,
    /// Why it was left with [`OnFailure::Stop`], if the storage was the reason.
    pub storage: Option<StorageState>,
}
