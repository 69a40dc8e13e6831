//! What a probe's report means.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::probe::{ASKED, Order, PICTURES, Report, UnitFacts};
use crate::media::aside::{End, LIMIT, Outcome, Program};

/// Units that may be missing of those that were to come: rate control may leave some out.
const MAY_MISS: usize = 2;

/// What is to be thought of an encoder.
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
    /// What came out is no H.264, or not of what went in.
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
        units: usize,
    },
}

/// How well an encoder works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Pictures a second.
    pub pictures_per_second: f64,
    /// From the first picture to its unit, starting the hardware included.
    pub first_unit: Duration,
    /// It makes keyframes when asked.
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
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(how) => write!(f, "works, {:.0} pictures/s", how.pictures_per_second),
            Self::NotInstalled => f.write_str("not installed"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Crashed { how } => write!(f, "crashed: {how}"),
            Self::Hung => write!(f, "hung: no end after {} s", LIMIT.as_secs()),
            Self::Silent => f.write_str("silent: took pictures and gave nothing"),
            Self::Garbage { what } => write!(f, "garbage: {what}"),
            Self::NoStart => f.write_str("no keyframe with parameter sets at the start"),
            Self::OneKeyframe => f.write_str("no keyframe after the first"),
            Self::Incomplete { units } => write!(f, "gave {units} units for {PICTURES} pictures"),
        }
    }
}

/// Tries an encoder. `size` is that of the pictures that are to come out. Blocks for up to
/// [`LIMIT`].
#[must_use]
pub fn attempt(program: &Program, order: &Order, size: (u32, u32)) -> Verdict {
    let failed = |reason: String| Verdict::Failed { reason };
    let text = match serde_json::to_string(order) {
        Ok(text) => text,
        Err(error) => return failed(format!("the order can't be written: {error}")),
    };
    match program.run(&text, LIMIT) {
        Ok(outcome) => judge(&outcome, size),
        Err(error) => failed(format!("no process for a trial: {error}")),
    }
}

/// Judges a trial.
fn judge(outcome: &Outcome, size: (u32, u32)) -> Verdict {
    let said = if outcome.said.is_empty() {
        String::new()
    } else {
        format!(": {}", outcome.said)
    };
    match outcome.end {
        End::Hung => return Verdict::Hung,
        End::Signal(number) => {
            let how = format!("signal {number}{said}");
            return Verdict::Crashed { how };
        }
        End::Code(_) => {}
    }
    let report = outcome.report.as_deref();
    let report = report.and_then(|text| serde_json::from_str::<Report>(text).ok());
    match (report, outcome.end) {
        (Some(report), _) => judge_report(report, size),
        (None, End::Code(code)) => Verdict::Crashed {
            how: format!("exit code {code} without a report{said}"),
        },
        (None, _) => Verdict::Hung,
    }
}

fn judge_report(report: Report, size: (u32, u32)) -> Verdict {
    if let Some(reason) = report.error {
        return Verdict::Failed { reason };
    }
    let units = &report.units;
    let (Some(first), Some(last)) = (units.first(), units.last()) else {
        return Verdict::Silent;
    };
    if let Some(what) = garbage(units) {
        return Verdict::Garbage { what };
    }
    let (true, Some(found)) = (first.idr, first.size) else {
        return Verdict::NoStart;
    };
    if found != size {
        let what = format!("{}x{} for {}x{}", found.0, found.1, size.0, size.1);
        return Verdict::Garbage { what };
    }
    if units.len() + MAY_MISS < PICTURES as usize {
        return Verdict::Incomplete { units: units.len() };
    }
    let keyframe_in = |pictures: std::ops::Range<u32>| {
        let mut later = units.iter().skip(1);
        later.any(|unit| unit.idr && pictures.contains(&unit.picture))
    };
    if !keyframe_in(1..PICTURES) {
        return Verdict::OneKeyframe;
    }
    let seconds = last.after.saturating_sub(first.after).as_secs_f64();
    Verdict::Passed(Performance {
        pictures_per_second: count(units.len() - 1) / seconds.max(0.001),
        first_unit: first.after,
        // A picture or two late is in time.
        on_request: keyframe_in(ASKED..PICTURES),
        missing: report.missing,
    })
}

