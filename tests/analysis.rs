//! The analyser of the real-server tests is tested itself: one that finds nothing would let
//! every recording pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use stage::analysis::{
    BeepFinder, Continuity, Picture, SAMPLE_RATE, continuity, counter, flash_after_beep_ms,
    flash_onsets, is_black, is_flash, offset, own_offset_ms,
};
use stage::decode;
use stage::steady::{publisher_was_late, steady};

fn picture(counter: u32) -> Picture {
    Picture {
        pts: f64::from(counter) / 30.0 + 1.0,
        counter,
        flash: counter % 30 < 3,
        black: false,
        width: 1280,
        height: 720,
    }
}

fn pictures(counters: &[u32]) -> Vec<Picture> {
    counters.iter().copied().map(picture).collect()
}

/// Rows of luma with `number` drawn as the test card draws it.
fn drawn(number: u32, width: usize) -> Vec<u8> {
    let mut row = vec![100; width];
    for i in 0..24 {
        let luma = if number >> (23 - i) & 1 == 1 { 235 } else { 16 };
        row[8 + 24 * i..8 + 24 * (i + 1)].fill(luma);
    }
    row.repeat(8)
}

/// Beeps at `onsets` (in samples) in near-silence, pushed in frames of 1024 samples.
fn heard(onsets: &[usize], length: usize, start: f64) -> Vec<f64> {
    let mut samples = vec![60i16; length];
    for &onset in onsets {
        for (i, sample) in samples[onset..onset + 4_800].iter_mut().enumerate() {
            // A square wave of 1 kHz, silent twice a period as a sine is.
            *sample = [0, 12_000, 12_000, 0, -12_000, -12_000][i % 48 / 8];
        }
    }
    let mut finder = BeepFinder::default();
    for (i, frame) in samples.chunks(1_024).enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let pts = start + (i * 1_024) as f64 / SAMPLE_RATE as f64;
        finder.push(pts, frame.iter().copied());
    }
    finder.onsets()
}

#[test]
fn a_whole_run_of_counters_has_no_gap() {
    let seen = continuity(&pictures(&[7, 8, 9, 10])).unwrap();
    let whole = Continuity {
        first: 7,
        last: 10,
        present: 4,
        missing: 0,
        disordered: 0,
        longest_gap: 0,
    };
    assert_eq!(seen, whole);
    assert!((seen.ratio() - 1.0).abs() < f64::EPSILON);
    assert!((seen.span_s(2) - 2.0).abs() < f64::EPSILON);
}

#[test]
fn missing_repeated_and_reversed_counters_are_seen() {
    let seen = continuity(&pictures(&[0, 1, 1, 5, 4, 6, 8])).unwrap();
    assert_eq!((seen.missing, seen.longest_gap), (4, 3));
    assert_eq!(seen.disordered, 2);
    assert!((seen.ratio() - 5.0 / 9.0).abs() < 1e-9);
    assert_eq!(continuity(&[]), None);
}

#[test]
fn flashes_are_those_whose_first_picture_is_there() {
    let mut shown = pictures(&[0, 1, 2, 3, 31, 32, 33, 60, 61]);
    shown[7].flash = false;
    assert_eq!(flash_onsets(&shown, 30), vec![(0, 1.0)]);
}

#[test]
fn only_a_bright_picture_is_a_flash() {
    assert!(is_flash(&[235; 64]));
    assert!(!is_flash(&[180; 64]));
}

#[test]
fn beeps_are_found_at_their_first_loud_sample() {
    // The first samples of each beep are silent: 8 of them.
    let onsets = heard(&[48_000, 96_500], 150_000, 10.0);
    assert_eq!(onsets.len(), 2, "{onsets:?}");
    assert!((onsets[0] - 11.0).abs() < 0.000_2, "{onsets:?}");
    assert!(
        (onsets[1] - 10.0 - 96_508.0 / 48_000.0).abs() < 0.000_2,
        "{onsets:?}"
    );
}

#[test]
fn a_beep_cut_by_the_start_is_no_onset() {
    assert_eq!(heard(&[0], 40_000, 0.0), Vec::<f64>::new());
}

#[test]
fn one_late_beep_keeps_its_place_and_a_late_flash_is_late() {
    let late: BTreeMap<u32, (f64, f64)> = [(0.0, 1.0), (0.0, 1.0), (40.0, 90.0), (0.0, 1.0)]
        .into_iter()
        .enumerate()
        .map(|(second, late)| (u32::try_from(second).unwrap(), late))
        .collect();
    let own = own_offset_ms(&late);
    assert_eq!(
        own,
        BTreeMap::from([(0, -1.0), (1, -1.0), (2, 39.0), (3, -1.0)])
    );
}

#[test]
fn black_is_told_from_the_card() {
    assert!(is_black(&[16; 64], &[16; 64]));
    assert!(!is_black(&[16; 64], &[180; 64]));
    assert!(!is_black(&[100; 64], &[16; 64]));
}

