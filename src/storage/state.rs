//! Whether there may be recordings; pure.

use std::fmt;
use std::time::Instant;

use indicatif::BinaryBytes;

use super::retention::Limits;
use super::space::Space;

/// What is known of the storage. Numbers are renewed in place; receivers are woken when the
/// kind of `state` changes, and by the first look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// Whether there may be recordings, and why not.
    pub state: StorageState,
    /// What the file system has; none while it can't be seen.
    pub space: Option<Space>,
    /// Bytes that are to stay free, of this file system.
    pub floor: Option<u64>,
    /// Bytes that all recordings together take, when they were last counted.
    pub used: Option<u64>,
    /// Something was mounted at the output directory at the start. It must be for a recording to
    /// begin: below it lies another disk.
    pub mounted: bool,
    /// When it was last looked at; none before the first time. Long ago means that the disk
    /// hangs.
    pub looked: Option<Instant>,
}

/// Whether there may be recordings, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StorageState {
    /// There may.
    #[default]
    Ready,
    /// Too little is free; recordings pause until there is more.
    Low {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free.
        floor: u64,
    },
    /// The recordings have more than they may, and none of them may be deleted.
    OverQuota {
        /// Bytes that they have.
        used: u64,
        /// Bytes that they may have.
        quota: u64,
    },
    /// The file system is mounted read-only, or was made so after an error.
    ReadOnly,
    /// The output directory is gone, or its file system is no longer mounted there.
    Missing,
    /// The disk fails otherwise, in the words of the error.
    Failing(String),
}

impl StorageState {
    /// Whether recordings may be written.
    #[must_use]
    pub const fn may_record(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// Whether the disk can't be used at all, not even to read what is on it or to delete it.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::ReadOnly | Self::Missing | Self::Failing(_))
    }

    /// One word for metrics and `--json`; these never change.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Low { .. } => "low",
            Self::OverQuota { .. } => "over_quota",
            Self::ReadOnly => "read_only",
            Self::Missing => "missing",
            Self::Failing(_) => "failing",
        }
    }

    /// Whether both are the same apart from numbers and words.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What is wrong and what to do, on one line.
impl fmt::Display for StorageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("the disk can be written"),
            Self::Low { free, floor } => write!(
                f,
                "only {} are free and {} are to stay free: make room, or set storage.quota so that \
                 old recordings are deleted",
                BinaryBytes(*free),
                BinaryBytes(*floor)
            ),
            Self::OverQuota { used, quota } => write!(
                f,
                "recordings have {} of a quota of {} and none may be deleted: raise storage.quota, \
                 or `reeld keep --undo` some",
                BinaryBytes(*used),
                BinaryBytes(*quota)
            ),
            Self::ReadOnly => f.write_str(
                "the file system is read-only: look for its errors in the kernel log, check it and \
                 mount it again",
            ),
            Self::Missing => f.write_str(
                "the output directory is gone, or nothing is mounted there any more: put the card \
                 back, or mount it",
            ),
            Self::Failing(error) => f.write_str(error),
        }
    }
}

/// Why the disk can't be used at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    ReadOnly,
    Missing,
    Failing(String),
}

/// What a look at the disk has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) space: Space,
    /// A write found no room, whatever `space` says: a quota of the system, or no more inodes.
    pub(super) full: bool,
}

/// The state now. It was `before`: what had too little room is ready again with some more than
/// it needs, so that it does not go back and forth.
pub(super) fn verdict(
    look: Result<&Look, &Trouble>,
    used: Option<u64>,
    limits: &Limits,
    before: &StorageState,
) -> StorageState {
    let Look { space, full } = match look {
        Ok(look) => look,
        Err(Trouble::ReadOnly) => return StorageState::ReadOnly,
        Err(Trouble::Missing) => return StorageState::Missing,
        Err(Trouble::Failing(error)) => return StorageState::Failing(error.clone()),
    };
    let was_low = matches!(before, StorageState::Low { .. });
    let floor = limits.floor(space.total);
    if *full || space.free < floor || was_low && space.free < limits.enough(space.total) {
        return StorageState::Low {
            free: space.free,
            floor,
        };
    }
    let was_over = matches!(before, StorageState::OverQuota { .. });
    if let (Some(used), Some(quota)) = (used, limits.quota)
        && used > limits.aim(quota, was_over)
    {
        return StorageState::OverQuota { used, quota };
    }
    StorageState::Ready
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn look(free: u64) -> Look {
        let total = 100 * MIB * 1_024;
        Look {
            space: Space { free, total },
            full: false,
        }
    }

    fn limits() -> Limits {
        Limits {
            quota: Some(1_000 * MIB),
            min_free: Some(500 * MIB),
            max_age: None,
        }
    }

    /// The states that follow each other, each from free and used MiB.
    fn states(steps: &[(u64, u64)]) -> Vec<&'static str> {
        let mut state = StorageState::Ready;
        let mut words = Vec::new();
        for (free, used) in steps {
            let look = look(free * MIB);
            state = verdict(Ok(&look), Some(used * MIB), &limits(), &state);
            words.push(state.as_str());
        }
        words
    }

    #[test]
    fn it_waits_for_more_room_than_it_needs() {
        let free = states(&[(500, 0), (499, 0), (549, 0), (550, 0), (549, 0), (500, 0)]);
        assert_eq!(free, ["ready", "low", "low", "ready", "ready", "ready"]);
        let used = states(&[(999, 1_000), (999, 1_001), (999, 901), (999, 900)]);
        assert_eq!(used, ["ready", "over_quota", "over_quota", "ready"]);
    }

    #[test]
    fn a_disk_that_can_not_be_used_is_nothing_else() {
        for (trouble, word) in [
            (Trouble::ReadOnly, "read_only"),
            (Trouble::Missing, "missing"),
            (Trouble::Failing("EIO".to_owned()), "failing"),
        ] {
            let state = verdict(
                Err(&trouble),
                Some(u64::MAX),
                &limits(),
                &StorageState::Ready,
            );
            assert_eq!(state.as_str(), word);
            assert!(!state.may_record());
        }
        let full = Look {
            full: true,
            ..look(u64::MAX)
        };
        let state = verdict(Ok(&full), None, &Limits::default(), &StorageState::Ready);
        assert_eq!(state.as_str(), "low");
    }

    #[test]
    fn each_state_says_what_to_do_on_one_line() {
        let states = [
            StorageState::Low { free: 1, floor: 2 },
            StorageState::OverQuota { used: 2, quota: 1 },
            StorageState::ReadOnly,
            StorageState::Missing,
        ];
        for state in states {
            let text = state.to_string();
            assert!(text.contains(": ") && !text.contains('\n'), "{text}");
        }
    }

    proptest! {
        /// However the numbers move, it never goes back and forth on less than the margin.
        #[test]
        fn it_does_not_flap(free in proptest::collection::vec(490_u64..560, 1..50)) {
            let mut state = StorageState::Ready;
            let mut since = None;
            for free in free {
                let look = look(free * MIB);
                let next = verdict(Ok(&look), None, &limits(), &state);
                if next.is_like(&state) {
                    continue;
                }
                if let Some(since) = since.replace(free) {
                    prop_assert!(free.abs_diff(since) >= 50, "{since} to {free}");
                }
                state = next;
            }
        }
    }
}
