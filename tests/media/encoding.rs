//! What is encoded again: at which size, with which keyframes, by which encoder.

use std::num::NonZeroU32;
use std::time::Duration;

use reeld::media::test_card::TestCard;
use reeld::media::{Counts, DropReason, GraphSettings, Pictures, Saving, VideoMode};
use reeld::room::{AccessUnit, Codec, Kind};

use crate::rig::{File, Picture, Rig, card, coders, layout, secs, settings, units};

fn lines(lines: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(lines)
}

fn sizes(pictures: &[Picture]) -> Vec<(u32, u32)> {
    let mut sizes: Vec<_> = pictures.iter().map(|it| (it.width, it.height)).collect();
    sizes.dedup();
    sizes
}

/// Every picture of 640x360, held to 180 lines from 1 s to 2 s.
fn squeezed(encoder: &str) -> (Counts, File) {
    let settings = GraphSettings {
        coders: coders(Codec::Vp8, encoder),
        ..settings()
    };
    let units = units(Some(Codec::Vp8), true);
    let mut rig = Rig::start(layout(Some(Codec::Vp8), true), &settings);
    rig.play(&units, 0.0, 1.0);
    // What is on its way when the order comes may be scaled or not.
    rig.settle_all();
    rig.graph.save(Saving {
        lines: lines(180),
        ..Saving::default()
    });
    rig.play(&units, 1.0, 2.0);
    rig.settle_all();
    rig.graph.save(Saving::default());
    rig.play(&units, 2.0, 3.0);
    rig.complete(3.0, &format!("squeezed-{encoder}"))
}

#[test]
fn pictures_are_scaled_down_and_back_in_the_middle_of_a_segment() {
    for encoder in ["x264enc", "openh264enc"] {
        let (counts, file) = squeezed(encoder);
        assert_eq!((counts.video.decoded, counts.video.written), (90, 90));
        assert_eq!(file.counters(), (0..90).collect::<Vec<_>>(), "{encoder}");
        let pictures = file.pictures();
        let all = [(640, 360), (320, 180), (640, 360)];
        assert_eq!(sizes(&pictures), all, "{encoder}");
        // Where the size changes there is a keyframe: the parts can be played by themselves.
        for pair in pictures.windows(2) {
            let changes = pair[0].height != pair[1].height;
            assert!(!changes || pair[1].key, "{encoder}: {pair:?}");
        }
        let smaller = pictures.iter().filter(|it| it.height == 180);
        assert_eq!(smaller.count(), 30, "{encoder}");
    }
}

/// Three seconds of 30 pictures with a keyframe each second, of which the middle one gives up some.
fn spared(codec: Codec, pictures: Pictures) -> (Counts, Vec<u32>) {
    let units = units(Some(codec), true);
    let mut rig = Rig::start(layout(Some(codec), true), &settings());
    rig.play(&units, 0.0, 1.0);
    rig.settle_all();
    rig.graph.save(Saving {
        pictures,
        ..Saving::default()
    });
    rig.play(&units, 1.0, 2.0);
    rig.settle_all();
    rig.graph.save(Saving::default());
    rig.play(&units, 2.0, 3.0);
    let (counts, file) = rig.complete(3.0, &format!("spared-{codec}-{pictures:?}"));
    // What pushes out the rest of the sound at the end.
    assert!(counts.audio.silence <= 5, "sound goes on untouched");
    assert_eq!(counts.video.missing(), 0);
    (counts, file.counters())
}

/// The numbers of the pictures that decoding can start with.
fn keyframes(codec: Codec) -> Vec<u32> {
    let units = units(Some(codec), true);
    let pictures = units.iter().filter(|(kind, _)| *kind == Kind::Video);
    (0..)
        .zip(pictures)
        .filter_map(|(number, (_, unit))| unit.keyframe.then_some(number))
        .collect()
}

