//! What the policy says: a change of level, or a warning; for one log event each, and for the
//! manifest.

use std::fmt;

use indicatif::BinaryBytes;
use serde::{Deserialize, Serialize};

use super::level::Level;
use super::reading::{Load, Reading};
use crate::timebase::milliseconds;

/// Why a level is left. Sorted by how much it matters, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Memory could not be had, or a process was killed for it.
    OutOfMemory,
    /// A limit that others may share, or the machine's memory, is nearly reached.
    MemoryLimit,
    /// We have nearly used up our budget, or more.
    MemoryUse,
    /// Tasks wait for memory.
    MemoryPressure,
    /// Pictures leave the encoder late.
    EncoderLag,
    /// Bytes wait for the disk.
    DiskLag,
    /// Too many pictures are dropped.
    Drops,
    /// Tasks wait for a processor.
    CpuPressure,
    /// None of these for long enough: a step back.
    Quiet,
}

impl Cause {
    /// The word in logs, manifests and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfMemory => "out_of_memory",
            Self::MemoryLimit => "memory_limit",
            Self::MemoryUse => "memory_use",
            Self::MemoryPressure => "memory_pressure",
            Self::EncoderLag => "encoder_lag",
            Self::DiskLag => "disk_lag",
            Self::Drops => "drops",
            Self::CpuPressure => "cpu_pressure",
            Self::Quiet => "quiet",
        }
    }
}

/// What was measured when a decision was made. Absent is what can't be known on this box.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Memory that we have, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_used: Option<u64>,
    /// Memory that we may use, in bytes.
    pub memory_budget: u64,
    /// Taken of the nearest limit, by all under it, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_held: Option<u64>,
    /// The nearest limit, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Tasks waited for memory in so much of the last 10 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_pressure_percent: Option<u8>,
    /// Tasks waited for a processor in so much of the last 10 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_percent: Option<u8>,
    /// See [`Load::encoder_lag`].
    pub encoder_lag_ms: u64,
    /// See [`Load::disk_lag`].
    pub disk_lag_ms: u64,
    /// Pictures that were dropped lately, of those that came lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_percent: Option<u8>,
}

impl Figures {
    pub(super) fn of(reading: &Reading, load: &Load, budget: u64, drops: Option<f64>) -> Self {
        Self {
            memory_used: reading.used,
            memory_budget: budget,
            limit_held: reading.nearest.map(|nearest| nearest.held),
            limit: reading.nearest.map(|nearest| nearest.limit),
            memory_pressure_percent: reading.stalls.memory.map(whole),
            cpu_pressure_percent: reading.stalls.cpu.map(whole),
            encoder_lag_ms: milliseconds(load.encoder_lag),
            disk_lag_ms: milliseconds(load.disk_lag),
            drop_percent: drops.map(whole),
        }
    }

    fn memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = BinaryBytes(self.memory_budget);
        match self.memory_used {
            Some(used) => write!(f, "{} of a budget of {budget}", BinaryBytes(used)),
            None => write!(f, "a budget of {budget}, use unknown"),
        }
    }

    fn limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.limit_held, self.limit) {
            (Some(held), Some(limit)) => {
                let (held, limit) = (BinaryBytes(held), BinaryBytes(limit));
                write!(f, "{held} of a limit of {limit} taken, ours ")?;
            }
            _ => f.write_str("no limit known, ours ")?,
        }
        self.memory(f)
    }
}

/// A share as a whole number; the nearest, and what is out of range at its end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in range after clamp"
)]
fn whole(percent: f64) -> u8 {
    percent.clamp(0.0, 100.0).round() as u8
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The level that was left.
    pub from: Level,
    /// The level now.
    pub to: Level,
    /// Why.
    pub cause: Cause,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
}

