//! What a recording's manifest says beside its segments: the gaps, the sizes of the picture, and
//! when the wall clock was set.
//!
//! Turns what [`Gaps`] finds into records on the recording's own time, and tells the log of those
//! that are long.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::gaps::{Gap, Gaps};
use super::manifest::{ClockRecord, CoderRecord, GapRecord, LayerRecord, LevelRecord};
use super::wall_clock::{Step, WallClock};
use super::{DropReason, Findings};
use crate::bitstream::PictureSize;
use crate::events;
use crate::governor::Change;
use crate::room::Kind;

/// Gaps, and sizes, that are listed; more are counted. A gap takes 200 bytes of the manifest.
const MOST_LISTED: usize = 1_000;

/// Between two manifests that are written for what was found alone.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Keeps the journal of one recording.
#[derive(Debug)]
pub(super) struct Journal {
    room: String,
    participant: String,
    /// Where everything that changes about tracks and connection is told.
    pub(super) gaps: Gaps,
    /// The source's time at the recording's start, and the wall clock then.
    start: (Duration, OffsetDateTime),
    clock: WallClock,
    size: Option<PictureSize>,
    findings: Findings,
    longest_gap: Duration,
    /// There is something that the writer was not told of.
    news: bool,
    told: Option<Instant>,
}

impl Journal {
    /// A journal of `participant` in `room`; gaps above `warn_after` are warned of.
    pub(super) fn new(room: &str, participant: &str, warn_after: Duration) -> Self {
        Self {
            room: room.to_owned(),
            participant: participant.to_owned(),
            gaps: Gaps::new(warn_after),
            start: (Duration::ZERO, OffsetDateTime::UNIX_EPOCH),
            clock: WallClock::new(Instant::now(), OffsetDateTime::UNIX_EPOCH),
            size: None,
            findings: Findings::default(),
            longest_gap: Duration::ZERO,
            news: false,
            told: None,
        }
    }

    /// The recording starts at `zero` on the source's time: `now`, or `started` on the wall.
    pub(super) fn begin(&mut self, zero: Duration, now: Instant, started: OffsetDateTime) {
        self.start = (zero, started);
        self.clock = WallClock::new(now, started);
    }

    /// A unit captured at `at` is in the file.
    pub(super) fn written(&mut self, kind: Kind, at: Duration, contiguous: bool) {
        let Some(closed) = self.gaps.written(kind, at, contiguous) else {
            return;
        };
        if closed.long && !closed.told {
            self.warn(&closed.gap);
        }
        if closed.long {
            tracing::info!(
                room = self.room.as_str(),
                participant = self.participant.as_str(),
                kind = kind.as_str(),
                reason = closed.gap.cause.as_str(),
                seconds = closed.gap.length.as_secs_f64(),
                "frames again after a gap"
            );
        }
        self.record(&closed.gap);
    }

    /// A keyframe of this size, captured at `at`, is in the file.
    pub(super) fn picture(&mut self, at: Duration, size: PictureSize) {
        if self.size == Some(size) {
            return;
        }
        self.size = Some(size);
        let layer = LayerRecord {
            at: at.saturating_sub(self.start.0),
            width: size.width,
            height: size.height,
        };
        tracing::info!(
            room = self.room.as_str(),
            participant = self.participant.as_str(),
            width = size.width,
            height = size.height,
            "picture size"
        );
        let findings = &mut self.findings;
        list(&mut findings.layers, &mut findings.layers_omitted, layer);
        self.news = true;
    }

    /// A segment begins that is encoded with these.
    pub(super) fn coders(&mut self, coders: CoderRecord) {
        let findings = &mut self.findings;
        let before = findings.coders.last();
        if before.is_some_and(|before| coders.continues(before)) {
            return;
        }
        list(&mut findings.coders, &mut findings.coders_omitted, coders);
        self.news = true;
    }

