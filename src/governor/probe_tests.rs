//! The probe, on the files of boxes as they are met.

use std::fs;
use std::path::Path;

use super::facts::Source;
use super::*;
use crate::board::Root;

const MIB: u64 = 1 << 20;

/// The files of a box.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put(
            "proc/self/status",
            "Name:\treeld\nVmRSS:\t 61440 kB\nRssAnon:\t 40960 kB\nRssFile:\t 19456 kB\n\
             RssShmem:\t 1024 kB\n",
        );
        files.put(
            "proc/meminfo",
            "MemTotal:        4194304 kB\nMemFree:          100000 kB\n\
             MemAvailable:    3145728 kB\n",
        );
        files
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_dir_all(self.0.path().join(path)).unwrap();
    }

    fn root(&self) -> Root {
        Root::at(self.0.path())
    }

    /// A service of version 2, with nobody else in it.
    fn service(&self) {
        self.put("proc/self/mountinfo", V2);
        self.put("proc/self/cgroup", "0::/system.slice/reeld.service\n");
        self.put("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids");
        let us = std::process::id();
        self.put(&format!("{SERVICE}/cgroup.procs"), &format!("{us}\n"));
        self.put(&format!("{SERVICE}/memory.stat"), &stat(70, 9));
        self.put(&format!("{SERVICE}/memory.max"), "134217728\n");
        self.put(&format!("{SERVICE}/memory.high"), "max\n");
        self.put(&format!("{SERVICE}/memory.events"), &events(3, 4, 0, 0));
    }
}

const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
const SERVICE: &str = "sys/fs/cgroup/system.slice/reeld.service";

/// Mebibytes; page cache and the kernel's pages that can be had back are none of them.
fn stat(anonymous: u64, kernel: u64) -> String {
    format!(
        "anon {}\nfile 900000000\nkernel {}\nkernel_stack {}\npagetables 0\nsock 0\nshmem {}\n\
         file_mapped 5000000\nfile_dirty {}\nfile_writeback {}\nslab_reclaimable 50000000\n\
         slab_unreclaimable 0\nanon_thp 4194304\n",
        anonymous * MIB,
        60_000_000 + kernel * MIB,
        kernel * MIB,
        MIB,
        2 * MIB,
        3 * MIB
    )
}

fn events(high: u64, max: u64, oom: u64, kills: u64) -> String {
    format!("low 0\nhigh {high}\nmax {max}\noom {oom}\noom_kill {kills}\noom_group_kill 0\n")
}

fn pressure(share: &str) -> String {
    format!("some avg10={share} avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00")
}

#[test]
fn a_service_of_our_own_is_read_from_its_group() {
    let files = Files::new();
    files.service();
    files.put(&format!("{SERVICE}/memory.pressure"), &pressure("12.50"));
    files.put("proc/pressure/memory", &pressure("1.00"));
    files.put(
        "proc/pressure/cpu",
        "some avg10=7.00 avg60=0.00 avg300=0.00 total=0\n",
    );
    let mut probe = Probe::new(files.root());
    let reading = probe.read();
    assert_eq!(reading.used, Some(76 * MIB));
    assert_eq!(reading.limit, Some(128 * MIB));
    let nearest = Nearest {
        held: 85 * MIB,
        limit: 128 * MIB,
    };
    assert_eq!(reading.nearest, Some(nearest));
    assert_eq!((reading.failures, reading.hits), (0, 7));
    // The group's where it has it, the machine's where not.
    assert_eq!(reading.stalls.memory, Some(12.5));
    assert_eq!(reading.stalls.cpu, Some(7.0));
    assert_eq!(reading.stalls.io, None);

    let facts = probe.facts();
    assert_eq!(facts.source, Source::Group);
    assert!(!facts.is_degraded());
    assert_eq!(
        facts.to_string(),
        "memory is read from the control group /system.slice/reeld.service, limit 128.00 MiB"
    );
}

#[test]
fn kills_are_counted() {
    let files = Files::new();
    files.service();
    let mut probe = Probe::new(files.root());
    probe.read();
    files.put(&format!("{SERVICE}/memory.events"), &events(3, 4, 1, 1));
    assert_eq!(probe.read().failures, 2);
}

