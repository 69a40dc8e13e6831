//! The whole box for hours: a publisher, an encoder, a disk, neighbours, and the memory that all
//! of it takes. Its queues have no limit: that memory keeps within its limit is the policy's doing.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::policy_tests::{TICK, thresholds};
use super::pressure::Stalls;
use super::*;

const MIB: f64 = 1_048_576.0;
const SECONDS: f64 = 0.25;
const LIMIT: f64 = 150.0;
const HOURS: u32 = 3;

/// What happens from some second on, for so many seconds.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The encoder needs so many milliseconds for a picture of 1080 lines.
    Encoder(f64),
    /// The disk takes so many MiB a second.
    Disk(f64),
    /// Others take so much of the processors.
    Processors(f64),
    /// Others in the group take so many MiB of its limit.
    Memory(f64),
    /// The publisher sends so many pictures a second.
    Publisher(f64),
}

/// What holds of the box now.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    encoder_ms: f64,
    disk: f64,
    taken: f64,
    neighbour: f64,
    rate: f64,
}

const FINE: Conditions = Conditions {
    encoder_ms: 22.0,
    disk: 20.0,
    taken: 0.0,
    neighbour: 10.0,
    rate: 30.0,
};

#[derive(Debug, Clone)]
struct Box {
    level: Level,
    /// Seconds of pictures that wait for the encoder, and MiB of them.
    waiting: f64,
    waiting_mib: f64,
    /// MiB that wait for the disk, and since when in seconds.
    unwritten: f64,
    unwritten_for: f64,
    pictures: f64,
    dropped: f64,
    cpu: f64,
}

/// What a level leaves: pictures, the work of one, and its bytes.
const fn left(level: Level) -> (f64, f64, f64) {
    match level {
        Level::Normal => (1.0, 1.0, 1.0),
        Level::LowerLayer => (1.0, 0.45, 0.5),
        Level::HalfRate => (0.5, 0.45, 0.5),
        Level::KeyframesOnly => (1.0 / 60.0, 0.45, 2.0),
        Level::AudioOnly | Level::PauseVideo => (0.0, 0.45, 0.5),
    }
}

impl Box {
    fn new() -> Self {
        Self {
            level: Level::Normal,
            waiting: 0.0,
            waiting_mib: 0.0,
            unwritten: 0.0,
            unwritten_for: 0.0,
            pictures: 0.0,
            dropped: 0.0,
            cpu: 0.0,
        }
    }

    fn live(&mut self, now: &Conditions) {
        let (share, work, bytes) = left(self.level);
        let arriving = now.rate * share * SECONDS;
        let cost = now.encoder_ms / 1000.0 * work / (1.0 - now.taken);
        let able = if arriving > 0.0 || self.waiting > 0.0 {
            SECONDS / cost
        } else {
            0.0
        };
        self.pictures += arriving;
        // Pictures wait encoded; beyond two seconds they are dropped, half of them too late.
        self.waiting = (self.waiting + arriving - able).max(0.0);
        let most = (now.rate * share).max(1.0) * 2.0;
        if self.waiting > most {
            let over = (self.waiting - most) / 2.0;
            self.dropped += over;
            self.waiting -= over;
        }
        // Two decoded ones, and what piles up behind them.
        self.waiting_mib = self.waiting * 0.08 * bytes + if share > 0.0 { 9.0 * work } else { 0.0 };
        self.unwritten += now.rate * share * SECONDS * 0.012 * bytes + 0.002;
        self.unwritten = (self.unwritten - now.disk * SECONDS).max(0.0);
        self.unwritten_for = if self.unwritten > 0.0 {
            self.unwritten_for + SECONDS
        } else {
            0.0
        };
        let busy = (arriving * cost / SECONDS * (1.0 - now.taken) + now.taken).min(1.0);
        let stalled = ((busy - 0.7).max(0.0) / 0.3 * 100.0).min(100.0);
        self.cpu += (stalled - self.cpu) * SECONDS / 10.0;
    }

    fn used(&self) -> f64 {
        let base = if self.level >= Level::AudioOnly {
            30.0
        } else {
            45.0
        };
        base + self.waiting_mib + self.unwritten
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small numbers"
    )]
    fn tell(&self, now: &Conditions) -> (Reading, Load) {
        let bytes = |mebibytes: f64| (mebibytes * MIB) as u64;
        let reading = Reading {
            used: Some(bytes(self.used())),
            nearest: Some(Nearest {
                held: bytes(self.used() + now.neighbour),
                limit: bytes(LIMIT),
            }),
            limit: Some(bytes(LIMIT)),
            stalls: Stalls {
                memory: Some(0.0),
                cpu: Some(self.cpu),
                io: None,
            },
            ..Reading::default()
        };
        let (share, ..) = left(self.level);
        let lag = if share > 0.0 {
            self.waiting / (now.rate * share).max(1.0)
        } else {
            0.0
        };
        let load = Load {
            encoder_lag: Duration::from_secs_f64(lag.min(60.0)),
            disk_lag: Duration::from_secs_f64(self.unwritten_for),
            pictures: self.pictures as u64,
            dropped: self.dropped as u64,
        };
        (reading, load)
    }
}

