//! The media graph on real GStreamer: access units in, a file out, read back by ffmpeg.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

#[allow(dead_code, reason = "the stage's own tests use the rest")]
#[path = "../stage/card_files.rs"]
mod card_files;
mod decoded;
mod encoding;
mod rig;
mod trouble;

use std::fs;
use std::time::Duration;

use reeld::media::test_card::TestCard;
use reeld::media::{AudioIn, AudioOut, DropReason, GraphSettings, InFlight, Layout};
use reeld::room::{AccessUnit, Codec, Kind};
use reeld::verify::{StreamCodec, verify_file};
use rig::{Rig, card, layout, secs, settings, units};

fn assert_close(left: f64, right: f64, by: f64) {
    assert!((left - right).abs() <= by, "{left} and {right}");
}

#[test]
fn h264_passes_untouched_beside_aac() {
    let units = units(Some(Codec::H264), true);
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings());
    rig.play(&units, 0.0, 6.0);
    let (counts, file) = rig.complete(6.0, "h264");
    assert_eq!(file.counters(), (0..180).collect::<Vec<_>>());
    assert_eq!(
        counts.video.dropped.total() + counts.audio.dropped.total(),
        0
    );
    assert_eq!(counts.warnings, 0);
    let streams = file.streams();
    assert_eq!(
        (streams[0].codec.as_str(), streams[1].codec.as_str()),
        ("h264", "aac")
    );
    assert_close(streams[0].end, streams[1].end, 0.05);
    for beep in file.beeps() {
        assert_close(beep, beep.round(), 0.005);
    }
    assert_eq!(file.beeps().len(), 6);
    for (number, types) in file.nal_types().iter().enumerate() {
        assert_eq!(types[0], 9, "an AUD first");
        let keyframe = types.contains(&5);
        assert_eq!(keyframe, number % 30 == 0);
        if keyframe {
            assert_eq!(types[1..3], [7, 8], "SPS and PPS before the keyframe");
        }
    }
}

/// Pictures of H.265 beside the card's sound.
fn with_h265(pictures: u32, slices: u32) -> Vec<(Kind, AccessUnit)> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.h265");
    card_files::h265(&file, pictures, slices);
    let pictures = card_files::access_units(&fs::read(&file).unwrap());
    let picture = |(number, (keyframe, data)): (u32, (bool, Vec<u8>))| {
        let unit = AccessUnit {
            at: secs(f64::from(number) / f64::from(card_files::FPS)),
            keyframe,
            contiguous: true,
            data: data.into(),
        };
        (Kind::Video, unit)
    };
    let mut all: Vec<_> = (0..).zip(pictures).map(picture).collect();
    all.extend(units(None, true).iter().cloned());
    all.sort_by_key(|(_, unit)| unit.at);
    all
}

#[test]
fn h265_passes_beside_aac_with_all_that_belongs_before_its_pictures() {
    let units = with_h265(120, 3);
    let mut rig = Rig::start(layout(Some(Codec::H265), true), &settings());
    rig.play(&units, 0.0, 4.0);
    let (counts, file) = rig.complete(4.0, "h265");
    assert_eq!(file.counters(), (0..120).collect::<Vec<_>>());
    assert_eq!(counts.video.dropped.total(), 0);
    assert_eq!((counts.video.written, counts.warnings), (120, 0));
    let streams = file.streams();
    assert_eq!(
        (streams[0].codec.as_str(), streams[1].codec.as_str()),
        ("hevc", "aac")
    );
    assert_close(streams[0].end, streams[1].end, 0.05);
    let report = verify_file(&file.0, false).unwrap();
    assert!(report.sound && report.warnings.is_empty(), "{report:?}");
    let video = &report.streams[0];
    assert_eq!((video.codec, video.frames), (StreamCodec::H265, 120));
    assert_eq!(
        video.keyframes,
        Some(120 / u64::from(card_files::KEYFRAME_EVERY))
    );
}

#[test]
fn garbage_of_h265_does_not_end_a_graph() {
    let mut units = with_h265(120, 2);
    for (n, (kind, unit)) in units.iter_mut().enumerate() {
        if *kind == Kind::Video && n % 3 == 0 && unit.at > secs(1.0) {
            let spoilt = unit.data.iter().map(|byte| byte.wrapping_mul(31) ^ 0x55);
            unit.data = match n % 2 {
                0 => spoilt.collect(),
                _ => unit.data.slice(..unit.data.len() / 2),
            };
        }
    }
    let mut rig = Rig::start(layout(Some(Codec::H265), true), &settings());
    rig.flood(&units, 0.0, 4.0);
    let (finished, tape) = rig.finish(4.0);
    finished.result.unwrap();
    assert!(tape.len() > 50_000, "{}", tape.len());
}

