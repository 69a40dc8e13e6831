//! How short each thing is, and how far a level can help with it; pure.
//!
//! | cause | strained | calm | at most |
//! |---|---|---|---|
//! | out of memory | (an emergency) | it did not happen | pause; keyframes only if not ours |
//! | memory limit | 10 % or 64 MiB left | 20 % or 128 MiB left | likewise |
//! | memory use | `upper` | `lower` | pause |
//! | memory pressure | 20 % of time | 5 % | keyframes only |
//! | encoder lag | 750 ms | 300 ms | keyframes only |
//! | disk lag | 3 s | 1.5 s | keyframes only |
//! | drops | `drop_error` | `drop_warn` | keyframes only |
//! | CPU pressure | 80 % of time, while an encoder lags by 300 ms | otherwise | lower layer |
//!
//! Only memory of ours is worth the whole picture: without it we are killed, with sound and all.
//! A lag is over with one picture each two seconds, and if it is not, no picture at all would not
//! help it either. Processors that are busy while nothing lags do no harm, and may be busy for
//! ever: what the kernel says is of the whole machine, where we have no group of our own, and of 64
//! processors one is always waited for. They only tell what a beginning lag comes from.

use std::time::Duration;

use super::budget::Budget;
use super::change::Cause;
use super::drops::Share;
use super::level::Level;
use super::reading::{Load, Nearest, Reading};
use super::thresholds::Thresholds;

/// How short a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Degree {
    /// It allows a better level.
    Calm,
    /// Between both bounds: everything stays as it is.
    Held,
    /// It asks for a worse level.
    Strained,
    /// It asks for it at once.
    Emergency,
}

/// How short one thing is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strain {
    pub(super) cause: Cause,
    pub(super) degree: Degree,
    /// No level beyond this one helps.
    pub(super) furthest: Level,
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) thresholds: &'a Thresholds,
    pub(super) budget: Budget,
    pub(super) reading: &'a Reading,
    pub(super) load: &'a Load,
    pub(super) drops: Option<Share>,
    /// [`Reading::failures`] has grown.
    pub(super) failed: bool,
    /// [`Reading::hits`] has grown.
    pub(super) hit: bool,
}

/// With less than this left of a limit it is strained: this share of it, and this much at most
/// (a machine with 24 GiB is not short when 2 are left).
const STRAINED_LEFT: (u64, u64) = (10, 64 << 20);
const EMERGENCY_LEFT: (u64, u64) = (20, 32 << 20);
const CALM_LEFT: (u64, u64) = (5, 128 << 20);

/// The share of a limit, as a divisor, from which on what we have is worth giving up for it.
const OURS: u64 = 4;

/// Percent of time: lower and upper bound. Some waiting for memory is normal: each page of a
/// program that is read anew counts.
const MEMORY_STALLS: (f64, f64) = (5.0, 20.0);
/// Percent of time. An encoder with several threads makes its own on a small board.
const CPU_STALLS: f64 = 80.0;
/// Decoding and encoding take up to 200 ms where all is well.
const ENCODER_LAG: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(750));
/// Bytes wait for up to a second where all is well (`writer.flush_interval`).
const DISK_LAG: (Duration, Duration) = (Duration::from_millis(1_500), Duration::from_secs(3));

/// Everything, what matters most first.
pub(super) fn all(seen: &Seen<'_>) -> [Strain; 8] {
    let Seen { reading, load, .. } = *seen;
    let strain = |cause, degree, furthest| Strain {
        cause,
        degree,
        furthest,
    };
    let waited = reading.stalls.memory.unwrap_or_default();
    let shared = furthest_for(reading);
    let picture = Level::KeyframesOnly;
    [
        strain(Cause::OutOfMemory, failure(seen), shared),
        strain(Cause::MemoryLimit, limit(reading, seen.hit), shared),
        strain(Cause::MemoryUse, usage(seen), Level::PauseVideo),
        strain(
            Cause::MemoryPressure,
            between(waited, MEMORY_STALLS),
            picture,
        ),
        strain(
            Cause::EncoderLag,
            between(load.encoder_lag, ENCODER_LAG),
            picture,
        ),
        strain(Cause::DiskLag, between(load.disk_lag, DISK_LAG), picture),
        strain(Cause::Drops, drops(seen), picture),
        strain(Cause::CpuPressure, processors(seen), Level::LowerLayer),
    ]
}

