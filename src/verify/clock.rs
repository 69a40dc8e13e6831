//! The times of one stream: their order, the longest gap, where it starts and ends.

use crate::timebase::{Pts, PtsUnwrapper, TICKS_PER_SECOND};

/// An interval above this is a gap, and not how long a picture lasts: one second.
const LONGEST_INTERVAL: i64 = TICKS_PER_SECOND.cast_signed();

/// When a unit is shown and decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) pts: Pts,
    pub(super) dts: Pts,
}

/// What is wrong with a stamp, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OutOfOrder {
    pub(super) dts_back: Option<i64>,
    pub(super) pts_before_dts: Option<i64>,
}

/// From one frame's start to the next one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) ticks: i64,
    /// Where it begins, from the file's first stamp.
    pub(super) at: i64,
}

/// Ticks from the file's first stamp.
#[derive(Debug, Clone, Copy)]
struct Moment {
    shown: i64,
    decoded: i64,
}

/// The frames that were seen; all in ticks of 90 kHz from the file's first stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// When the earliest frame is shown.
    pub(super) start: i64,
    /// When the latest frame has been shown.
    pub(super) end: i64,
    /// The stamps as they stand in the stream, in its order.
    pub(super) first_pts: Pts,
    pub(super) last_pts: Pts,
}

#[derive(Debug, Default)]
pub(super) struct Clock {
    unwrapper: PtsUnwrapper,
    /// From the file's first stamp to this stream's.
    origin: Option<i64>,
    stamps: Option<(Pts, Pts)>,
    last_dts: Option<i64>,
    /// Where the next frame is.
    now: Option<Moment>,
    last_frame: Option<Moment>,
    start: Option<i64>,
    /// When the latest frame is shown, and how long where it says so.
    latest: Option<(i64, Option<i64>)>,
    intervals: (i64, i64),
    longest: Option<Gap>,
}

impl Clock {
    pub(super) fn has_started(&self) -> bool {
        self.origin.is_some()
    }

    pub(super) fn longest_gap(&self) -> Option<Gap> {
        self.longest
    }

    /// A unit with a stamp begins. `base` is the file's first stamp.
    pub(super) fn stamp(&mut self, base: Pts, stamp: Stamp) -> OutOfOrder {
        let origin = *self
            .origin
            .get_or_insert_with(|| stamp.dts.ticks_since(base));
        let decoded = origin + self.unwrapper.unwrap(stamp.dts);
        let lead = stamp.pts.ticks_since(stamp.dts);
        let back = self.last_dts.map_or(0, |last| last - decoded);
        self.last_dts = Some(decoded);
        self.stamps = Some((self.stamps.map_or(stamp.pts, |(first, _)| first), stamp.pts));
        self.now = Some(Moment {
            shown: decoded + lead,
            decoded,
        });
        OutOfOrder {
            dts_back: (back > 0).then_some(back),
            pts_before_dts: (lead < 0).then_some(-lead),
        }
    }

    /// The unit that begins has no stamp of its own and no frame before it to count from.
    pub(super) fn no_stamp(&mut self) {
        self.now = None;
    }

    /// A frame at the present moment, which lasts so many ticks where that is known.
    /// Gives the interval since the frame before.
    pub(super) fn frame(&mut self, ticks: Option<i64>) -> Option<Gap> {
        let now = self.now?;
        self.start = Some(self.start.map_or(now.shown, |start| start.min(now.shown)));
        if self.latest.is_none_or(|(shown, _)| shown <= now.shown) {
            self.latest = Some((now.shown, ticks));
        }
        if let Some(ticks) = ticks {
            self.now = Some(Moment {
                shown: now.shown + ticks,
                decoded: now.decoded + ticks,
            });
        }
        let before = self.last_frame.replace(now)?;
        let gap = Gap {
            ticks: now.decoded - before.decoded,
            at: before.decoded,
        };
        if (1..=LONGEST_INTERVAL).contains(&gap.ticks) {
            self.intervals.0 += gap.ticks;
            self.intervals.1 += 1;
        }
        if self.longest.is_none_or(|longest| longest.ticks < gap.ticks) {
            self.longest = Some(gap);
        }
        Some(gap)
    }

    /// Where the stream lies in time. A picture that does not say how long it lasts is given
    /// the mean interval, gaps left out.
    pub(super) fn span(&self) -> Option<Span> {
        let (latest, lasts) = self.latest?;
        let (first_pts, last_pts) = self.stamps?;
        let (sum, count) = self.intervals;
        let mean = || sum.checked_div(count).unwrap_or(0);
        Some(Span {
            start: self.start?,
            end: latest + lasts.unwrap_or_else(mean),
            first_pts,
            last_pts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(pts: u64, dts: u64) -> Stamp {
        Stamp {
            pts: Pts::from_ticks(pts),
            dts: Pts::from_ticks(dts),
        }
    }

    #[test]
    fn pictures_that_are_reordered_span_from_the_first_to_the_last_shown() {
        let mut clock = Clock::default();
        let base = Pts::from_ticks(0);
        for (pts, dts) in [(6_000, 0), (15_000, 3_000), (9_000, 6_000), (12_000, 9_000)] {
            assert_eq!(clock.stamp(base, at(pts, dts)), OutOfOrder::default());
            clock.frame(None);
        }
        let span = clock.span().unwrap();
        assert_eq!((span.start, span.end), (6_000, 18_000));
        assert_eq!(span.last_pts.ticks(), 12_000);
        assert_eq!(
            clock.longest_gap(),
            Some(Gap {
                ticks: 3_000,
                at: 0
            })
        );
    }

    #[test]
    fn what_is_out_of_order_is_told_with_how_much() {
        let mut clock = Clock::default();
        let base = Pts::from_ticks(0);
        clock.stamp(base, at(9_000, 9_000));
        let back = clock.stamp(base, at(6_000, 6_000));
        assert_eq!(
            back,
            OutOfOrder {
                dts_back: Some(3_000),
                pts_before_dts: None
            }
        );
        let early = clock.stamp(base, at(6_000, 6_001));
        assert_eq!(
            early,
            OutOfOrder {
                dts_back: None,
                pts_before_dts: Some(1)
            }
        );
        assert_eq!(clock.stamp(base, at(6_001, 6_001)), OutOfOrder::default());
    }

    #[test]
    fn a_gap_is_no_measure_of_how_long_the_last_picture_lasts() {
        let mut clock = Clock::default();
        for dts in [0, 3_000, 6_000, 906_000] {
            clock.stamp(Pts::from_ticks(0), at(dts, dts));
            clock.frame(None);
        }
        assert_eq!(clock.span().unwrap().end, 909_000);
        assert_eq!(
            clock.longest_gap(),
            Some(Gap {
                ticks: 900_000,
                at: 6_000
            })
        );
    }

    proptest! {
        #[test]
        fn the_span_is_the_same_wherever_the_clock_wraps(
            start in 0..Pts::MODULUS,
            steps in prop::collection::vec(1..90_000_u64, 1..40),
        ) {
            let base = Pts::from_ticks(start);
            let mut clock = Clock::default();
            let mut total = 0;
            for step in &steps {
                total += step;
                let order = clock.stamp(base, at(start + total, start + total));
                prop_assert_eq!(order, OutOfOrder::default());
                clock.frame(Some(1_920));
            }
            let span = clock.span().unwrap();
            let first = i64::try_from(steps[0]).unwrap();
            prop_assert_eq!(span.start, first);
            prop_assert_eq!(span.end, i64::try_from(total).unwrap() + 1_920);
        }
    }
}
