//! What holds of the policy whatever it is told.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::pressure::Stalls;
use super::*;
use crate::config;

pub(super) const TICK: Duration = Duration::from_millis(250);
const MIB: u64 = 1 << 20;

pub(super) fn thresholds() -> Thresholds {
    Thresholds::of(&config::Memory::default())
}

fn budget() -> Budget {
    Budget::of(None, None)
}

/// One tick's inputs.
#[derive(Debug, Clone, Copy, Default)]
struct Tick {
    reading: Reading,
    load: Load,
}

impl Tick {
    fn used(mebibytes: u64) -> Self {
        Self {
            reading: Reading {
                used: Some(mebibytes * MIB),
                ..Reading::default()
            },
            load: Load::default(),
        }
    }

    fn encoder_lag(milliseconds: u64) -> Self {
        let mut tick = Self::used(50);
        tick.load.encoder_lag = Duration::from_millis(milliseconds);
        tick
    }
}

/// A policy, its clock and its running totals.
struct Run {
    policy: Policy,
    now: Instant,
    changes: Vec<(Instant, Change)>,
    warnings: Vec<(Instant, Warning)>,
}

impl Run {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            policy: Policy::new(thresholds(), budget(), now),
            now,
            changes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn step(&mut self, tick: &Tick) -> Level {
        self.now += TICK;
        let change = self.policy.step(self.now, &tick.reading, &tick.load);
        self.changes.extend(change.map(|change| (self.now, change)));
        let warning = self.policy.take_warning();
        self.warnings
            .extend(warning.map(|warning| (self.now, warning)));
        self.policy.level()
    }

    /// Seconds of the same.
    fn hold(&mut self, tick: &Tick, seconds: u32) -> Level {
        for _ in 0..seconds * 4 {
            self.step(tick);
        }
        self.policy.level()
    }
}

fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    let tick = (
        prop_oneof![3 => 20..90_u64, 2 => 90..125_u64, 1 => 0..400_u64],
        prop::option::weighted(0.7, (0..220_u64, 60..220_u64)),
        prop::option::of((0..100_u8, 0..100_u8)),
        (0..3_000_u64, 0..6_000_u64),
        (0..12_u64, 0..12_u64),
        (prop::bool::weighted(0.02), prop::bool::weighted(0.1)),
    );
    let held = (tick, 1..60_usize);
    prop::collection::vec(held, 1..30).prop_map(|phases| {
        let mut ticks = Vec::new();
        let mut last = Tick::default();
        for ((used, limit, stalls, lags, pictures, kills), length) in phases {
            for _ in 0..length {
                last.reading.used = Some(used * MIB);
                last.reading.nearest = limit.map(|(held, limit)| Nearest {
                    held: held * MIB,
                    limit: limit * MIB,
                });
                last.reading.stalls = Stalls {
                    memory: stalls.map(|(memory, _)| f64::from(memory)),
                    cpu: stalls.map(|(_, cpu)| f64::from(cpu)),
                    io: None,
                };
                last.reading.failures += u64::from(kills.0);
                last.reading.hits += u64::from(kills.1);
                last.load.encoder_lag = Duration::from_millis(lags.0);
                last.load.disk_lag = Duration::from_millis(lags.1);
                last.load.pictures += pictures.0;
                last.load.dropped += pictures.1.min(pictures.0);
                ticks.push(last);
            }
        }
        ticks
    })
}

/// How much worse each figure of a tick may get.
fn worsened(mut tick: Tick, by: (u64, u64, u8, u64, u64)) -> Tick {
    let (used, held, stall, lag, failures) = by;
    let more = |bytes: u64, mebibytes: u64| bytes + mebibytes * MIB;
    let share = |share: Option<f64>| share.map(|share| (share + f64::from(stall)).min(100.0));
    tick.reading.used = tick.reading.used.map(|it| more(it, used));
    if let Some(nearest) = &mut tick.reading.nearest {
        nearest.held = more(nearest.held, held);
    }
    tick.reading.stalls.memory = share(tick.reading.stalls.memory);
    tick.reading.stalls.cpu = share(tick.reading.stalls.cpu);
    tick.reading.failures += failures;
    tick.load.encoder_lag += Duration::from_millis(lag);
    tick.load.disk_lag += Duration::from_millis(lag);
    tick
}

