//! Whether the kernel can limit our memory, and what the limit is (`admin-guide/cgroup-v2.rst`,
//! `admin-guide/cgroup-v1/memory.rst`).

use std::path::{Path, PathBuf};

use indicatif::BinaryBytes;
use serde::Serialize;

use super::finding::Finding;
use super::mounts::{self, Mount};
use crate::board::{Family, Root};

const SUBJECT: &str = "memory cgroup";

/// Less is too little for the program and one recording that is encoded.
const LEAST_LIMIT: u64 = 128 << 20;

/// From here on a number of version 1 means that there is no limit: it is `LONG_MAX`, rounded
/// down to whole pages.
const NO_LIMIT: u64 = 1 << 62;

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
        let mounts = mounts::read(root);
        let groups = root.text("/proc/self/cgroup").unwrap_or_default();
        Self::v2(root, &mounts, &groups)
            .or_else(|| Self::v1(root, &mounts, &groups))
            .unwrap_or_else(|| Self {
                version: Version::None,
                path: None,
                max: None,
                high: None,
                switched_off: is_switched_off(&root.text("/proc/cmdline").unwrap_or_default()),
            })
    }

    fn v2(root: &Root, mounts: &[Mount], groups: &str) -> Option<Self> {
        let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
        let controllers = root.text(mount.point.join("cgroup.controllers"))?;
        controllers
            .split_whitespace()
            .find(|one| *one == "memory")?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let folders = folders(mount, path);
        Some(Self {
            version: Version::V2,
            path: Some(path.to_owned()),
            max: least(root, &folders, "memory.max"),
            high: least(root, &folders, "memory.high"),
            switched_off: false,
        })
    }

    fn v1(root: &Root, mounts: &[Mount], groups: &str) -> Option<Self> {
        let is_memory = |mount: &&Mount| {
            mount.kind == "cgroup" && mount.options.iter().any(|option| option == "memory")
        };
        let mount = mounts.iter().find(is_memory)?;
        let path = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').find(|one| *one == "memory")?;
            Some(path)
        })?;
        Some(Self {
            version: Version::V1,
            path: Some(path.to_owned()),
            max: least(root, &folders(mount, path), "memory.limit_in_bytes"),
            high: None,
            switched_off: false,
        })
    }
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

/// Memory must be accounted by groups, and the limit leave room for a recording.
#[must_use]
pub fn judge(cgroup: &MemoryCgroup, family: Family) -> Finding {
    let name = match cgroup.version {
        Version::V2 => "v2",
        Version::V1 => "v1",
        Version::None => return judge_none(cgroup, family),
    };
    let at = |limit: Option<u64>| limit.map(BinaryBytes);
    let limit = match (at(cgroup.high), at(cgroup.max)) {
        (None, None) => "no limit here".to_owned(),
        (Some(high), None) => format!("slowed down here at {high}"),
        (None, Some(max)) => format!("at most {max} here"),
        (Some(high), Some(max)) => format!("slowed down here at {high}, at most {max}"),
    };
    let what = format!("{name}, {limit}");
    let least = [cgroup.high, cgroup.max].into_iter().flatten().min();
    if least.is_some_and(|least| least < LEAST_LIMIT) {
        return Finding::degraded(
            SUBJECT,
            what,
            format!(
                "allow {} and more (MemoryHigh= and MemoryMax= of the unit): a recording that is \
                 encoded takes 70 MB",
                BinaryBytes(LEAST_LIMIT)
            ),
        );
    }
    Finding::good(SUBJECT, what)
}