#[test]
fn limits_above_count_with_all_that_is_under_them() {
    let files = Files::new();
    files.service();
    files.put(&format!("{SERVICE}/memory.max"), "max\n");
    let slice = "sys/fs/cgroup/system.slice";
    files.put(&format!("{slice}/memory.max"), "536870912\n");
    files.put(&format!("{slice}/memory.high"), "268435456\n");
    files.put(&format!("{slice}/memory.stat"), &stat(240, 0));
    files.put(&format!("{slice}/memory.events"), &events(0, 0, 2, 1));
    let reading = Probe::new(files.root()).read();
    assert_eq!(reading.used, Some(76 * MIB));
    assert_eq!(reading.limit, Some(256 * MIB));
    let nearest = Nearest {
        held: 246 * MIB,
        limit: 256 * MIB,
    };
    assert_eq!(reading.nearest, Some(nearest));
    assert_eq!(reading.failures, 3);
}

/// What a shell in the same session has is not ours, and its limit is.
#[test]
fn others_in_our_group_are_not_counted_as_ours() {
    let files = Files::new();
    files.service();
    let us = std::process::id();
    files.put(&format!("{SERVICE}/cgroup.procs"), &format!("4242\n{us}\n"));
    files.put("proc/4242/stat", "4242 (a) S shell) S 1 4242 4242 0\n");
    let mut probe = Probe::new(files.root());
    let reading = probe.read();
    assert_eq!(reading.used, Some(41 * MIB));
    assert_eq!(reading.nearest.unwrap().held, 85 * MIB);
    assert_eq!(probe.facts().source, Source::SharedGroup);

    // Our children are ours: trials of encoders.
    files.put("proc/4242/stat", &format!("4242 (reeld) S {us} 1 1 0\n"));
    assert_eq!(Probe::new(files.root()).read().used, Some(76 * MIB));
    // So it is with a process that our name space does not show, and with groups below.
    files.put(&format!("{SERVICE}/cgroup.procs"), &format!("0\n{us}\n"));
    assert_eq!(Probe::new(files.root()).read().used, Some(41 * MIB));
    files.put(&format!("{SERVICE}/cgroup.procs"), &format!("{us}\n"));
    files.put(&format!("{SERVICE}/other/cgroup.procs"), "");
    assert_eq!(Probe::new(files.root()).read().used, Some(41 * MIB));
}

#[test]
fn who_joins_our_group_is_seen_soon() {
    let files = Files::new();
    files.service();
    let mut probe = Probe::new(files.root());
    assert_eq!(probe.read().used, Some(76 * MIB));
    let us = std::process::id();
    files.put(&format!("{SERVICE}/cgroup.procs"), &format!("{us}\n7\n"));
    let last = (0..20).map(|_| probe.read().used).last().unwrap();
    assert_eq!(last, Some(41 * MIB));
}

/// systemd with `Delegate=`, where nobody has let the group below have the controller.
#[test]
fn a_group_that_accounts_nothing_leaves_its_limit_to_those_above() {
    let files = Files::new();
    files.service();
    files.put("proc/self/cgroup", "0::/system.slice/reeld.service/inner\n");
    files.put(
        &format!("{SERVICE}/inner/cgroup.procs"),
        &std::process::id().to_string(),
    );
    let mut probe = Probe::new(files.root());
    let reading = probe.read();
    assert_eq!(reading.used, Some(41 * MIB));
    assert_eq!(reading.limit, Some(128 * MIB));
    assert_eq!(reading.nearest.unwrap().held, 85 * MIB);
}

#[test]
fn version_1_is_read_on_a_hybrid_host() {
    let files = Files::new();
    files.put(
        "proc/self/mountinfo",
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    );
    files.put("proc/self/cgroup", "4:memory:/a/b\n0::/a\n");
    files.put("sys/fs/cgroup/unified/cgroup.controllers", "");
    // Pressure comes from version 2 even so.
    files.put(
        "sys/fs/cgroup/unified/a/memory.pressure",
        &pressure("30.00"),
    );
    let group = "sys/fs/cgroup/memory/a/b";
    let us = std::process::id();
    files.put(&format!("{group}/cgroup.procs"), &format!("{us}\n"));
    files.put(
        &format!("{group}/memory.stat"),
        "cache 99\nrss 1\nshmem 1\ndirty 1\nwriteback 1\ntotal_cache 900000000\n\
         total_rss 20971520\ntotal_shmem 1048576\ntotal_dirty 2097152\ntotal_writeback 0\n",
    );
    files.put(&format!("{group}/memory.limit_in_bytes"), "67108864\n");
    files.put(&format!("{group}/memory.failcnt"), "17\n");
    files.put(&format!("{group}/memory.kmem.usage_in_bytes"), "4194304\n");
    files.put(
        &format!("{group}/memory.oom_control"),
        "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n",
    );
    files.put(
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes",
        "9223372036854771712",
    );
    let mut probe = Probe::new(files.root());
    let reading = probe.read();
    assert_eq!(reading.used, Some(23 * MIB));
    let nearest = Nearest {
        held: 27 * MIB,
        limit: 64 * MIB,
    };
    assert_eq!(reading.nearest, Some(nearest));
    assert_eq!((reading.failures, reading.hits), (2, 17));
    assert!(reading.under_oom);
    assert_eq!(reading.stalls.memory, Some(30.0));
    assert_eq!(probe.facts().source, Source::Group);
}

