//! The media graph when something is wrong: outputs that block or close, input that is garbage.

use std::time::{Duration, Instant};

use reeld::media::{Admission, DropReason, Ending, Graph, GraphSettings, MediaError};
use reeld::room::{AccessUnit, Codec, Kind};

use crate::rig::{Flow, Rig, Tape, block_on, coders, layout, secs, settings, units};

/// The keyframe that follows a refused unit is where recording goes on.
fn assert_resumes_at_keyframes(rig: &Rig, units: &[(Kind, AccessUnit)]) {
    let keyframes: Vec<Duration> = units
        .iter()
        .filter(|(kind, unit)| *kind == Kind::Video && unit.keyframe)
        .map(|(_, unit)| unit.at)
        .collect();
    let mut torn = true;
    for (_, at, admission) in rig.admissions.iter().filter(|a| a.0 == Kind::Video) {
        match admission {
            Admission::Accepted => {
                assert!(!torn || keyframes.contains(at), "resumed at {at:?}");
                torn = false;
            }
            _ => torn = true,
        }
    }
}

#[test]
fn passthrough_drops_to_the_next_keyframe_while_the_output_blocks() {
    let units = units(Some(Codec::H264), true);
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings());
    rig.play(&units, 0.0, 1.0);
    rig.tape.set(Flow::Blocked);
    rig.flood(&units, 1.0, 7.4);
    let counts = rig.graph.counts();
    // What is sent at once can fill the queue before the mux has come to the output.
    let full = [DropReason::QueueFull, DropReason::OutputBlocked];
    let full: u64 = full
        .map(|reason| counts.video.dropped.of(reason))
        .iter()
        .sum();
    assert!(full > 60, "{counts:?}");
    assert_eq!(counts.audio.dropped.total(), 0, "sound is small: it waits");
    assert!(counts.video.queue_high_water <= 4 * 1024 * 1024);
    assert!(counts.audio.queue_high_water <= 512 * 1024);
    let before = rig.tape.len();
    rig.tape.set(Flow::Open);
    assert!(rig.tape.grows_beyond(before));
    rig.settle();
    rig.play(&units, 7.4, 10.0);
    assert_resumes_at_keyframes(&rig, &units);
    let (counts, file) = rig.complete(10.0, "blocked-h264");
    assert_eq!(
        file.counters().len() as u64,
        counts.video.accepted,
        "what was accepted was written"
    );
    let streams = file.streams();
    assert!(
        (streams[0].end - streams[1].end).abs() < 0.05,
        "sound and picture are equally long: {streams:?}"
    );
}

#[test]
fn transcoding_drops_pictures_while_the_output_blocks() {
    let units = units(Some(Codec::Vp8), true);
    let mut rig = Rig::start(layout(Some(Codec::Vp8), true), &settings());
    rig.play(&units, 0.0, 1.0);
    rig.tape.set(Flow::Blocked);
    // At the pace of the wall clock: what is dropped is a matter of lateness.
    let started = Instant::now();
    for step in 10..70 {
        let at = f64::from(step) / 10.0;
        rig.flood(&units, at, at + 0.1);
        std::thread::sleep(secs(at - 0.9).saturating_sub(started.elapsed()));
    }
    let counts = rig.graph.counts();
    assert!(counts.video.over_limit_blocked > 30, "{counts:?}");
    assert_eq!(
        counts.video.dropped.total(),
        0,
        "dropping pictures keeps the entrance open"
    );
    rig.tape.set(Flow::Open);
    rig.settle();
    rig.play(&units, 7.0, 10.0);
    let (counts, file) = rig.complete(10.0, "blocked-vp8");
    assert_eq!(counts.video.decoded, 300);
    assert_eq!(
        counts.video.decoded,
        counts.video.encoded + counts.video.over_limit + counts.video.over_limit_blocked
    );
    let counters = file.counters();
    assert_eq!(counters.len() as u64, counts.video.written);
    assert!(counters.is_sorted());
    assert_eq!(
        counters[counters.len() - 90..],
        (210..300).collect::<Vec<_>>()
    );
}

#[test]
fn a_closed_output_is_reported_once() {
    let units = units(Some(Codec::H264), true);
    let mut rig = Rig::start(layout(Some(Codec::H264), true), &settings());
    rig.play(&units, 0.0, 1.0);
    rig.tape.set(Flow::Closed);
    let mut ending = rig.graph.ending();
    rig.flood(&units, 1.0, 3.0);
    let over = block_on(async {
        let over = ending.wait_for(|ending| !matches!(ending, Ending::Running));
        tokio::time::timeout(Duration::from_secs(10), over)
            .await
            .expect("the closed output is reported")
            .unwrap()
            .clone()
    });
    assert!(matches!(over, Ending::Failed(MediaError::OutputClosed)));
    let (finished, _) = rig.finish(3.0);
    assert!(matches!(finished.result, Err(MediaError::OutputClosed)));
}

