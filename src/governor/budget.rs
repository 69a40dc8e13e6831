//! How much memory we may use.

use std::fmt;

use indicatif::BinaryBytes;

use crate::config::ByteSize;

/// What is used when nobody has said otherwise.
const DEFAULT: u64 = 120 << 20;

/// Of the tightest limit: the rest is for the kernel's own pages, which count there and not in
/// what we measure, and for the time that it takes to react.
const PERCENT_OF_LIMIT: u64 = 80;

/// How much memory we may use, and why so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes: u64,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Default,
    Configuration,
    Limit(u64),
}

impl Budget {
    /// What is configured, or 120 MiB; but no more than 80 % of the tightest limit (in bytes).
    #[must_use]
    pub fn of(configured: Option<ByteSize>, limit: Option<u64>) -> Self {
        let wanted = configured.map_or(DEFAULT, ByteSize::bytes);
        let share = limit.map(|limit| (limit / 100 * PERCENT_OF_LIMIT, limit));
        match share {
            Some((bytes, limit)) if bytes < wanted => Self {
                bytes,
                of: Of::Limit(limit),
            },
            _ => Self {
                bytes: wanted,
                of: configured.map_or(Of::Default, |_| Of::Configuration),
            },
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// A share of it, in bytes.
    #[must_use]
    pub const fn percent(self, percent: u8) -> u64 {
        // Divided first: no budget is too large for it.
        (self.bytes / 100).saturating_mul(percent as u64)
    }
}

/// For the line at the start.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = BinaryBytes(self.bytes);
        match self.of {
            Of::Default => write!(f, "{bytes}, the default"),
            Of::Configuration => write!(f, "{bytes}, as configured"),
            Of::Limit(limit) => write!(
                f,
                "{bytes}, {PERCENT_OF_LIMIT} % of the limit of {}",
                BinaryBytes(limit)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_what_is_wanted_and_of_the_limit_holds() {
        let mib = |count: u32| Some(ByteSize::from_mebibytes(count));
        for (configured, limit, mebibytes, words) in [
            (None, None, 120, "120.00 MiB, the default"),
            (mib(300), None, 300, "300.00 MiB, as configured"),
            (None, Some(200 << 20), 120, "120.00 MiB, the default"),
            (mib(60), Some(100 << 20), 60, "60.00 MiB, as configured"),
        ] {
            let budget = Budget::of(configured, limit);
            assert_eq!(budget.bytes(), mebibytes << 20);
            assert_eq!(budget.to_string(), words);
        }
        for configured in [None, mib(300)] {
            let budget = Budget::of(configured, Some(100 << 20));
            assert_eq!(budget.bytes(), (100 << 20) / 100 * 80);
            assert_eq!(
                budget.to_string(),
                "80.00 MiB, 80 % of the limit of 100.00 MiB"
            );
        }
        assert_eq!(Budget::of(None, Some(0)).bytes(), 0);
        let huge = Budget::of(Some(ByteSize::from_bytes(u64::MAX)), None);
        assert!(huge.percent(95) < huge.bytes());
    }
}