#[test]
fn in_a_container_the_group_is_the_top_of_what_is_mounted() {
    let files = Files::new();
    files.put(
        "proc/self/mountinfo",
        "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw",
    );
    files.put("proc/self/cgroup", "0::/docker/abc\n");
    files.put("sys/fs/cgroup/cgroup.controllers", "memory");
    files.put(
        "sys/fs/cgroup/cgroup.procs",
        &std::process::id().to_string(),
    );
    files.put("sys/fs/cgroup/memory.stat", &stat(10, 0));
    files.put("sys/fs/cgroup/memory.max", "1073741824");
    let reading = Probe::new(files.root()).read();
    assert_eq!(reading.used, Some(16 * MIB));
    assert_eq!(reading.limit, Some(1 << 30));
}

/// The default of Raspberry Pi OS.
#[test]
fn a_raspberry_pi_without_the_controller_reads_the_process_and_says_what_to_do() {
    let files = Files::new();
    files.put("proc/self/mountinfo", V2);
    files.put("proc/self/cgroup", "0::/user.slice/session-1.scope\n");
    files.put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
    files.put("proc/cmdline", "cgroup_disable=memory rootwait\n");
    files.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
    files.put(
        "proc/device-tree/compatible",
        "raspberrypi,4-model-b\0brcm,bcm2711\0",
    );
    let mut probe = Probe::new(files.root());
    let reading = probe.read();
    assert_eq!(reading.used, Some(41 * MIB));
    assert_eq!(reading.limit, None);
    let nearest = Nearest {
        held: 1 << 30,
        limit: 4 << 30,
    };
    assert_eq!(reading.nearest, Some(nearest));
    let facts = probe.facts();
    assert!(facts.is_degraded());
    let line = facts.to_string();
    for words in [
        "memory is read from /proc/self/status, no limit",
        "missing the memory cgroup: add cgroup_enable=memory",
        "missing pressure on memory: add psi=1 to the one line of /boot/firmware/cmdline.txt",
    ] {
        assert!(line.contains(words), "{line}");
    }
}

/// A report that is there and can't be read: EOPNOTSUPP with `psi=0`; here a directory, which
/// can't be read either.
#[test]
fn a_report_that_cannot_be_read_is_none() {
    let files = Files::new();
    files.service();
    files.put(&format!("{SERVICE}/memory.pressure/x"), "");
    let mut probe = Probe::new(files.root());
    assert_eq!(probe.read().stalls, Stalls::default());
    files.put("proc/pressure/memory", &pressure("2.00"));
    let mut probe = Probe::new(files.root());
    assert_eq!(probe.read().stalls.memory, Some(2.0));
}

#[test]
fn a_group_that_is_gone_is_left_for_the_next() {
    let files = Files::new();
    files.service();
    let mut probe = Probe::new(files.root());
    assert_eq!(probe.read().used, Some(76 * MIB));
    files.remove(SERVICE);
    assert_eq!(probe.read().used, Some(41 * MIB));
    // Moved to another one.
    let other = "sys/fs/cgroup/other.slice";
    files.put("proc/self/cgroup", "0::/other.slice\n");
    files.put(
        &format!("{other}/cgroup.procs"),
        &std::process::id().to_string(),
    );
    files.put(&format!("{other}/memory.stat"), &stat(30, 0));
    let last = (0..20).map(|_| probe.read().used).last().unwrap();
    assert_eq!(last, Some(36 * MIB));
}

#[test]
fn without_anything_nothing_is_known() {
    let mut probe = Probe::new(Root::at(Path::new("/nonexistent")));
    assert_eq!(probe.read(), Reading::default());
    let facts = probe.facts();
    assert_eq!(facts.source, Source::Nothing);
    assert!(facts.to_string().contains("mount /proc"));
}

#[test]
fn this_machine_is_read_as_it_is() {
    let mut probe = Probe::new(Root::here());
    let before = probe.read().used.unwrap();
    let ballast = std::hint::black_box(vec![1_u8; 48 << 20]);
    let with = probe.read().used.unwrap();
    assert!(with >= before + 24 * MIB, "{before} and {with}");
    drop(ballast);
    assert!(probe.read().nearest.is_some());
}
