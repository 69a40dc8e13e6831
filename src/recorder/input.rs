//! What a recording is made with, and how much may wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::WriterSettings;
use crate::governor::{Door, Orders};
use crate::media::{EquipmentWatch, GraphSettings};
use crate::room::{Participant, QueueLimits, Source};

/// Events waiting for a recording. Units that find it full are dropped as `queue_full`: a
/// recording that is stuck holds nobody else up.
pub const INBOX: QueueLimits = QueueLimits {
    events: 256,
    bytes: 4 << 20,
};

/// What a recording is made with.
#[derive(Debug, Clone)]
pub struct RecordingSetup {
    /// Below which directory.
    pub root: PathBuf,
    /// Something has to be mounted there: a card's directory is not filled while it is away.
    pub mounted: bool,
    /// The room's name.
    pub room: String,
    /// The server's name for this life of the room.
    pub room_sid: String,
    /// Who is recorded.
    pub participant: Arc<Participant>,
    /// What gives it its name: camera or screen share.
    pub source: Source,
    /// How each segment's graph works.
    pub graph: GraphSettings,
    /// What decodes and encodes, for segments that need it.
    pub equipment: EquipmentWatch,
    /// What is to be given up.
    pub orders: watch::Receiver<Orders>,
    /// Where it asks before it encodes.
    pub door: Door,
    /// How files are written, and how long segments are.
    pub writer: WriterSettings,
    /// A picture of another size starts a new segment.
    pub cut_on_resize: bool,
    /// The most bytes that a unit may have.
    pub max_unit_bytes: usize,
    /// Gaps longer than this are warned of.
    pub warn_after: Duration,
}
