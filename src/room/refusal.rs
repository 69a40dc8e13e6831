//! Tracks that are asked for and not recorded: why, and how many.

use std::fmt;

use serde::Serialize;

/// A number of things in a room that is recorded at one time at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Participants.
    Participants,
    /// Tracks, of all participants together.
    Tracks,
}

/// Why a track that is asked for is not recorded. Shown, it says what could be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many as may be recorded at one time.
    Limit(Limit),
    /// It can't be recorded: why, in words for a person.
    Unrecordable(String),
}

impl Refusal {
    /// The word used in summaries and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Limit(Limit::Participants) => "max_participants",
            Self::Limit(Limit::Tracks) => "max_tracks",
            Self::Unrecordable(_) => "unrecordable",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(Limit::Participants) => {
                f.write_str("select.max_participants are recorded already: raise it")
            }
            Self::Limit(Limit::Tracks) => {
                f.write_str("limits.max_tracks are recorded already: raise it")
            }
            Self::Unrecordable(reason) => f.write_str(reason),
        }
    }
}

/// How many tracks were refused, by reason. A track counts each time that it begins to be
/// refused: once, unless it is recorded or unpublished in between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Refusals {
    /// For want of a place among the participants.
    pub max_participants: u64,
    /// For want of a place among the tracks.
    pub max_tracks: u64,
    /// Encrypted, or in a codec that can't be recorded.
    pub unrecordable: u64,
}

impl Refusals {
    /// Counts one.
    pub const fn add(&mut self, refusal: &Refusal) {
        let count = match refusal {
            Refusal::Limit(Limit::Participants) => &mut self.max_participants,
            Refusal::Limit(Limit::Tracks) => &mut self.max_tracks,
            Refusal::Unrecordable(_) => &mut self.unrecordable,
        };
        *count += 1;
    }

    /// Of all reasons together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.max_participants + self.max_tracks + self.unrecordable
    }
}

/// `3 max_participants, 1 unrecordable`: the reasons that there are.
impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.max_participants, "max_participants"),
            (self.max_tracks, "max_tracks"),
            (self.unrecordable, "unrecordable"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        for (place, (count, word)) in told.enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_count_and_its_word() {
        let reasons = [
            Refusal::Limit(Limit::Participants),
            Refusal::Limit(Limit::Tracks),
            Refusal::Unrecordable("it is end-to-end encrypted".to_owned()),
        ];
        let mut all = Refusals::default();
        assert_eq!(all.to_string(), "");
        for refusal in &reasons {
            let mut one = Refusals::default();
            one.add(refusal);
            assert_eq!(one.to_string(), format!("1 {}", refusal.as_str()));
            let json = serde_json::to_value(one).unwrap();
            assert_eq!(json[refusal.as_str()], 1, "{json}");
            assert_eq!(one.total(), 1);
            all.add(refusal);
        }
        all.add(&reasons[1]);
        assert_eq!(
            all.to_string(),
            "1 max_participants, 2 max_tracks, 1 unrecordable"
        );
        assert_eq!(all.total(), 4);
    }
}
