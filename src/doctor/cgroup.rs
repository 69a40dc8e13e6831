//! Whether the kernel can limit our memory, and whether the limit leaves room for a recording.

use indicatif::BinaryBytes;

use super::finding::Finding;
use crate::board::Family;
use crate::governor::cgroup::{self, MemoryCgroup, Version};

const SUBJECT: &str = "memory cgroup";

/// Less is too little for the program and one recording that is encoded.
const LEAST_LIMIT: u64 = 128 << 20;

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
    let why = if cgroup.switched_off && !family.is_raspberry_pi() {
        " (cgroup_disable=memory)"
    } else {
        ""
    };
    Finding::degraded(
        SUBJECT,
        format!("none{why}: MemoryMax= and MemoryHigh= do nothing"),
        cgroup::how_to_switch_on(cgroup.switched_off, family),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Root;
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
    fn without_anything_there_is_none() {
        let cgroup = read(&[]);
        assert_eq!(cgroup.version, Version::None);
        let finding = judge(&cgroup, Family::Unknown);
        assert!(finding.advice().unwrap().contains("CONFIG_MEMCG"));
    }
}
