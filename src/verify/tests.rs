//! Each problem and each warning from a stream made for it.

use std::fs;

use super::packets_for_tests::*;
use super::*;

pub(super) fn report(bytes: &[u8]) -> FileReport {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("00000.ts");
    fs::write(&path, bytes).unwrap();
    verify_file(&path, false).unwrap()
}

fn located<K: Copy>(findings: &Findings<K>) -> Vec<Located<K>> {
    findings
        .groups()
        .flat_map(|group| group.first.clone())
        .collect()
}

pub(super) fn problems(bytes: &[u8]) -> Vec<Problem> {
    located(&report(bytes).problems)
        .iter()
        .map(|found| found.what)
        .collect()
}

fn warnings(bytes: &[u8]) -> Vec<Warning> {
    let report = report(bytes);
    assert!(report.sound, "{:?}", report.problems);
    located(&report.warnings)
        .iter()
        .map(|found| found.what)
        .collect()
}

/// Two seconds of video and audio from a tick on.
pub(super) fn media(start: u64) -> Builder {
    let mut builder = Builder::new();
    builder.media(start, 60);
    builder
}

#[test]
fn a_sound_file_is_measured() {
    let bytes = media(90_000).bytes;
    let report = report(&bytes);
    assert_eq!(
        (located(&report.problems), located(&report.warnings)),
        (vec![], vec![])
    );
    assert!(report.sound && report.sealed);
    assert_eq!(report.bytes, bytes.len() as u64);
    assert_eq!(report.packets * 188, report.bytes);
    assert_eq!(report.duration_ms, 2_005);
    let [video, audio] = report.streams.as_slice() else {
        panic!("{:?}", report.streams)
    };
    assert_eq!(
        (video.codec, video.frames, video.keyframes),
        (StreamCodec::H264, 60, Some(6))
    );
    assert_eq!(video.picture.unwrap().to_string(), "High 3.1, 1280x720");
    assert_eq!((video.duration_ms, video.longest_gap_ms), (2_000, 33));
    assert_eq!(
        video.bytes,
        6 * keyframe().len() as u64 + 54 * delta().len() as u64
    );
    assert_eq!(video.bits_per_second, video.bytes * 4);
    assert_eq!(video.first_pts.unwrap().ticks(), 90_000);
    assert_eq!(video.last_pts.unwrap().ticks(), 90_000 + 59 * 3_000);
    assert_eq!(
        (audio.codec, audio.frames, audio.keyframes),
        (StreamCodec::Aac, 94, None)
    );
    assert_eq!(
        audio.sound,
        Some(Sound {
            sample_rate: 48_000,
            channels: Some(1)
        })
    );
    assert_eq!((audio.duration_ms, audio.longest_gap_ms), (2_005, 21));
    assert_eq!(
        report.audio_video,
        Some(AudioVideo {
            starts_ms: 0,
            ends_ms: 5
        })
    );
}

#[test]
fn the_clock_may_wrap_in_a_file() {
    let wrapping = report(&media((1 << 33) - 90_000).bytes);
    assert_eq!(
        (located(&wrapping.problems), located(&wrapping.warnings)),
        (vec![], vec![])
    );
    assert_eq!(wrapping.duration_ms, 2_005);
    assert_eq!(
        wrapping.audio_video,
        Some(AudioVideo {
            starts_ms: 0,
            ends_ms: 5
        })
    );
    let video = &wrapping.streams[0];
    assert!(video.last_pts.unwrap().ticks() < video.first_pts.unwrap().ticks());
}

#[test]
fn opus_frames_are_counted_and_sound_of_several_frames_goes_on_from_the_first() {
    let mut builder = Builder::empty();
    builder.tables(&[(0x06, AUDIO, OPUS_REGISTRATION)]);
    let two = [opus_unit(&[0xf8, 0xff, 0xfe]), opus_unit(&[0xf8, 1, 2, 3])].concat();
    for unit in 0..50 {
        let flags = Flags {
            pcr: Some(unit * 3_600),
            ..Flags::default()
        };
        builder.pes(
            AUDIO,
            flags,
            &pes(0xbd, Some(unit * 3_600), None, &two, true),
        );
    }
    let report = report(&builder.bytes);
    assert!(report.sound && report.warnings.is_empty(), "{report:?}");
    let audio = &report.streams[0];
    assert_eq!((audio.codec, audio.frames), (StreamCodec::Opus, 100));
    assert_eq!((audio.duration_ms, audio.longest_gap_ms), (2_000, 20));
}

