//! Why a unit that arrived is not in the file, counted by reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why an access unit or a picture was not recorded.
///
/// The words are part of the manifest's format: programs match on them, so they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// A decoded picture met the in-flight limit in front of the encoder.
    Backpressure,
    /// Decoding could not start yet: no keyframe so far, or none since something was lost.
    AwaitingKeyframe,
    /// Data that it needs was lost on the way, or the source restarted.
    Discontinuity,
    /// A bounded queue of encoded units was full.
    QueueFull,
    /// It came after its place in the file had been filled.
    Late,
    /// The decoder or the parser refused it.
    Undecodable,
    /// The disk was too slow, full, or failed.
    Disk,
    /// The configuration asks for it to be left out.
    Filtered,
    /// It has more bytes than a unit may have.
    TooLarge,
    /// It was given up so that memory stays within its budget and the rest keeps up.
    Governor,
}

impl DropReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Backpressure,
        Self::AwaitingKeyframe,
        Self::Discontinuity,
        Self::QueueFull,
        Self::Late,
        Self::Undecodable,
        Self::Disk,
        Self::Filtered,
        Self::TooLarge,
        Self::Governor,
    ];

    /// The word used in manifests, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backpressure => "backpressure",
            Self::AwaitingKeyframe => "awaiting_keyframe",
            Self::Discontinuity => "discontinuity",
            Self::QueueFull => "queue_full",
            Self::Late => "late",
            Self::Undecodable => "undecodable",
            Self::Disk => "disk",
            Self::Filtered => "filtered",
            Self::TooLarge => "too_large",
            Self::Governor => "governor",
        }
    }
}

impl std::fmt::Display for DropReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Units dropped, by reason. Reasons that never occurred are absent.
///
/// Keyed by the word and not by [`DropReason`], so that a manifest written by a newer version,
/// with a reason that this one does not know, can still be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Drops(BTreeMap<String, u64>);

impl Drops {
    /// Counts `units` more for `reason`.
    pub fn add(&mut self, reason: DropReason, units: u64) {
        if units > 0 {
            self.count(reason.as_str(), units);
        }
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (reason, units) in &other.0 {
            self.count(reason, *units);
        }
    }

    /// Units dropped for `reason`.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason.as_str()).copied().unwrap_or(0)
    }

    /// Units dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Reason and count, by the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0
            .iter()
            .map(|(reason, units)| (reason.as_str(), *units))
    }

    fn count(&mut self, reason: &str, units: u64) {
        // A look-up first: the key is only copied when the reason is new.
        match self.0.get_mut(reason) {
            Some(total) => *total = total.saturating_add(units),
            None => {
                self.0.insert(reason.to_owned(), units);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_serde_writes() {
        for reason in DropReason::ALL {
            let word = serde_json::to_string(&reason).unwrap();
            assert_eq!(word, format!("\"{reason}\""));
        }
    }

    #[test]
    fn counts_add_up_and_unknown_reasons_survive() {
        let mut drops = Drops::default();
        drops.add(DropReason::Late, 2);
        drops.add(DropReason::Disk, 0);
        let newer: Drops = serde_json::from_str(r#"{"late":3,"sunspots":7}"#).unwrap();
        drops.merge(&newer);
        assert_eq!(drops.of(DropReason::Late), 5);
        assert_eq!(drops.of(DropReason::Disk), 0);
        assert_eq!(drops.total(), 12);
        let text = serde_json::to_string(&drops).unwrap();
        assert_eq!(text, r#"{"late":5,"sunspots":7}"#);
    }
}
