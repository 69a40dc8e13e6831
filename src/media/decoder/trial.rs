//! What the report of a decoder's probe means.

use super::probe::{Order, Report};
use super::{Decoder, sample};
use crate::media::aside::{LIMIT, Program};
use crate::media::probe;
use crate::media::verdict::Verdict;

/// Pictures that may be missing: one that changes its size may give up what it holds.
const MAY_MISS: usize = 2;

/// By how much the mean of the luma may differ: decoders agree to the bit, converters round.
const MAY_DIFFER: u8 = 3;

/// Tries a decoder. Blocks for up to [`LIMIT`].
#[must_use]
pub fn attempt(program: &Program, decoder: Decoder) -> Verdict {
    let order = probe::Order::Decoder(Order {
        decoder: decoder.factory().to_owned(),
        codec: decoder.codec(),
    });
    let wanted = sample::pictures(decoder.codec());
    match probe::elsewhere(program, &order, LIMIT) {
        Ok(outcome) => Verdict::of(&outcome, |report| judge(report, &wanted)),
        Err(verdict) => verdict,
    }
}

/// Judges what came out.
fn judge(report: Report, wanted: &[sample::Sample]) -> Verdict {
    if let Some(reason) = report.error {
        return Verdict::Failed { reason };
    }
    let pictures = &report.pictures;
    let Some(last) = pictures.last() else {
        return Verdict::Silent;
    };
    for picture in pictures {
        let number = picture.number as usize;
        let shown = wanted.get(number).is_some_and(|wanted| {
            picture.size == (wanted.size.width, wanted.size.height)
                && picture.luma.abs_diff(wanted.luma) <= MAY_DIFFER
        });
        if !shown {
            let (width, height) = picture.size;
            let what = format!(
                "picture {number} is {width}x{height} with a mean luma of {}",
                picture.luma
            );
            return Verdict::Garbage { what };
        }
    }
    let smaller = wanted.last().map(|it| (it.size.width, it.size.height));
    if pictures.len() + MAY_MISS < wanted.len() || Some(last.size) != smaller {
        return Verdict::Incomplete {
            came: pictures.len(),
            of: wanted.len(),
        };
    }
    let after: Vec<_> = pictures.iter().map(|picture| picture.after).collect();
    Verdict::passed(&after, false, Vec::new())
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use std::time::Duration;

    use super::super::probe::PictureFacts;
    use super::*;
    use crate::room::Codec;

    fn of(change: fn(&mut Vec<PictureFacts>)) -> Verdict {
        let wanted = sample::pictures(Codec::Vp8);
        let pictures = (0..).zip(&wanted).map(|(number, picture)| PictureFacts {
            number,
            size: (picture.size.width, picture.size.height),
            luma: picture.luma,
            after: Duration::from_millis(10) * (number + 1),
        });
        let mut report = Report {
            pictures: pictures.collect(),
            error: None,
        };
        change(&mut report.pictures);
        judge(report, &wanted)
    }

    #[test]
    fn only_what_shows_the_pictures_passes() {
        assert!(of(|_| ()).performance().is_some());
        assert!(of(|it| it[3].luma += 2).performance().is_some(), "rounded");
        assert!(
            of(|it| it.retain(|picture| picture.number != 6))
                .performance()
                .is_some(),
            "lost at the change"
        );
        assert_eq!(of(Vec::clear), Verdict::Silent);
        // One that stops where the size changes.
        assert_eq!(
            of(|it| it.truncate(6)),
            Verdict::Incomplete { came: 6, of: 10 }
        );
        for change in [
            (|it| it[3].luma = 0) as fn(&mut Vec<PictureFacts>),
            |it| it[8].size = (640, 360),
            |it| it[2].number = 77,
        ] {
            assert!(matches!(of(change), Verdict::Garbage { .. }));
        }
    }
}