#[test]
fn opus_is_copied() {
    let units = units(Some(Codec::H264), true);
    let settings = GraphSettings {
        audio: AudioOut::Opus,
        ..settings()
    };
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings);
    rig.play(&units, 0.0, 4.0);
    let (_, file) = rig.complete(4.0, "opus");
    let streams = file.streams();
    assert_eq!(streams[1].codec, "opus");
    assert_close(streams[1].end, 4.0, 0.03);
    for beep in file.beeps() {
        assert_close(beep, beep.round(), 0.005);
    }
}

/// Sound that begins between two packets' places: the mux describes the stream in front of the
/// first sound, so a picture before it would stand in front of the tables.
#[test]
fn copied_sound_that_begins_late_leaves_the_tables_in_front() {
    let settings = GraphSettings {
        audio: AudioOut::Opus,
        ..settings()
    };
    for late in [1, 7, 13, 19] {
        let mut units = units(Some(Codec::H264), true).to_vec();
        for (_, unit) in units.iter_mut().filter(|(kind, _)| *kind == Kind::Audio) {
            unit.at += Duration::from_millis(late);
        }
        let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings);
        rig.play(&units, 0.0, 1.0);
        let (_, file) = rig.complete(1.0, &format!("opus-late-{late}"));
        let report = reeld::verify::verify_file(&file.0, false).unwrap();
        assert!(report.sound, "{late} ms: {report:?}");
    }
}

fn transcodes(codec: Codec, name: &str) {
    let units = units(Some(codec), true);
    let mut rig = Rig::start(layout(Some(codec), true), &settings());
    rig.play(&units, 0.0, 4.0);
    let (counts, file) = rig.complete(4.0, name);
    assert_eq!(counts.video.decoded, 120);
    assert_eq!(counts.video.over_limit, 0);
    assert_eq!(counts.video.encoded, 120);
    assert_eq!(counts.video.written, 120);
    assert_eq!(file.counters(), (0..120).collect::<Vec<_>>());
    let streams = file.streams();
    assert_close(streams[0].end, streams[1].end, 0.05);
    assert!(file.nal_types().iter().all(|types| types[0] == 9));
    assert!(file.nal_types()[0].contains(&7));
}

#[test]
fn vp8_is_encoded_again() {
    transcodes(Codec::Vp8, "vp8");
}

#[test]
fn vp9_is_encoded_again() {
    transcodes(Codec::Vp9, "vp9");
}

#[test]
fn av1_is_encoded_again() {
    transcodes(Codec::Av1, "av1");
}

#[test]
fn every_in_flight_limit_works() {
    let units = units(Some(Codec::Vp8), true);
    for pictures in 1..=4 {
        let settings = GraphSettings {
            in_flight: InFlight::new(pictures).unwrap(),
            ..settings()
        };
        let mut rig = Rig::start(layout(Some(Codec::Vp8), true), &settings);
        rig.play(&units, 0.0, 2.0);
        let (counts, _) = rig.complete(2.0, &format!("in-flight-{pictures}"));
        assert_eq!(counts.video.written, 60);
    }
}

#[test]
fn sound_alone() {
    let units = units(None, true);
    let mut rig = Rig::start(layout(None, true), &settings());
    rig.play(&units, 0.0, 5.0);
    let (_, file) = rig.complete(5.0, "sound-alone");
    let streams = file.streams();
    assert_eq!(streams.len(), 1);
    assert_close(streams[0].end, 5.0, 0.05);
    assert_eq!(file.beeps().len(), 5);
}

#[test]
fn picture_alone() {
    for codec in [Codec::H264, Codec::Vp8] {
        let units = units(Some(codec), false);
        let mut rig = Rig::start(layout(Some(codec), false), &settings());
        rig.play(&units, 0.0, 3.0);
        let (_, file) = rig.complete(3.0, &format!("picture-alone-{codec}"));
        assert_eq!(file.streams().len(), 1);
        assert_eq!(file.counters(), (0..90).collect::<Vec<_>>());
    }
}

#[test]
fn stereo_sound() {
    let units = units(None, true);
    let stereo = Layout {
        video: None,
        audio: Some(AudioIn {
            codec: Codec::Opus,
            stereo: true,
        }),
    };
    let mut rig = Rig::start(stereo, &settings());
    rig.play(&units, 0.0, 1.0);
    rig.play(&[], 1.0, 2.0);
    let (counts, file) = rig.complete(2.0, "stereo");
    assert!(counts.audio.silence >= 50);
    assert_close(file.streams()[0].end, 2.0, 0.05);
}

