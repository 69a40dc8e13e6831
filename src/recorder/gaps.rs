//! What is missing in a recording, since when and why.
//!
//! Pure: what happens to tracks and units in, gaps out. All times are the source's, so a gap is as
//! long as the hole that a player sees.
//!
//! A gap lies between two units in the file. What is known of the time between them (a muted
//! track, a broken connection, units that were dropped) is kept as spans; the cause of the gap is
//! what covers most of it. A gap that nothing covers is a loss on the way where the unit behind it
//! does not join on, and otherwise silence of its sender: a still screen is sent once a second.

use std::time::Duration;

use super::drops::DropReason;
use crate::room::{Interruption, Kind};

/// Shorter gaps are not listed. Senders of Opus that are silent send a packet each 400 ms.
const REPORT_FROM: Duration = Duration::from_millis(500);

/// Nor are those shorter than this many of the stream's usual steps.
const USUAL_STEPS: u32 = 3;

/// The longest step that is taken for usual.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// Spans of one gap. Neighbours of one cause are one span, so a few tell all; of more, the last
/// one grows.
const MOST_SPANS: usize = 64;

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The publisher muted the track.
    Muted,
    /// The server held the track back for want of bandwidth.
    Paused,
    /// There was no such track.
    Unpublished,
    /// The connection to the server was broken.
    Interrupted(Interruption),
    /// Packets were lost on the way and not repeated in time.
    PacketLoss,
    /// Units came and were thrown away.
    Dropped(DropReason),
    /// This process did not run: it was stopped, or the machine had no time for it.
    RecorderStalled,
    /// Nothing was sent, and nobody said why.
    Unknown,
}

impl Cause {
    /// The word used in manifests and logs; it never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Muted => "muted",
            Self::Paused => "paused",
            Self::Unpublished => "unpublished",
            Self::Interrupted(what) => what.as_str(),
            Self::PacketLoss => "packet_loss",
            Self::Dropped(_) => "dropped",
            Self::RecorderStalled => "recorder_stalled",
            Self::Unknown => "unknown",
        }
    }

    /// Why units were thrown away, where they were.
    #[must_use]
    pub const fn reason(self) -> Option<DropReason> {
        match self {
            Self::Dropped(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether somebody wants it so: the publisher, or the governor, who says so itself.
    #[must_use]
    pub const fn is_wanted(self) -> bool {
        matches!(
            self,
            Self::Muted | Self::Unpublished | Self::Dropped(DropReason::Governor)
        )
    }
}

/// A time without picture or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// What is missing.
    pub kind: Kind,
    /// Why.
    pub cause: Cause,
    /// When the last unit before it was captured.
    pub start: Duration,
    /// From there to the first unit behind it.
    pub length: Duration,
}

/// A gap that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// The gap.
    pub gap: Gap,
    /// Whether it was long enough to be warned of.
    pub long: bool,
    /// Whether [`Gaps::tick`] has told of it.
    pub told: bool,
}

/// Finds the gaps of one recording.
#[derive(Debug)]
pub struct Gaps {
    warn_after: Duration,
    interrupted: Option<Interruption>,
    video: Line,
    audio: Line,
}

/// One kind of media.
#[derive(Debug, Default)]
struct Line {
    track: Option<Track>,
    /// Since when all is as it is.
    since: Duration,
    /// The newest unit in the file; nothing is missing before the first.
    written: Option<Duration>,
    /// The newest unit that came, in the file or not.
    newest: Duration,
    /// The step between units, smoothed.
    usual: Duration,
    spans: Vec<Span>,
    /// Why a unit since `written` did not join on, if one did not.
    torn: Option<Cause>,
    told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Track {
    muted: bool,
    paused: bool,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    cause: Cause,
    from: Duration,
    to: Duration,
}

impl Gaps {
    /// A recording without tracks. Gaps longer than `warn_after` are told while they last.
    #[must_use]
    pub fn new(warn_after: Duration) -> Self {
        Self {
            warn_after,
            interrupted: None,
            video: Line::default(),
            audio: Line::default(),
        }
    }

    /// A track was announced; it takes the place of an older one of its kind.
    pub fn published(&mut self, kind: Kind, muted: bool, now: Duration) {
        let track = Track {
            muted,
            paused: false,
        };
        self.settle(kind, now).track = Some(track);
    }

    /// The track of this kind has ended.
    pub fn unpublished(&mut self, kind: Kind, now: Duration) {
        self.settle(kind, now).track = None;
    }

    /// The track was muted or unmuted by its publisher.
    pub fn muted(&mut self, kind: Kind, muted: bool, now: Duration) {
        if let Some(track) = &mut self.settle(kind, now).track {
            track.muted = muted;
        }
    }

    /// The server holds the track back, or does so no longer.
    pub fn paused(&mut self, kind: Kind, paused: bool, now: Duration) {
        if let Some(track) = &mut self.settle(kind, now).track {
            track.paused = paused;
        }
    }

    /// The connection broke, or is mended (`None`).
    pub fn interrupted(&mut self, interruption: Option<Interruption>, now: Duration) {
        self.settle(Kind::Video, now);
        self.settle(Kind::Audio, now);
        self.interrupted = interruption;
    }

    /// This process did not run meanwhile.
    pub fn stalled(&mut self, from: Duration, to: Duration) {
        for line in [&mut self.video, &mut self.audio] {
            line.cover(Cause::RecorderStalled, from, to);
        }
    }

