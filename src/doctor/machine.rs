//! The parts of the machine that every program sees: kernel, processors, memory, GStreamer.

use serde::Serialize;

use super::finding::Finding;
use crate::board::{Board, Root};
use crate::media::{MediaError, Version};
use crate::recorder::recording::one_line;

/// The oldest GStreamer that works (`JetPack` 6 has 1.20.3).
const OLDEST_GSTREAMER: Version = Version {
    major: 1,
    minor: 20,
    micro: 0,
};

/// Less memory than this in all is too little for a system and one recording that is encoded.
const LEAST_MEMORY: u64 = 256 << 20;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: Option<String>,
    /// What this program was built for.
    pub architecture: &'static str,
    /// Processors that we may use.
    pub cpus: Option<usize>,
    /// All the memory that the kernel has, in bytes.
    pub memory: Option<u64>,
    /// What of it could be given to programs now, in bytes.
    pub memory_available: Option<u64>,
}

impl Machine {
    /// Looks at the machine below `root`; the processors are this one's.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let meminfo = root.text("/proc/meminfo").unwrap_or_default();
        Self {
            kernel: root.text("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism()
                .ok()
                .map(std::num::NonZeroUsize::get),
            memory: meminfo_bytes(&meminfo, "MemTotal:"),
            memory_available: meminfo_bytes(&meminfo, "MemAvailable:"),
        }
    }
}

/// A line of `/proc/meminfo`, which counts in KiB.
fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// What the box is, and the nodes its codecs are used through.
#[must_use]
pub fn judge_board(board: &Board) -> Vec<Finding> {
    let name = board.name();
    let mut findings = vec![Finding::good(
        "board",
        format!("{name}; {}", board.h264_encoder),
    )];
    let shown: Vec<String> = board
        .nodes
        .iter()
        .map(|node| match &node.name {
            Some(name) => format!("{} ({name})", node.path),
            None => node.path.clone(),
        })
        .collect();
    if shown.is_empty() {
        findings.push(Finding::good("codec nodes", "none"));
        return findings;
    }
    let closed = board.nodes.iter().filter(|node| !node.accessible).count();
    findings.push(if closed == 0 {
        Finding::good("codec nodes", shown.join(", "))
    } else {
        Finding::degraded(
            "codec nodes",
            format!("{}; {closed} of them not ours to open", shown.join(", ")),
            "add the user that records to the groups that own them: usermod -aG video,render \
             reeld; then log in again, or restart the service",
        )
    });
    findings
}

/// Kernel, processors and memory.
#[must_use]
pub fn judge(machine: &Machine) -> Vec<Finding> {
    let kernel = machine.kernel.as_deref().unwrap_or("unknown");
    let cpus = machine.cpus.map_or_else(
        || "an unknown number of processors".to_owned(),
        |cpus| format!("{cpus} processor{}", if cpus == 1 { "" } else { "s" }),
    );
    vec![
        Finding::good(
            "system",
            format!("Linux {kernel}, {}, {cpus}", machine.architecture),
        ),
        judge_memory(machine),
    ]
}

fn judge_memory(machine: &Machine) -> Finding {
    let Some(all) = machine.memory else {
        return Finding::degraded(
            "memory",
            "how much there is can't be read",
            "mount /proc: the recorder looks there when memory is short",
        );
    };
    let all_text = indicatif::BinaryBytes(all);
    let what = match machine.memory_available {
        Some(available) => format!("{} of {all_text} free", indicatif::BinaryBytes(available)),
        None => format!("{all_text} in all"),
    };
    if all < LEAST_MEMORY {
        return Finding::degraded(
            "memory",
            what,
            "record what comes as H.264 only, and one participant at a time \
             (select.max_participants = 1): to encode takes 70 MB a recording",
        );
    }
    Finding::good("memory", what)
}

