//! From which figures on the policy acts.

use std::time::Duration;

use crate::config;

/// From which figures on the policy acts: what the configuration says. Shares in percent of the
/// budget, or of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From this use on quality is given up.
    pub upper: u8,
    /// Below this use it may come back.
    pub lower: u8,
    /// From this use on it is given up at once, two levels at a time.
    pub emergency: u8,
    /// Between two steps at least.
    pub dwell: Duration,
    /// Everything is quiet for so long before a step back.
    pub quiet: Duration,
    /// From more dropped pictures than this on a warning is given.
    pub drop_warn: u8,
    /// From more than this on it is an error, and quality is given up.
    pub drop_error: u8,
}

impl Thresholds {
    /// Those of `[memory]`.
    #[must_use]
    pub fn of(memory: &config::Memory) -> Self {
        Self {
            upper: memory.upper.percent(),
            lower: memory.lower.percent(),
            emergency: memory.emergency.percent(),
            dwell: memory.dwell,
            quiet: memory.quiet,
            drop_warn: memory.drop_warn.percent(),
            drop_error: memory.drop_error.percent(),
        }
    }
}
