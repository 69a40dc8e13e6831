//! Pictures and sound that come decoded: what LiveKit's own SDK gives.

use std::time::Duration;

use reeld::bitstream::PictureSize;
use reeld::bitstream::raw::{Plane, Turn, pack};
use reeld::media::test_card::picture::Painter;
use reeld::media::test_card::sound::sample;
use reeld::media::{AudioIn, AudioOut, DropReason, Graph, GraphSettings, Layout, MediaError};
use reeld::room::{AccessUnit, Codec, Kind};

use crate::assert_close;
use crate::rig::{FPS, HEIGHT, Rig, Tape, WIDTH, settings};

const LAYOUT: Layout = Layout {
    video: Some(Codec::I420),
    audio: Some(AudioIn {
        codec: Codec::Pcm,
        stereo: true,
    }),
};

/// Pictures `from..to` of a card.
fn pictures(width: u16, height: u16, numbers: std::ops::Range<u32>) -> Vec<(Kind, AccessUnit)> {
    let card = Painter::new(width, height, FPS.into());
    let size = PictureSize {
        width: width.into(),
        height: height.into(),
    };
    let (across, down) = (usize::from(width), usize::from(height));
    let draw = |number: u32| {
        let painted = card.paint(number);
        let (y, chroma) = painted.split_at(across * down);
        let (u, v) = chroma.split_at(across * down / 4);
        let plane = |bytes, stride| Plane { bytes, stride };
        let planes = [plane(y, across), plane(u, across / 2), plane(v, across / 2)];
        let unit = AccessUnit {
            at: Duration::from_secs(number.into()) / u32::from(FPS),
            keyframe: number.is_multiple_of(FPS.into()),
            contiguous: true,
            data: pack(size, planes, Turn::None).unwrap().into(),
        };
        (Kind::Video, unit)
    };
    numbers.map(draw).collect()
}

/// Sound in two channels, in pieces as long as packets of Opus usually are.
fn sound(seconds: u64) -> Vec<(Kind, AccessUnit)> {
    let packet = |number: u64| {
        let samples = (number * 960..(number + 1) * 960).map(sample);
        let both = samples.flat_map(|it| [it, it]);
        let unit = AccessUnit {
            at: Duration::from_millis(number * 20),
            keyframe: true,
            contiguous: true,
            data: both.flat_map(i16::to_le_bytes).collect::<Vec<u8>>().into(),
        };
        (Kind::Audio, unit)
    };
    (0..seconds * 50).map(packet).collect()
}

#[test]
fn decoded_pictures_and_sound_are_encoded() {
    let mut units = pictures(WIDTH, HEIGHT, 0..120);
    units.extend(sound(4));
    units.sort_by_key(|(_, unit)| unit.at);
    let mut rig = Rig::start(LAYOUT, &settings());
    rig.play(&units, 0.0, 4.0);
    let (counts, file) = rig.complete(4.0, "decoded");
    assert_eq!(file.counters(), (0..120).collect::<Vec<_>>());
    assert_eq!(
        counts.video.dropped.total() + counts.audio.dropped.total(),
        0
    );
    assert_eq!((counts.video.over_limit, counts.warnings), (0, 0));
    let streams = file.streams();
    assert_eq!(
        (streams[0].codec.as_str(), streams[1].codec.as_str()),
        ("h264", "aac")
    );
    assert_close(streams[0].end, streams[1].end, 0.05);
    let beeps = file.beeps();
    assert_eq!(beeps.len(), 4);
    for beep in beeps {
        assert_close(beep, beep.round(), 0.005);
    }
}

#[test]
fn a_decoded_picture_of_another_size_goes_on_with_a_keyframe() {
    let mut units = pictures(WIDTH, HEIGHT, 0..20);
    units.extend(pictures(WIDTH / 2, HEIGHT / 2, 20..40));
    units.extend(pictures(WIDTH, HEIGHT, 40..60));
    let layout = Layout {
        audio: None,
        ..LAYOUT
    };
    let mut rig = Rig::start(layout, &settings());
    rig.play(&units, 0.0, 2.0);
    let (counts, file) = rig.complete(2.0, "decoded-sizes");
    assert_eq!(counts.video.written, 60);
    let shown = file.pictures();
    let sizes: Vec<_> = shown.iter().map(|it| (it.width, it.height)).collect();
    let (large, small) = ((640, 360), (320, 180));
    assert_eq!(sizes, [[large; 20], [small; 20], [large; 20]].concat());
    assert!(shown[20].key && shown[40].key);
}

#[test]
fn what_is_lost_before_a_decoded_picture_damages_nothing() {
    let mut units = pictures(WIDTH, HEIGHT, 0..30);
    for (_, unit) in &mut units[10..20] {
        unit.contiguous = false;
        unit.keyframe = false;
    }
    let layout = Layout {
        audio: None,
        ..LAYOUT
    };
    let mut rig = Rig::start(layout, &settings());
    rig.play(&units, 0.0, 1.0);
    let (_, file) = rig.complete(1.0, "decoded-loss");
    assert_eq!(file.counters(), (0..30).collect::<Vec<_>>());
}

#[test]
fn what_is_no_picture_is_refused_and_the_others_pass() {
    let mut units = pictures(WIDTH, HEIGHT, 0..30);
    for (_, unit) in &mut units[3..6] {
        unit.data = unit.data.slice(..unit.data.len() - 1);
    }
    let layout = Layout {
        audio: None,
        ..LAYOUT
    };
    let mut rig = Rig::start(layout, &settings());
    rig.play(&units, 0.0, 1.0);
    let (counts, _) = rig.complete(1.0, "decoded-rubbish");
    assert_eq!(counts.video.dropped.of(DropReason::Discontinuity), 3);
    assert_eq!(counts.video.written, 27);
}

#[test]
fn decoded_sound_is_not_copied_as_opus() {
    let layout = Layout {
        video: None,
        ..LAYOUT
    };
    let settings = GraphSettings {
        audio: AudioOut::Opus,
        ..settings()
    };
    let nowhere = Box::new(Tape::new());
    let refused = Graph::start(layout, &settings, Duration::ZERO, nowhere);
    assert!(matches!(refused, Err(MediaError::Layout(_))));
}