/// GStreamer, started or not.
#[must_use]
pub fn judge_gstreamer(version: Version, started: &Result<(), MediaError>) -> Finding {
    const SUBJECT: &str = "GStreamer";
    if version < OLDEST_GSTREAMER {
        return Finding::bad(
            SUBJECT,
            version.to_string(),
            format!("use a system with GStreamer {OLDEST_GSTREAMER} or newer"),
        );
    }
    let Err(error) = started else {
        return Finding::good(SUBJECT, version.to_string());
    };
    let what = format!("{version}: {}", one_line(error));
    let advice = match error {
        MediaError::MissingElement { package, .. } => {
            format!("apt-get install {package}, or what has it in your distribution")
        }
        MediaError::Init(_) => "reinstall libgstreamer1.0-0; `gst-inspect-1.0` must list elements \
                                without a warning"
            .to_owned(),
        _ => "run `gst-inspect-1.0 x264enc` with GST_DEBUG=3 for the reason".to_owned(),
    };
    Finding::bad(SUBJECT, what, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Expectation, Family, Node};
    use crate::doctor::Grade;

    fn board(nodes: Vec<Node>) -> Board {
        Board {
            model: "Raspberry Pi 5 Model B Rev 1.0".to_owned(),
            compatible: Vec::new(),
            family: Family::RaspberryPi5,
            h264_encoder: Expectation::Software,
            nodes,
        }
    }

    fn node(path: &str, accessible: bool) -> Node {
        Node {
            path: path.to_owned(),
            name: (path == "/dev/video19").then(|| "rpi-hevc-dec".to_owned()),
            accessible,
        }
    }

    fn machine(memory: Option<u64>, available: Option<u64>) -> Machine {
        Machine {
            kernel: Some("6.6.51+rpt-rpi-v8".to_owned()),
            architecture: "aarch64",
            cpus: Some(4),
            memory,
            memory_available: available,
        }
    }

    #[test]
    fn a_board_says_what_to_expect_and_which_nodes_are_closed_to_us() {
        let findings = judge_board(&board(vec![node("/dev/video19", true)]));
        assert_eq!(
            findings[0].what(),
            "Raspberry Pi 5 Model B Rev 1.0; no H.264 encoder: the processor encodes"
        );
        assert_eq!(findings[1].what(), "/dev/video19 (rpi-hevc-dec)");
        assert!(findings.iter().all(|one| one.grade() == Grade::Good));

        let nodes = vec![node("/dev/video11", false), node("/dev/video19", true)];
        let closed = &judge_board(&board(nodes))[1];
        assert_eq!(closed.grade(), Grade::Degraded);
        assert!(closed.what().contains("1 of them not ours"), "{closed:?}");
        assert!(closed.advice().unwrap().contains("usermod"));

        let none = &judge_board(&board(Vec::new()))[1];
        assert_eq!((none.grade(), none.what()), (Grade::Good, "none"));
    }

    #[test]
    fn a_machine_with_little_memory_is_told_from_one_with_enough() {
        let findings = judge(&machine(Some(4 << 30), Some(3 << 30)));
        assert_eq!(
            findings[0].what(),
            "Linux 6.6.51+rpt-rpi-v8, aarch64, 4 processors"
        );
        assert_eq!(findings[1].what(), "3.00 GiB of 4.00 GiB free");
        for (memory, grade) in [
            (Some(256 << 20), Grade::Good),
            (Some((256 << 20) - 1), Grade::Degraded),
            (None, Grade::Degraded),
        ] {
            assert_eq!(judge(&machine(memory, None))[1].grade(), grade);
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let machine = Machine::read(&Root::here());
        assert!(machine.kernel.is_some() && machine.cpus.is_some());
        assert!(machine.memory > machine.memory_available);
        let nothing = Machine::read(&Root::at(std::path::Path::new("/nonexistent")));
        assert_eq!((nothing.kernel, nothing.memory), (None, None));
    }

    #[test]
    fn meminfo_counts_in_kibibytes() {
        let text = "MemTotal:        3884380 kB\nMemAvailable:    3400000 kB\n";
        assert_eq!(meminfo_bytes(text, "MemTotal:"), Some(3_884_380 * 1_024));
        assert_eq!(meminfo_bytes(text, "SwapTotal:"), None);
        assert_eq!(meminfo_bytes("MemTotal: lots", "MemTotal:"), None);
    }

    #[test]
    fn gstreamer_must_be_new_enough_and_whole() {
        let version = |minor, micro| Version {
            major: 1,
            minor,
            micro,
        };
        let good = judge_gstreamer(version(20, 3), &Ok(()));
        assert_eq!((good.grade(), good.what()), (Grade::Good, "1.20.3"));
        let old = judge_gstreamer(version(16, 3), &Ok(()));
        assert_eq!(old.grade(), Grade::Bad);
        assert!(old.advice().unwrap().contains("1.20.0"), "{old:?}");
        let missing = MediaError::MissingElement {
            element: "x264enc".to_owned(),
            package: "gstreamer1.0-plugins-ugly",
        };
        let missing = judge_gstreamer(version(22, 0), &Err(missing));
        assert_eq!(missing.grade(), Grade::Bad);
        assert!(missing.what().contains("x264enc"), "{missing:?}");
        let advice = missing.advice().unwrap();
        assert!(advice.contains("install gstreamer1.0-plugins-ugly"));
    }
}