#[test]
fn sound_flows_on_while_the_picture_pauses() {
    for codec in [Codec::H264, Codec::Vp8] {
        let units = units(Some(codec), true);
        let sound: Vec<_> = of_kind(&units, Kind::Audio);
        let mut rig = Rig::start(layout(Some(codec), true), &settings());
        rig.play(&units, 0.0, 1.0);
        for second in 1..6 {
            let before = rig.tape.len();
            let second = f64::from(second);
            rig.play(&sound, second, second + 1.0);
            assert!(
                rig.tape.grows_beyond(before),
                "{codec}: nothing at {second}"
            );
        }
        rig.play(&units, 6.0, 8.0);
        let (counts, file) = rig.complete(8.0, &format!("pause-{codec}"));
        assert_eq!(counts.video.dropped.total() + counts.video.over_limit, 0);
        let expected: Vec<u32> = (0..30).chain(180..240).collect();
        assert_eq!(file.counters(), expected);
        assert_eq!(file.beeps().len(), 8);
        assert_eq!(file.streams().len(), 2);
    }
}

#[test]
fn a_picture_that_starts_late_is_preceded_by_sound() {
    for codec in [Codec::H264, Codec::Vp8] {
        let units = units(Some(codec), true);
        let mut rig = Rig::start(layout(Some(codec), true), &settings());
        rig.play(&of_kind(&units, Kind::Audio), 0.0, 3.0);
        assert!(rig.tape.grows_beyond(10_000));
        rig.play(&units, 3.0, 5.0);
        let (_, file) = rig.complete(5.0, &format!("late-picture-{codec}"));
        let streams = file.streams();
        let start = |name: &str| streams.iter().find(|s| s.codec == name).unwrap().start;
        assert_close(start("h264"), 3.0, 0.001);
        assert_close(start("aac"), 0.0, 0.05);
        assert_eq!(file.counters(), (90..150).collect::<Vec<_>>());
    }
}

#[test]
fn missing_sound_is_silence_of_the_right_length() {
    let units = units(Some(Codec::H264), true);
    let picture = of_kind(&units, Kind::Video);
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings());
    rig.play(&picture, 0.0, 2.0);
    rig.play(&units, 2.0, 4.0);
    rig.play(&picture, 4.0, 6.0);
    let (counts, file) = rig.complete(6.0, "missing-sound");
    assert_close(counts.audio.silence as f64, 202.0, 3.0);
    let streams = file.streams();
    assert_close(streams[1].start, 0.0, 0.05);
    assert_close(streams[0].end, streams[1].end, 0.05);
    let beeps = file.beeps();
    assert_eq!(beeps.len(), 2);
    assert_close(beeps[0], 2.0, 0.005);
    assert_close(beeps[1], 3.0, 0.005);
    let sound = file.sound();
    let loudest = |from: f64, to: f64| {
        let place = |at: f64| ((at - streams[1].start) * 48_000.0).max(0.0) as usize;
        sound[place(from)..place(to)].iter().map(|s| s.abs()).max()
    };
    assert_eq!(
        loudest(0.1, 1.9),
        Some(0),
        "silence packets decode to silence"
    );
}

#[test]
fn dtx_is_filled() {
    let units = units(None, true);
    let dtx = |unit: &AccessUnit| AccessUnit {
        data: [0xf8].as_slice().into(),
        ..unit.clone()
    };
    // As with DTX in WebRTC: a one-byte unit now and then, and nothing between.
    let units: Vec<_> = units
        .iter()
        .enumerate()
        .filter(|(n, _)| n % 50 < 25 || n % 20 == 0)
        .map(|(n, (kind, unit))| {
            let silent = n % 50 >= 25;
            (*kind, if silent { dtx(unit) } else { unit.clone() })
        })
        .collect();
    let mut rig = Rig::start(layout(None, true), &settings());
    rig.play(&units, 0.0, 4.0);
    let (counts, file) = rig.complete(4.0, "dtx");
    assert!(counts.audio.dtx >= 4);
    assert!(counts.audio.silence >= 100);
    assert_close(file.streams()[0].end, 4.0, 0.05);
    assert_eq!(file.beeps().len(), 4);
}

#[test]
fn the_size_may_change_in_the_middle() {
    for codec in [Codec::Vp8, Codec::H264] {
        let part = |width, height, from: f64| {
            let mut card = TestCard::new(Some(card(codec, width, height)), false).unwrap();
            let mut units = card.next_units(secs(2.0)).unwrap();
            for (_, unit) in &mut units {
                unit.at += secs(from);
            }
            units
        };
        let small = part(320, 180, 0.0);
        let large = part(1280, 720, 2.0);
        let mut rig = Rig::start(layout(Some(codec), true), &settings());
        rig.play(&small, 0.0, 2.0);
        rig.play(&large, 2.0, 4.0);
        let (counts, file) = rig.complete(4.0, &format!("sizes-{codec}"));
        assert_eq!(counts.video.written, 120);
        let expected: Vec<u32> = (0..60).chain(0..60).collect();
        assert_eq!(file.counters(), expected, "{codec}");
    }
}

