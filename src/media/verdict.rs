//! What is to be thought of an encoder or a decoder.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::aside::{End, LIMIT, Outcome};

/// What is to be thought of an encoder or a decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It works.
    Passed(Performance),
    /// It is not installed.
    NotInstalled,
    /// It says itself that it does not work.
    Failed {
        /// What it says.
        reason: String,
    },
    /// It took its process with it.
    Crashed {
        /// How that ended, and its last words.
        how: String,
    },
    /// It did not come to an end within the time limit.
    Hung,
    /// Nothing came out.
    Silent,
    /// What came out is not of what went in.
    Garbage {
        /// Why.
        what: String,
    },
    /// The first unit can't be decoded: no parameter sets, or no keyframe.
    NoStart,
    /// There is no keyframe after the first.
    OneKeyframe,
    /// Pictures are missing.
    Incomplete {
        /// How many came.
        came: usize,
        /// Of how many.
        of: usize,
    },
}

/// How well it works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Pictures a second.
    pub pictures_per_second: f64,
    /// Until the first came out, starting the hardware included.
    pub first: Duration,
    /// An encoder makes keyframes when asked.
    pub on_request: bool,
    /// Properties that it was to be set up with and does not have.
    pub missing: Vec<String>,
}

impl Verdict {
    /// How well it works, if it does.
    #[must_use]
    pub const fn performance(&self) -> Option<&Performance> {
        match self {
            Self::Passed(performance) => Some(performance),
            _ => None,
        }
    }

    /// Whether the next trial will find the same, so that it may be left out. What only said that
    /// it fails may have been in use, or its driver not yet loaded.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        !matches!(self, Self::NotInstalled | Self::Failed { .. })
    }

    /// What it means that a trial ended so; `report` judges a report.
    pub(super) fn of<R: for<'de> Deserialize<'de>>(
        outcome: &Outcome,
        report: impl FnOnce(R) -> Self,
    ) -> Self {
        let said = if outcome.said.is_empty() {
            String::new()
        } else {
            format!(": {}", outcome.said)
        };
        let how = match outcome.end {
            End::Hung => return Self::Hung,
            End::Signal(number) => format!("signal {number}{said}"),
            End::Code(code) => {
                let text = outcome.report.as_deref();
                if let Some(read) = text.and_then(|text| serde_json::from_str(text).ok()) {
                    return report(read);
                }
                format!("exit code {code} without a report{said}")
            }
        };
        Self::Crashed { how }
    }

    /// Of pictures that came out after these times.
    pub(super) fn passed(after: &[Duration], on_request: bool, missing: Vec<String>) -> Self {
        let first = after.first().copied().unwrap_or_default();
        let last = after.last().copied().unwrap_or_default();
        let steps = u32::try_from(after.len().saturating_sub(1)).unwrap_or(u32::MAX);
        // A clock that does not move would make it infinite.
        let seconds = last.saturating_sub(first).as_secs_f64().max(0.001);
        Self::Passed(Performance {
            pictures_per_second: f64::from(steps) / seconds,
            first,
            on_request,
            missing,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(how) => write!(f, "works, {:.0} pictures/s", how.pictures_per_second),
            Self::NotInstalled => f.write_str("not installed"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Crashed { how } => write!(f, "crashed: {how}"),
            Self::Hung => write!(f, "hung: no end after {} s", LIMIT.as_secs()),
            Self::Silent => f.write_str("silent: took everything and gave nothing"),
            Self::Garbage { what } => write!(f, "garbage: {what}"),
            Self::NoStart => f.write_str("no keyframe with parameter sets at the start"),
            Self::OneKeyframe => f.write_str("no keyframe after the first"),
            Self::Incomplete { came, of } => write!(f, "gave {came} of {of} pictures"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_without_a_report_has_a_name() {
        let of = |end, report: Option<&str>| {
            let outcome = Outcome {
                end,
                report: report.map(str::to_owned),
                said: "NvMMLite gives up".to_owned(),
            };
            Verdict::of(&outcome, |number: u32| Verdict::Incomplete {
                came: number as usize,
                of: 10,
            })
        };
        let crashed = |verdict: Verdict, word: &str| matches!(&verdict, Verdict::Crashed { how } if how.contains(word) && how.contains("gives up"));
        assert_eq!(of(End::Hung, Some("3")), Verdict::Hung);
        assert!(crashed(of(End::Signal(11), Some("3")), "signal 11"));
        assert!(crashed(of(End::Code(1), None), "exit code 1"));
        assert!(crashed(
            of(End::Code(0), Some("rubbish")),
            "without a report"
        ));
        assert_eq!(
            of(End::Code(0), Some("3")),
            Verdict::Incomplete { came: 3, of: 10 }
        );
    }
}