    /// From `at` on, on the source's time, the governor stands there.
    pub(super) fn level(&mut self, at: Duration, change: Change) {
        let at = at.saturating_sub(self.start.0);
        let record = LevelRecord { at, change };
        let findings = &mut self.findings;
        list(&mut findings.levels, &mut findings.levels_omitted, record);
        self.news = true;
    }

    /// The longest gap that is over.
    pub(super) const fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    /// The size of the newest keyframe in the file.
    pub(super) const fn size(&self) -> Option<PictureSize> {
        self.size
    }

    /// Takes note of a wall clock that was set. `at` is the source's time.
    pub(super) fn clock(&mut self, at: Duration, now: Instant, wall: OffsetDateTime) {
        let Some(Step { from, to }) = self.clock.look(now, wall) else {
            return;
        };
        tracing::warn!(
            message_id = events::CLOCK_SET,
            room = self.room.as_str(),
            participant = self.participant.as_str(),
            seconds = (to - from).as_seconds_f64(),
            "the clock of this box was set; media time goes on evenly"
        );
        let at = at.saturating_sub(self.start.0);
        let findings = &mut self.findings;
        let step = ClockRecord { at, from, to };
        list(&mut findings.clock, &mut findings.clock_omitted, step);
        self.news = true;
    }

    /// By how much the wall clock was set forward since the recording's start.
    pub(super) const fn clock_moved(&self) -> time::Duration {
        self.clock.moved()
    }

    /// Warns of gaps that have become long. `now` is the source's time.
    pub(super) fn tick(&mut self, now: Duration) {
        for gap in self.gaps.tick(now) {
            self.warn(&gap);
        }
    }

    /// What was found, when it is time to tell the writer of news.
    pub(super) fn news(&mut self, now: Instant) -> Option<Findings> {
        let due = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= WRITE_EVERY);
        (self.news && due).then(|| {
            self.news = false;
            self.told = Some(now);
            self.findings.clone()
        })
    }

    /// Everything that was found, at the end of the recording. `end` is the source's time.
    pub(super) fn finish(mut self, end: Duration) -> Findings {
        let gaps = std::mem::replace(&mut self.gaps, Gaps::new(Duration::ZERO));
        for gap in gaps.finish(end) {
            self.record(&gap);
        }
        self.findings
    }

    /// By how much the wall clock had been set at `at`, since the recording's start.
    fn moved_by(&self, at: Duration) -> time::Duration {
        let before = self.findings.clock.iter().filter(|step| step.at <= at);
        before.map(|step| step.to - step.from).sum()
    }

    fn warn(&self, gap: &Gap) {
        let (room, participant) = (self.room.as_str(), self.participant.as_str());
        let (kind, reason) = (gap.kind.as_str(), gap.cause.as_str());
        let dropped = gap.cause.reason().map(DropReason::as_str);
        let seconds = gap.length.as_secs_f64();
        if gap.cause.is_wanted() {
            tracing::info!(room, participant, kind, reason, seconds, "no frames");
        } else {
            tracing::warn!(
                message_id = events::GAP,
                room,
                participant,
                kind,
                reason,
                dropped,
                seconds,
                "long gap between frames"
            );
        }
    }

    fn record(&mut self, gap: &Gap) {
        self.longest_gap = self.longest_gap.max(gap.length);
        let (zero, started) = self.start;
        let at = gap.start.saturating_sub(zero);
        let began = time::Duration::try_from(at)
            .ok()
            .and_then(|after| started.checked_add(after.saturating_add(self.moved_by(at))));
        let record = GapRecord {
            kind: gap.kind,
            cause: gap.cause.as_str().to_owned(),
            reason: gap.cause.reason().map(|reason| reason.as_str().to_owned()),
            started: began.unwrap_or(started),
            at,
            duration: gap.length,
        };
        let findings = &mut self.findings;
        list(&mut findings.gaps, &mut findings.gaps_omitted, record);
        self.news = true;
    }
}

