//! What the governor decides from.

use std::time::Duration;

use super::pressure::Stalls;

/// What the probe has read at one instant. Sizes in bytes; none where it can't be known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// What we have: `anon + shmem + file_dirty + file_writeback`, no page cache. The budget is
    /// about this.
    pub used: Option<u64>,
    /// The limit that is nearest to being reached: of our group, of one above it, or the memory
    /// of the machine. Others may use it as well.
    pub nearest: Option<Nearest>,
    /// The least limit of the groups, whether or not it is near.
    pub limit: Option<u64>,
    /// How long tasks wait.
    pub stalls: Stalls,
    /// How often memory could not be had in our group or in one with a limit above it, and how
    /// often a process was killed for it: `oom` and `oom_kill`. A running total.
    pub failures: u64,
    /// How often a limit was reached: `high` and `max` of version 2, `memory.failcnt` of 1. A
    /// running total. Page cache alone gets there, and goes as easily.
    pub hits: u64,
    /// Tasks stand still until somebody frees memory (version 1, `under_oom`).
    pub under_oom: bool,
}

/// A limit, and how much of it can't be had back by dropping page cache; in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearest {
    /// Taken, by us and by all others under it.
    pub held: u64,
    /// The limit.
    pub limit: u64,
}

impl Nearest {
    /// What is left below the limit, in bytes.
    #[must_use]
    pub const fn free(self) -> u64 {
        self.limit.saturating_sub(self.held)
    }
}

/// What all recordings together report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// How far the pictures that leave the encoder lag behind the newest that came.
    pub encoder_lag: Duration,
    /// Age of the oldest byte that waits for the disk.
    pub disk_lag: Duration,
    /// Pictures that came and were to be recorded, those that were dropped among them: a running
    /// total. What a level leaves out on purpose is in neither.
    pub pictures: u64,
    /// Pictures that were dropped although they were to be recorded: a running total.
    pub dropped: u64,
}
