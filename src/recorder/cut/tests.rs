use std::sync::Arc;

use proptest::prelude::*;

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
        let mut cutter = Cutter::new(Duration::from_mins(1), false);
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

#[test]
fn a_picture_that_stands_still_does_not_hold_sound_back_for_ever() {
    let mut case = Case::new(&[camera()]).open(PICTURE);
    assert_eq!(case.step("V", &unit(1_000, true)), Step::Push);
    case.cutter.track_added(microphone(), case.start);
    let wait = Step::Drop(DropReason::AwaitingKeyframe);
    assert_eq!(case.step("A", &unit(10_999, true)), wait);
    assert_eq!(case.step("A", &unit(11_000, true)), Step::Cut(SOUND));
    assert_eq!(case.step("V", &unit(11_500, false)), wait);
    assert_eq!(case.step("V", &unit(11_600, true)), Step::Cut(BOTH));
    // And a segment of both is cut at its time.
    assert_eq!(case.step("A", &unit(71_599, true)), Step::Push);
    assert_eq!(case.step("A", &unit(81_600, true)), Step::Cut(SOUND));
}

#[test]
fn after_a_failure_sound_waits_for_the_picture_again() {
    let mut case = Case::new(&[camera(), microphone()]).open(BOTH);
    case.cutter.failed(case.start + Duration::from_mins(1));
    assert_eq!(case.step("A", &unit(60_000, true)), Step::Hold);
    assert_eq!(case.due(60_100), None);
    assert_eq!(case.step("V", &unit(60_200, true)), Step::Hold);
    assert_eq!(case.due(60_200), Some(BOTH));
}

#[test]
fn a_camera_that_is_muted_before_its_segment_starts_starts_none() {
    let mut case = Case::new(&[camera()]);
    assert_eq!(case.step("V", &unit(0, true)), Step::Hold);
    case.cutter.track_muted(&TrackId::new("V"), true);
    assert_eq!(case.due(1_000), None);
    case.cutter.track_muted(&TrackId::new("V"), false);
    assert_eq!(case.due(1_100), Some(PICTURE));
}

/// What may happen to a recording.
#[derive(Debug, Clone, Copy)]
enum Event {
    Video(Codec, bool),
    Audio(bool),
    Mute(Kind, bool),
    Remove(Kind),
    Unit {
        kind: Kind,
        keyframe: bool,
        contiguous: bool,
        after: u64,
    },
    Lost,
    Failed,
}

fn event() -> impl Strategy<Value = Event> {
    let kind = || prop_oneof![Just(Kind::Video), Just(Kind::Audio)];
    let codec = prop_oneof![Just(Codec::H264), Just(Codec::Vp8)];
    prop_oneof![
        1 => (codec, any::<bool>()).prop_map(|(codec, muted)| Event::Video(codec, muted)),
        1 => any::<bool>().prop_map(Event::Audio),
        1 => (kind(), any::<bool>()).prop_map(|(kind, muted)| Event::Mute(kind, muted)),
        1 => kind().prop_map(Event::Remove),
        20 => (kind(), prop::bool::weighted(0.3), prop::bool::weighted(0.95), 0..1_500_u64)
            .prop_map(|(kind, keyframe, contiguous, after)| Event::Unit {
                kind,
                keyframe: keyframe || kind == Kind::Audio,
                contiguous,
                after,
            }),
        1 => Just(Event::Lost),
        1 => Just(Event::Failed),
    ]
}

/// A recording as the cutter's owner drives it, and what must hold of it.
struct Model {
    cutter: Cutter,
    start: Instant,
    now: u64,
    tracks: u32,
    video: Option<Track>,
    audio: Option<Track>,
    open: Option<Layout>,
    /// Whether the pictures so far lead up to the next one.
    unbroken: bool,
}

