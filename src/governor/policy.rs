//! Which level holds, from what is read and reported; pure.
//!
//! - Worse, by one step, when something is strained: at once if the level has held for `dwell`;
//!   for lags and pressure later (see [`patience`]).
//!   A lag that shrinks by itself is left to it: behind a slow encoder the pictures of some seconds
//!   wait, and have to be worked off after the step that helped.
//! - Worse by two steps, without waiting, in an emergency: and again each second tick while it
//!   eases, each tick while it does not.
//! - Better, by one step, when nothing that this level helps with was short for `quiet`. Where a
//!   step back did not last, the next one to that level waits twice as long, up to 16 times: a box
//!   that is too slow for the best picture does not go to and fro each half a minute.

use std::time::{Duration, Instant};

use super::budget::Budget;
use super::change::{Cause, Change, Figures, Warning};
use super::drops::{Drops, Share};
use super::level::Level;
use super::reading::{Load, Reading};
use super::strain::{self, Degree, Seen, Strain};
use super::thresholds::Thresholds;

/// Between two warnings of a kind.
const WARN_EACH: Duration = Duration::from_mins(1);

/// Averages of the last 10 s do not show earlier that a step has helped.
const AVERAGE: Duration = Duration::from_secs(10);

/// `quiet` doubles so often at most.
const MOST_DOUBLINGS: u32 = 4;

/// Decides the level. One for the process.
#[derive(Debug, Clone)]
pub struct Policy {
    thresholds: Thresholds,
    budget: Budget,
    level: Level,
    /// The level's last change.
    changed: Instant,
    /// Since when nothing stands in the way of a better level.
    quiet_since: Option<Instant>,
    /// Since when each cause has been strained without a break, in the order of [`strain::all`].
    strained_since: [Option<Instant>; 8],
    /// The last step back, while it is not known whether it lasts.
    stepped_back: Option<Instant>,
    /// The level that did not last when it had come back, and how often `quiet` is doubled before
    /// it, or a better one, is tried again.
    too_good: Level,
    doublings: u32,
    /// The last tick was an emergency with a step: what for, and how much was held.
    eased_from: Option<(Cause, u64)>,
    totals: Option<Totals>,
    lags: [Shrinking; 2],
    drops: Drops,
    warnings: Warnings,
}

/// Running totals of the last reading.
#[derive(Debug, Clone, Copy)]
struct Totals {
    failures: u64,
    hits: u64,
}

/// A lag since the last change of level.
#[derive(Debug, Clone, Copy, Default)]
struct Shrinking {
    lowest: Option<Duration>,
    /// When it was last a tenth lower than ever.
    since: Option<Instant>,
}

impl Shrinking {
    fn see(&mut self, now: Instant, found: Duration) {
        match self.lowest {
            Some(lowest) if found <= lowest / 10 * 9 => {
                self.lowest = Some(found);
                self.since = Some(now);
            }
            Some(_) => {}
            None => self.lowest = Some(found),
        }
    }
}

/// What was said last, and is to be said.
#[derive(Debug, Clone, Default)]
struct Warnings {
    dropping: Option<(Instant, bool)>,
    not_ours: Option<Instant>,
    next: Option<Warning>,
}

impl Policy {
    /// Begins at [`Level::Normal`].
    #[must_use]
    pub fn new(thresholds: Thresholds, budget: Budget, now: Instant) -> Self {
        Self {
            thresholds,
            budget,
            level: Level::Normal,
            changed: now,
            quiet_since: None,
            strained_since: [None; 8],
            stepped_back: None,
            too_good: Level::Normal,
            doublings: 0,
            eased_from: None,
            totals: None,
            lags: [Shrinking::default(); 2],
            drops: Drops::default(),
            warnings: Warnings::default(),
        }
    }

