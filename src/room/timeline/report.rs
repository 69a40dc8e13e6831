//! Sender reports: the line that leads from a track's media time to its sender's wall clock.

use std::collections::VecDeque;
use std::time::SystemTime;

use time::Duration as SignedDuration;

/// What an RTCP sender report says of time (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The sender's wall clock. The Unix epoch or before stands for "has none".
    pub ntp: SystemTime,
    /// The RTP stamp of the same moment.
    pub rtp: u32,
}

impl SenderReport {
    /// The wall clock since the Unix epoch, if the sender has one. NTP counts 32 bits of
    /// seconds, so nothing above that is a time.
    pub(super) fn wall_clock(&self) -> Option<SignedDuration> {
        let since_epoch = self.ntp.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        if !(1..=u64::from(u32::MAX)).contains(&since_epoch.as_secs()) {
            return None;
        }
        SignedDuration::try_from(since_epoch).ok()
    }
}

/// How many reports the line is drawn through.
const POINTS: usize = 20;

/// Reports older than this against the newest one no longer count.
const MEMORY: SignedDuration = SignedDuration::minutes(2);

/// A report this far off the line is not noise (some milliseconds in libwebrtc): either it is
/// wrong, or the line is. A step of the wall clock below this bends the lines of sound and picture
/// at different moments, and puts them apart by up to 0.4 of it where reports are lost.
const OFF_THE_LINE: SignedDuration = SignedDuration::milliseconds(80);

/// Weight, in s², of the belief that a sender's clock runs true, in the fit of its drift: what a
/// drift of 100 ppm and reports that are 2 ms off call for, (2 ms ÷ 100 ppm)².
const TRUE_RATE_WEIGHT: f64 = 400.0;

/// The steepest drift believed. Crystals stay below 200 ppm.
const STEEPEST: f64 = 500e-6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    media: SignedDuration,
    wall: SignedDuration,
}

/// The straight line through the last reports.
///
/// A single report is some milliseconds off, and following each would make sound wander; an
/// average would lag behind a drifting clock. A line does neither.
#[derive(Debug)]
pub struct Line {
    points: VecDeque<Point>,
    middle: Point,
    /// How much faster than media time the wall clock goes: 1e-6 is 1 ppm.
    slope: f64,
}

impl Line {
    fn new(point: Point) -> Self {
        Self {
            points: VecDeque::from([point]),
            middle: point,
            slope: 0.0,
        }
    }

    /// The sender's wall clock at `media`.
    pub fn wall_at(&self, media: SignedDuration) -> SignedDuration {
        let from_middle = media - self.middle.media;
        let drift = self.slope * from_middle.as_seconds_f64();
        self.middle.wall + from_middle + SignedDuration::saturating_seconds_f64(drift)
    }

    fn fits(&self, point: Point) -> bool {
        (point.wall - self.wall_at(point.media)).abs() <= OFF_THE_LINE
    }

    fn take(&mut self, point: Point) {
        self.points
            .retain(|old| (point.media - old.media).abs() <= MEMORY);
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.fit(point);
    }

    /// Least squares on what the wall clock gained over media time, with the slope drawn towards
    /// zero. Relative to `origin`, so that floating point keeps its precision.
    #[expect(clippy::cast_precision_loss, reason = "at most 20 points")]
    fn fit(&mut self, origin: Point) {
        let count = self.points.len() as f64;
        let relative = |point: &Point| {
            let media = point.media - origin.media;
            let gain = point.wall - origin.wall - media;
            (media.as_seconds_f64(), gain.as_seconds_f64())
        };
        let (sum_x, sum_y) = self
            .points
            .iter()
            .map(relative)
            .fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
        let (mean_x, mean_y) = (sum_x / count, sum_y / count);
        let (xx, xy) = self
            .points
            .iter()
            .map(relative)
            .fold((0.0, 0.0), |sum, (x, y)| {
                let dx = x - mean_x;
                (sum.0 + dx * dx, sum.1 + dx * (y - mean_y))
            });
        let to_middle = SignedDuration::saturating_seconds_f64(mean_x);
        self.middle = Point {
            media: origin.media + to_middle,
            wall: origin.wall + to_middle + SignedDuration::saturating_seconds_f64(mean_y),
        };
        self.slope = (xy / (xx + TRUE_RATE_WEIGHT)).clamp(-STEEPEST, STEEPEST);
    }
}

/// What a report was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Heard before.
    Repeated,
    /// The first of this run of the RTP clock.
    First,
    /// On the line, which is drawn again with it.
    Fits,
    /// Off the line, and ignored unless the next report says the same.
    Doubtful,
    /// Off the old line like the report before: a new line begins with the two.
    NewLine,
}