fn count(units: usize) -> f64 {
    u32::try_from(units).map_or(f64::MAX, f64::from)
}

/// Why the units can't be those of the pictures.
fn garbage(units: &[UnitFacts]) -> Option<String> {
    if units.iter().any(|unit| !unit.slices) {
        return Some("units without a picture".to_owned());
    }
    let mut pairs = units.iter().zip(units.iter().skip(1));
    if pairs.any(|(one, next)| one.picture >= next.picture) {
        return Some("pictures out of order".to_owned());
    }
    let strange = units.iter().find(|unit| unit.picture >= PICTURES)?;
    Some(format!("a picture of another time ({})", strange.picture))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::probe::INTERVAL;
    use super::*;

    const SIZE: (u32, u32) = (1280, 720);

    /// The units of an encoder that works, with keyframes where `keyframe` says.
    fn units(keyframe: impl Fn(u32) -> bool) -> Vec<UnitFacts> {
        let unit = |picture| UnitFacts {
            picture,
            idr: keyframe(picture),
            slices: true,
            size: keyframe(picture).then_some(SIZE),
            after: Duration::from_millis(u64::from(20 * (picture + 1))),
        };
        (0..PICTURES).map(unit).collect()
    }

    fn of_units(units: Vec<UnitFacts>) -> Verdict {
        let report = Report {
            units,
            ..Report::default()
        };
        of(End::Code(0), Some(serde_json::to_string(&report).unwrap()))
    }

    fn of(end: End, report: Option<String>) -> Verdict {
        let outcome = Outcome {
            end,
            report,
            said: "NvMMLite gives up".to_owned(),
        };
        judge(&outcome, SIZE)
    }

    #[test]
    fn one_that_works_passes_with_what_it_does() {
        let obeys = of_units(units(|at| at % INTERVAL == 0 || at == ASKED));
        let how = obeys.performance().unwrap();
        assert!(how.on_request);
        assert!((how.pictures_per_second - 50.0).abs() < 0.1, "{how:?}");
        assert_eq!(how.first_unit, Duration::from_millis(20));
        let deaf = of_units(units(|at| at % INTERVAL == 0));
        assert!(!deaf.performance().unwrap().on_request);
        let late = of_units(units(|at| at == 0 || at == ASKED + 2));
        assert!(late.performance().unwrap().on_request);
    }

    #[test]
    fn each_way_to_fail_has_its_name() {
        let good = || units(|at| at % INTERVAL == 0);
        let broken = |change: fn(&mut Vec<UnitFacts>)| {
            let mut units = good();
            change(&mut units);
            of_units(units)
        };
        assert_eq!(of(End::Hung, None), Verdict::Hung);
        assert!(
            matches!(of(End::Signal(11), None), Verdict::Crashed { how } if how.contains("11"))
        );
        assert!(
            matches!(of(End::Code(1), None), Verdict::Crashed { how } if how.contains("gives up"))
        );
        let rubbish = Some("{\"units\": 7}".to_owned());
        assert!(matches!(of(End::Code(0), rubbish), Verdict::Crashed { .. }));
        assert_eq!(broken(Vec::clear), Verdict::Silent);
        assert_eq!(broken(|it| it[0].size = None), Verdict::NoStart);
        assert_eq!(broken(|it| it[0].idr = false), Verdict::NoStart);
        assert_eq!(of_units(units(|at| at == 0)), Verdict::OneKeyframe);
        assert_eq!(
            broken(|it| it.truncate(7)),
            Verdict::Incomplete { units: 7 }
        );
        for change in [
            (|it| it[4].slices = false) as fn(&mut Vec<UnitFacts>),
            |it| it[0].size = Some((640, 360)),
            |it| it.swap(4, 5),
            |it| it[9].picture = 4_000,
        ] {
            assert!(matches!(broken(change), Verdict::Garbage { .. }));
        }
        let report = Report {
            error: Some("cannot open /dev/video11".to_owned()),
            ..Report::default()
        };
        let said = of(End::Code(0), Some(serde_json::to_string(&report).unwrap()));
        assert!(matches!(said, Verdict::Failed { reason } if reason.contains("video11")));
    }
}