#[test]
fn pictures_are_given_up_in_the_middle_of_a_segment_and_come_back() {
    let all = |from: u32, to: u32| (from..to).collect::<Vec<_>>();
    for codec in [Codec::Vp8, Codec::H264] {
        let keys = keyframes(codec);
        let back = keys.iter().copied().find(|it| *it >= 60).unwrap();
        let kept: Vec<u32> = keys
            .into_iter()
            .filter(|it| (30..60).contains(it))
            .collect();
        let (_, seen) = spared(codec, Pictures::Keyframes);
        assert_eq!(seen, [all(0, 30), kept, all(back, 90)].concat(), "{codec}");
        let (counts, seen) = spared(codec, Pictures::None);
        assert_eq!(seen, [all(0, 30), all(back, 90)].concat(), "{codec}");
        assert_eq!(counts.video.dropped.of(DropReason::Spared), 30);
    }
    let (counts, seen) = spared(Codec::Vp8, Pictures::Half);
    let second: Vec<u32> = seen
        .iter()
        .copied()
        .filter(|it| (30..60).contains(it))
        .collect();
    assert_eq!((second.len(), counts.video.spared), (15, 15));
    assert!(
        second.windows(2).all(|pair| pair[1] - pair[0] == 2),
        "{second:?}"
    );
    assert_eq!(seen.len(), 75);
    // What is copied cannot be thinned: all of it stays.
    let (_, seen) = spared(Codec::H264, Pictures::Half);
    assert_eq!(seen, all(0, 90));
}

#[test]
fn pictures_are_scaled_from_the_start_whichever_way_they_stand() {
    for (width, height, expected) in [(360, 640, (180, 320)), (640, 360, (320, 180))] {
        let mut card = TestCard::new(Some(card(Codec::Vp8, width, height)), false).unwrap();
        let units = card.next_units(secs(1.0)).unwrap();
        let settings = GraphSettings {
            max_lines: lines(180),
            ..settings()
        };
        let mut rig = Rig::start(layout(Some(Codec::Vp8), false), &settings);
        rig.play(&units, 0.0, 1.0);
        let (counts, file) = rig.complete(1.0, &format!("scaled-{width}"));
        assert_eq!(counts.video.written, 30);
        assert_eq!(sizes(&file.pictures()), [expected]);
    }
}

/// A shared screen may send five pictures a second: keyframes are counted in time all the same.
#[test]
fn keyframes_come_by_time_where_pictures_are_few() {
    for encoder in ["x264enc", "openh264enc"] {
        let mut sparse = card(Codec::Vp8, 640, 360);
        sparse.fps = 5;
        let mut card = TestCard::new(Some(sparse), false).unwrap();
        let units = card.next_units(secs(8.0)).unwrap();
        let settings = GraphSettings {
            coders: coders(Codec::Vp8, encoder),
            keyframe_interval: Duration::from_secs(2),
            ..settings()
        };
        let mut rig = Rig::start(layout(Some(Codec::Vp8), false), &settings);
        for fifth in 0..40_u8 {
            let at = f64::from(fifth) / 5.0;
            rig.play(&units, at, at + 0.2);
            rig.settle_all();
        }
        let (counts, file) = rig.complete(8.0, &format!("sparse-{encoder}"));
        assert_eq!(counts.video.written, 40);
        let keys: Vec<usize> = (0..)
            .zip(file.pictures())
            .filter_map(|(number, picture)| picture.key.then_some(number))
            .collect();
        assert_eq!(keys, [0, 10, 20, 30], "{encoder}");
    }
}

/// Told to, what could be copied is encoded again: decoded by Debian's `OpenH264` or libav.
#[test]
fn h264_is_encoded_again_when_told() {
    let settings = GraphSettings {
        mode: VideoMode::Transcode,
        max_lines: lines(180),
        ..settings()
    };
    let units: Vec<(Kind, AccessUnit)> = units(Some(Codec::H264), true).to_vec();
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings);
    rig.play(&units, 0.0, 2.0);
    let (counts, file) = rig.complete(2.0, "h264-again");
    assert_eq!((counts.video.decoded, counts.video.written), (60, 60));
    assert_eq!(sizes(&file.pictures()), [(320, 180)]);
    assert_eq!(file.counters(), (0..60).collect::<Vec<_>>());
}
