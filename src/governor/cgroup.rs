//! Which control groups account our memory, and what they allow: the one reader of them
//! (`admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/memory.rst`).

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::board::mounts::{self, Mount};
use crate::board::{Family, Root};

/// From here on a number of version 1 means that there is no limit: it is `LONG_MAX`, rounded
/// down to whole pages.
pub(super) const NO_LIMIT: u64 = 1 << 62;

/// Which interface the kernel has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// The unified hierarchy.
    V2,
    /// A hierarchy of its own: `JetPack` 5, hybrid hosts.
    V1,
    /// Memory is not accounted by groups: `MemoryMax=` and `MemoryHigh=` do nothing.
    None,
}

/// The control group that this process is in, for memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryCgroup {
    /// Which interface.
    pub version: Version,
    /// The group.
    pub path: Option<String>,
    /// Bytes at which the kernel kills: the least of the group's and of those above it.
    pub max: Option<u64>,
    /// Bytes at which the kernel slows us down: likewise.
    pub high: Option<u64>,
    /// It was switched off on the kernel's command line.
    pub switched_off: bool,
}

impl MemoryCgroup {
    /// Reads what holds for this process.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let Some(place) = Groups::find(root).memory else {
            return Self {
                version: Version::None,
                path: None,
                max: None,
                high: None,
                switched_off: is_switched_off(&root.text("/proc/cmdline").unwrap_or_default()),
            };
        };
        let (max, high) = match place.version {
            Version::V1 => (least(root, &place.folders, "memory.limit_in_bytes"), None),
            Version::V2 | Version::None => (
                least(root, &place.folders, "memory.max"),
                least(root, &place.folders, "memory.high"),
            ),
        };
        Self {
            version: place.version,
            path: Some(place.path),
            max,
            high,
            switched_off: false,
        }
    }

    /// The least of both limits, in bytes.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        [self.high, self.max].into_iter().flatten().min()
    }
}

/// Where the groups of this process are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    /// Where its memory is accounted.
    pub(super) memory: Option<Place>,
    /// Its group of version 2, own first, whatever controllers that has: pressure is reported
    /// there (also on hybrid hosts).
    pub(super) unified: Option<PathBuf>,
}

/// A group of this process, and those above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: Version,
    /// Its name in its hierarchy.
    pub(super) path: String,
    /// Its folder, and those above it as far as they can be seen; named as on the box.
    pub(super) folders: Vec<PathBuf>,
}

impl Groups {
    pub(super) fn find(root: &Root) -> Self {
        let mounts = mounts::read(root);
        let groups = root.text("/proc/self/cgroup").unwrap_or_default();
        let unified = unified(&mounts, &groups);
        let memory = unified
            .as_ref()
            .and_then(|(mount, path)| v2(root, mount, path))
            .or_else(|| v1(&mounts, &groups));
        Self {
            memory,
            unified: unified.and_then(|(mount, path)| folders(mount, path).into_iter().next()),
        }
    }
}

fn unified<'a>(mounts: &'a [Mount], groups: &'a str) -> Option<(&'a Mount, &'a str)> {
    let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some((mount, path))
}

fn v2(root: &Root, mount: &Mount, path: &str) -> Option<Place> {
    let controllers = root.text(mount.point.join("cgroup.controllers"))?;
    controllers
        .split_whitespace()
        .find(|one| *one == "memory")?;
    Some(Place {
        version: Version::V2,
        path: path.to_owned(),
        folders: folders(mount, path),
    })
}

fn v1(mounts: &[Mount], groups: &str) -> Option<Place> {
    let is_memory = |mount: &&Mount| {
        mount.kind == "cgroup" && mount.options.iter().any(|option| option == "memory")
    };
    let mount = mounts.iter().find(is_memory)?;
    let path = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').find(|one| *one == "memory")?;
        Some(path)
    })?;
    Some(Place {
        version: Version::V1,
        path: path.to_owned(),
        folders: folders(mount, path),
    })
}

/// The folders of the group at `path` and of all above it, as far as they can be seen.
fn folders(mount: &Mount, path: &str) -> Vec<PathBuf> {
    // In a container a part of the hierarchy is mounted, and `path` may begin with it.
    let path = Path::new(path);
    let below = path.strip_prefix(&mount.part).unwrap_or(path);
    let below = below.strip_prefix("/").unwrap_or(below);
    // What lies outside of our part of the hierarchy begins with "..".
    let below = if below.starts_with("..") {
        Path::new("")
    } else {
        below
    };
    below
        .ancestors()
        .map(|group| mount.point.join(group))
        .collect()
}

/// The least limit of a kind; none when all are "max".
fn least(root: &Root, folders: &[PathBuf], file: &str) -> Option<u64> {
    let limits = folders
        .iter()
        .filter_map(|group| root.number(group.join(file)));
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

/// What to do where memory is not accounted by groups.
#[must_use]
pub fn how_to_switch_on(switched_off: bool, family: Family) -> String {
    let place = family.kernel_command_line();
    if family.is_raspberry_pi() {
        format!("add cgroup_enable=memory cgroup_memory=1 to {place} and restart")
    } else if switched_off {
        format!("take cgroup_disable=memory out of {place} and restart")
    } else {
        "use a kernel with CONFIG_MEMCG, with /sys/fs/cgroup mounted".to_owned()
    }
}

/// The last word on the command line counts. Firmware of Raspberry Pis puts one in front.
fn is_switched_off(command_line: &str) -> bool {
    let words = command_line.split_whitespace().rev();
    let mut words = words.filter_map(|word| word.strip_prefix("cgroup_"));
    let is_memory = |word: &&str| {
        let (_, controllers) = word.split_once('=').unwrap_or_default();
        controllers.split(',').any(|one| one == "memory")
    };
    words
        .find(is_memory)
        .is_some_and(|word| word.starts_with("disable="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(files: &[(&str, &str)]) -> MemoryCgroup {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        MemoryCgroup::read(&Root::at(folder.path()))
    }

    #[test]
    fn in_a_container_the_group_is_looked_for_where_it_is_mounted() {
        let part = "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
        for group in ["0::/docker/abc", "0::/", "0::/../other"] {
            let cgroup = read(&[
                ("proc/self/mountinfo", part),
                ("proc/self/cgroup", group),
                ("sys/fs/cgroup/cgroup.controllers", "memory"),
                ("sys/fs/cgroup/memory.max", "1073741824"),
            ]);
            assert_eq!(cgroup.max, Some(1 << 30), "{group}");
        }
    }

    #[test]
    fn the_last_word_on_the_command_line_counts() {
        for (line, off) in [
            ("cgroup_disable=memory", true),
            ("cgroup_disable=memory cgroup_enable=memory", false),
            ("cgroup_disable=cpu,memory quiet", true),
            ("cgroup_enable=cpuset cgroup_memory=1", false),
            ("", false),
        ] {
            assert_eq!(is_switched_off(line), off, "{line}");
        }
    }
}