impl Model {
    fn new() -> Self {
        Self {
            cutter: Cutter::new(Duration::from_secs(10), false),
            start: Instant::now(),
            now: 0,
            tracks: 0,
            video: None,
            audio: None,
            open: None,
            unbroken: false,
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn add(&mut self, mut track: Track, muted: bool) {
        self.tracks += 1;
        track.id = TrackId::new(&self.tracks.to_string());
        track.muted = muted;
        self.cutter.track_added(track.clone(), self.instant());
        if track.source.kind() == Kind::Video {
            self.unbroken = false;
            self.video = Some(track);
        } else {
            self.audio = Some(track);
        }
    }

    fn slot(&mut self, kind: Kind) -> &mut Option<Track> {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    fn apply(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Video(codec, muted) => self.add(track("", Source::Camera, codec), muted),
            Event::Audio(muted) => {
                self.add(track("", Source::Microphone, Codec::Opus), muted);
            }
            Event::Mute(kind, muted) => {
                if let Some(id) = self.slot(kind).as_ref().map(|track| track.id.clone()) {
                    self.cutter.track_muted(&id, muted);
                }
            }
            Event::Remove(kind) => {
                if let Some(track) = self.slot(kind).take() {
                    self.cutter.track_removed(&track.id);
                    prop_assert_eq!(self.cutter.kind_of(&track.id), None);
                }
            }
            Event::Unit {
                kind,
                keyframe,
                contiguous,
                after,
            } => {
                self.now += after;
                let unit = AccessUnit {
                    contiguous,
                    ..unit(self.now, keyframe)
                };
                self.unit(kind, &unit)?;
            }
            Event::Lost => {
                self.cutter.lost(Kind::Video, DropReason::QueueFull);
                self.unbroken = false;
            }
            Event::Failed => {
                self.cutter.failed(self.instant());
                self.open = None;
                self.unbroken = false;
            }
        }
        self.start_if_due()
    }

    fn unit(&mut self, kind: Kind, unit: &AccessUnit) -> Result<(), TestCaseError> {
        let Some(track) = self.slot(kind).clone() else {
            return Ok(());
        };
        let step = self.cutter.unit(&track.id, unit).step;
        if kind == Kind::Video {
            self.unbroken &= unit.contiguous;
            if matches!(step, Step::Drop(_)) {
                self.unbroken = false;
            } else {
                prop_assert!(
                    unit.keyframe || self.unbroken,
                    "{step:?} of a broken picture"
                );
                self.unbroken = true;
            }
        }
        match step {
            Step::Hold => prop_assert!(self.open.is_none()),
            Step::Push => {
                let open = self.open;
                prop_assert!(open.is_some(), "pushed before anything is open");
                let place = open.is_some_and(|open| match kind {
                    Kind::Video => open.video == Some(track.codec),
                    Kind::Audio => open.audio.is_some(),
                });
                prop_assert!(place, "{kind:?} has no place in {open:?}");
            }
            Step::Cut(layout) => {
                prop_assert!(self.open.is_some(), "cut before anything is open");
                match kind {
                    Kind::Video => {
                        prop_assert!(unit.keyframe);
                        prop_assert_eq!(layout.video, Some(track.codec));
                    }
                    Kind::Audio => {
                        prop_assert_eq!(layout.video, None);
                        prop_assert!(layout.audio.is_some());
                        self.unbroken = false;
                    }
                }
                self.open = Some(layout);
            }
            Step::Drop(_) => {}
        }
        Ok(())
    }

    fn start_if_due(&mut self) -> Result<(), TestCaseError> {
        if let Some(layout) = self.cutter.due(self.instant()) {
            prop_assert!(self.open.is_none());
            prop_assert!(layout.video.is_some() || layout.audio.is_some());
            self.unbroken &= layout.video.is_some();
            self.cutter.opened(layout, Duration::from_millis(self.now));
            self.open = Some(layout);
        }
        Ok(())
    }
}

/// A unit before which something is missing.
fn after_a_loss(ms: u64) -> AccessUnit {
    AccessUnit {
        contiguous: false,
        ..unit(ms, false)
    }
}

#[test]
fn after_a_loss_each_picture_asks_for_a_keyframe_until_it_comes() {
    for keep_damaged in [false, true] {
        let mut cutter = Cutter::new(Duration::from_mins(1), keep_damaged);
        cutter.track_added(camera(), Instant::now());
        let id = TrackId::new("V");
        assert_eq!(cutter.unit(&id, &unit(0, true)).step, Step::Hold);
        cutter.opened(PICTURE, Duration::ZERO);
        assert_eq!(cutter.unit(&id, &unit(33, false)), Step::Push.into());
        let expected = Decision {
            step: if keep_damaged {
                Step::Push
            } else {
                Step::Drop(DropReason::Discontinuity)
            },
            ask_keyframe: true,
        };
        assert_eq!(cutter.unit(&id, &after_a_loss(100)), expected);
        for number in 0..100 {
            assert_eq!(cutter.unit(&id, &unit(133 + number, false)), expected);
        }
        assert_eq!(cutter.unit(&id, &unit(500, true)), Step::Push.into());
        assert_eq!(cutter.unit(&id, &unit(533, false)), Step::Push.into());
    }
}

#[test]
fn what_is_encoded_again_is_never_damaged() {
    let mut cutter = Cutter::new(Duration::from_mins(1), true);
    let vp8 = track("V", Source::Camera, Codec::Vp8);
    cutter.track_added(vp8, Instant::now());
    let id = TrackId::new("V");
    cutter.unit(&id, &unit(0, true));
    let lost = cutter.unit(&id, &after_a_loss(33));
    assert_eq!(lost.step, Step::Drop(DropReason::Discontinuity));
}

proptest! {
    #[test]
    fn whatever_happens_each_segment_can_be_decoded_by_itself(
        events in prop::collection::vec(event(), 1..300),
    ) {
        let mut model = Model::new();
        for event in events {
            model.apply(event)?;
        }
    }
}