#[test]
fn an_empty_file_has_no_packets() {
    assert_eq!(problems(b""), [Problem::NoPackets]);
}

#[test]
fn bytes_between_packets_are_skipped_and_told() {
    let good = media(0).bytes;
    let at = 188 * 40;
    let mut noisy = good.clone();
    noisy.splice(at..at, [0; 50]);
    let report = report(&noisy);
    assert_eq!(located(&report.problems).len(), 1, "{:?}", report.problems);
    let found = located(&report.problems)[0];
    assert_eq!(found.what, Problem::SyncLost { skipped_bytes: 50 });
    assert_eq!(found.offset, Some(at as u64));
    assert_eq!(report.packets, good.len() as u64 / 188);
}

#[test]
fn a_tail_of_zeros_is_no_packets() {
    let mut bytes = media(0).bytes;
    bytes.resize(bytes.len() + 1000, 0);
    assert_eq!(
        problems(&bytes),
        [Problem::SyncLost {
            skipped_bytes: 1000
        }]
    );
}

#[test]
fn a_file_that_ends_inside_a_packet_is_truncated() {
    let mut bytes = media(0).bytes;
    bytes.truncate(bytes.len() - 100);
    assert!(problems(&bytes).contains(&Problem::Truncated { bytes: 88 }));
}

#[test]
fn a_packet_marked_as_damaged_or_encrypted_is_told() {
    let mut bytes = media(0).bytes;
    bytes[188 * 2 + 1] |= 0x80;
    assert!(problems(&bytes).contains(&Problem::TransportError));
    let mut bytes = media(0).bytes;
    bytes[188 * 2 + 3] |= 0x80;
    assert!(problems(&bytes).contains(&Problem::Scrambled));
}

#[test]
fn an_adaptation_field_must_fit_its_packet() {
    let mut bytes = media(0).bytes;
    bytes[188 * 2 + 4] = 190;
    assert!(problems(&bytes).contains(&Problem::BadAdaptationField));
}

#[test]
fn a_lost_packet_is_told_once_and_nothing_else_with_it() {
    let mut builder = media(0);
    builder.lose(VIDEO);
    let offset = builder.bytes.len() as u64;
    builder.video(60 * 3_000, &delta());
    builder.video(61 * 3_000, &delta());
    let report = report(&builder.bytes);
    let found = located(&report.problems);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(matches!(found[0].what, Problem::Continuity { .. }));
    assert_eq!(
        (found[0].offset, found[0].pid),
        (Some(offset), Some(Pid(VIDEO)))
    );
}

#[test]
fn packets_may_be_repeated_and_breaks_declared() {
    let mut bytes = media(0).bytes;
    let repeated = bytes[188 * 2..188 * 3].to_vec();
    bytes.splice(188 * 3..188 * 3, repeated);
    assert_eq!(problems(&bytes), []);

    let mut builder = media(0);
    builder.lose(VIDEO);
    let flags = Flags {
        discontinuity: true,
        ..Flags::default()
    };
    builder.pes(
        VIDEO,
        flags,
        &pes(0xe0, Some(60 * 3_000), None, &delta(), false),
    );
    assert_eq!(problems(&builder.bytes), []);
}

#[test]
fn tables_are_needed_and_their_checksums_hold() {
    let bytes = media(0).bytes;
    assert_eq!(problems(&bytes[188..]), [Problem::NoPat]);
    let without_map = [&bytes[..188], &bytes[376..]].concat();
    assert_eq!(problems(&without_map), [Problem::NoPmt]);
    for (packet, table) in [(0, Table::Pat), (1, Table::Pmt)] {
        let mut damaged = bytes.clone();
        damaged[188 * packet + 12] ^= 1;
        assert_eq!(problems(&damaged)[0], Problem::TableCrc { table });
        let mut cut = bytes.clone();
        cut[188 * packet + 4] = 184;
        assert_eq!(problems(&cut)[0], Problem::BadTable { table });
    }
}

#[test]
fn media_before_its_tables_is_told() {
    let bytes = media(0).bytes;
    let late = [&bytes[376..188 * 5], &bytes[..376], &bytes[188 * 5..]].concat();
    assert!(problems(&late).contains(&Problem::MediaBeforeTables));
}

