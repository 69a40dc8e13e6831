//! Whatever happens to a recording, its segments can be decoded.

use proptest::prelude::*;

use super::*;

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
            cutter: Cutter::new(Duration::from_secs(10), false, VideoMode::Auto),
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
