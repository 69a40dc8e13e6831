//! Where memory is read, what is missing for it, and what to do about that.

use std::fmt;

use indicatif::BinaryBytes;

use super::cgroup;
use crate::board::Family;

/// Where our use of memory is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The control group: all in it is ours.
    Group,
    /// The process, because others are in its group.
    SharedGroup,
    /// The process, because memory is not accounted by groups.
    Process,
    /// Nowhere: there is neither a group nor `/proc`.
    Nothing,
}

/// What is read, and what can't be. Its text is one line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where our use is read.
    pub source: Source,
    /// The group, where memory is accounted by groups.
    pub path: Option<String>,
    /// The least limit of it and those above it, in bytes.
    pub limit: Option<u64>,
    /// Memory is accounted by groups.
    pub accounted: bool,
    /// It is not, because of the kernel's command line.
    pub switched_off: bool,
    /// Pressure on memory is reported.
    pub pressure: bool,
    /// For advice.
    pub family: Family,
}

impl Facts {
    /// Whether something is missing that could be there.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.accounted || !self.pressure || self.source == Source::Nothing
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or_default();
        match self.source {
            Source::Group => write!(f, "memory is read from the control group {path}")?,
            Source::SharedGroup => write!(
                f,
                "memory is read from /proc/self/status: others are in the control group {path}"
            )?,
            Source::Process => f.write_str("memory is read from /proc/self/status")?,
            Source::Nothing => f.write_str("memory can't be read: mount /proc")?,
        }
        match self.limit {
            Some(limit) => write!(f, ", limit {}", BinaryBytes(limit))?,
            None => f.write_str(", no limit")?,
        }
        if !self.accounted {
            let advice = cgroup::how_to_switch_on(self.switched_off, self.family);
            write!(f, "; missing the memory cgroup: {advice}")?;
        }
        if !self.pressure {
            let place = self.family.kernel_command_line();
            write!(
                f,
                "; missing pressure on memory: add psi=1 to {place} and restart (the kernel needs \
                 CONFIG_PSI)"
            )?;
        }
        Ok(())
    }
}
