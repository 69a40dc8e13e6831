//! What is deleted, and in which order; pure.
//!
//! Nothing, unless the operator has given a quota or an age. With either of them whole
//! recordings go, the oldest first: those that are too old, then as many as the quota and the
//! floor of free space ask for. Never one that somebody works on, never one that is kept.

use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use super::space::Space;
use crate::config;

/// The floor of free space by default, where a tenth of the file system is more.
const MOST_FLOOR: u64 = 1 << 30;

/// Recordings go on with at least this much more than the floor: some seconds of several.
const LEAST_MARGIN: u64 = 16 << 20;

/// A wall clock before this has never been set: the program is younger.
pub const FIRST_PLAUSIBLE: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// What the operator allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all recordings together may have.
    pub quota: Option<u64>,
    /// Bytes that are to stay free; none for the default.
    pub min_free: Option<u64>,
    /// Recordings that ended longer ago are deleted.
    pub max_age: Option<Duration>,
}

impl Limits {
    /// What a configuration allows.
    #[must_use]
    pub fn of(storage: &config::Storage) -> Self {
        Self {
            quota: storage.quota.map(config::ByteSize::bytes),
            min_free: storage.min_free.map(config::ByteSize::bytes),
            max_age: storage.max_age,
        }
    }

    /// Whether anything may be deleted.
    #[must_use]
    pub const fn allow_deletion(&self) -> bool {
        self.quota.is_some() || self.max_age.is_some()
    }

    /// Bytes that are to stay free on a file system of `total` bytes.
    #[must_use]
    pub fn floor(&self, total: u64) -> u64 {
        self.min_free.unwrap_or(MOST_FLOOR.min(total / 10))
    }

    /// Bytes that are to be free again before recordings go on, and which deletion sees to.
    #[must_use]
    pub fn enough(&self, total: u64) -> u64 {
        let floor = self.floor(total);
        floor.saturating_add(LEAST_MARGIN.max(floor / 10))
    }

    /// Bytes that recordings may have; less when they had more than `quota` before.
    #[must_use]
    pub const fn aim(&self, quota: u64, was_over: bool) -> u64 {
        if was_over { quota - quota / 10 } else { quota }
    }

    /// Whether deletion is to make room, with `space` as it is.
    #[must_use]
    pub fn asks_for_room(&self, space: Space) -> bool {
        self.allow_deletion()
            && self.floor(space.total) > 0
            && space.free < self.enough(space.total)
    }
}

/// A recording on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Its folder.
    pub path: PathBuf,
    /// When it started, as its name says.
    pub started: OffsetDateTime,
    /// When it was last written, as the wall clock said then.
    pub written: OffsetDateTime,
    /// What it takes of the disk.
    pub bytes: u64,
    /// Somebody works on it, or it can't be deleted.
    pub busy: bool,
    /// It is marked to be kept.
    pub kept: bool,
}

/// Why a recording is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is older than `storage.max_age`.
    Age,
    /// All recordings together have more than `storage.quota`.
    Quota,
    /// Less than `storage.min_free`, and some more, is free.
    Space,
}

impl Reason {
    /// The word used in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "max_age",
            Self::Quota => "quota",
            Self::Space => "min_free",
        }
    }
}

/// The circumstances of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// What the file system has.
    pub space: Space,
    /// The wall clock; none while it can't be believed.
    pub now: Option<OffsetDateTime>,
    /// Recordings had more than the quota when this was last decided.
    pub was_over: bool,
}