    /// A unit captured at `at` came and was thrown away.
    pub fn dropped(&mut self, kind: Kind, at: Duration, reason: DropReason) {
        let line = self.line(kind);
        // A unit explains its own step at most, not what lay between it and those before.
        let from = line.newest.max(at.saturating_sub(REPORT_FROM));
        line.newest = line.newest.max(at);
        let cause = match reason {
            DropReason::Discontinuity => {
                line.torn.get_or_insert(Cause::PacketLoss);
                return;
            }
            reason => Cause::Dropped(reason),
        };
        line.cover(cause, from, at);
    }

    /// Units were thrown away of which nobody knows when they were captured.
    pub fn dropped_unseen(&mut self, kind: Kind, reason: DropReason) {
        self.line(kind).torn = Some(Cause::Dropped(reason));
    }

    /// A unit captured at `at` is in the file, or is a sender's word that it is silent. Gives the
    /// gap that it ends.
    pub fn written(&mut self, kind: Kind, at: Duration, contiguous: bool) -> Option<Closed> {
        self.settle(kind, at);
        let warn_after = self.warn_after;
        let line = self.line(kind);
        line.newest = line.newest.max(at);
        if !contiguous {
            line.torn.get_or_insert(Cause::PacketLoss);
        }
        let closed = line.gap(kind, at).map(|gap| Closed {
            gap,
            long: gap.length >= line.warn_from(warn_after),
            told: line.told,
        });
        // What nobody explains is how the sender sends.
        line.write(at, closed.is_none_or(|it| it.gap.cause == Cause::Unknown));
        // Units that lag so much that there always seems to be a gap are told of once.
        line.told &= line.since.saturating_sub(at) >= line.warn_from(warn_after);
        closed
    }

    /// The gaps that have just become long, and last.
    #[must_use]
    pub fn tick(&mut self, now: Duration) -> Vec<Gap> {
        let mut long = Vec::new();
        for kind in [Kind::Video, Kind::Audio] {
            self.settle(kind, now);
            let warn_after = self.warn_after;
            let line = self.line(kind);
            let gap = line.gap(kind, now).filter(|_| !line.told);
            if let Some(gap) = gap.filter(|gap| gap.length >= line.warn_from(warn_after)) {
                line.told = true;
                long.push(gap);
            }
        }
        long
    }

    /// The gaps that last until the end of the recording.
    #[must_use]
    pub fn finish(mut self, end: Duration) -> Vec<Gap> {
        let mut open = Vec::new();
        for kind in [Kind::Video, Kind::Audio] {
            self.settle(kind, end);
            open.extend(self.line(kind).gap(kind, end));
        }
        open
    }

    const fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    /// Takes note that everything was as it is until `now`.
    fn settle(&mut self, kind: Kind, now: Duration) -> &mut Line {
        let interrupted = self.interrupted;
        let line = self.line(kind);
        let cause = match (interrupted, line.track) {
            (Some(what), _) => Some(Cause::Interrupted(what)),
            (None, None) => Some(Cause::Unpublished),
            (None, Some(track)) if track.muted => Some(Cause::Muted),
            (None, Some(track)) if track.paused => Some(Cause::Paused),
            (None, Some(_)) => None,
        };
        if let Some(cause) = cause {
            line.cover(cause, line.since, now);
        }
        line.since = line.since.max(now);
        line
    }
}

impl Line {
    /// Remembers why nothing came between two moments behind the newest unit in the file.
    fn cover(&mut self, cause: Cause, from: Duration, to: Duration) {
        let Some(written) = self.written else {
            return;
        };
        let from = from.max(written);
        if from >= to {
            return;
        }
        let full = self.spans.len() >= MOST_SPANS;
        match self.spans.last_mut() {
            Some(last) if full || (last.cause == cause && from <= last.to) => {
                last.to = last.to.max(to);
            }
            _ => self.spans.push(Span { cause, from, to }),
        }
    }

    /// The gap that a unit at `end` would end.
    fn gap(&self, kind: Kind, end: Duration) -> Option<Gap> {
        let start = self.written?;
        let length = end.saturating_sub(start);
        let cause = self.cause(start, end);
        (length > REPORT_FROM.max(self.usual * USUAL_STEPS)).then_some(Gap {
            kind,
            cause,
            start,
            length,
        })
    }

    fn warn_from(&self, warn_after: Duration) -> Duration {
        warn_after.max(self.usual * USUAL_STEPS)
    }

    /// What covers most of the time between two moments.
    fn cause(&self, start: Duration, end: Duration) -> Cause {
        let covered = |cause: Cause| {
            let spans = self.spans.iter().filter(move |span| span.cause == cause);
            spans
                .map(|span| span.to.min(end).saturating_sub(span.from.max(start)))
                .sum::<Duration>()
        };
        let causes = self.spans.iter().map(|span| span.cause);
        let most = causes
            .map(|cause| (covered(cause), cause))
            .max_by_key(|(covered, _)| *covered);
        match most {
            Some((covered, cause)) if !covered.is_zero() => cause,
            _ => self.torn.unwrap_or(Cause::Unknown),
        }
    }

    fn write(&mut self, at: Duration, usual: bool) {
        if let Some(written) = self.written
            && usual
        {
            let step = at.saturating_sub(written).min(LONGEST_STEP);
            self.usual = (self.usual * 7 + step) / 8;
        }
        let written = self.written.map_or(at, |written| written.max(at));
        self.written = Some(written);
        // A stall is noticed before the units that came before it are worked off.
        self.spans.retain(|span| span.to > written);
        self.torn = None;
    }
}

#[cfg(test)]
mod tests;