fn events() -> impl Strategy<Value = Vec<(u32, u32, Event)>> {
    let event = prop_oneof![
        (10.0..180.0).prop_map(Event::Encoder),
        (0.0..1.0).prop_map(Event::Disk),
        (0.0..0.9).prop_map(Event::Processors),
        (0.0..70.0).prop_map(Event::Memory),
        prop::sample::select(vec![0.0, 15.0, 60.0]).prop_map(Event::Publisher),
    ];
    prop::collection::vec((0..HOURS * 3_600, 2..600_u32, event), 0..60)
}

fn conditions(second: u32, events: &[(u32, u32, Event)]) -> Conditions {
    let mut now = FINE;
    let active = events
        .iter()
        .filter(|(from, length, _)| (*from..from + length).contains(&second));
    for (_, _, event) in active {
        match *event {
            Event::Encoder(ms) => now.encoder_ms = ms,
            Event::Disk(rate) => now.disk = rate,
            Event::Processors(taken) => now.taken = taken,
            Event::Memory(taken) => now.neighbour = taken,
            Event::Publisher(rate) => now.rate = rate,
        }
    }
    now
}

/// What came of some hours, and a calm one behind them.
struct Outcome {
    most_used: f64,
    changes: Vec<(Duration, Change)>,
    last: Level,
}

fn live(events: &[(u32, u32, Event)]) -> Outcome {
    let start = Instant::now();
    let budget = Budget::of(None, Some(157_286_400));
    let mut policy = Policy::new(thresholds(), budget, start);
    let mut all = Box::new();
    let mut outcome = Outcome {
        most_used: 0.0,
        changes: Vec::new(),
        last: Level::Normal,
    };
    for tick in 0..(HOURS + 1) * 3_600 * 4 {
        let now = conditions(tick / 4, events);
        all.live(&now);
        outcome.most_used = outcome.most_used.max(all.used());
        let (reading, load) = all.tell(&now);
        let at = tick * TICK;
        if let Some(change) = policy.step(start + at, &reading, &load) {
            all.level = change.to;
            outcome.changes.push((at, change));
        }
    }
    outcome.last = policy.level();
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_box_keeps_within_its_budget_for_hours_and_recovers(events in events()) {
        let outcome = live(&events);
        let budget = LIMIT * 0.8;
        prop_assert!(outcome.most_used <= budget, "{} MiB", outcome.most_used);
        prop_assert_eq!(outcome.last, Level::Normal);
        // Each event can cost some steps there, and as many back; without end it does not go on.
        let most = 12 * events.len() + 4;
        prop_assert!(outcome.changes.len() <= most, "{} changes", outcome.changes.len());
        for pair in outcome.changes.windows(2) {
            let (before, at) = (pair[0].0, pair[1].0);
            let back = pair[1].1.cause == Cause::Quiet;
            prop_assert!(!back || at.saturating_sub(before) >= thresholds().quiet);
        }
    }
}

#[test]
fn a_box_where_all_is_well_changes_nothing() {
    let outcome = live(&[]);
    assert!(outcome.changes.is_empty(), "{:?}", outcome.changes[0].1);
}

/// The case that the recorder is built for: 100 ms a picture against the 33 that there are.
#[test]
fn a_slow_encoder_costs_quality_and_no_memory() {
    let outcome = live(&[(60, 3_600, Event::Encoder(100.0))]);
    assert!(outcome.most_used < 75.0, "{} MiB", outcome.most_used);
    let worst = outcome.changes.iter().map(|(_, change)| change.to).max();
    assert_eq!(worst, Some(Level::HalfRate), "two steps are enough");
    assert!(outcome.changes.len() < 30, "{}", outcome.changes.len());
    assert_eq!(outcome.last, Level::Normal);
}

#[test]
fn a_disk_that_stands_still_for_ten_seconds_costs_no_sound() {
    let outcome = live(&[(60, 10, Event::Disk(0.0))]);
    let worst = outcome.changes.iter().map(|(_, change)| change.to).max();
    assert_eq!(worst, Some(Level::HalfRate));
    assert_eq!(outcome.last, Level::Normal);
}

/// What would pile up if nothing was given up: shows that the simulation can fail.
#[test]
fn without_a_policy_the_same_box_uses_up_its_budget() {
    let mut all = Box::new();
    let now = Conditions { disk: 0.0, ..FINE };
    let most = (0..600 * 4).fold(0.0_f64, |most, _| {
        all.live(&now);
        most.max(all.used())
    });
    assert!(most > LIMIT, "{most} MiB");
}