/// The recordings to delete, in this order, by their place in `stock`.
#[must_use]
pub fn plan(
    stock: &[Stock],
    limits: &Limits,
    circumstances: Circumstances,
) -> Vec<(usize, Reason)> {
    if !limits.allow_deletion() {
        return Vec::new();
    }
    let mut candidates: Vec<(usize, &Stock)> = stock
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.busy && !one.kept)
        .collect();
    candidates.sort_by(|(_, a), (_, b)| (a.started, &a.path).cmp(&(b.started, &b.path)));
    let Circumstances {
        space,
        now,
        was_over,
    } = circumstances;
    let (mut go, stay): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|(_, one)| limits.is_too_old(one, now));
    let sum = |of: &mut dyn Iterator<Item = u64>| of.fold(0, u64::saturating_add);
    let mut freed = sum(&mut go.iter().map(|(_, one)| one.bytes));
    let used = sum(&mut stock.iter().map(|one| one.bytes));
    let mut plan: Vec<_> = go.drain(..).map(|(at, _)| (at, Reason::Age)).collect();
    // To delete what takes no room helps nobody.
    for (at, one) in stay.into_iter().filter(|(_, one)| one.bytes > 0) {
        let left = Space {
            free: space.free.saturating_add(freed),
            ..space
        };
        let has_too_much = |quota| used.saturating_sub(freed) > limits.aim(quota, was_over);
        let reason = if limits.quota.is_some_and(has_too_much) {
            Reason::Quota
        } else if limits.asks_for_room(left) {
            Reason::Space
        } else {
            break;
        };
        plan.push((at, reason));
        freed = freed.saturating_add(one.bytes);
    }
    plan
}

