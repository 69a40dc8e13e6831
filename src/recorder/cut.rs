//! Where a recording begins, and where one segment ends and the next one starts.
//!
//! Pure: tracks, units and `now` in, what to do with each unit out.
//!
//! A segment holds what its layout says, from start to end: MPEG-TS could announce another
//! stream later, but players don't follow. So a recording waits a moment for the tracks that
//! belong together before it opens its first segment, and what comes later (a microphone
//! switched on, another codec after a republish) cuts: at a keyframe, so that the new segment
//! can be decoded by itself.

use std::time::{Duration, Instant};

use super::drops::DropReason;
use crate::media::{AudioIn, Layout, Treatment, VideoMode};
use crate::room::{AccessUnit, Codec, Kind, Track, TrackId};

/// How long the first track waits for its companion to be announced.
const SETTLE: Duration = Duration::from_millis(400);

/// How long announced video may take to deliver a keyframe before sound is recorded alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a picture may stand still, muted or not, before sound no longer waits for its next
/// keyframe to cut at: a server stops video for which a line is too narrow without a word.
const CUT_GRACE: Duration = Duration::from_secs(10);

/// Units kept until the first segment opens, at most: [`PATIENCE`] of sound and a second of video.
pub const MAX_HELD: usize = 256;

/// What to do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Put it into the open segment.
    Push,
    /// Keep it until [`Cutter::due`] says how to start: nothing is open yet.
    Hold,
    /// Close what is open and start a segment of this layout with this unit.
    Cut(Layout),
    /// Throw it away.
    Drop(DropReason),
}

/// A step, and whether the publisher should be asked for a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to do with the unit.
    pub step: Step,
    /// Ask for a keyframe of the recording's video.
    pub ask_keyframe: bool,
}

impl From<Step> for Decision {
    fn from(step: Step) -> Self {
        Self {
            step,
            ask_keyframe: false,
        }
    }
}

/// Decides for one recording.
#[derive(Debug)]
pub struct Cutter {
    segment: Duration,
    /// Copied video goes on after a loss.
    keep_damaged: bool,
    mode: VideoMode,
    /// Since when the first segment, or the one after a failure, waits for its tracks.
    waits_since: Option<Instant>,
    video: Option<Active>,
    audio: Option<Active>,
    open: Option<Open>,
    /// The next keyframe starts a segment.
    cut_next: bool,
    /// There is no memory for the picture.
    spares_video: bool,
}

#[derive(Debug)]
struct Active {
    track: Track,
    /// Nothing can be decoded before the next keyframe, for this reason.
    waits: Option<DropReason>,
    /// Pictures since a loss are kept, but a keyframe is wanted.
    damaged: bool,
    /// A unit that decoding can start with has come.
    delivered: bool,
    /// When its newest unit was captured.
    newest: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    layout: Layout,
    since: Duration,
}

impl Cutter {
    /// A recording without tracks, cut each `segment`. With `keep_damaged`, pictures that are
    /// copied go on after a loss without waiting for a keyframe; it is asked for all the same.
    #[must_use]
    pub const fn new(segment: Duration, keep_damaged: bool, mode: VideoMode) -> Self {
        Self {
            segment,
            keep_damaged,
            mode,
            waits_since: None,
            video: None,
            audio: None,
            open: None,
            cut_next: false,
            spares_video: false,
        }
    }

    /// A track of the recording was announced; it takes the place of an older one of its kind.
    pub fn track_added(&mut self, track: Track, now: Instant) {
        self.waits_since.get_or_insert(now);
        let kind = track.source.kind();
        let waits = (kind == Kind::Video).then_some(DropReason::AwaitingKeyframe);
        *self.slot(kind) = Some(Active {
            track,
            waits,
            damaged: false,
            delivered: false,
            newest: Duration::ZERO,
        });
    }

    /// A track was muted or unmuted.
    pub fn track_muted(&mut self, id: &TrackId, muted: bool) {
        for active in [&mut self.video, &mut self.audio].into_iter().flatten() {
            if active.track.id == *id {
                active.track.muted = muted;
            }
        }
    }

    /// A track has ended.
    pub fn track_removed(&mut self, id: &TrackId) {
        for slot in [&mut self.video, &mut self.audio] {
            if slot.as_ref().is_some_and(|active| active.track.id == *id) {
                *slot = None;
            }
        }
    }