fn judge_none(cgroup: &MemoryCgroup, family: Family) -> Finding {
    let place = family.kernel_command_line();
    let (why, advice) = if family.is_raspberry_pi() {
        (
            "",
            format!("add cgroup_enable=memory cgroup_memory=1 to {place} and restart"),
        )
    } else if cgroup.switched_off {
        (
            " (cgroup_disable=memory)",
            format!("take cgroup_disable=memory out of {place} and restart"),
        )
    } else {
        (
            "",
            "use a kernel with CONFIG_MEMCG, with /sys/fs/cgroup mounted".to_owned(),
        )
    };
    Finding::degraded(
        SUBJECT,
        format!("none{why}: MemoryMax= and MemoryHigh= do nothing"),
        advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;
    use std::fs;

    const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
    const HYBRID: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    fn read(files: &[(&str, &str)]) -> MemoryCgroup {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        MemoryCgroup::read(&Root::at(folder.path()))
    }

    /// The default of Raspberry Pi OS: version 2 is there, without the controller.
    const RASPBERRY: [(&str, &str); 4] = [
        ("proc/self/mountinfo", V2),
        (
            "proc/self/cgroup",
            "0::/user.slice/user-1000.slice/session-1.scope\n",
        ),
        ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
        (
            "proc/cmdline",
            "coherent_pool=1M cgroup_disable=memory console=tty1 root=PARTUUID=1-02 rootwait\n",
        ),
    ];

    #[test]
    fn a_raspberry_pi_as_it_comes_is_told_how_to_switch_it_on() {
        let cgroup = read(&RASPBERRY);
        assert_eq!((cgroup.version, cgroup.switched_off), (Version::None, true));
        let finding = judge(&cgroup, Family::RaspberryPi);
        assert_eq!(finding.grade(), Grade::Degraded);
        let advice = finding.advice().unwrap();
        assert!(
            advice.contains("cgroup_enable=memory cgroup_memory=1")
                && advice.contains("/boot/firmware/cmdline.txt"),
            "{advice}"
        );
        // Elsewhere nobody has put it there but the operator.
        let other = judge(&cgroup, Family::Pc);
        assert!(
            other
                .advice()
                .unwrap()
                .contains("take cgroup_disable=memory out")
        );
    }

    #[test]
    fn the_least_limit_on_the_way_up_holds() {
        let group = "sys/fs/cgroup/system.slice/reeld.service";
        let cgroup = read(&[
            ("proc/self/mountinfo", V2),
            ("proc/self/cgroup", "0::/system.slice/reeld.service\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids"),
            ("sys/fs/cgroup/system.slice/memory.max", "536870912\n"),
            ("sys/fs/cgroup/system.slice/memory.high", "max\n"),
            (&format!("{group}/memory.max"), "max\n"),
            (&format!("{group}/memory.high"), "402653184\n"),
        ]);
        assert_eq!(cgroup.version, Version::V2);
        assert_eq!(
            (cgroup.high, cgroup.max),
            (Some(384 << 20), Some(512 << 20))
        );
        let finding = judge(&cgroup, Family::Unknown);
        assert_eq!(finding.grade(), Grade::Good);
        assert_eq!(
            finding.what(),
            "v2, slowed down here at 384.00 MiB, at most 512.00 MiB"
        );
        let tight = MemoryCgroup {
            high: Some(LEAST_LIMIT - 1),
            ..cgroup
        };
        assert_eq!(judge(&tight, Family::Unknown).grade(), Grade::Degraded);
    }

    #[test]
    fn version_1_counts_where_version_2_lacks_the_controller() {
        let cgroup = read(&[
            ("proc/self/mountinfo", &format!("{V1}\n{HYBRID}")),
            (
                "proc/self/cgroup",
                "9:name=systemd:/\n4:memory:/a/b\n0::/\n",
            ),
            ("sys/fs/cgroup/unified/cgroup.controllers", ""),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712",
            ),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456"),
            (
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                "9223372036854771712",
            ),
        ]);
        assert_eq!((cgroup.version, cgroup.max), (Version::V1, Some(256 << 20)));
        let finding = judge(&cgroup, Family::Jetson);
        assert_eq!(
            (finding.grade(), finding.what()),
            (Grade::Good, "v1, at most 256.00 MiB here")
        );
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

    #[test]
    fn without_anything_there_is_none() {
        let cgroup = read(&[]);
        assert_eq!(cgroup.version, Version::None);
        let finding = judge(&cgroup, Family::Unknown);
        assert!(finding.advice().unwrap().contains("CONFIG_MEMCG"));
    }
}
