//! What a file system lies on, by `/sys/dev/block` and its own kind.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::board::Root;
use crate::board::mounts::Mount;

/// What a file system lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// An SD card.
    SdCard,
    /// Flash that is soldered to the board.
    Emmc,
    /// A disk or stick behind USB.
    Usb,
    /// An SSD on PCI Express.
    Nvme,
    /// Another SSD.
    Ssd,
    /// A disk that turns.
    HardDisk,
    /// Raw flash under UBIFS or JFFS2.
    Flash,
    /// The disk of a virtual machine.
    Virtual,
    /// Memory: gone with the power.
    Memory,
    /// Another machine.
    Network,
    /// Layers of other file systems.
    Layers,
    /// None of these.
    Unknown,
}

impl Medium {
    /// What a mount lies on.
    #[must_use]
    pub fn of(root: &Root, mount: &Mount) -> Self {
        match mount.kind.as_str() {
            "tmpfs" | "ramfs" | "devtmpfs" => Self::Memory,
            "overlay" | "aufs" => Self::Layers,
            "ubifs" | "jffs2" => Self::Flash,
            "cifs" | "smb3" | "9p" | "virtiofs" | "ceph" | "fuse.sshfs" | "fuse.rclone" => {
                Self::Network
            }
            kind if kind.starts_with("nfs") => Self::Network,
            _ => block_device(root, mount).map_or(Self::Unknown, |device| of_device(root, &device)),
        }
    }

    /// As a person would say it.
    #[must_use]
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::SdCard => "SD card",
            Self::Emmc => "eMMC",
            Self::Usb => "USB disk",
            Self::Nvme => "NVMe SSD",
            Self::Ssd => "SSD",
            Self::HardDisk => "hard disk",
            Self::Flash => "raw flash",
            Self::Virtual => "virtual disk",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Layers => "layers",
            Self::Unknown => "unknown device",
        }
    }
}

/// The directory of the disk below `/sys/devices`. Btrfs gives its files devices of their own:
/// then the name of what is mounted leads there.
fn block_device(root: &Root, mount: &Mount) -> Option<PathBuf> {
    let by_number = root.path(format!("/sys/dev/block/{}", mount.device));
    let by_name = Path::new(&mount.source)
        .file_name()
        .map(|name| root.path(Path::new("/sys/class/block").join(name)));
    let found = std::iter::once(by_number)
        .chain(by_name)
        .find_map(|link| link.canonicalize().ok())?;
    // A partition lies in the directory of its disk.
    let disk = if found.join("partition").exists() {
        found.parent()?.to_owned()
    } else {
        found
    };
    Some(below_the_mapper(&disk).unwrap_or(disk))
}

/// What a mapped device (LUKS, LVM) is made of, when that is one device.
fn below_the_mapper(disk: &Path) -> Option<PathBuf> {
    let mut slaves = std::fs::read_dir(disk.join("slaves")).ok()?.flatten();
    let only = slaves.next()?;
    if slaves.next().is_some() {
        return None;
    }
    let below = only.path().canonicalize().ok()?;
    if below.join("partition").exists() {
        below.parent().map(Path::to_owned)
    } else {
        Some(below)
    }
}