    /// The tracks of the recording at this moment.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        [&self.video, &self.audio]
            .into_iter()
            .flatten()
            .map(|active| &active.track)
    }

    /// Whether `id` is the recording's picture or sound, if it is either.
    #[must_use]
    pub fn kind_of(&self, id: &TrackId) -> Option<Kind> {
        self.tracks()
            .find(|track| track.id == *id)
            .map(|track| track.source.kind())
    }

    /// The video track at this moment.
    #[must_use]
    pub fn video_track(&self) -> Option<&TrackId> {
        self.video.as_ref().map(|active| &active.track.id)
    }

    /// How the video is encoded at this moment.
    #[must_use]
    pub fn video_codec(&self) -> Option<Codec> {
        self.video.as_ref().map(|active| active.track.codec)
    }

    /// The next keyframe belongs into a segment of its own; true where one is open.
    pub const fn cut_next(&mut self) -> bool {
        self.cut_next = self.open.is_some();
        self.cut_next
    }

    /// From now on segments have no picture, or from its next keyframe on they have one again.
    pub fn spare_video(&mut self, spares: bool) {
        self.spares_video = spares;
        if spares && let Some(active) = &mut self.video {
            active.waits = Some(DropReason::Governor);
            active.delivered = false;
        }
    }

    /// The open segment has a picture that it is not to have any more.
    #[must_use]
    pub fn holds_spared_video(&self) -> bool {
        self.spares_video && self.open.is_some_and(|open| open.layout.video.is_some())
    }

    /// A unit could not be taken further down: nothing of this kind can be decoded before the
    /// next keyframe.
    pub fn lost(&mut self, kind: Kind, reason: DropReason) {
        if kind == Kind::Video
            && let Some(active) = &mut self.video
        {
            active.waits = Some(reason);
        }
    }

    /// Decides about a unit of the track `id`.
    pub fn unit(&mut self, id: &TrackId, unit: &AccessUnit) -> Decision {
        let Some(kind) = self.kind_of(id) else {
            return Step::Drop(DropReason::Filtered).into();
        };
        if kind == Kind::Video && self.spares_video {
            return Step::Drop(DropReason::Governor).into();
        }
        if let Some(refused) = self.needs_keyframe(kind, unit) {
            return refused;
        }
        if let Some(active) = self.slot(kind) {
            active.delivered = true;
            active.newest = unit.at;
        }
        let mut decision = match self.open {
            None => Step::Hold.into(),
            Some(open) if kind == Kind::Video => self.video_unit(open, unit),
            Some(open) => self.audio_unit(open, unit),
        };
        decision.ask_keyframe |= kind == Kind::Video && self.is_damaged();
        if let Step::Cut(layout) = decision.step {
            self.cut_next = false;
            self.open = Some(Open {
                layout,
                since: unit.at,
            });
        }
        decision
    }

    /// Whether to start now with the units held: their layout, which has a track.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Layout> {
        let waited = now.saturating_duration_since(self.waits_since?);
        if self.open.is_some() {
            return None;
        }
        let has = |slot: &Option<Active>| slot.as_ref().is_some_and(|a| a.delivered);
        let expected = |slot: &Option<Active>| {
            !self.spares_video && slot.as_ref().is_some_and(|a| !a.track.muted)
        };
        let start = if has(&self.video) {
            self.audio.is_some() || waited >= SETTLE
        } else if has(&self.audio) {
            waited
                >= if expected(&self.video) {
                    PATIENCE
                } else {
                    SETTLE
                }
        } else {
            false
        };
        // A camera muted before its first segment leaves nothing to start with.
        start
            .then(|| self.wanted())
            .filter(|layout| layout.video.is_some() || layout.audio.is_some())
    }

    /// The segment that [`Self::due`] asked for starts at `at`.
    pub const fn opened(&mut self, layout: Layout, at: Duration) {
        self.open = Some(Open { layout, since: at });
    }

    /// The open segment failed: the recording goes on with a new one, from a keyframe, for which
    /// sound waits as it does at the start.
    pub fn failed(&mut self, now: Instant) {
        self.open = None;
        self.waits_since = Some(now);
        if let Some(active) = &mut self.video {
            active.waits = Some(DropReason::AwaitingKeyframe);
            active.delivered = false;
        }
    }

    const fn slot(&mut self, kind: Kind) -> &mut Option<Active> {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    /// What a segment that starts now would hold: video once it has delivered and is not muted,
    /// sound as soon as it is announced (its silence can be filled in).
    fn wanted(&self) -> Layout {
        Layout {
            video: self
                .video
                .as_ref()
                .filter(|active| active.delivered && !active.track.muted)
                .map(|active| active.track.codec),
            audio: self.audio.as_ref().map(|a| AudioIn {
                codec: a.track.codec,
                stereo: a.track.stereo,
            }),
        }
    }

    fn is_damaged(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.damaged)
    }

    fn needs_keyframe(&mut self, kind: Kind, unit: &AccessUnit) -> Option<Decision> {
        if kind == Kind::Audio {
            return None;
        }
        let active = self.video.as_mut()?;
        // What is decoded builds on nothing.
        if unit.keyframe || active.track.codec.is_decoded() {
            active.waits = None;
            active.damaged = false;
            return None;
        }
        if !unit.contiguous && active.waits.is_none() {
            // A decoder fed with such pictures may fail, and then more is lost than they are worth.
            let treatment = Treatment::of(active.track.codec, self.mode);
            if self.keep_damaged && treatment.copied().is_some() {
                active.damaged = true;
            } else {
                active.waits = Some(DropReason::Discontinuity);
            }
        }
        let reason = active.waits?;
        Some(Decision {
            step: Step::Drop(reason),
            ask_keyframe: true,
        })
    }

    fn video_unit(&self, open: Open, unit: &AccessUnit) -> Decision {
        // The unit itself shows that the video is there, whatever the mute flag says.
        let wanted = Layout {
            video: self.video.as_ref().map(|a| a.track.codec),
            ..self.wanted()
        };
        // A track that ended stays in the layout until the next cut.
        let same = wanted.video == open.layout.video
            && (wanted.audio.is_none() || wanted.audio == open.layout.audio);
        let over = self.cut_next || unit.at.saturating_sub(open.since) >= self.segment;
        if same && !over {
            return Step::Push.into();
        }
        if unit.keyframe {
            return Step::Cut(wanted).into();
        }
        let step = if wanted.video == open.layout.video {
            Step::Push
        } else {
            Step::Drop(DropReason::AwaitingKeyframe)
        };
        Decision {
            step,
            ask_keyframe: true,
        }
    }

    fn audio_unit(&self, open: Open, unit: &AccessUnit) -> Decision {
        let wanted = self.wanted();
        let age = unit.at.saturating_sub(open.since);
        let video_flows = open.layout.video.is_some()
            && wanted.video.is_some()
            && self
                .video
                .as_ref()
                .is_some_and(|video| unit.at.saturating_sub(video.newest) < CUT_GRACE);
        if self.holds_spared_video() {
            return Step::Cut(wanted).into();
        }
        if wanted.audio != open.layout.audio {
            return if video_flows {
                // Cut at a keyframe, so that the picture goes on from there.
                Decision {
                    step: Step::Drop(DropReason::AwaitingKeyframe),
                    ask_keyframe: true,
                }
            } else {
                Step::Cut(Layout {
                    video: None,
                    ..wanted
                })
                .into()
            };
        }
        let due = if open.layout.video.is_some() {
            self.segment + CUT_GRACE
        } else {
            self.segment
        };
        if age >= due && !video_flows {
            return Step::Cut(Layout {
                video: None,
                ..wanted
            })
            .into();
        }
        Step::Push.into()
    }
}

/// When a first segment of `layout` starts, given the units held: with the picture where there
/// is one, so that sound from before it is left out.
#[must_use]
pub fn start_of<'a>(
    layout: Layout,
    mut held: impl Iterator<Item = (Kind, &'a AccessUnit)>,
) -> Option<Duration> {
    let first = if layout.video.is_some() {
        Kind::Video
    } else {
        Kind::Audio
    };
    held.find(|(kind, _)| *kind == first)
        .map(|(_, unit)| unit.at)
}

#[cfg(test)]
mod tests;
