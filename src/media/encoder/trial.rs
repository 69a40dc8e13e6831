//! What the report of an encoder's probe means.

use super::probe::{ASKED, Order, PICTURES, Report, UnitFacts};
use crate::media::aside::{LIMIT, Program};
use crate::media::probe;
use crate::media::verdict::Verdict;

/// Units that may be missing of those that were to come: rate control may leave some out.
const MAY_MISS: usize = 2;

/// Tries an encoder. `size` is that of the pictures that are to come out. Blocks for up to
/// [`LIMIT`].
#[must_use]
pub fn attempt(program: &Program, order: Order, size: (u32, u32)) -> Verdict {
    let order = probe::Order::Encoder(order);
    match probe::elsewhere(program, &order, LIMIT) {
        Ok(outcome) => Verdict::of(&outcome, |report| judge(report, size)),
        Err(verdict) => verdict,
    }
}

/// Judges what came out.
fn judge(report: Report, size: (u32, u32)) -> Verdict {
    if let Some(reason) = report.error {
        return Verdict::Failed { reason };
    }
    let units = &report.units;
    let Some(first) = units.first() else {
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
        return Verdict::Incomplete {
            came: units.len(),
            of: PICTURES as usize,
        };
    }
    let keyframe_in = |pictures: std::ops::Range<u32>| {
        let mut later = units.iter().skip(1);
        later.any(|unit| unit.idr && pictures.contains(&unit.picture))
    };
    if !keyframe_in(1..PICTURES) {
        return Verdict::OneKeyframe;
    }
    let after: Vec<_> = units.iter().map(|unit| unit.after).collect();
    // A picture or two late is in time.
    Verdict::passed(&after, keyframe_in(ASKED..PICTURES), report.missing)
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
    use std::time::Duration;

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
        judge(report, SIZE)
    }

    #[test]
    fn one_that_works_passes_with_what_it_does() {
        let obeys = of_units(units(|at| at % INTERVAL == 0 || at == ASKED));
        let how = obeys.performance().unwrap();
        assert!(how.on_request);
        assert!((how.pictures_per_second - 50.0).abs() < 0.1, "{how:?}");
        assert_eq!(how.first, Duration::from_millis(20));
        let deaf = of_units(units(|at| at % INTERVAL == 0));
        assert!(!deaf.performance().unwrap().on_request);
        let late = of_units(units(|at| at == 0 || at == ASKED + 2));
        assert!(late.performance().unwrap().on_request);
    }

    #[test]
    fn each_way_to_fail_has_its_name() {
        let broken = |change: fn(&mut Vec<UnitFacts>)| {
            let mut units = units(|at| at % INTERVAL == 0);
            change(&mut units);
            of_units(units)
        };
        assert_eq!(broken(Vec::clear), Verdict::Silent);
        assert_eq!(broken(|it| it[0].size = None), Verdict::NoStart);
        assert_eq!(broken(|it| it[0].idr = false), Verdict::NoStart);
        assert_eq!(of_units(units(|at| at == 0)), Verdict::OneKeyframe);
        let short = broken(|it| it.truncate(7));
        assert_eq!(short, Verdict::Incomplete { came: 7, of: 10 });
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
        let said = judge(report, SIZE);
        assert!(matches!(said, Verdict::Failed { reason } if reason.contains("video11")));
    }
}