/// The reports of one track.
#[derive(Debug, Default)]
pub struct Reports {
    /// Kept through a restart of the RTP clock: what it says is about the clock before.
    last: Option<SenderReport>,
    line: Option<Line>,
    doubtful: Option<Line>,
}

impl Reports {
    /// Takes `report`, which says that it was `wall` at `media`.
    pub fn hear(
        &mut self,
        report: SenderReport,
        media: SignedDuration,
        wall: SignedDuration,
    ) -> Verdict {
        let point = Point { media, wall };
        if self.last == Some(report) || self.knows(point) {
            return Verdict::Repeated;
        }
        self.last = Some(report);
        match &mut self.line {
            None => {
                self.line = Some(Line::new(point));
                Verdict::First
            }
            Some(line) if line.fits(point) => {
                line.take(point);
                self.doubtful = None;
                Verdict::Fits
            }
            Some(_) => self.doubt(point),
        }
    }

    fn doubt(&mut self, point: Point) -> Verdict {
        match self.doubtful.take() {
            Some(mut line) if line.fits(point) => {
                line.take(point);
                self.line = Some(line);
                Verdict::NewLine
            }
            _ => {
                self.doubtful = Some(Line::new(point));
                Verdict::Doubtful
            }
        }
    }

    /// Units can overtake each other, and with them the report that was last when each came.
    fn knows(&self, point: Point) -> bool {
        [&self.line, &self.doubtful]
            .into_iter()
            .flatten()
            .any(|line| line.points.contains(&point))
    }

    /// The line from media time to the sender's wall clock, once there is a report.
    pub fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// The RTP clock has started again: what was said of it no longer holds.
    pub fn restart(&mut self) {
        self.line = None;
        self.doubtful = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Hears a report of one RTP clock, made `at` seconds and `off` milliseconds off.
    fn hear(reports: &mut Reports, at: u32, off: i64) -> Verdict {
        let media = SignedDuration::seconds(i64::from(at));
        let wall = SignedDuration::days(20_000) + media + SignedDuration::milliseconds(off);
        let report = SenderReport {
            ntp: SystemTime::UNIX_EPOCH + wall.unsigned_abs(),
            rtp: at * 48_000,
        };
        reports.hear(report, media, wall)
    }

    #[test]
    fn what_was_heard_is_not_heard_again() {
        let mut reports = Reports::default();
        assert_eq!(hear(&mut reports, 0, 0), Verdict::First);
        assert_eq!(hear(&mut reports, 5, 1), Verdict::Fits);
        assert_eq!(hear(&mut reports, 5, 1), Verdict::Repeated);
        assert_eq!(hear(&mut reports, 0, 0), Verdict::Repeated);
        assert_eq!(hear(&mut reports, 10, 900), Verdict::Doubtful);
        assert_eq!(hear(&mut reports, 5, 1), Verdict::Repeated);
        assert_eq!(hear(&mut reports, 10, 900), Verdict::Repeated);
    }

    #[test]
    fn a_restarted_clock_is_not_judged_by_the_report_before() {
        let mut reports = Reports::default();
        hear(&mut reports, 0, 0);
        reports.restart();
        assert_eq!(hear(&mut reports, 0, 0), Verdict::Repeated);
        assert!(reports.line().is_none());
        assert_eq!(hear(&mut reports, 5, 0), Verdict::First);
    }

    #[test]
    fn two_that_agree_in_a_row_begin_a_new_line() {
        let mut reports = Reports::default();
        hear(&mut reports, 0, 0);
        assert_eq!(hear(&mut reports, 5, 900), Verdict::Doubtful);
        assert_eq!(hear(&mut reports, 10, 0), Verdict::Fits);
        assert_eq!(hear(&mut reports, 15, 900), Verdict::Doubtful);
        assert_eq!(hear(&mut reports, 20, -900), Verdict::Doubtful);
        assert_eq!(hear(&mut reports, 25, -900), Verdict::NewLine);
        assert_eq!(hear(&mut reports, 30, -900), Verdict::Fits);
    }

    #[test]
    fn a_sender_without_a_wall_clock_says_nothing() {
        let said = |since_epoch| {
            let ntp = SystemTime::UNIX_EPOCH + since_epoch;
            SenderReport { ntp, rtp: 0 }.wall_clock()
        };
        assert_eq!(said(Duration::ZERO), None);
        assert_eq!(said(Duration::from_secs(1 << 33)), None);
        let now = Duration::from_millis(1_800_000_000_250);
        assert_eq!(said(now), SignedDuration::try_from(now).ok());
    }
}
