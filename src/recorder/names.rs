//! Names of folders and files, from names that strangers chose.
//!
//! Whatever a room or a participant is called, what comes out is one plain path component: only
//! `[A-Za-z0-9._-]`, `%` in an escape and `~` in front of a hash; never empty, never starting
//! with a dot, never longer than [`MAX_COMPONENT`]. The real names stand in the manifest.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, UtcOffset};

use crate::room::Source;

/// Bytes that a folder's name may have. Linux allows 255 (`NAME_MAX`); the rest is left for the
/// number that makes a name unique, and for endings of tools that copy folders.
pub const MAX_COMPONENT: usize = 200;

/// The file of segment lengths and hashes in each recording's folder.
pub const MANIFEST: &str = "manifest.json";

/// The HLS playlist in each recording's folder.
pub const PLAYLIST: &str = "index.m3u8";

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Hexadecimal digits of SHA-256 that tell two cut names apart.
const HASH_DIGITS: usize = 12;

/// Which segment of a recording: 0, 1, 2 …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentIndex(pub u32);

impl SegmentIndex {
    /// The name while the segment is being written, or when it was not finished.
    #[must_use]
    pub fn open_name(self) -> String {
        format!("{:05}.recording.ts", self.0)
    }

    /// The name of a complete segment.
    #[must_use]
    pub fn final_name(self) -> String {
        format!("{:05}.ts", self.0)
    }
}

impl std::fmt::Display for SegmentIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:05}", self.0)
    }
}

/// The folder of a room, below the output directory.
#[must_use]
pub fn room_dir(room: &str) -> String {
    component(room, MAX_COMPONENT)
}

/// The folder of a recording, below its room: `20261122T041700Z-<participant>-<source>`.
///
/// `start` may be in any zone; the name has UTC.
#[must_use]
pub fn recording_dir(start: OffsetDateTime, identity: &str, source: Source) -> String {
    let utc = start.to_offset(UtcOffset::UTC);
    let start = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    );
    let room_left = MAX_COMPONENT - start.len() - source.as_str().len() - 2;
    format!("{start}-{}-{source}", component(identity, room_left))
}

/// The `attempt`-th name to try for a folder called `name`: itself, `name-2`, `name-3` …
#[must_use]
pub fn numbered(name: &str, attempt: u32) -> String {
    match attempt {
        0 | 1 => name.to_owned(),
        n => format!("{name}-{n}"),
    }
}

fn component(name: &str, limit: usize) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    let mut safe = String::with_capacity(name.len());
    let rest = match name.strip_prefix('.') {
        // A leading dot would hide the folder, or be `.` or `..`.
        Some(rest) => {
            safe.push_str("%2E");
            rest
        }
        None => name,
    };
    safe.extend(utf8_percent_encode(rest, ESCAPED));
    if safe.len() > limit {
        // `~` is escaped in every name, so no name can pose as the cut form of another.
        let hash = short_hash(name);
        safe.truncate(cut_before_escape(&safe, limit - hash.len() - 1));
        safe.push('~');
        safe.push_str(&hash);
    }
    safe
}

/// The last place at or before `at` which is not inside a `%XX`. `encoded` is ASCII.
fn cut_before_escape(encoded: &str, at: usize) -> usize {
    let bytes = encoded.as_bytes();
    (at.saturating_sub(2)..at)
        .find(|&i| bytes.get(i) == Some(&b'%'))
        .unwrap_or(at)
}

fn short_hash(name: &str) -> String {
    let mut hex = to_hex(&Sha256::digest(name.as_bytes()));
    hex.truncate(HASH_DIGITS);
    hex
}

/// Lower-case hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-11-22 04:17:00 UTC);

    #[test]
    fn names_read_as_documented() {
        let cases = [
            ("anna", "20261122T041700Z-anna-camera"),
            ("", "20261122T041700Z-_-camera"),
            (".hidden", "20261122T041700Z-%2Ehidden-camera"),
            (
                "../../etc/passwd",
                "20261122T041700Z-%2E.%2F..%2Fetc%2Fpasswd-camera",
            ),
            ("Jürg 1", "20261122T041700Z-J%C3%BCrg%201-camera"),
        ];
        for (identity, expected) in cases {
            assert_eq!(recording_dir(START, identity, Source::Camera), expected);
        }
        assert_eq!(room_dir(".."), "%2E.");
        assert_eq!(room_dir("demo"), "demo");
        assert_eq!(
            recording_dir(datetime!(2026-11-22 06:17:00 +2), "a", Source::ScreenShare),
            "20261122T041700Z-a-screen_share"
        );
        assert_eq!(SegmentIndex(7).open_name(), "00007.recording.ts");
        assert_eq!(SegmentIndex(123_456).final_name(), "123456.ts");
        assert_eq!(to_hex(&[0x00, 0x1a, 0xff]), "001aff");
        assert_eq!(numbered("x", 1), "x");
        assert_eq!(numbered("x", 2), "x-2");
    }

    #[test]
    fn long_names_are_cut_between_escapes_and_stay_apart() {
        let long = "ü".repeat(150);
        let other = format!("{}o", "ü".repeat(149));
        let dir = room_dir(&long);
        assert!(dir.len() <= MAX_COMPONENT);
        assert_ne!(dir, room_dir(&other));
        let (kept, hash) = dir.split_once('~').unwrap();
        assert_eq!(hash.len(), HASH_DIGITS);
        assert!(kept.ends_with("%C3") || kept.ends_with("%BC"), "{kept}");
    }

    fn is_plain(name: &str, parts: &[Component<'_>]) -> bool {
        !name.starts_with('.')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-%~".contains(&b))
            && matches!(parts, [Component::Normal(part)] if *part == name)
    }

    proptest! {
        #[test]
        fn any_name_stays_one_component(name in ".*|\\PC{0,300}|[./]{0,9}|[%a-z.]{150,260}") {
            for dir in [room_dir(&name), recording_dir(START, &name, Source::ScreenShareAudio)] {
                prop_assert!(dir.len() <= MAX_COMPONENT, "{} bytes", dir.len());
                prop_assert!(numbered(&dir, u32::MAX).len() <= 255);
                let parts: Vec<_> = Path::new(&dir).components().collect();
                prop_assert!(is_plain(&dir, &parts), "{dir}");
            }
        }

        #[test]
        fn different_names_have_different_folders(
            a in "[a-z.%~é_-]{1,260}",
            b in "[a-z.%~é_-]{1,260}",
        ) {
            prop_assert_eq!(a == b, room_dir(&a) == room_dir(&b));
        }

        #[test]
        fn short_names_can_be_read_back(name in "\\PC{1,16}") {
            let dir = room_dir(&name);
            let decoded = percent_encoding::percent_decode_str(&dir).decode_utf8().unwrap();
            prop_assert_eq!(decoded, name);
        }
    }
}
