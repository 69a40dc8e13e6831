//! The watchdog of the box, which restarts it when the kernel itself hangs. Its device is never
//! opened: that would start it.

use serde::Serialize;

use super::finding::Finding;
use crate::board::{Family, Root};

const SUBJECT: &str = "watchdog";

/// `Documentation/ABI/testing/sysfs-class-watchdog`; the files are there with
/// `CONFIG_WATCHDOG_SYSFS` only.
const SYSFS: &str = "/sys/class/watchdog/watchdog0";

/// What the driver `softdog` calls itself.
const SOFTWARE: &str = "Software Watchdog";

/// The first watchdog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watchdog {
    /// What its driver calls it.
    pub identity: Option<String>,
    /// After how many seconds without a sign of life it restarts the box.
    pub timeout_s: Option<u64>,
    /// Whether somebody has started it.
    pub active: Option<bool>,
    /// Whether it can't be stopped once it is started.
    pub nowayout: Option<bool>,
}

impl Watchdog {
    /// None when the box has none, or no driver for it.
    #[must_use]
    pub fn read(root: &Root) -> Option<Self> {
        let devices = ["/dev/watchdog0", "/dev/watchdog", SYSFS];
        if !devices.iter().any(|device| root.has(device)) {
            return None;
        }
        let state = root.text(format!("{SYSFS}/state"));
        Some(Self {
            identity: root.text(format!("{SYSFS}/identity")),
            timeout_s: root.number(format!("{SYSFS}/timeout")),
            active: state.map(|state| state == "active"),
            nowayout: root
                .number(format!("{SYSFS}/nowayout"))
                .map(|nowayout| nowayout != 0),
        })
    }
}

/// There must be one, in hardware, and somebody must have started it.
#[must_use]
pub fn judge(watchdog: Option<&Watchdog>, family: Family) -> Finding {
    let Some(watchdog) = watchdog else {
        return Finding::degraded(SUBJECT, "none: a box that hangs stays so", driver(family));
    };
    let name = watchdog.identity.as_deref().unwrap_or("/dev/watchdog0");
    let timeout = watchdog
        .timeout_s
        .map_or_else(String::new, |timeout| format!(", {timeout} s"));
    let state = match watchdog.active {
        Some(true) => "running",
        Some(false) => "not started: a box that hangs stays so",
        None => "whether it is running can't be seen",
    };
    let what = format!("{name}{timeout}, {state}");
    if watchdog.identity.as_deref() == Some(SOFTWARE) {
        return Finding::degraded(
            SUBJECT,
            format!("{what}; one in software hangs with the kernel"),
            driver(family),
        );
    }
    match watchdog.active {
        Some(true) => Finding::good(SUBJECT, what),
        Some(false) | None => Finding::degraded(
            SUBJECT,
            what,
            "let systemd run it: RuntimeWatchdogSec=15s in /etc/systemd/system.conf (a Raspberry \
             Pi takes no more than 15 s), then `systemctl daemon-reexec`",
        ),
    }
}

fn driver(family: Family) -> &'static str {
    match family {
        Family::RaspberryPi | Family::RaspberryPi5 => {
            "add dtparam=watchdog=on to /boot/firmware/config.txt and restart"
        }
        Family::Intel | Family::Pc => {
            "load its driver: iTCO_wdt for Intel, sp5100_tco for AMD; see `wdctl`"
        }
        Family::VirtualMachine => {
            "give the machine one: a device i6300esb in QEMU and libvirt (action \"reset\")"
        }
        _ => "load the driver of the box's own watchdog; see `wdctl` and the kernel log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;
    use std::fs;
    use std::path::Path;

    fn box_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn raspberry(state: &'static str) -> [(&'static str, &'static str); 5] {
        [
            ("dev/watchdog0", ""),
            // drivers/watchdog/bcm2835_wdt.c
            (
                "sys/class/watchdog/watchdog0/identity",
                "Broadcom BCM2835 Watchdog timer\n",
            ),
            ("sys/class/watchdog/watchdog0/timeout", "15\n"),
            ("sys/class/watchdog/watchdog0/state", state),
            ("sys/class/watchdog/watchdog0/nowayout", "0\n"),
        ]
    }

    fn judged(files: &[(&str, &str)], family: Family) -> Finding {
        let folder = box_with(files);
        let watchdog = Watchdog::read(&Root::at(folder.path()));
        judge(watchdog.as_ref(), family)
    }

    #[test]
    fn one_that_runs_is_good() {
        let good = judged(&raspberry("active\n"), Family::RaspberryPi);
        assert_eq!(good.grade(), Grade::Good);
        assert_eq!(
            good.what(),
            "Broadcom BCM2835 Watchdog timer, 15 s, running"
        );
    }

    #[test]
    fn one_that_nobody_started_is_no_help() {
        let idle = judged(&raspberry("inactive\n"), Family::RaspberryPi);
        assert_eq!(idle.grade(), Grade::Degraded);
        assert!(idle.advice().unwrap().contains("RuntimeWatchdogSec=15s"));
        // A kernel without CONFIG_WATCHDOG_SYSFS.
        let silent = judged(&[("dev/watchdog0", "")], Family::Unknown);
        assert_eq!(silent.grade(), Grade::Degraded);
        assert!(silent.what().contains("can't be seen"), "{silent:?}");
    }

    #[test]
    fn none_and_one_in_software_say_how_to_get_a_real_one() {
        let none = judged(&[], Family::RaspberryPi);
        assert_eq!(none.grade(), Grade::Degraded);
        assert!(none.advice().unwrap().contains("dtparam=watchdog=on"));
        let software = judged(
            &[
                (
                    "sys/class/watchdog/watchdog0/identity",
                    "Software Watchdog\n",
                ),
                ("sys/class/watchdog/watchdog0/state", "active\n"),
            ],
            Family::Jetson,
        );
        assert_eq!(software.grade(), Grade::Degraded);
        assert!(software.what().contains("in software"), "{software:?}");
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let folder = box_with(&[
            ("dev/watchdog", ""),
            ("sys/class/watchdog/watchdog0/timeout", "soon"),
        ]);
        let read = Watchdog::read(&Root::at(folder.path())).unwrap();
        assert_eq!(
            (read.timeout_s, read.active, read.nowayout),
            (None, None, None)
        );
        assert_eq!(Watchdog::read(&Root::at(Path::new("/nonexistent"))), None);
    }
}
