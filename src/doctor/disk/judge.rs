//! Judgements on a disk; pure.

use std::time::Duration;

use indicatif::BinaryBytes;

use super::super::finding::Finding;
use super::super::sync_times::PIECE;
use super::{Disk, FileSystem, Medium, Trouble};

const OUTPUT: &str = "output";
const FILE_SYSTEM: &str = "file system";
const SYNC: &str = "disk sync";

/// Data is written this many times in each interval at whose end it must be on the disk.
const WRITES: u32 = 4;

/// The directory, its file system, and how long a sync takes, of which `flush_interval` is the
/// most that goes well.
#[must_use]
pub fn judge(disk: &Disk, flush_interval: Duration) -> Vec<Finding> {
    let mut findings = vec![judge_output(disk)];
    findings.extend(disk.file_system.as_ref().map(judge_file_system));
    findings.extend(judge_sync(disk, flush_interval));
    findings
}

fn judge_output(disk: &Disk) -> Finding {
    let directory = &disk.directory;
    let read_only = disk
        .file_system
        .as_ref()
        .is_some_and(FileSystem::is_read_only);
    if read_only {
        return Finding::bad(
            OUTPUT,
            format!("{directory}: its file system is mounted read-only"),
            "mount it for writing (mount -o remount,rw), or name another directory; after an error \
             of the disk look into the kernel log first",
        );
    }
    match &disk.trouble {
        Some(Trouble::Hangs) => {
            return Finding::bad(
                OUTPUT,
                format!("{directory}: the disk does not answer"),
                "look for its errors in the kernel log (dmesg); take another card or disk",
            );
        }
        Some(Trouble::Fails(error)) => {
            return Finding::bad(
                OUTPUT,
                error.as_str(),
                "name a directory that the user who records may write: --output, or output in the \
                 configuration",
            );
        }
        None => {}
    }
    let (free, floor) = (disk.free.unwrap_or(0), disk.floor.unwrap_or(0));
    let made = if disk.exists { "" } else { " (to be made)" };
    let what = format!(
        "{directory}{made}, {} of {} free, {} to stay free",
        BinaryBytes(free),
        BinaryBytes(disk.total.unwrap_or(0)),
        BinaryBytes(floor)
    );
    match (free < floor, disk.may_delete) {
        (false, _) => Finding::good(OUTPUT, what),
        (true, true) => Finding::degraded(
            OUTPUT,
            what,
            "recordings pause until the oldest are deleted: see that storage.quota or \
             storage.max_age leaves enough, and what else fills the disk",
        ),
        (true, false) => Finding::bad(
            OUTPUT,
            what,
            "make room, or set storage.quota so that old recordings are deleted",
        ),
    }
}

fn judge_file_system(file_system: &FileSystem) -> Finding {
    let FileSystem {
        kind,
        source,
        mounted_at,
        options,
        medium,
    } = file_system;
    let what = format!(
        "{kind} on {source} ({}), mounted at {mounted_at}",
        medium.as_words()
    );
    let degraded =
        |why: &str, advice: &str| Finding::degraded(FILE_SYSTEM, format!("{what}: {why}"), advice);
    match medium {
        Medium::Memory => {
            return degraded(
                "recordings are gone when the box is off",
                "name an output directory on a disk, or mount one there",
            );
        }
        Medium::Layers => {
            return degraded(
                "what is written may be in memory only",
                "mount a partition of its own for recordings, and name that as the output",
            );
        }
        Medium::Network => {
            return degraded(
                "it stops when the network does",
                "record to a disk of the box, and copy from there",
            );
        }
        _ => {}
    }
    if ["vfat", "msdos", "exfat"].contains(&kind.as_str()) {
        return degraded(
            "it has no journal, and a power cut can damage all of it",
            "make an ext4 on it (mkfs.ext4 removes all that is there)",
        );
    }
    let unsafe_option = options
        .iter()
        .find(|option| ["nobarrier", "barrier=0"].contains(&option.as_str()));
    if let Some(option) = unsafe_option {
        return degraded(
            &format!("{option} lets a power cut take what was synced"),
            "take the option out of /etc/fstab and mount it again",
        );
    }
    Finding::good(FILE_SYSTEM, what)
}

fn judge_sync(disk: &Disk, flush_interval: Duration) -> Option<Finding> {
    let times = disk.sync?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let what = format!(
        "{} KiB are on the disk after {:.1} ms (median of {}), at worst {:.1} ms",
        PIECE >> 10,
        milliseconds(times.median),
        times.pieces,
        milliseconds(times.worst)
    );
    let is_slow = times.median >= flush_interval / WRITES || times.worst >= flush_interval;
    Some(if is_slow {
        Finding::degraded(
            SYNC,
            format!("{what}: a power cut costs more than {flush_interval:?}"),
            "take a card of class A1 or A2 or an SSD, and stop what else writes to it",
        )
    } else {
        Finding::good(SYNC, what)
    })
}

