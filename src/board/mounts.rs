//! What is mounted where, from `/proc/self/mountinfo` (proc(5)).

use std::path::{Path, PathBuf};

use super::Root;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor` of the device.
    pub device: String,
    /// Which part of the file system is mounted: `/` for all of it.
    pub part: PathBuf,
    /// Where.
    pub point: PathBuf,
    /// `ext4`, `tmpfs`, `nfs4` …
    pub kind: String,
    /// What is mounted: a device, a server's share, a word.
    pub source: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
}

/// All mounts, in the order in which they were made; empty when they can't be read.
#[must_use]
pub fn read(root: &Root) -> Vec<Mount> {
    let bytes = root.read("/proc/self/mountinfo").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter_map(parse).collect()
}

/// The mount that `path`, which is absolute and without links, lies in: the innermost one, and
/// of several at one place the last.
#[must_use]
pub fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let holding = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    holding.max_by_key(|mount| mount.point.components().count())
}

fn parse(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(2);
    let device = fields.next()?.to_owned();
    let part = PathBuf::from(unescape(fields.next()?));
    let point = PathBuf::from(unescape(fields.next()?));
    let of_mount = fields.next()?;
    let mut fields = file_system.split(' ');
    let (kind, source) = (fields.next()?.to_owned(), unescape(fields.next()?));
    let of_file_system = fields.next().unwrap_or_default();
    let mut options: Vec<String> = Vec::new();
    for option in of_mount.split(',').chain(of_file_system.split(',')) {
        if !option.is_empty() && !options.iter().any(|known| known == option) {
            options.push(option.to_owned());
        }
    }
    Some(Mount {
        device,
        part,
        point,
        kind,
        source,
        options,
    })
}

/// Space, tab, newline and backslash stand as three octal digits behind a backslash.
fn unescape(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                text.push(char::from(code));
                text.push_str(part.get(3..).unwrap_or_default());
            }
            _ => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: [&str; 4] = [
        "27 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw,errors=remount-ro",
        "40 27 8:1 / /media/a\\040card rw,relatime - vfat /dev/sda1 rw",
        "41 27 8:1 / /media/a\\040card ro - ext4 /dev/sda1 rw,data=ordered",
        "42 27 0:40 /data /var/lib rw master:3 - nfs4 server:/x rw,hard",
    ];

    #[test]
    fn the_innermost_and_the_last_mount_holds_a_path() {
        let mounts: Vec<Mount> = TABLE.iter().filter_map(|line| parse(line)).collect();
        assert_eq!(mounts.len(), TABLE.len());
        for (path, kind, device) in [
            ("/home/pi", "ext4", "179:2"),
            ("/media/a card/x", "ext4", "8:1"),
            ("/media/a cardigan", "ext4", "179:2"),
            ("/var/lib/reeld", "nfs4", "0:40"),
        ] {
            let mount = holding(&mounts, Path::new(path)).unwrap();
            assert_eq!((mount.kind.as_str(), mount.device.as_str()), (kind, device));
        }
        let card = holding(&mounts, Path::new("/media/a card")).unwrap();
        assert_eq!(card.options, ["ro", "rw", "data=ordered"]);
        assert_eq!(mounts[3].part, Path::new("/data"));
        assert_eq!(holding(&[], Path::new("/")), None);
    }

    #[test]
    fn this_machine_has_a_root() {
        let mounts = read(&Root::here());
        assert!(holding(&mounts, Path::new("/")).is_some());
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".{0,80}", field in "[\\\\0-9a-z]{0,12}") {
            let _ = parse(&line);
            let _ = parse(&format!("1 2 3:4 {field} / rw - a {field} rw"));
        }
    }
}
