//! A room whose source decodes, as LiveKit's own SDK does: from what that hands over to the file.

use std::time::Instant;

use reeld::bitstream::PictureSize;
use reeld::bitstream::raw::{Plane, Turn};
use reeld::media::test_card::picture::Painter;
use reeld::media::test_card::sound::sample;
use reeld::recorder::DropReason;
use reeld::room::sdk::{Frame, Pictures, Sound};
use reeld::room::{Codec, EventSender, RoomEvent, Source, Track, TrackEnd, TrackId};

use crate::script::{Room, ms, participant};
use crate::steady::steady;
use crate::{anns, output, whole};

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;

/// Of sound, ten milliseconds each; with every fourth comes a picture.
const FRAMES: u64 = 400;
const PICTURES: u64 = FRAMES / 4;

/// Pictures that come at once with another one.
const BURST: u8 = 3;
const BURST_AT: u64 = 200;

fn announce(events: &EventSender, id: &str, source: Source, codec: Codec) {
    let track = Track {
        id: TrackId::new(id),
        participant: participant("ann"),
        source,
        codec,
        stereo: false,
        muted: false,
    };
    events.tell_blocking(RoomEvent::TrackAdded(track)).unwrap();
}

fn plays(room: &mut Room, events: &EventSender) {
    let card = Painter::new(WIDTH, HEIGHT, 25);
    // Drawn before: the test's time is the room's.
    let drawn: Vec<_> = (0..25).map(|number| card.paint(number)).collect();
    let epoch = Instant::now();
    let mut pictures = Pictures::new(TrackId::new("V"), epoch, 2, events.clone());
    let mut sound = Sound::new(TrackId::new("A"), epoch, false, events.clone());
    let (across, down) = (usize::from(WIDTH), usize::from(HEIGHT));
    for number in 0..FRAMES {
        room.play(ms(10));
        let samples: Vec<_> = (number * 480..(number + 1) * 480).map(sample).collect();
        sound.take(&samples, Instant::now()).unwrap();
        if !number.is_multiple_of(4) {
            continue;
        }
        let picture = usize::try_from(number).unwrap() / 4 % drawn.len();
        let (y, chroma) = drawn[picture].split_at(across * down);
        let (u, v) = chroma.split_at(across * down / 4);
        let plane = |bytes, stride| Plane { bytes, stride };
        let frame = Frame {
            size: PictureSize {
                width: WIDTH.into(),
                height: HEIGHT.into(),
            },
            planes: [plane(y, across), plane(u, across / 2), plane(v, across / 2)],
            turn: Turn::None,
            shown_us: i64::try_from(number).unwrap() * 10_000,
        };
        pictures.take(&frame, Instant::now()).unwrap();
        for more in 1..=BURST * u8::from(number == BURST_AT) {
            let frame = Frame {
                shown_us: frame.shown_us + 1_000 * i64::from(more),
                ..frame
            };
            pictures.take(&frame, Instant::now()).unwrap();
        }
    }
    for id in ["V", "A"] {
        let removed = RoomEvent::TrackRemoved {
            id: TrackId::new(id),
            end: TrackEnd::ParticipantLeft,
        };
        events.tell_blocking(removed).unwrap();
    }
}

/// The limit of encoded units is far below what a decoded picture has.
#[test]
fn what_a_source_has_decoded_is_recorded() {
    steady(|| {
        let output = output();
        let mut settings = whole(&output);
        settings.max_unit_bytes = 64 << 10;
        let mut room = Room::open(settings);
        let events = room.events();
        announce(&events, "V", Source::Camera, Codec::I420);
        announce(&events, "A", Source::Microphone, Codec::Pcm);
        plays(&mut room, &events);
        drop(events);
        let played = room.close();
        let recording = anns(&played);
        let video = &played.only().frames.video;
        let all = PICTURES + u64::from(BURST);
        assert_eq!(video.received, all, "each is recorded or counted");
        // Two of four have a place, and while the first file is opened two of those that wait. No
        // other one is lost for that.
        let dropped = video.dropped.of(DropReason::QueueFull);
        assert!((1..=u64::from(BURST) + 5).contains(&dropped), "{video:?}");
        assert_eq!(video.written + dropped, all, "{video:?}");
        assert_eq!(recording.files.len(), 1);
    });
}