/// Finishing must keep its deadline whatever hangs.
fn finishes_while_blocked(codec: Codec) {
    let units = units(Some(codec), true);
    let tape = Tape::new();
    let output = Box::new(tape.clone());
    let settings = GraphSettings {
        coders: coders(codec, "x264enc"),
        ..settings()
    };
    let layout = layout(Some(codec), true);
    let mut graph = Graph::start(layout, &settings, Duration::ZERO, output).unwrap();
    tape.set(Flow::Blocked);
    for (kind, unit) in units.iter() {
        graph.push(*kind, unit.at, unit);
    }
    graph.advance(secs(10.0));
    let started = Instant::now();
    let closer = tape.clone();
    let finished = block_on(async {
        let finishing = graph.finish(secs(10.0), Duration::from_millis(300));
        tokio::pin!(finishing);
        tokio::select! {
            finished = &mut finishing => finished,
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                closer.set(Flow::Closed);
                finishing.await
            }
        }
    });
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(
        matches!(finished.result, Err(MediaError::EndDeadline { .. })),
        "{:?}",
        finished.result
    );
}

#[test]
fn a_blocked_graph_finishes_within_its_deadline() {
    finishes_while_blocked(Codec::H264);
    finishes_while_blocked(Codec::Vp8);
}

#[test]
fn an_output_that_never_returns_is_reported_as_wedged() {
    let units = units(Some(Codec::Vp8), true);
    let mut rig = Rig::start(layout(Some(Codec::Vp8), true), &settings());
    rig.tape.set(Flow::Blocked);
    rig.flood(&units, 0.0, 3.0);
    let started = Instant::now();
    let finished = block_on(rig.graph.finish(secs(3.0), Duration::from_millis(100)));
    assert!(started.elapsed() < Duration::from_secs(8));
    assert!(matches!(finished.result, Err(MediaError::Wedged { .. })));
    // Frees the threads that were left behind.
    rig.tape.set(Flow::Closed);
}

#[test]
fn a_dropped_graph_lets_go_of_its_output() {
    let units = units(Some(Codec::Vp8), true);
    let mut rig = Rig::start(layout(Some(Codec::Vp8), true), &settings());
    rig.flood(&units, 0.0, 3.0);
    let (graph, tape) = (rig.graph, rig.tape);
    let started = Instant::now();
    drop(graph);
    assert!(started.elapsed() < Duration::from_millis(50), "it blocked");
    while tape.holders() > 1 {
        assert!(started.elapsed() < Duration::from_secs(5), "never stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes that look random and are the same each time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    };
    (0..length).map(next).collect()
}

/// Every third unit of the middle is garbage: the graph goes on or names what failed, and sound
/// that was good is there.
fn survives_garbage(codec: Codec, garbage: impl Fn(usize, &AccessUnit) -> Vec<u8>) {
    let units = units(Some(codec), true);
    let spoil = |(n, (kind, unit)): (usize, &(Kind, AccessUnit))| {
        let mut unit = unit.clone();
        if n % 3 == 0 && unit.at > secs(1.0) && unit.at < secs(3.0) {
            unit.data = garbage(n, &unit).into();
        }
        (*kind, unit)
    };
    let spoilt: Vec<_> = units.iter().enumerate().map(spoil).collect();
    let mut rig = Rig::start(layout(Some(codec), true), &settings());
    rig.flood(&spoilt, 0.0, 6.0);
    let (finished, tape) = rig.finish(6.0);
    assert!(tape.len() > 100_000, "{codec}: {finished:?}");
    finished.result.unwrap();
}

#[test]
fn garbage_does_not_end_a_graph() {
    for codec in [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1] {
        survives_garbage(codec, |n, unit| noise(n as u64, unit.data.len()));
        survives_garbage(codec, |_, _| Vec::new());
        survives_garbage(codec, |_, unit| unit.data[..unit.data.len() / 2].to_vec());
    }
}

#[test]
fn nothing_but_garbage_ends_too() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut rig = Rig::start(layout(Some(codec), true), &settings());
        for n in 0..100 {
            let at = secs(n as f64 / 50.0);
            let unit = AccessUnit {
                at,
                keyframe: true,
                contiguous: true,
                data: noise(n, 500).into(),
            };
            rig.graph.push(Kind::Video, at, &unit);
            rig.graph.push(Kind::Audio, at, &unit);
        }
        rig.graph.advance(secs(2.0));
        let (finished, _) = rig.finish(2.0);
        if let Err(error) = finished.result {
            assert!(matches!(error, MediaError::Element { .. }), "{error}");
        }
    }
}
