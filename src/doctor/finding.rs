//! A judgement on one thing.

use std::fmt;

use serde::Serialize;

/// How good a thing is for recording, the better the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Good,
    /// Recordings are made, and something is worse than it could be.
    Degraded,
    /// Nothing can be recorded with it.
    Bad,
}

impl Grade {
    /// The word in tables and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Degraded => "degraded",
            Self::Bad => "bad",
        }
    }

    /// The worst of several; good when there are none.
    #[must_use]
    pub fn worst(grades: impl IntoIterator<Item = Self>) -> Self {
        grades.into_iter().max().unwrap_or(Self::Good)
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of the report. What is not good has advice, what is good has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    grade: Grade,
    subject: &'static str,
    what: String,
    advice: Option<String>,
}

impl Finding {
    /// It is as it should be.
    #[must_use]
    pub fn good(subject: &'static str, what: impl Into<String>) -> Self {
        Self {
            grade: Grade::Good,
            subject,
            what: what.into(),
            advice: None,
        }
    }

    /// It is worse than it could be; `advice` says what to do.
    #[must_use]
    pub fn degraded(
        subject: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            grade: Grade::Degraded,
            advice: Some(advice.into()),
            ..Self::good(subject, what)
        }
    }

    /// Nothing can be recorded with it; `advice` says what to do.
    #[must_use]
    pub fn bad(subject: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            grade: Grade::Bad,
            ..Self::degraded(subject, what, advice)
        }
    }

    /// How good it is.
    #[must_use]
    pub const fn grade(&self) -> Grade {
        self.grade
    }

    /// What it is about, in a word or two.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        self.subject
    }

    /// What was found.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_grade_is_the_whole_reports() {
        use Grade::{Bad, Degraded, Good};
        for (grades, worst) in [
            (vec![], Good),
            (vec![Good, Good], Good),
            (vec![Good, Degraded, Good], Degraded),
            (vec![Degraded, Bad, Good], Bad),
        ] {
            assert_eq!(Grade::worst(grades), worst);
        }
        for grade in [Good, Degraded, Bad] {
            assert_eq!(serde_json::to_value(grade).unwrap(), grade.as_str());
        }
    }

    #[test]
    fn what_is_not_good_has_advice() {
        assert_eq!(Finding::good("disk", "fast").advice(), None);
        let degraded = Finding::degraded("disk", "slow", "take another");
        let bad = Finding::bad("disk", "full", "make room");
        assert_eq!(degraded.advice(), Some("take another"));
        assert_eq!((bad.grade(), bad.what()), (Grade::Bad, "full"));
    }
}