#[test]
fn odd_sizes_are_encoded() {
    let mut card = TestCard::new(Some(card(Codec::Vp8, 328, 184)), false).unwrap();
    let units = card.next_units(secs(1.0)).unwrap();
    let odd: Vec<_> = units
        .into_iter()
        .map(|(kind, mut unit)| {
            if unit.keyframe {
                // The size stands in bytes 6 to 9 of a keyframe (RFC 6386, 9.1). 327 by 183 have
                // as many macroblocks.
                let mut data = unit.data.to_vec();
                data[6..10].copy_from_slice(&[0x47, 0x01, 0xb7, 0x00]);
                unit.data = data.into();
            }
            (kind, unit)
        })
        .collect();
    let mut rig = Rig::start(layout(Some(Codec::Vp8), false), &settings());
    rig.play(&odd, 0.0, 1.0);
    let (counts, file) = rig.complete(1.0, "odd");
    assert_eq!(counts.video.written, 30);
    assert_eq!(file.streams()[0].frames, 30);
}

#[test]
fn stamps_go_on_where_the_ts_clock_wraps() {
    // The mux adds an hour: the 33-bit clock wraps 95443.7 s after its zero.
    for base in [95_440.0, 95_440.0 - 3600.0] {
        let units = units(Some(Codec::H264), true);
        let mut rig = Rig::start_at(layout(Some(Codec::H264), true), &settings(), secs(base));
        rig.play(&units, 0.0, 8.0);
        let (counts, file) = rig.complete(8.0, &format!("wrap-{base}"));
        assert_eq!(counts.video.written, 240);
        assert_eq!(file.counters(), (0..240).collect::<Vec<_>>());
        let streams = file.streams();
        assert_close(streams[0].end - streams[0].start, 8.0, 0.05);
        assert_close(streams[1].end - streams[1].start, 8.0, 0.1);
    }
}

#[test]
fn recording_starts_at_a_keyframe_and_resumes_at_one() {
    let units = units(Some(Codec::H264), false);
    let mut rig = Rig::start(layout(Some(Codec::H264), false), &settings());
    rig.play(&units, 0.5, 2.0);
    // One unit is lost: everything up to the next keyframe is refused.
    let torn: Vec<_> = units
        .iter()
        .filter(|(_, unit)| unit.at != secs(2.5))
        .map(|(kind, unit)| {
            let mut unit = unit.clone();
            unit.contiguous = unit.at < secs(2.5) || unit.at > secs(2.54);
            (*kind, unit)
        })
        .collect();
    rig.play(&torn, 2.0, 4.0);
    let (counts, file) = rig.complete(4.0, "keyframes");
    assert_eq!(counts.video.dropped.of(DropReason::AwaitingKeyframe), 15);
    assert_eq!(counts.video.dropped.of(DropReason::Discontinuity), 14);
    let expected: Vec<u32> = (30..75).chain(90..120).collect();
    assert_eq!(file.counters(), expected);
}

#[test]
fn slewed_sound_is_neither_filled_nor_lost() {
    let units: Vec<_> = units(None, true)
        .iter()
        .map(|(kind, unit)| {
            let mut unit = unit.clone();
            unit.at = unit.at.mul_f64(0.95);
            (*kind, unit)
        })
        .collect();
    let mut rig = Rig::start(layout(None, true), &settings());
    rig.play(&units, 0.0, 9.5);
    let (counts, file) = rig.complete(9.5, "slewed");
    assert_eq!(counts.audio.dropped.total(), 0);
    assert!(counts.audio.silence <= 3, "only what drains the encoder");
    let beeps = file.beeps();
    assert_close(beeps[9], 9.0 * 0.95, 0.02);
    assert_close(file.sound().len() as f64 / 48_000.0, 9.5, 0.1);
}

fn of_kind(units: &[(Kind, AccessUnit)], kind: Kind) -> Vec<(Kind, AccessUnit)> {
    units
        .iter()
        .filter(|unit| unit.0 == kind)
        .cloned()
        .collect()
}

#[test]
fn an_empty_graph_ends() {
    for codec in [Codec::H264, Codec::Vp8] {
        let rig = Rig::start(layout(Some(codec), true), &settings());
        let (finished, _) = rig.finish(0.0);
        finished.result.unwrap();
        let mut rig = Rig::start(layout(Some(codec), true), &settings());
        rig.graph.end(Kind::Video);
        rig.graph.end(Kind::Audio);
        rig.graph.advance(Duration::from_secs(1));
        let (finished, _) = rig.finish(1.0);
        finished.result.unwrap();
    }
}
