//! What is told.

use serde::Serialize;

use crate::buffers::Alike;
use crate::governor::Level;
use crate::recorder::tally::KindTally;
use crate::room::Source;

/// What is known of this process at one moment. Totals are since its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Status {
    /// Of `reeld`.
    pub version: &'static str,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// What is used of what may be, and what is given up for it.
    pub memory: MemoryStatus,
    /// Pictures that came and were to be recorded.
    pub frames: u64,
    /// Those of them that were dropped because encoder, queues or disk did not keep up.
    pub frames_dropped_backpressure: u64,
    /// Bytes that reached files.
    pub bytes_written: u64,
    /// Those of what is recorded now that a power cut would cost.
    pub bytes_since_last_flush: u64,
    /// The longest gap in picture or sound of what is recorded now.
    pub longest_gap_ms: u64,
    /// Each kind of queue.
    pub buffers: Vec<Alike>,
    /// The rooms that are to be recorded.
    pub rooms: Vec<RoomStatus>,
    /// What is recorded now.
    pub recordings: Vec<RecordingStatus>,
}

/// One room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomStatus {
    /// Its name.
    pub room: String,
    /// How it stands.
    pub state: RoomState,
    /// For so many seconds.
    pub state_s: u64,
    /// The last error, whether or not it lasts.
    pub last_error: Option<String>,
    /// So many seconds ago.
    pub last_error_s: Option<u64>,
}

/// How a room stands. The words never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomState {
    /// It is being joined.
    Joining,
    /// We are in it, and there is nothing to record.
    Joined,
    /// We are in it and record.
    Recording,
    /// The connection is being mended.
    Interrupted,
    /// It is not there, or has closed.
    Waiting,
    /// Its server can't be reached, or was lost.
    Unreachable,
    /// The server does not let us in.
    Refused,
}

impl RoomState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Joining,
        Self::Joined,
        Self::Recording,
        Self::Interrupted,
        Self::Waiting,
        Self::Unreachable,
        Self::Refused,
    ];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Joined => "joined",
            Self::Recording => "recording",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
}

/// What the governor knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemoryStatus {
    /// How much quality is given up.
    pub level: Level,
    /// What we use; none where it can't be known.
    pub used_bytes: Option<u64>,
    /// What we may use.
    pub budget_bytes: u64,
    /// The nearest limit of a control group, or the machine's memory.
    pub limit_bytes: Option<u64>,
    /// What all under that limit use.
    pub limit_held_bytes: Option<u64>,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordingStatus {
    /// The room's name.
    pub room: String,
    /// The participant's identity.
    pub participant: String,
    /// Camera or screen share.
    pub source: Source,
    /// Media recorded so far.
    pub duration_ms: u64,
    /// Bytes that reached its files.
    pub bytes_written: u64,
    /// What that came to in the last seconds.
    pub bits_per_second: u64,
    /// Those of them that a power cut would cost.
    pub bytes_since_last_flush: u64,
    /// By how much pictures leave the encoder late.
    pub encoder_lag_ms: u64,
    /// For how long bytes have waited for the disk.
    pub disk_lag_ms: u64,
    /// The longest gap in its picture or sound.
    pub longest_gap_ms: u64,
    /// Pictures.
    pub video: KindTally,
    /// Packets of sound.
    pub audio: KindTally,
}