    /// The level that holds.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The budget that it keeps within.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        self.budget
    }

    /// What should be said since the last call. At most one for each [`Policy::step`]; one that
    /// is not fetched is replaced by the next.
    pub fn take_warning(&mut self) -> Option<Warning> {
        self.warnings.next.take()
    }

    /// Decides anew: to be called each 250 ms, and whenever the kernel reports pressure. `now`
    /// never goes back.
    pub fn step(&mut self, now: Instant, reading: &Reading, load: &Load) -> Option<Change> {
        let (failed, hit) = self.count(reading);
        self.drops.push(now, load);
        // What piled up at the level before, and is dropped now, says nothing of this one.
        if now.duration_since(self.changed) < self.thresholds.dwell {
            self.drops.restart();
        }
        let share = self.drops.share();
        let seen = Seen {
            thresholds: &self.thresholds,
            budget: self.budget,
            reading,
            load,
            drops: share,
            failed,
            hit,
        };
        let strains = strain::all(&seen);
        self.watch(now, &strains, load);
        let percent = share.map(|share| share.percent);
        let figures = Figures::of(reading, load, self.budget.bytes(), percent);
        self.warn(now, share, &strains, reading, figures);
        let (to, cause) = self.decide(now, &strains, reading)?;
        let from = std::mem::replace(&mut self.level, to);
        self.remember(now, from);
        Some(Change {
            from,
            to,
            cause,
            figures,
        })
    }

    /// Whether totals have grown. Those that go back are of other groups.
    fn count(&mut self, reading: &Reading) -> (bool, bool) {
        let totals = Totals {
            failures: reading.failures,
            hits: reading.hits,
        };
        match self.totals.replace(totals) {
            Some(last) => (totals.failures > last.failures, totals.hits > last.hits),
            None => (false, false),
        }
    }

    fn watch(&mut self, now: Instant, strains: &[Strain; 8], load: &Load) {
        for (lag, found) in self.lags.iter_mut().zip([load.encoder_lag, load.disk_lag]) {
            lag.see(now, found);
        }
        for (since, strain) in self.strained_since.iter_mut().zip(strains) {
            *since = (strain.degree >= Degree::Strained).then(|| since.unwrap_or(now));
        }
        let level = self.level;
        // What no level from here on helps with does not keep the better ones away.
        let blocks = |strain: &Strain| strain.degree > Degree::Calm && strain.furthest >= level;
        self.quiet_since = if strains.iter().any(blocks) {
            None
        } else {
            Some(self.quiet_since.unwrap_or(now))
        };
    }

    fn decide(
        &mut self,
        now: Instant,
        strains: &[Strain; 8],
        reading: &Reading,
    ) -> Option<(Level, Cause)> {
        let eased_from = self.eased_from.take();
        let helps = |strain: &&Strain| self.level < strain.furthest;
        let emergency = strains
            .iter()
            .filter(helps)
            .find(|strain| strain.degree == Degree::Emergency);
        if let Some(strain) = emergency {
            let held = held(strain.cause, reading);
            if eased_from.is_some_and(|(cause, before)| cause == strain.cause && held < before) {
                return None;
            }
            self.eased_from = Some((strain.cause, held));
            let to = self.level.worse().worse().min(strain.furthest);
            return Some((to, strain.cause));
        }
        let held_for = now.duration_since(self.changed);
        let due = |(strain, since): &(&Strain, &Option<Instant>)| {
            let (of_level, of_strain) = patience(strain.cause, self.thresholds.dwell);
            since.is_some_and(|since| now.duration_since(since) >= of_strain)
                && held_for >= of_level
                && helps(strain)
                && !self.shrinks(now, strain.cause)
        };
        if let Some((strain, _)) = strains.iter().zip(&self.strained_since).find(due) {
            return Some((self.level.worse(), strain.cause));
        }
        let quiet_for = now.duration_since(self.quiet_since?.max(self.changed));
        let better = self.level > Level::Normal && quiet_for >= self.quiet();
        better.then(|| (self.level.better(), Cause::Quiet))
    }

    /// Whether a lag is being worked off.
    fn shrinks(&self, now: Instant, cause: Cause) -> bool {
        let [encoder, disk] = &self.lags;
        let lag = match cause {
            Cause::EncoderLag => encoder,
            Cause::DiskLag => disk,
            _ => return false,
        };
        lag.since
            .is_some_and(|since| now.duration_since(since) < self.thresholds.dwell)
    }

    /// How long it has to be quiet before a step back.
    fn quiet(&self) -> Duration {
        let quiet = self.thresholds.quiet.max(self.thresholds.dwell);
        if self.level.better() > self.too_good {
            return quiet;
        }
        quiet.saturating_mul(1 << self.doublings)
    }

    fn remember(&mut self, now: Instant, from: Level) {
        if self.level < from {
            // The step back before this one has lasted.
            if self.stepped_back.replace(now).is_some() && from <= self.too_good {
                self.doublings = 0;
            }
        } else if let Some(since) = self.stepped_back.take() {
            let longest = self.thresholds.quiet.saturating_mul(2 << self.doublings);
            if now.duration_since(since) < longest {
                self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
                self.too_good = from;
            } else {
                self.doublings = 0;
            }
        }
        self.changed = now;
        self.quiet_since = None;
        self.lags = [Shrinking::default(); 2];
        self.drops.restart();
    }

    fn warn(
        &mut self,
        now: Instant,
        share: Option<Share>,
        strains: &[Strain; 8],
        reading: &Reading,
        figures: Figures,
    ) {
        let due = |last: Option<Instant>| last.is_none_or(|at| now.duration_since(at) >= WARN_EACH);
        let bound = |percent: u8| f64::from(percent);
        if let Some(Share { dropped, percent }) = share
            && percent > bound(self.thresholds.drop_warn)
        {
            let error = percent > bound(self.thresholds.drop_error);
            let last = self.warnings.dropping;
            // An error is said at once, whatever was a warning before.
            if due(last.map(|(at, _)| at)) || last.is_some_and(|(_, was)| error && !was) {
                self.warnings.dropping = Some((now, error));
                self.warnings.next = Some(Warning::dropping(dropped, percent, error));
            }
        }
        // Said when the level has gone as far as it helps.
        let idle = strains[..4]
            .iter()
            .filter(|strain| strain.cause != Cause::MemoryUse)
            .find(|strain| strain.degree >= Degree::Strained && self.level >= strain.furthest);
        if let Some(strain) = idle
            && !strain::is_ours(reading)
            && due(self.warnings.not_ours)
        {
            self.warnings.not_ours = Some(now);
            self.warnings.next = Some(Warning::NotOurs {
                cause: strain.cause,
                figures,
            });
        }
    }
}

/// How long the level must have held, and the strain have lasted, before a step.
///
/// Memory does not wait. A lag of one instant is a new segment, or a disk that erases a block. What
/// the kernel says of pressure is an average: after a step it takes 10 s to show that it has helped.
fn patience(cause: Cause, dwell: Duration) -> (Duration, Duration) {
    match cause {
        Cause::OutOfMemory | Cause::MemoryLimit | Cause::MemoryUse | Cause::Quiet => {
            (dwell, Duration::ZERO)
        }
        Cause::EncoderLag | Cause::DiskLag => (dwell.saturating_mul(2), dwell),
        Cause::Drops => (dwell, Duration::ZERO),
        Cause::MemoryPressure | Cause::CpuPressure => (dwell.max(AVERAGE), Duration::ZERO),
    }
}

/// What an emergency is about, in bytes: the same or more means that the step has not helped yet.
fn held(cause: Cause, reading: &Reading) -> u64 {
    match cause {
        Cause::MemoryUse => reading.used.unwrap_or_default(),
        Cause::MemoryLimit => reading.nearest.map_or(0, |nearest| nearest.held),
        _ => 0,
    }
}