fn processors(seen: &Seen<'_>) -> Degree {
    let waited = seen.reading.stalls.cpu.unwrap_or_default();
    if seen.load.encoder_lag >= ENCODER_LAG.0 && waited >= CPU_STALLS {
        Degree::Strained
    } else {
        Degree::Calm
    }
}

fn between<T: Copy + PartialOrd>(found: T, (lower, upper): (T, T)) -> Degree {
    if found >= upper {
        Degree::Strained
    } else if found >= lower {
        Degree::Held
    } else {
        Degree::Calm
    }
}

fn failure(seen: &Seen<'_>) -> Degree {
    if seen.failed || seen.reading.under_oom {
        Degree::Emergency
    } else {
        Degree::Calm
    }
}

/// With less left of a limit than this many bytes it is an emergency.
pub(super) fn emergency_left(limit: u64) -> u64 {
    left(EMERGENCY_LEFT, limit)
}

fn left((part, most): (u64, u64), limit: u64) -> u64 {
    (limit / part).min(most)
}

fn limit(reading: &Reading, hit: bool) -> Degree {
    let Some(nearest) = reading.nearest else {
        return Degree::Calm;
    };
    let less = |bounds| nearest.free() < left(bounds, nearest.limit);
    // That it was reached says nothing by itself: page cache fills every group up to its limit.
    if less(EMERGENCY_LEFT) || (less(STRAINED_LEFT) && hit) {
        Degree::Emergency
    } else if less(STRAINED_LEFT) {
        Degree::Strained
    } else if less(CALM_LEFT) {
        Degree::Held
    } else {
        Degree::Calm
    }
}

fn usage(seen: &Seen<'_>) -> Degree {
    let Some(used) = seen.reading.used else {
        return Degree::Calm;
    };
    let Thresholds {
        upper,
        lower,
        emergency,
        ..
    } = *seen.thresholds;
    let line = |percent| seen.budget.percent(percent);
    if used >= line(emergency) {
        return Degree::Emergency;
    }
    between(used, (line(lower), line(upper)))
}

fn drops(seen: &Seen<'_>) -> Degree {
    let Some(share) = seen.drops else {
        return Degree::Calm;
    };
    let bound = |percent: u8| f64::from(percent);
    if share.percent > bound(seen.thresholds.drop_error) {
        Degree::Strained
    } else if share.percent > bound(seen.thresholds.drop_warn) {
        Degree::Held
    } else {
        Degree::Calm
    }
}

/// Sorts limits, the one that is nearest to being short first: what is left, in thousandths of what
/// [`limit`] asks to be left. In shares of the limit a large machine would hide a small group.
pub(super) fn urgency(nearest: &Nearest) -> (u128, u64) {
    let asked = left(STRAINED_LEFT, nearest.limit).max(1);
    let thousandths = u128::from(nearest.free()) * 1000 / u128::from(asked);
    (thousandths, nearest.limit)
}

/// Whether so much of the nearest limit is ours that to give it up helps. Where it can't be known
/// it may be.
pub(super) fn is_ours(reading: &Reading) -> bool {
    match (reading.used, reading.nearest) {
        (Some(used), Some(Nearest { limit, .. })) => used >= limit / OURS,
        _ => true,
    }
}

fn furthest_for(reading: &Reading) -> Level {
    if is_ours(reading) {
        Level::PauseVideo
    } else {
        Level::KeyframesOnly
    }
}