#[test]
fn pes_headers_must_make_sense() {
    let header = 9;
    let breaks: [(usize, u8); 3] = [
        (2, 0x02),          // no start code
        (6, 0x00),          // not the marker bits
        (header + 4, 0x00), // no marker bit behind the PTS
    ];
    for (at, value) in breaks {
        let mut builder = media(0);
        let mut unit = pes(0xc0, Some(200_000), None, &adts_frame(120), true);
        unit[at] = value;
        builder.pes(AUDIO, Flags::default(), &unit);
        builder.audio(210_000);
        assert_eq!(
            problems(&builder.bytes),
            [Problem::BadPesHeader],
            "byte {at}"
        );
    }
}

#[test]
fn a_pes_packet_is_as_long_as_it_says_unless_the_file_was_cut() {
    let mut builder = media(0);
    let mut unit = pes(0xc0, Some(190_000), None, &adts_frame(120), true);
    unit.truncate(unit.len() - 20);
    builder.pes(AUDIO, Flags::default(), &unit);
    let cut = builder.bytes.clone();
    builder.audio(210_000);
    let expected = Problem::PesLength {
        declared: 120,
        found: 100,
    };
    assert!(problems(&builder.bytes).contains(&expected));
    assert_eq!(warnings(&cut), [Warning::LastUnitCut]);
}

#[test]
fn pictures_have_times_in_order() {
    let mut builder = media(0);
    builder.pes(
        VIDEO,
        Flags::default(),
        &pes(0xe0, None, None, &delta(), false),
    );
    assert_eq!(problems(&builder.bytes), [Problem::NoTimestamp]);

    let mut builder = media(90_000);
    builder.video(90_000 + 58 * 3_000, &delta());
    assert_eq!(
        problems(&builder.bytes),
        [Problem::DtsBack { by_ticks: 3_000 }]
    );

    let mut builder = media(0);
    let early = pes(0xe0, Some(179_990), Some(180_000), &delta(), false);
    builder.pes(VIDEO, Flags::default(), &early);
    assert_eq!(
        problems(&builder.bytes),
        [Problem::PtsBeforeDts { by_ticks: 10 }]
    );
}

#[test]
fn pictures_begin_with_a_keyframe_that_can_be_decoded() {
    let mut builder = Builder::new();
    builder.video(0, &delta());
    builder.media(3_000, 30);
    assert_eq!(problems(&builder.bytes), [Problem::NoKeyframeAtStart]);

    let mut builder = media(0);
    let flags = Flags {
        random_access: true,
        ..Flags::default()
    };
    builder.pes(
        VIDEO,
        flags,
        &pes(0xe0, Some(180_000), None, &bare_keyframe(), false),
    );
    assert_eq!(problems(&builder.bytes), [Problem::NoParameterSets]);
}

#[test]
fn h265_is_looked_at_like_h264() {
    let h265 = |units: &[Vec<u8>]| {
        let mut builder = Builder::empty();
        builder.tables(&[(0x24, VIDEO, &[])]);
        for (number, unit) in (0..).zip(units) {
            let flags = Flags {
                random_access: unit.get(7..10) == h265_keyframe().get(7..10),
                pcr: Some(number * 3_000),
                ..Flags::default()
            };
            let pes = pes(0xe0, Some(90_000 + number * 3_000), None, unit, false);
            builder.pes(VIDEO, flags, &pes);
        }
        builder.bytes
    };
    let good = [h265_keyframe(), h265_delta(), h265_delta(), h265_keyframe()];
    let sound = report(&h265(&good));
    assert!(sound.sound && sound.warnings.is_empty(), "{sound:?}");
    let video = &sound.streams[0];
    assert_eq!(
        (video.codec, video.frames, video.keyframes),
        (StreamCodec::H265, 4, Some(2))
    );
    assert_eq!(video.codec.to_string(), "h265");
    assert_eq!(video.picture.unwrap().to_string(), "Main 3.1, 1280x720");

    assert_eq!(
        problems(&h265(&[h265_delta(), h265_delta()])),
        [Problem::NoKeyframeAtStart]
    );
    let bare = [h265_keyframe(), h265_keyframe()[7..].to_vec(), h265_delta()];
    assert_eq!(problems(&h265(&bare)), [Problem::NoDelimiter]);
    assert_eq!(problems(&h265(&[])), [Problem::NoFrames]);
}

