//! Names of folders and files, from names that strangers chose.
//!
//! Whatever a room or a participant is called, what comes out is one plain path component: only
//! `[A-Za-z0-9._-]`, `%` in an escape and `~` in front of a hash; never empty, never starting
//! with a dot, never longer than [`MAX_COMPONENT`]. The real names stand in the manifest.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::room::Source;

/// Bytes that a folder's name may have. Linux allows 255 (`NAME_MAX`); the rest is left for
/// endings of tools that copy folders.
pub const MAX_COMPONENT: usize = 200;

/// The file of segment lengths and hashes in each recording's folder.
pub const MANIFEST: &str = "manifest.json";

/// The HLS playlist in each recording's folder.
pub const PLAYLIST: &str = "index.m3u8";

/// The mark of a recording that is never deleted: an empty file in its folder.
pub const KEPT: &str = "kept";

/// In front of the name of a recording's folder that is being deleted: no name of a recording
/// begins with a dot.
pub const DELETING: &str = ".deleting-";

/// How the name of a recording's folder begins.
const TIME_OF_START: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

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

/// What a segment's file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentName {
    /// `NNNNN.recording.ts`: being written, or left by a crash.
    Open,
    /// `NNNNN.ts`: complete.
    Final,
}

impl SegmentIndex {
    /// Which segment a file of this name is. None for every name that this program never gives.
    #[must_use]
    pub fn of_file(name: &str) -> Option<(Self, SegmentName)> {
        let index = Self(name.split_once('.')?.0.parse().ok()?);
        if name == index.final_name() {
            Some((index, SegmentName::Final))
        } else if name == index.open_name() {
            Some((index, SegmentName::Open))
        } else {
            None
        }
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

/// When a recording started whose folder has this name. None for every name that
/// [`recording_dir`] never gives.
#[must_use]
pub fn start_of_recording(name: &str) -> Option<OffsetDateTime> {
    let (start, rest) = name.split_once('-')?;
    let start = PrimitiveDateTime::parse(start, TIME_OF_START)
        .ok()?
        .assume_utc();
    let (identity, source) = rest.rsplit_once('-')?;
    let is_source = Source::ALL.iter().any(|known| known.as_str() == source);
    (is_source && !identity.is_empty()).then_some(start)
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
    }

    #[test]
    fn our_own_names_are_known_and_no_others() {
        let open = (SegmentIndex(7), SegmentName::Open);
        let segments = [
            ("00007.recording.ts", Some(open)),
            ("00000.ts", Some((SegmentIndex(0), SegmentName::Final))),
            (
                "123456.ts",
                Some((SegmentIndex(123_456), SegmentName::Final)),
            ),
            ("7.ts", None),
            ("+0007.ts", None),
            ("000007.ts", None),
            ("00007.mp4", None),
            ("00007.ts.bak", None),
            ("00007.recording.ts~", None),
            ("holiday.ts", None),
            ("", None),
        ];
        for (name, expected) in segments {
            assert_eq!(SegmentIndex::of_file(name), expected, "{name}");
        }
        let folders = [
            ("20261122T041700Z-anna-camera", true),
            ("20261122T041700Z-anna-maria-screen_share", true),
            ("20261122T041700Z-_-microphone", true),
            ("20261122T041700Z-anna-camera-2", false),
            ("20261122T041700Z-anna-holiday", false),
            ("20261122T041700Z--camera", false),
            ("20261122T041700Z", false),
            ("20261322T041700Z-anna-camera", false),
            ("2026-11-22-camera", false),
            ("lost+found", false),
        ];
        for (name, ours) in folders {
            let expected = ours.then_some(START);
            assert_eq!(start_of_recording(name), expected, "{name}");
        }
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
                let parts: Vec<_> = Path::new(&dir).components().collect();
                prop_assert!(is_plain(&dir, &parts), "{dir}");
            }
            for source in Source::ALL {
                let dir = recording_dir(START, &name, source);
                prop_assert_eq!(start_of_recording(&dir), Some(START), "{}", &dir);
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
