//! What one control group says of its memory.

use std::path::{Path, PathBuf};

use super::cgroup::{NO_LIMIT, Version};
use super::scratch::{Scratch, keyed};
use crate::board::Root;

/// A group, by its files (paths here, not on the box).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    version: Version,
    folder: PathBuf,
    stat: PathBuf,
    limits: Vec<PathBuf>,
    events: PathBuf,
    hits: PathBuf,
    kernel: PathBuf,
}

/// Memory of a group and of the groups in it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// `anon + shmem + file_dirty + file_writeback`.
    pub(super) used: u64,
    /// That, and the kernel's pages that can't be had back either.
    pub(super) held: u64,
}

/// Running totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) failures: u64,
    pub(super) hits: u64,
    pub(super) under_oom: bool,
}

/// What can't be had back of the kernel's own pages. `kernel`, which has it all, is newer (5.18)
/// and counts what can be had back as well.
const KERNEL: [&str; 5] = [
    "slab_unreclaimable",
    "kernel_stack",
    "pagetables",
    "percpu",
    "sock",
];

impl Group {
    pub(super) fn at(root: &Root, version: Version, folder: &Path) -> Self {
        let file = |name: &str| root.path(folder.join(name));
        let (limits, events, hits): (&[&str], _, _) = match version {
            Version::V1 => (
                &["memory.limit_in_bytes"],
                "memory.oom_control",
                "memory.failcnt",
            ),
            Version::V2 | Version::None => (
                &["memory.max", "memory.high"],
                "memory.events",
                "memory.events",
            ),
        };
        Self {
            version,
            folder: root.path(folder),
            stat: file("memory.stat"),
            limits: limits.iter().map(|name| file(name)).collect(),
            events: file(events),
            hits: file(hits),
            kernel: file("memory.kmem.usage_in_bytes"),
        }
    }

    /// None when the group is gone, or its parent does not let it account memory.
    pub(super) fn memory(&self, scratch: &mut Scratch) -> Option<Memory> {
        let text = scratch.text(&self.stat)?;
        if self.version == Version::V1 {
            // "rss" is what version 2 calls anon; without "total_" the groups below are left out.
            let used = sum(
                text,
                &["total_rss", "total_shmem", "total_dirty", "total_writeback"],
            )?;
            return Some(Memory { used, held: used });
        }
        let used = sum(text, &["anon", "shmem", "file_dirty", "file_writeback"])?;
        let kernel = sum(text, &KERNEL).unwrap_or_default();
        Some(Memory {
            used,
            held: used.saturating_add(kernel),
        })
    }

    /// The kernel's pages of version 1. Those that could be had back are among them and can't be
    /// told apart: it is asked only of a group of ours, which opens few files.
    pub(super) fn kernel(&self, scratch: &mut Scratch) -> u64 {
        if self.version == Version::V1 {
            scratch.number(&self.kernel).unwrap_or_default()
        } else {
            0
        }
    }

    /// The least of its own limits.
    pub(super) fn limit(&self, scratch: &mut Scratch) -> Option<u64> {
        let limits = self.limits.iter().filter_map(|path| scratch.number(path));
        limits.filter(|limit| *limit < NO_LIMIT).min()
    }

    /// Zero where a kernel does not count.
    pub(super) fn events(&self, scratch: &mut Scratch) -> Events {
        let text = scratch.text(&self.events).unwrap_or_default();
        // Version 1 has only "oom_kill" of these, and no line "oom".
        let both = |one, other| {
            let count = |key| keyed(text, key).unwrap_or_default();
            count(one).saturating_add(count(other))
        };
        let mut events = Events {
            failures: both("oom", "oom_kill"),
            hits: both("high", "max"),
            under_oom: keyed(text, "under_oom") == Some(1),
        };
        if self.version == Version::V1 {
            events.hits = scratch.number(&self.hits).unwrap_or_default();
        }
        events
    }

    /// Whether nothing but this process and its children is in the group, so that what the group
    /// has is ours. A session's scope holds a shell, and whatever is started from it.
    pub(super) fn is_ours(&self, ourselves: u32, root: &Root, scratch: &mut Scratch) -> bool {
        let procs = scratch.text(&self.folder.join("cgroup.procs"));
        let Some(procs) = procs.map(str::to_owned) else {
            return false;
        };
        let mut found = false;
        for line in procs.lines() {
            // 0 is a process that our name space of processes does not show.
            let Ok(process) = line.trim().parse::<u32>() else {
                return false;
            };
            found |= process == ourselves;
            if process != ourselves && parent(process, root, scratch) != Some(ourselves) {
                return false;
            }
        }
        found && !has_groups(&self.folder)
    }
}

/// Of those keys that there are; none when the first is missing: then it is another file.
fn sum(text: &str, keys: &[&str]) -> Option<u64> {
    let first = keyed(text, keys.first()?)?;
    let others = keys.iter().skip(1).filter_map(|key| keyed(text, key));
    Some(others.fold(first, u64::saturating_add))
}

/// The second field behind the name, which is in brackets and may hold anything (proc(5)).
fn parent(process: u32, root: &Root, scratch: &mut Scratch) -> Option<u32> {
    let text = scratch.text(&root.path(format!("/proc/{process}/stat")))?;
    let (_, behind) = text.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// What groups below have counts in ours.
fn has_groups(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_type().ok())
        .any(|kind| kind.is_dir())
}
