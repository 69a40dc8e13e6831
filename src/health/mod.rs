//! Whether what should progress does: what systemd's watchdog hears, and whoever asks.
//!
//! ```text
//!  "reeld-health" thread                       decisions, pure
//!  ┌──────────────────────────────────────┐
//!  │ Signs, each second, from all parts   │──►  judge: what hangs?
//!  │ Notifier: READY, WATCHDOG, STATUS …  │◄──
//!  └──────────────────────────────────────┘
//! ```
//!
//! A sign is something that moves as long as all is well: media that passes a graph, bytes that reach
//! the disk, a loop that turns. What owes a move and does not make one for its patience hangs; from
//! then on the watchdog is not fed, and systemd ends us and starts us anew. What a new start would
//! not mend (a muted room, a server that is away, a full disk) owes nothing.
//!
//! - [`judge`]: the verdict. [`vigil`]: the thread. [`notify`]: how systemd is told.

pub mod judge;
pub mod notify;
pub mod vigil;

use serde::Serialize;

/// What is known at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Nothing hangs that a new start would mend.
    pub healthy: bool,
    /// How things stand, in a line: what `systemctl status` shows.
    pub says: String,
    /// What hangs, each in a few words.
    pub wedged: Vec<String>,
}