fn list<T>(list: &mut Vec<T>, omitted: &mut u64, item: T) {
    if list.len() < MOST_LISTED {
        list.push(item);
    } else {
        *omitted = omitted.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn journal() -> Journal {
        let mut journal = Journal::new("room", "ann", secs(2));
        let started = datetime!(2026-11-22 04:17:00 UTC);
        journal.begin(secs(100), Instant::now(), started);
        journal.gaps.published(Kind::Video, false, secs(90));
        journal
    }

    #[test]
    fn a_gap_is_told_on_the_recordings_time() {
        let mut journal = journal();
        journal.written(Kind::Video, secs(100), true);
        journal
            .gaps
            .dropped(Kind::Video, secs(101), DropReason::Disk);
        journal.written(Kind::Video, secs(103), true);
        let gap = GapRecord {
            kind: Kind::Video,
            cause: "dropped".to_owned(),
            reason: Some("disk".to_owned()),
            started: datetime!(2026-11-22 04:17:00 UTC),
            at: secs(0),
            duration: secs(3),
        };
        let now = Instant::now();
        assert_eq!(journal.news(now).unwrap().gaps, [gap]);
        assert_eq!(journal.news(now), None);
        journal.gaps.unpublished(Kind::Video, secs(103));
        let findings = journal.finish(secs(110));
        let last = findings.gaps.last().unwrap();
        assert_eq!((last.at, last.duration), (secs(3), secs(7)));
        assert_eq!(last.started, datetime!(2026-11-22 04:17:03 UTC));
        assert_eq!((last.cause.as_str(), &last.reason), ("unpublished", &None));
    }

    #[test]
    fn a_clock_that_is_set_moves_what_comes_after() {
        let mut journal = journal();
        let (now, wall) = (Instant::now(), datetime!(2026-11-22 04:17:00 UTC));
        let moved = time::Duration::HOUR;
        journal.begin(secs(100), now, wall);
        journal.clock(secs(105), now + secs(5), wall + secs(5) - moved);
        assert_eq!(journal.clock_moved(), -moved);
        for (from, to) in [(101, 104), (107, 110)] {
            journal.written(Kind::Video, secs(from), true);
            journal
                .gaps
                .dropped(Kind::Video, secs(from + 1), DropReason::Disk);
            journal.written(Kind::Video, secs(to), true);
        }
        let findings = journal.finish(secs(110));
        let step = ClockRecord {
            at: secs(5),
            from: wall + secs(5),
            to: wall + secs(5) - moved,
        };
        assert_eq!(findings.clock, [step]);
        assert_eq!(findings.clock_moved(), -moved);
        let dropped: Vec<_> = findings
            .gaps
            .iter()
            .filter(|gap| gap.cause == "dropped")
            .map(|gap| gap.started)
            .collect();
        assert_eq!(dropped, [wall + secs(1), wall + secs(7) - moved]);
    }

    #[test]
    fn lists_are_bounded_and_the_manifest_is_not_written_for_each_gap() {
        let mut journal = journal();
        let now = Instant::now();
        let mut written = 0;
        for step in 0..2_000 {
            let at = secs(100 + step * 60);
            journal.written(Kind::Video, at, true);
            let width = 100 + u32::try_from(step).unwrap();
            journal.picture(at, PictureSize { width, height: 100 });
            journal.picture(at, PictureSize { width, height: 100 });
            written += u64::from(journal.news(now + Duration::from_millis(step)).is_some());
        }
        assert_eq!(written, 1);
        let findings = journal.news(now + WRITE_EVERY + secs(1)).unwrap();
        assert_eq!((findings.gaps.len(), findings.gaps_omitted), (1_000, 999));
        assert_eq!(
            (findings.layers.len(), findings.layers_omitted),
            (1_000, 1_000)
        );
        let second = &findings.layers[1];
        assert_eq!((second.at, second.width), (secs(60), 101));
    }
}