fn of_device(root: &Root, disk: &Path) -> Medium {
    let name = disk.file_name().unwrap_or_default().to_string_lossy();
    let path = root.name(disk);
    // Where the disk's own directory is looked into, it is asked for as on the box.
    let text = |file: &str| root.text(path.join(file));
    if name.starts_with("mmcblk") {
        return match text("device/type").as_deref() {
            Some("SD") => Medium::SdCard,
            Some("MMC") => Medium::Emmc,
            _ => Medium::Unknown,
        };
    }
    if name.starts_with("nvme") {
        return Medium::Nvme;
    }
    if name.starts_with("zram") || name.starts_with("ram") {
        return Medium::Memory;
    }
    if name.starts_with("vd") || name.starts_with("xvd") {
        return Medium::Virtual;
    }
    let is_usb = |part: &std::ffi::OsStr| part.to_string_lossy().starts_with("usb");
    if path.iter().any(is_usb) {
        return Medium::Usb;
    }
    if !name.starts_with("sd") {
        return Medium::Unknown;
    }
    match text("queue/rotational").as_deref() {
        Some("1") => Medium::HardDisk,
        Some("0") => Medium::Ssd,
        _ => Medium::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A box with one partition: its directory below `/sys/devices`, and files of its disk.
    struct Disk {
        folder: tempfile::TempDir,
    }

    impl Disk {
        fn new(disk: &str, partition: &str, files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path().join("sys/devices").join(disk);
            let part = at.join(partition);
            fs::create_dir_all(&part).unwrap();
            if !partition.is_empty() {
                fs::write(part.join("partition"), "1\n").unwrap();
            }
            for (file, text) in files {
                fs::create_dir_all(at.join(file).parent().unwrap()).unwrap();
                fs::write(at.join(file), text).unwrap();
            }
            let numbers = folder.path().join("sys/dev/block");
            let names = folder.path().join("sys/class/block");
            for directory in [&numbers, &names] {
                fs::create_dir_all(directory).unwrap();
            }
            symlink(&part, numbers.join("8:1")).unwrap();
            symlink(&part, names.join("the-name")).unwrap();
            Self { folder }
        }

        fn medium(&self, device: &str, kind: &str) -> Medium {
            let mount = Mount {
                device: device.to_owned(),
                part: PathBuf::from("/"),
                point: PathBuf::from("/"),
                kind: kind.to_owned(),
                source: "/dev/the-name".to_owned(),
                options: Vec::new(),
            };
            Medium::of(&Root::at(self.folder.path()), &mount)
        }
    }

    /// Paths as Raspberry Pi 4, Jetson Orin and a PC have them.
    #[test]
    fn each_medium_is_told_by_where_its_device_hangs() {
        let sd = "platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0";
        let usb = "platform/scb/fd500000.pcie/pci0000:00/0000:01:00.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0/block/sda";
        let nvme = "platform/14160000.pcie/pci0004:00/0004:01:00.0/nvme/nvme0/nvme0n1";
        let sata = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
        let virtio = "pci0000:00/0000:00:04.0/virtio1/block/vda";
        let card = [("device/type", "SD\n")];
        let soldered = [("device/type", "MMC\n")];
        let (turns, does_not) = ([("queue/rotational", "1\n")], [("queue/rotational", "0\n")]);
        for (disk, partition, files, medium) in [
            (sd, "mmcblk0p2", &card[..], Medium::SdCard),
            (sd, "mmcblk0p2", &soldered[..], Medium::Emmc),
            (sd, "mmcblk0p2", &[], Medium::Unknown),
            (usb, "sda1", &turns[..], Medium::Usb),
            (nvme, "nvme0n1p1", &[], Medium::Nvme),
            (sata, "sda1", &turns[..], Medium::HardDisk),
            (sata, "", &does_not[..], Medium::Ssd),
            (virtio, "", &[], Medium::Virtual),
            ("virtual/block/zram0", "", &[], Medium::Memory),
            ("virtual/block/loop0", "", &[], Medium::Unknown),
        ] {
            let disk = Disk::new(disk, partition, files);
            assert_eq!(disk.medium("8:1", "ext4"), medium, "{medium:?}");
            assert_eq!(disk.medium("0:35", "btrfs"), medium, "by its name");
        }
    }

    #[test]
    fn some_kinds_of_file_systems_say_enough() {
        let disk = Disk::new("virtual/block/loop0", "", &[]);
        for (kind, medium) in [
            ("tmpfs", Medium::Memory),
            ("overlay", Medium::Layers),
            ("nfs4", Medium::Network),
            ("cifs", Medium::Network),
            ("ubifs", Medium::Flash),
        ] {
            assert_eq!(disk.medium("8:1", kind), medium);
        }
    }

    #[test]
    fn under_a_mapper_lies_the_disk_that_counts() {
        let disk = Disk::new("x/nvme0n1", "nvme0n1p1", &[]);
        let root = disk.folder.path();
        let mapped = root.join("sys/devices/virtual/block/dm-0");
        fs::create_dir_all(mapped.join("slaves")).unwrap();
        let partition = root.join("sys/devices/x/nvme0n1/nvme0n1p1");
        symlink(partition, mapped.join("slaves/nvme0n1p1")).unwrap();
        symlink(&mapped, root.join("sys/dev/block/253:0")).unwrap();
        assert_eq!(disk.medium("253:0", "ext4"), Medium::Nvme);
    }
}