#[test]
fn access_units_have_a_delimiter_and_a_picture() {
    let mut builder = media(0);
    builder.video(180_000, &delta()[6..]);
    assert_eq!(problems(&builder.bytes), [Problem::NoDelimiter]);

    let mut builder = media(0);
    builder.video(180_000, &delta()[..6]);
    let cut = builder.bytes.clone();
    builder.video(183_000, &delta());
    assert_eq!(problems(&builder.bytes), [Problem::NoPicture]);
    assert_eq!(warnings(&cut), [Warning::LastUnitCut]);
}

#[test]
fn what_is_no_audio_frame_is_told() {
    let mut builder = media(0);
    builder.pes(
        AUDIO,
        Flags::default(),
        &pes(0xc0, Some(190_000), None, &[0; 100], true),
    );
    assert_eq!(problems(&builder.bytes), [Problem::BadAudioFrame]);
}

#[test]
fn a_declared_stream_without_frames_is_a_problem_for_video_only() {
    let mut builder = Builder::new();
    for frame in 0..20 {
        builder.audio(frame * 1_920);
    }
    assert_eq!(problems(&builder.bytes), [Problem::NoFrames]);

    let mut builder = Builder::new();
    for frame in 0..20 {
        builder.video(frame * 3_000, &keyframe());
    }
    assert_eq!(warnings(&builder.bytes), [Warning::NoFrames]);
}

#[test]
fn a_stream_that_no_table_declares_is_a_warning() {
    let mut builder = media(0);
    builder.pes(0x99, Flags::default(), &[1, 2, 3]);
    builder.pes(0x11, Flags::default(), &[1, 2, 3]); // DVB tables are not media
    assert_eq!(warnings(&builder.bytes), [Warning::Undeclared]);
}

#[test]
fn the_random_access_indicator_agrees_with_the_picture() {
    let mut builder = media(0);
    for (at, unit, random_access) in [(180_000, keyframe(), false), (183_000, delta(), true)] {
        let flags = Flags {
            random_access,
            ..Flags::default()
        };
        builder.pes(VIDEO, flags, &pes(0xe0, Some(at), None, &unit, false));
    }
    let expected = [true, false].map(|keyframe| Warning::RandomAccess { keyframe });
    assert_eq!(warnings(&builder.bytes), expected);
}

#[test]
fn long_gaps_and_streams_apart_are_warnings() {
    let mut builder = media(0);
    builder.video(400_000, &keyframe());
    let found = warnings(&builder.bytes);
    let gap = Warning::Gap {
        ticks: 400_000 - 59 * 3_000,
        at_ticks: 59 * 3_000,
    };
    assert!(found.contains(&gap), "{found:?}");
    assert!(
        matches!(found.last(), Some(Warning::EndsApart { ticks: ..0 })),
        "{found:?}"
    );

    let mut builder = Builder::new();
    for frame in 0..60 {
        builder.video(frame * 3_000, &keyframe());
    }
    for frame in 50..94 {
        builder.audio(frame * 1_920);
    }
    assert_eq!(
        warnings(&builder.bytes),
        [Warning::StartsApart { ticks: 96_000 }]
    );
}

#[test]
fn clock_references_are_there_rise_and_come_often() {
    let with_references = |references: &[Option<u64>]| {
        let mut builder = Builder::empty();
        builder.tables(&[(0x1b, VIDEO, &[])]);
        for (frame, &pcr) in (0..).zip(references) {
            let flags = Flags {
                pcr,
                random_access: true,
                ..Flags::default()
            };
            let unit = pes(0xe0, Some(90_000 + frame * 3_000), None, &keyframe(), false);
            builder.pes(VIDEO, flags, &unit);
        }
        warnings(&builder.bytes)
    };
    assert_eq!(with_references(&[None, None]), [Warning::NoPcr]);
    assert_eq!(with_references(&[Some(9_000), Some(18_000)]), []);
    assert_eq!(
        with_references(&[Some(0), Some(9_001)]),
        [Warning::PcrGap { ticks: 9_001 }]
    );
    assert_eq!(
        with_references(&[Some(9), Some(0)]),
        [Warning::PcrBack { by_ticks: 9 }]
    );
}