#[cfg(test)]
mod tests {
    use super::super::SyncTimes;
    use super::*;
    use crate::doctor::Grade;

    const SECOND: Duration = Duration::from_secs(1);

    fn disk() -> Disk {
        Disk {
            directory: "/var/lib/reeld".to_owned(),
            exists: true,
            file_system: Some(FileSystem {
                kind: "ext4".to_owned(),
                source: "/dev/mmcblk0p2".to_owned(),
                mounted_at: "/".to_owned(),
                options: vec!["rw".to_owned(), "noatime".to_owned()],
                medium: Medium::SdCard,
            }),
            free: Some(20 << 30),
            total: Some(29 << 30),
            floor: Some(1 << 30),
            may_delete: false,
            sync: Some(times(8, 90)),
            trouble: None,
        }
    }

    const fn times(median: u64, worst: u64) -> SyncTimes {
        SyncTimes {
            pieces: 20,
            median: Duration::from_millis(median),
            worst: Duration::from_millis(worst),
        }
    }

    fn on(kind: &str, medium: Medium, options: &[&str]) -> Disk {
        let mut disk = disk();
        disk.file_system = Some(FileSystem {
            kind: kind.to_owned(),
            medium,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..disk.file_system.unwrap()
        });
        disk
    }

    /// The grades of output, file system and sync.
    fn grades(disk: &Disk) -> Vec<Grade> {
        judge(disk, SECOND).iter().map(Finding::grade).collect()
    }

    #[test]
    fn a_card_with_room_is_good_and_says_what_it_is() {
        let findings = judge(&disk(), SECOND);
        assert!(findings.iter().all(|one| one.grade() == Grade::Good));
        let lines: Vec<&str> = findings.iter().map(Finding::what).collect();
        assert_eq!(
            lines,
            [
                "/var/lib/reeld, 20.00 GiB of 29.00 GiB free, 1.00 GiB to stay free",
                "ext4 on /dev/mmcblk0p2 (SD card), mounted at /",
                "64 KiB are on the disk after 8.0 ms (median of 20), at worst 90.0 ms",
            ]
        );
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_bad() {
        let low = Disk {
            free: Some((1 << 30) - 1),
            ..disk()
        };
        assert_eq!(grades(&low)[0], Grade::Bad);
        let deletes = Disk {
            may_delete: true,
            ..low
        };
        assert_eq!(grades(&deletes)[0], Grade::Degraded);
        for trouble in [Trouble::Hangs, Trouble::Fails("EIO".to_owned())] {
            let failing = Disk {
                trouble: Some(trouble),
                sync: None,
                ..disk()
            };
            assert_eq!(grades(&failing), [Grade::Bad, Grade::Good]);
        }
        let read_only = on("ext4", Medium::SdCard, &["ro", "noatime"]);
        assert_eq!(grades(&read_only)[0], Grade::Bad);
    }

    #[test]
    fn what_a_power_cut_can_take_is_degraded() {
        for (kind, medium, options, word) in [
            ("tmpfs", Medium::Memory, &["rw"][..], "gone"),
            ("overlay", Medium::Layers, &["rw"], "memory"),
            ("nfs4", Medium::Network, &["rw"], "network"),
            ("vfat", Medium::Usb, &["rw"], "journal"),
            ("exfat", Medium::SdCard, &["rw"], "journal"),
            ("ext4", Medium::Ssd, &["rw", "nobarrier"], "nobarrier"),
        ] {
            let finding = &judge(&on(kind, medium, options), SECOND)[1];
            assert_eq!(finding.grade(), Grade::Degraded, "{finding:?}");
            assert!(finding.what().contains(word), "{finding:?}");
        }
    }

    #[test]
    fn a_disk_must_keep_up_with_the_interval() {
        for (median, worst, grade) in [
            (249, 999, Grade::Good),
            (250, 300, Grade::Degraded),
            (5, 1_000, Grade::Degraded),
        ] {
            let disk = Disk {
                sync: Some(times(median, worst)),
                ..disk()
            };
            assert_eq!(grades(&disk)[2], grade, "{median} {worst}");
        }
        // Who allows less must have a faster one.
        let findings = judge(&disk(), Duration::from_millis(90));
        assert_eq!(findings[2].grade(), Grade::Degraded);
    }
}