/// In one line: `normal to half_rate, memory_use: 115.00 MiB of a budget of 120.00 MiB`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}, {}: ", self.from, self.to, self.cause.as_str())?;
        let figures = &self.figures;
        let waited = |f: &mut fmt::Formatter<'_>, percent: Option<u8>, what| {
            let percent = percent.unwrap_or_default();
            write!(f, "tasks waited for {what} in {percent} % of 10 s")
        };
        match self.cause {
            Cause::OutOfMemory | Cause::MemoryLimit => figures.limit(f),
            Cause::MemoryUse | Cause::Quiet => figures.memory(f),
            Cause::MemoryPressure => waited(f, figures.memory_pressure_percent, "memory"),
            Cause::CpuPressure => waited(f, figures.cpu_pressure_percent, "a processor"),
            Cause::EncoderLag => write!(f, "pictures are {} ms late", figures.encoder_lag_ms),
            Cause::DiskLag => write!(f, "bytes wait {} ms for the disk", figures.disk_lag_ms),
            Cause::Drops => {
                let percent = figures.drop_percent.unwrap_or_default();
                write!(f, "{percent} % of the pictures dropped")
            }
        }
    }
}

/// What should be said although the level stays. Each is given at most once a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Pictures are dropped.
    Dropping {
        /// So many lately.
        dropped: u64,
        /// That is so much of what came.
        percent: u8,
        /// It is more than `memory.drop_error`.
        error: bool,
    },
    /// Memory is short, and it is not ours: no level of ours helps.
    NotOurs {
        /// What shows that it is short.
        cause: Cause,
        /// What was measured.
        figures: Figures,
    },
}

impl Warning {
    pub(super) fn dropping(dropped: u64, percent: f64, error: bool) -> Self {
        Self::Dropping {
            dropped,
            percent: whole(percent),
            error,
        }
    }
}

/// In one line.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropping {
                dropped, percent, ..
            } => write!(f, "dropping frames ({dropped} dropped, {percent} %)"),
            Self::NotOurs { cause, figures } => {
                write!(f, "memory is short and not ours ({}): ", cause.as_str())?;
                figures.limit(f)?;
                f.write_str("; stop what else runs there, or give it a limit of its own")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line_and_survives_the_manifest() {
        let figures = Figures {
            memory_used: Some(115 << 20),
            memory_budget: 120 << 20,
            limit_held: Some(190 << 20),
            limit: Some(200 << 20),
            memory_pressure_percent: Some(12),
            cpu_pressure_percent: Some(90),
            encoder_lag_ms: 900,
            disk_lag_ms: 4_000,
            drop_percent: Some(11),
        };
        for (cause, words) in [
            (
                Cause::OutOfMemory,
                "190.00 MiB of a limit of 200.00 MiB taken, ours 115.00 MiB of a budget of \
                 120.00 MiB",
            ),
            (Cause::MemoryUse, "115.00 MiB of a budget of 120.00 MiB"),
            (
                Cause::MemoryPressure,
                "tasks waited for memory in 12 % of 10 s",
            ),
            (Cause::EncoderLag, "pictures are 900 ms late"),
            (Cause::DiskLag, "bytes wait 4000 ms for the disk"),
            (Cause::Drops, "11 % of the pictures dropped"),
            (
                Cause::CpuPressure,
                "tasks waited for a processor in 90 % of 10 s",
            ),
        ] {
            let change = Change {
                from: Level::Normal,
                to: Level::HalfRate,
                cause,
                figures,
            };
            let line = format!("normal to half_rate, {}: {words}", cause.as_str());
            assert_eq!(change.to_string(), line);
            let json = serde_json::to_value(change).unwrap();
            assert_eq!(json["cause"], cause.as_str());
            assert_eq!(json["memory_used"], 115 << 20);
            assert_eq!(serde_json::from_value::<Change>(json).unwrap(), change);
        }
    }

    #[test]
    fn warnings_are_one_line() {
        assert_eq!(
            Warning::dropping(12, 7.6, false).to_string(),
            "dropping frames (12 dropped, 8 %)"
        );
        let warning = Warning::NotOurs {
            cause: Cause::MemoryPressure,
            figures: Figures::default(),
        };
        let line = warning.to_string();
        assert!(line.contains("not ours (memory_pressure)"), "{line}");
    }
}