#[test]
fn the_publishers_own_offset_is_taken_off() {
    let own = BTreeMap::from([(3, 10.0)]);
    let flashes = [(3, 5.030), (4, 6.030), (9, 30.0)];
    let apart = flash_after_beep_ms(&flashes, &[5.0, 6.0, 20.0], &own);
    assert_eq!(apart.len(), 2);
    assert!((apart[0].1 - 20.0).abs() < 1e-6 && (apart[1].1 - 30.0).abs() < 1e-6);
}

#[test]
fn drift_and_the_worst_moment_show() {
    let apart: Vec<_> = (0..12u32)
        .map(|second| {
            (
                second,
                if second == 5 {
                    -60.0
                } else {
                    f64::from(second)
                },
            )
        })
        .collect();
    let seen = offset(&apart).unwrap();
    assert!((seen.start - 1.5).abs() < 1e-9 && (seen.end - 9.5).abs() < 1e-9);
    assert!((seen.worst + 60.0).abs() < 1e-9);
    assert_eq!(offset(&apart[..3]), None);
}

proptest! {
    #[test]
    fn a_drawn_counter_is_read_back(number in 0u32..1 << 24) {
        prop_assert_eq!(counter(&drawn(number, 640), 640), number);
    }
}

/// Draws a test card by ffmpeg alone: no counter, but a flash and a beep 100 ms apart.
fn make_card(file: &Path) {
    let picture = "color=c=0x101010:s=320x180:r=30:d=4,\
         drawbox=x=0:y=30:w=320:h=150:c=white:t=fill:enable='lt(mod(t,1),0.1)'";
    let sound = "aevalsrc='if(lt(mod(t+0.9,1),0.1),0.5*sin(2*PI*1000*t),0)':s=48000:d=4";
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", picture])
        .args(["-f", "lavfi", "-i", sound, "-c:v", "libx264", "-c:a", "mp2"])
        .args(["-f", "mpegts", "-y"])
        .arg(file)
        .status()
        .expect("ffmpeg runs; scripts/test installs it");
    assert!(status.success());
}

#[test]
fn a_file_made_by_ffmpeg_is_decoded_with_its_stamps() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.ts");
    make_card(&file);

    let seen = decode::pictures(&file);
    assert_eq!(seen.pictures.len(), 120);
    assert_eq!(seen.errors, Vec::<String>::new());
    assert!(
        seen.pictures
            .iter()
            .all(|p| p.counter == 0 && p.width == 320)
    );
    let first = seen.pictures[0].pts;
    let flashes: Vec<f64> = seen
        .pictures
        .windows(2)
        .filter(|pair| !pair[0].flash && pair[1].flash)
        .map(|pair| pair[1].pts - first)
        .collect();
    assert_eq!(flashes.len(), 3, "{flashes:?}");
    assert!((flashes[0] - 1.0).abs() < 0.001, "{flashes:?}");

    let heard = decode::sound(&file);
    assert_eq!(heard.errors, Vec::<String>::new());
    let beeps: Vec<f64> = heard.beeps.iter().map(|beep| beep - first).collect();
    // The first one comes too soon after the start to be told from one cut by it.
    assert_eq!(beeps.len(), 3, "{beeps:?}");
    assert!((beeps[0] - 1.1).abs() < 0.005, "{beeps:?}");
    assert!((heard.end - heard.start - 4.0).abs() < 0.1);
    assert!(heard.longest_gap < 0.001, "{}", heard.longest_gap);

    let streams = decode::probe(&file);
    let codecs: Vec<_> = streams
        .iter()
        .map(|stream| stream.codec_name.as_str())
        .collect();
    assert_eq!(codecs, ["h264", "mp2"]);
}

#[test]
fn a_picture_that_changes_its_size_is_decoded_through() {
    let dir = tempfile::tempdir().unwrap();
    let joined = dir.path().join("joined.ts");
    let mut bytes = Vec::new();
    for size in ["320x180", "160x90", "640x360"] {
        let part = dir.path().join(size).with_extension("ts");
        let picture = format!("color=c=0x101010:s={size}:r=30:d=1");
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &picture])
            .args(["-c:v", "libx264", "-f", "mpegts", "-y"])
            .arg(&part)
            .status()
            .expect("ffmpeg runs; scripts/test installs it");
        assert!(status.success());
        bytes.extend(std::fs::read(part).unwrap());
    }
    std::fs::write(&joined, bytes).unwrap();

    let widths: Vec<u32> = decode::pictures(&joined)
        .pictures
        .iter()
        .map(|picture| picture.width)
        .collect();
    assert_eq!(widths, [[320; 30], [160; 30], [640; 30]].concat());
}

#[test]
fn a_test_that_fails_is_tried_again_on_an_unsteady_machine_alone() {
    let tried = |late_ms: f64, right_from: u32| {
        let tries = std::cell::Cell::new(0);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            steady(|| {
                tries.set(tries.get() + 1);
                publisher_was_late(late_ms);
                assert!(tries.get() >= right_from, "expected to fail here");
            });
        }));
        (tries.get(), outcome.is_ok())
    };
    assert_eq!(tried(500.0, 1), (1, true));
    assert_eq!(tried(500.0, 2), (2, true));
    assert_eq!(tried(500.0, 9), (6, false));
}
