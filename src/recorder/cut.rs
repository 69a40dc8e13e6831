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
use crate::media::{AudioIn, Layout};
use crate::room::{AccessUnit, Kind, Track, TrackId};

/// How long the first track waits for its companion to be announced.
const SETTLE: Duration = Duration::from_millis(400);

/// How long announced video may take to deliver a keyframe before sound is recorded alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long past its time a segment of sound waits for a keyframe of silent video to cut at.
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
    first_track: Option<Instant>,
    video: Option<Active>,
    audio: Option<Active>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Active {
    track: Track,
    /// Nothing can be decoded before the next keyframe, for this reason.
    waits: Option<DropReason>,
    /// A unit that decoding can start with has come.
    delivered: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    layout: Layout,
    since: Duration,
}

impl Cutter {
    /// A recording without tracks, cut each `segment`.
    #[must_use]
    pub const fn new(segment: Duration) -> Self {
        Self {
            segment,
            first_track: None,
            video: None,
            audio: None,
            open: None,
        }
    }

    /// A track of the recording was announced; it takes the place of an older one of its kind.
    pub fn track_added(&mut self, track: Track, now: Instant) {
        self.first_track.get_or_insert(now);
        let kind = track.source.kind();
        let waits = (kind == Kind::Video).then_some(DropReason::AwaitingKeyframe);
        *self.slot(kind) = Some(Active {
            track,
            waits,
            delivered: false,
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
        if let Some(refused) = self.needs_keyframe(kind, unit) {
            return refused;
        }
        if let Some(active) = self.slot(kind) {
            active.delivered = true;
        }
        let decision = match self.open {
            None => Step::Hold.into(),
            Some(open) if kind == Kind::Video => self.video_unit(open, unit),
            Some(open) => self.audio_unit(open, unit),
        };
        if let Step::Cut(layout) = decision.step {
            self.open = Some(Open {
                layout,
                since: unit.at,
            });
        }
        decision
    }

    /// Whether to start now with the units held: their layout.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Layout> {
        let waited = now.saturating_duration_since(self.first_track?);
        if self.open.is_some() {
            return None;
        }
        let has = |slot: &Option<Active>| slot.as_ref().is_some_and(|a| a.delivered);
        let expected = |slot: &Option<Active>| slot.as_ref().is_some_and(|a| !a.track.muted);
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
        start.then(|| self.wanted())
    }

    /// The segment that [`Self::due`] asked for starts at `at`.
    pub const fn opened(&mut self, layout: Layout, at: Duration) {
        self.open = Some(Open { layout, since: at });
    }

    /// The open segment failed: the recording goes on with a new one, from a keyframe.
    pub fn failed(&mut self) {
        self.open = None;
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
                stereo: a.track.stereo,
            }),
        }
    }

    fn needs_keyframe(&mut self, kind: Kind, unit: &AccessUnit) -> Option<Decision> {
        if kind == Kind::Audio {
            return None;
        }
        let active = self.video.as_mut()?;
        if unit.keyframe {
            active.waits = None;
            return None;
        }
        if !unit.contiguous && active.waits.is_none() {
            active.waits = Some(DropReason::Discontinuity);
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
        let over = unit.at.saturating_sub(open.since) >= self.segment;
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
        let video_flows = open.layout.video.is_some() && wanted.video.is_some();
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::room::{Codec, Participant, Source};

    fn track(id: &str, source: Source, codec: Codec) -> Track {
        Track {
            id: TrackId::new(id),
            participant: Arc::new(Participant {
                sid: "PA".to_owned(),
                identity: "ann".to_owned(),
                name: String::new(),
            }),
            source,
            codec,
            stereo: false,
            muted: false,
        }
    }

    fn camera() -> Track {
        track("V", Source::Camera, Codec::H264)
    }

    fn microphone() -> Track {
        track("A", Source::Microphone, Codec::Opus)
    }

    fn unit(ms: u64, keyframe: bool) -> AccessUnit {
        AccessUnit {
            at: Duration::from_millis(ms),
            keyframe,
            contiguous: true,
            data: Arc::from([0u8]),
        }
    }

    const BOTH: Layout = Layout {
        video: Some(Codec::H264),
        audio: Some(AudioIn { stereo: false }),
    };
    const SOUND: Layout = Layout {
        video: None,
        audio: Some(AudioIn { stereo: false }),
    };
    const PICTURE: Layout = Layout {
        video: Some(Codec::H264),
        audio: None,
    };

    struct Case {
        cutter: Cutter,
        start: Instant,
    }

    impl Case {
        fn new(tracks: &[Track]) -> Self {
            let start = Instant::now();
            let mut cutter = Cutter::new(Duration::from_secs(60));
            for track in tracks {
                cutter.track_added(track.clone(), start);
            }
            Self { cutter, start }
        }

        fn step(&mut self, id: &str, unit: &AccessUnit) -> Step {
            self.cutter.unit(&TrackId::new(id), unit).step
        }

        fn due(&self, ms: u64) -> Option<Layout> {
            self.cutter.due(self.start + Duration::from_millis(ms))
        }

        fn open(mut self, layout: Layout) -> Self {
            for active in [&mut self.cutter.video, &mut self.cutter.audio]
                .into_iter()
                .flatten()
            {
                active.waits = None;
                active.delivered = true;
            }
            self.cutter.opened(layout, Duration::ZERO);
            self
        }
    }

    #[test]
    fn announced_tracks_start_together_at_the_first_keyframe() {
        let mut case = Case::new(&[camera(), microphone()]);
        assert_eq!(case.step("A", &unit(0, true)), Step::Hold);
        assert_eq!(
            case.step("V", &unit(5, false)),
            Step::Drop(DropReason::AwaitingKeyframe)
        );
        assert_eq!(case.due(50), None);
        assert_eq!(case.step("V", &unit(40, true)), Step::Hold);
        assert_eq!(case.due(50), Some(BOTH));
    }

    #[test]
    fn a_lone_track_waits_a_moment_for_its_companion() {
        let mut case = Case::new(&[camera()]);
        assert_eq!(case.step("V", &unit(0, true)), Step::Hold);
        assert_eq!(case.due(300), None);
        assert_eq!(case.due(400), Some(PICTURE));
        case.cutter.track_added(microphone(), case.start);
        assert_eq!(case.due(300), Some(BOTH));
    }

    #[test]
    fn sound_does_not_wait_for_ever_for_a_picture() {
        let mut case = Case::new(&[camera(), microphone()]);
        assert_eq!(case.step("A", &unit(0, true)), Step::Hold);
        assert_eq!(case.due(1_999), None);
        assert_eq!(case.due(2_000), Some(SOUND));
        case.cutter.track_muted(&TrackId::new("V"), true);
        assert_eq!(case.due(400), Some(SOUND));
    }

    #[test]
    fn a_picture_that_comes_later_cuts_at_its_keyframe() {
        let mut case = Case::new(&[microphone()]).open(SOUND);
        assert_eq!(case.step("A", &unit(20, true)), Step::Push);
        case.cutter.track_added(camera(), case.start);
        let late = case.cutter.unit(&TrackId::new("V"), &unit(30, false));
        assert_eq!(late.step, Step::Drop(DropReason::AwaitingKeyframe));
        assert!(late.ask_keyframe);
        assert_eq!(case.step("V", &unit(60, true)), Step::Cut(BOTH));
        assert_eq!(case.step("V", &unit(90, false)), Step::Push);
    }

    #[test]
    fn sound_that_comes_later_waits_for_a_keyframe_of_the_picture() {
        let mut case = Case::new(&[camera()]).open(PICTURE);
        case.cutter.track_added(microphone(), case.start);
        let sound = case.cutter.unit(&TrackId::new("A"), &unit(10, true));
        assert!(sound.ask_keyframe);
        assert_eq!(sound.step, Step::Drop(DropReason::AwaitingKeyframe));
        let picture = case.cutter.unit(&TrackId::new("V"), &unit(15, false));
        assert_eq!((picture.step, picture.ask_keyframe), (Step::Push, true));
        assert_eq!(case.step("V", &unit(40, true)), Step::Cut(BOTH));
    }

    #[test]
    fn a_segment_ends_at_the_first_keyframe_after_its_time() {
        let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
        assert_eq!(case.step("V", &unit(59_999, true)), Step::Push);
        let over = case.cutter.unit(&TrackId::new("V"), &unit(60_001, false));
        assert_eq!((over.step, over.ask_keyframe), (Step::Push, true));
        assert_eq!(case.step("A", &unit(60_010, true)), Step::Push);
        assert_eq!(case.step("V", &unit(60_100, true)), Step::Cut(BOTH));
        assert_eq!(case.step("V", &unit(60_133, true)), Step::Push);
    }

    #[test]
    fn sound_alone_cuts_anywhere_and_a_dark_camera_does_not_stop_it() {
        let mut alone = Case::new(&[microphone()]).open(SOUND);
        assert_eq!(alone.step("A", &unit(60_000, true)), Step::Cut(SOUND));
        let mut dark = Case::new(&[camera(), microphone()]).open(BOTH);
        dark.cutter.track_muted(&TrackId::new("V"), true);
        assert_eq!(dark.step("A", &unit(69_999, true)), Step::Push);
        assert_eq!(dark.step("A", &unit(70_000, true)), Step::Cut(SOUND));
    }

    #[test]
    fn a_republish_goes_on_in_the_segment_or_cuts_with_another_codec() {
        let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
        case.cutter.track_removed(&TrackId::new("V"));
        case.cutter
            .track_added(track("V2", Source::Camera, Codec::H264), case.start);
        assert_eq!(
            case.step("V2", &unit(100, false)),
            Step::Drop(DropReason::AwaitingKeyframe)
        );
        assert_eq!(case.step("V2", &unit(133, true)), Step::Push);
        assert_eq!(
            case.step("V", &unit(150, true)),
            Step::Drop(DropReason::Filtered)
        );

        case.cutter
            .track_added(track("V3", Source::Camera, Codec::Vp8), case.start);
        let vp8 = Layout {
            video: Some(Codec::Vp8),
            ..BOTH
        };
        assert_eq!(case.step("V3", &unit(200, true)), Step::Cut(vp8));
    }

    #[test]
    fn after_a_hole_nothing_is_taken_before_the_next_keyframe() {
        let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
        let mut broken = unit(100, false);
        broken.contiguous = false;
        let decision = case.cutter.unit(&TrackId::new("V"), &broken);
        assert_eq!(decision.step, Step::Drop(DropReason::Discontinuity));
        assert!(decision.ask_keyframe);
        assert_eq!(
            case.step("V", &unit(133, false)),
            Step::Drop(DropReason::Discontinuity)
        );
        assert_eq!(case.step("V", &unit(166, true)), Step::Push);
        assert_eq!(case.step("V", &unit(200, false)), Step::Push);
        case.cutter.lost(Kind::Video, DropReason::QueueFull);
        assert_eq!(
            case.step("V", &unit(233, false)),
            Step::Drop(DropReason::QueueFull)
        );
    }

    #[test]
    fn the_first_segment_starts_with_the_picture() {
        let (sound, picture) = (unit(0, true), unit(500, true));
        let held = || [(Kind::Audio, &sound), (Kind::Video, &picture)].into_iter();
        assert_eq!(start_of(BOTH, held()), Some(Duration::from_millis(500)));
        assert_eq!(start_of(SOUND, held()), Some(Duration::ZERO));
        assert_eq!(start_of(PICTURE, std::iter::empty()), None);
    }
}