impl Limits {
    /// Whether a recording is older than allowed. The age of one that was written before the
    /// clock was set is not known; nor is any, while the clock is behind what is on the disk.
    fn is_too_old(&self, one: &Stock, now: Option<OffsetDateTime>) -> bool {
        let (Some(max_age), Some(now)) = (self.max_age, now) else {
            return false;
        };
        let ended = one.written.max(one.started);
        let age = now - ended;
        ended >= FIRST_PLAUSIBLE && age > max_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const NOON: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn stock(name: &str, hours_ago: i64, mib: u64) -> Stock {
        let started = NOON - time::Duration::hours(hours_ago);
        Stock {
            path: PathBuf::from(name),
            started,
            written: started,
            bytes: mib * MIB,
            busy: false,
            kept: false,
        }
    }

    fn circumstances(free: u64) -> Circumstances {
        Circumstances {
            space: Space {
                free,
                total: 32 * GIB,
            },
            now: Some(NOON),
            was_over: false,
        }
    }

    fn names(stock: &[Stock], limits: &Limits, at: Circumstances) -> Vec<(String, Reason)> {
        plan(stock, limits, at)
            .into_iter()
            .map(|(at, reason)| (stock[at].path.display().to_string(), reason))
            .collect()
    }

    #[test]
    fn the_floor_is_a_tenth_or_a_gibibyte() {
        let default = Limits::default();
        assert_eq!(default.floor(32 * GIB), GIB);
        assert_eq!(default.floor(4 * GIB), 4 * GIB / 10);
        assert_eq!(default.enough(32 * GIB), GIB + GIB / 10);
        assert_eq!(default.enough(100 * MIB), 10 * MIB + 16 * MIB);
        let none = Limits {
            min_free: Some(0),
            quota: Some(GIB),
            ..default
        };
        let space = Space {
            free: 0,
            total: GIB,
        };
        assert!(!none.asks_for_room(space), "no floor, nothing to defend");
    }

    #[test]
    fn nothing_is_deleted_unless_the_operator_said_so() {
        let stock = [stock("a", 9_999, 9_999)];
        let floor_only = Limits {
            min_free: Some(GIB),
            ..Limits::default()
        };
        for limits in [Limits::default(), floor_only] {
            assert!(plan(&stock, &limits, circumstances(0)).is_empty());
        }
    }

    #[test]
    fn too_old_ones_go_and_then_the_oldest() {
        let mut stock = [
            stock("new", 1, 100),
            stock("old", 50, 100),
            stock("kept", 60, 100),
            stock("older", 51, 100),
            stock("middle", 10, 100),
            stock("running", 61, 100),
        ];
        stock[2].kept = true;
        stock[5].busy = true;
        let limits = Limits {
            quota: Some(350 * MIB),
            min_free: None,
            max_age: Some(Duration::from_hours(50) + Duration::from_secs(1)),
        };
        let expected = [
            ("older".to_owned(), Reason::Age),
            ("old".to_owned(), Reason::Quota),
            ("middle".to_owned(), Reason::Quota),
        ];
        assert_eq!(names(&stock, &limits, circumstances(20 * GIB)), expected);
        // 100 MiB short: one goes for the age and that is enough.
        let limits = Limits {
            quota: None,
            ..limits
        };
        let enough = limits.enough(32 * GIB);
        let short = names(&stock, &limits, circumstances(enough - 100 * MIB));
        assert_eq!(short, expected[..1]);
        let shorter = names(&stock, &limits, circumstances(enough - 101 * MIB));
        assert_eq!(shorter[1], ("old".to_owned(), Reason::Space));
        assert_eq!(shorter.len(), 2);
    }

    #[test]
    fn an_age_that_is_not_known_deletes_nothing() {
        let limits = Limits {
            max_age: Some(Duration::from_hours(1)),
            ..Limits::default()
        };
        let plan = |one: Stock, now| {
            let at = Circumstances {
                now,
                ..circumstances(20 * GIB)
            };
            super::plan(&[one], &limits, at).len()
        };
        let old = || stock("old", 50, 1);
        assert_eq!(plan(old(), Some(NOON)), 1);
        assert_eq!(plan(old(), None), 0);
        assert_eq!(plan(old(), Some(OffsetDateTime::UNIX_EPOCH)), 0);
        let mut unset = old();
        (unset.started, unset.written) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(plan(unset.clone(), Some(NOON)), 0);
        // It began in 1970 and the clock was set meanwhile.
        unset.written = NOON - time::Duration::hours(2);
        assert_eq!(plan(unset, Some(NOON)), 1);
    }

    fn any_stock() -> impl Strategy<Value = Vec<Stock>> {
        let one = (0..90_i64, 0..500_u64, 0..4_u8).prop_map(|(hours, mib, kind)| Stock {
            busy: kind == 0,
            kept: kind == 1,
            ..stock("x", hours, mib)
        });
        proptest::collection::vec(one, 0..30).prop_map(|mut all| {
            for (n, one) in all.iter_mut().enumerate() {
                one.path = PathBuf::from(format!("{n:02}"));
            }
            all
        })
    }

    proptest! {
        #[test]
        fn whatever_there_is(
            stock in any_stock(),
            quota in proptest::option::of(0..5_000_u64),
            hours in proptest::option::of(1..90_u64),
            free in 0..3_000_u64,
            was_over: bool,
        ) {
            let limits = Limits {
                quota: quota.map(|mib| mib * MIB),
                min_free: None,
                max_age: hours.map(Duration::from_hours),
            };
            let at = Circumstances { was_over, ..circumstances(free * MIB) };
            let planned = plan(&stock, &limits, at);
            let gone: BTreeSet<usize> = planned.iter().map(|(at, _)| *at).collect();
            prop_assert_eq!(gone.len(), planned.len(), "each once");
            prop_assert_eq!(&planned, &plan(&stock, &limits, at), "deterministic");

            let left: Vec<Stock> = (0..stock.len())
                .filter(|n| !gone.contains(n))
                .map(|n| stock[n].clone())
                .collect();
            for (n, _) in &planned {
                prop_assert!(!stock[*n].busy && !stock[*n].kept);
            }
            // Of those that can go, none that stays is older than one that goes for its bytes.
            let oldest_left = left
                .iter()
                .filter(|one| !one.busy && !one.kept && one.bytes > 0)
                .map(|one| one.started)
                .min();
            let for_bytes = planned.iter().filter(|(_, reason)| *reason != Reason::Age);
            let newest_gone = for_bytes.map(|(n, _)| stock[*n].started).max();
            if let (Some(left), Some(gone)) = (oldest_left, newest_gone) {
                prop_assert!(gone <= left);
            }
            // Nothing more goes once these have gone: it was all that was needed.
            let bytes = |of: &BTreeSet<usize>| of.iter().map(|n| stock[*n].bytes).sum::<u64>();
            let after = |gone: &BTreeSet<usize>| Circumstances {
                space: Space { free: free * MIB + bytes(gone), ..at.space },
                ..at
            };
            prop_assert!(plan(&left, &limits, after(&gone)).is_empty());
            // Nor was it too much: without the last one something still has to go.
            if let Some((last, reason)) = planned.last() {
                let mut fewer = gone.clone();
                fewer.remove(last);
                let with_last: Vec<Stock> = (0..stock.len())
                    .filter(|n| !fewer.contains(n))
                    .map(|n| stock[n].clone())
                    .collect();
                let again = plan(&with_last, &limits, after(&fewer));
                prop_assert_eq!(again.len(), 1, "{:?}", reason);
                prop_assert_eq!(&with_last[again[0].0].path, &stock[*last].path);
            }
        }
    }
}