fn worse() -> impl Strategy<Value = (u64, u64, u8, u64, u64)> {
    (0..80_u64, 0..80_u64, 0..60_u8, 0..3_000_u64, 0..2_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_two_ticks_above_the_emergency_line_without_a_step_down(ticks in ticks()) {
        let mut run = Run::new();
        let line = budget().percent(thresholds().emergency);
        let mut unanswered = 0;
        for tick in &ticks {
            let before = run.policy.level();
            let level = run.step(tick);
            let above = tick.reading.used.is_some_and(|used| used >= line);
            let answered = level > before || level == Level::PauseVideo;
            unanswered = if above && !answered { unanswered + 1 } else { 0 };
            prop_assert!(unanswered < 2);
            // Nor does quality come back there.
            prop_assert!(!above || level >= before);
        }
    }

    #[test]
    fn no_flapping_faster_than_the_dwell(ticks in ticks()) {
        let mut run = Run::new();
        for tick in &ticks {
            run.step(tick);
        }
        let thresholds = thresholds();
        for pair in run.changes.windows(2) {
            let ((before, first), (at, then)) = (pair[0], pair[1]);
            let apart = at.duration_since(before);
            prop_assert_eq!(then.from, first.to);
            prop_assert_ne!(then.from, then.to);
            let emergency = matches!(
                then.cause,
                Cause::OutOfMemory | Cause::MemoryLimit | Cause::MemoryUse
            );
            if then.cause == Cause::Quiet {
                prop_assert_eq!(then.to, then.from.better());
                prop_assert!(apart >= thresholds.quiet);
            } else {
                prop_assert!(then.to > then.from);
                prop_assert!(emergency || apart >= thresholds.dwell);
                prop_assert!(emergency || then.to == then.from.worse());
            }
        }
    }

    /// Of two boxes that have lived the same, the one with more pressure is not recorded better.
    #[test]
    fn more_pressure_never_gives_a_better_level(ticks in ticks(), by in worse()) {
        let mut run = Run::new();
        for tick in &ticks {
            let mut other = run.policy.clone();
            let worse = worsened(*tick, by);
            other.step(run.now + TICK, &worse.reading, &worse.load);
            let level = run.step(tick);
            prop_assert!(other.level() >= level, "{:?} and {tick:?}", other.level());
        }
    }

    /// Nor is the one with more of it all the time.
    #[test]
    fn more_lasting_pressure_never_gives_a_better_level(ticks in ticks(), by in worse()) {
        let (mut run, mut other) = (Run::new(), Run::new());
        let mut tick = ticks[0];
        for _ in 0..1_000 {
            let level = run.step(&tick);
            prop_assert!(other.step(&worsened(tick, by)) >= level);
            tick.load.pictures += ticks[0].load.pictures;
            tick.load.dropped += ticks[0].load.dropped;
        }
    }

    #[test]
    fn back_to_normal_when_quiet(ticks in ticks()) {
        let mut run = Run::new();
        let mut last = Tick::default();
        for tick in &ticks {
            run.step(tick);
            last = *tick;
        }
        let calm = Tick {
            reading: Reading {
                failures: last.reading.failures,
                hits: last.reading.hits,
                ..Tick::used(50).reading
            },
            load: Load {
                pictures: last.load.pictures,
                dropped: last.load.dropped,
                ..Load::default()
            },
        };
        // Five steps, each after at most sixteen times the quiet time.
        let longest = thresholds().quiet.as_secs() * 16 * 5 + 60;
        prop_assert_eq!(run.hold(&calm, u32::try_from(longest).unwrap()), Level::Normal);
    }
}

#[test]
fn an_emergency_takes_two_steps_and_waits_only_while_it_eases() {
    let mut run = Run::new();
    assert_eq!(run.step(&Tick::used(115)), Level::HalfRate);
    assert_eq!(run.step(&Tick::used(114)), Level::HalfRate, "it eases");
    assert_eq!(run.step(&Tick::used(114)), Level::AudioOnly);
    assert_eq!(run.step(&Tick::used(114)), Level::PauseVideo, "it does not");
    assert_eq!(run.changes[0].1.cause, Cause::MemoryUse);
    assert_eq!(run.changes[0].1.figures.memory_used, Some(115 * MIB));
}

#[test]
fn between_the_bounds_a_level_stays() {
    let mut run = Run::new();
    run.hold(&Tick::used(50), 10);
    assert_eq!(run.step(&Tick::used(97)), Level::LowerLayer);
    assert_eq!(run.hold(&Tick::used(85), 3_600), Level::LowerLayer);
    assert_eq!(run.hold(&Tick::used(50), 29), Level::LowerLayer);
    assert_eq!(run.hold(&Tick::used(50), 2), Level::Normal);
}

/// A slow encoder is never answered with sound alone, and one late moment with nothing.
#[test]
fn a_cause_goes_no_further_than_it_helps() {
    let mut run = Run::new();
    run.hold(&Tick::used(50), 10);
    run.hold(&Tick::encoder_lag(2_000), 1);
    assert_eq!(run.hold(&Tick::used(50), 5), Level::Normal);
    assert_eq!(
        run.hold(&Tick::encoder_lag(60_000), 3_600),
        Level::KeyframesOnly
    );
    assert_eq!(run.changes.len(), 3);

    let mut run = Run::new();
    let mut late = Tick::encoder_lag(400);
    assert_eq!(run.hold(&late, 3_600), Level::Normal);
    late.reading.stalls.cpu = Some(100.0);
    assert_eq!(run.hold(&late, 3_600), Level::LowerLayer);
}

/// One processor of many is always waited for: of that alone nothing gets worse, and nothing stays
/// so.
#[test]
fn busy_processors_alone_cost_nothing() {
    let mut busy = Tick::used(50);
    busy.reading.stalls.cpu = Some(100.0);
    let mut run = Run::new();
    assert_eq!(run.hold(&busy, 3_600), Level::Normal);
    assert_eq!(run.changes.len(), 0);

    run.hold(&Tick::used(130), 2);
    assert_eq!(run.policy.level(), Level::PauseVideo);
    assert_eq!(run.hold(&busy, 3_600), Level::Normal);
}

/// What piled up before the step that helped has to be worked off.
#[test]
fn a_lag_that_shrinks_is_left_to_it() {
    let mut run = Run::new();
    run.hold(&Tick::used(50), 10);
    let slow = Tick::encoder_lag(4_000);
    while run.changes.is_empty() {
        run.step(&slow);
    }
    for lag in (700..4_000).rev().step_by(100) {
        assert_eq!(run.step(&Tick::encoder_lag(lag)), Level::LowerLayer);
    }
    // One that only trembles is not.
    for tick in 0..60 {
        run.step(&Tick::encoder_lag(2_000 - tick));
    }
    assert!(run.policy.level() > Level::LowerLayer);
}

#[test]
fn a_level_that_does_not_last_is_tried_less_and_less_often() {
    let mut run = Run::new();
    // The box is too slow for the best picture, and fast enough for the next.
    for _ in 0..4 * 3_600 {
        let lag = if run.policy.level() == Level::Normal {
            1_000
        } else {
            100
        };
        run.step(&Tick::encoder_lag(lag));
    }
    assert!(run.changes.len() <= 24, "{} in an hour", run.changes.len());
    assert!(run.changes.len() >= 14, "it is tried");
    // What is another matter comes back as fast as ever.
    run.hold(&Tick::encoder_lag(1_000), 10);
    run.hold(&Tick::used(130), 2);
    assert_eq!(run.policy.level(), Level::PauseVideo);
    assert_eq!(run.hold(&Tick::used(50), 125), Level::LowerLayer);
}

#[test]
fn drops_warn_and_then_step() {
    let mut run = Run::new();
    let mut tick = Tick::used(50);
    let mut drop = |run: &mut Run, each: u64, seconds: u32| {
        for _ in 0..seconds * 4 {
            tick.load.pictures += 8;
            if tick.load.pictures.is_multiple_of(8 * each) {
                tick.load.dropped += 8;
            }
            run.step(&tick);
        }
    };
    drop(&mut run, 14, 120);
    assert_eq!(run.policy.level(), Level::Normal);
    assert!((1..=2).contains(&run.warnings.len()), "{:?}", run.warnings);
    let is_error = |warning: &(Instant, Warning)| matches!(warning.1, Warning::Dropping { error, .. } if error);
    assert!(!run.warnings.iter().any(is_error));
    while run.changes.is_empty() {
        drop(&mut run, 5, 1);
    }
    assert!(run.warnings.iter().any(is_error));
    assert_eq!(run.policy.level(), Level::LowerLayer);
    assert_eq!(run.changes[0].1.cause, Cause::Drops);
    // Judged anew at the new level, and gone on with where it did not help.
    drop(&mut run, 5, 4);
    assert_eq!(run.policy.level(), Level::LowerLayer);
    drop(&mut run, 5, 5);
    assert_eq!(run.policy.level(), Level::HalfRate);
}

/// Reached limits are no emergency by themselves: page cache reaches them all the time.
#[test]
fn a_reached_limit_counts_only_where_little_is_left() {
    let at = |held: u64, hits: u64| {
        let mut tick = Tick::used(60);
        tick.reading.nearest = Some(Nearest {
            held: held * MIB,
            limit: 128 * MIB,
        });
        tick.reading.hits = hits;
        tick
    };
    let mut run = Run::new();
    for hits in 0..100 {
        assert_eq!(run.step(&at(80, hits)), Level::Normal);
    }
    assert_eq!(run.step(&at(117, 100)), Level::HalfRate);
    assert_eq!(run.changes[0].1.cause, Cause::MemoryLimit);
}

#[test]
fn a_neighbour_that_fills_the_machine_costs_no_sound_alone_and_is_named() {
    let mut full = Tick::used(60);
    full.reading.nearest = Some(Nearest {
        held: 1_000 * MIB,
        limit: 1_024 * MIB,
    });
    let mut run = Run::new();
    assert_eq!(run.hold(&full, 600), Level::KeyframesOnly);
    assert!((9..=11).contains(&run.warnings.len()));
    assert!(
        run.warnings[0]
            .1
            .to_string()
            .contains("not ours (memory_limit)")
    );

    // What is ours is given up.
    full.reading.nearest = Some(Nearest {
        held: 62 * MIB,
        limit: 64 * MIB,
    });
    assert_eq!(run.hold(&full, 600), Level::PauseVideo);

    let mut run = Run::new();
    run.step(&Tick::used(60));
    let mut killed = Tick::used(60);
    killed.reading.failures = 1;
    assert_eq!(run.step(&killed), Level::HalfRate);
    assert_eq!(run.changes[0].1.cause, Cause::OutOfMemory);
    killed.reading.under_oom = true;
    assert_eq!(run.step(&killed), Level::AudioOnly);
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let mut run = Run::new();
    assert_eq!(run.hold(&Tick::default(), 3_600), Level::Normal);
    assert!(run.changes.is_empty() && run.warnings.is_empty());
}
