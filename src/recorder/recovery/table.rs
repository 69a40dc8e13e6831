//! What a crash can leave in a recording's folder, and what is done about it: pure.
//!
//! | found | how it came to be | done |
//! |---|---|---|
//! | `N.recording.ts` | the process or the box died, or the disk failed | repaired, `N.ts` |
//! | the same beside `N.ts` | only by other programs | repaired under the next free number |
//! | `N.ts`, not in the manifest | it died before the manifest was replaced | described |
//! | `N.ts`, in the manifest with another size | the file system lost something | left, reported |
//! | `N.damaged`, not in the manifest | recovery died before the manifest was replaced | described |
//! | in the manifest, no file | somebody removed it, or the file system lost it | taken out |
//! | `*.tmp` of ours | it died while it replaced a file | removed |
//! | no manifest, or none that can be read | the file system lost it | made again of the segments |
//! | a manifest that says `recording` | it died before the end | `sealed` |
//! | no playlist, or another one | it died between manifest and playlist | made again |
//! | no segment, or none with media | it died before its first unit was whole | folder removed |
//!
//! A file with its final name is never changed, one with a name that is not ours never touched.

use std::collections::BTreeMap;

use super::super::manifest::{Manifest, RecordingState, segment_number};
use super::super::names::{MANIFEST, PLAYLIST, SegmentIndex, SegmentName};

/// A file of ours, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::recorder) enum Ours {
    Open(SegmentIndex),
    Final(SegmentIndex),
    /// Given up: nothing in it can be decoded.
    Damaged(SegmentIndex),
    /// A file that is not complete and will be made again.
    Unfinished,
    Manifest,
    Playlist,
}

impl Ours {
    pub(in crate::recorder) fn of(name: &str) -> Option<Self> {
        match name {
            MANIFEST => return Some(Self::Manifest),
            PLAYLIST => return Some(Self::Playlist),
            _ => {}
        }
        if let Some(replaced) = name.strip_suffix(".tmp") {
            let is_ours = replaced == MANIFEST
                || replaced == PLAYLIST
                || numbered(replaced, ".recovering").is_some();
            return is_ours.then_some(Self::Unfinished);
        }
        if let Some(index) = numbered(name, ".damaged") {
            return Some(Self::Damaged(index));
        }
        Some(match SegmentIndex::of_file(name)? {
            (index, SegmentName::Open) => Self::Open(index),
            (index, SegmentName::Final) => Self::Final(index),
        })
    }
}

/// The name of what was given up.
pub(super) fn damaged_name(index: SegmentIndex) -> String {
    format!("{index}.damaged")
}

/// The name of a file that is made of the sound parts of another one.
pub(super) fn rewritten_name(index: SegmentIndex) -> String {
    format!("{index}.recovering.tmp")
}

fn numbered(name: &str, ending: &str) -> Option<SegmentIndex> {
    let index = SegmentIndex(name.strip_suffix(ending)?.parse().ok()?);
    (name == format!("{index}{ending}")).then_some(index)
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Files of ours, their names and sizes in bytes.
    pub(super) ours: Vec<(Ours, String, u64)>,
    /// There is something else.
    pub(super) others: bool,
}

/// What the folder says of itself.
#[derive(Debug)]
pub(super) enum Told {
    /// No manifest, or none that can be read.
    Nothing,
    Manifest(Box<Manifest>),
}

/// What is to be done, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Files to be removed: what will be made again.
    pub(super) unfinished: Vec<String>,
    /// Open segments, and the numbers that they are sealed under.
    pub(super) repair: Vec<(SegmentIndex, SegmentIndex)>,
    /// Complete segments that the manifest does not describe.
    pub(super) describe: Vec<SegmentIndex>,
    /// The same of given up ones.
    pub(super) mention: Vec<(SegmentIndex, u64)>,
    /// What the manifest says is there and is not.
    pub(super) missing: Vec<String>,
    /// Sealed files that are not what the manifest says: name, its bytes, and those found.
    pub(super) changed: Vec<(String, u64, u64)>,
    /// There is no segment and never was: the folder goes.
    pub(super) empty: bool,
    /// The manifest is to be replaced even if nothing else is.
    pub(super) seal: bool,
}

impl Plan {
    pub(super) fn of(listing: &Listing, told: &Told) -> Self {
        let manifest = match told {
            Told::Manifest(manifest) => Some(manifest.as_ref()),
            Told::Nothing => None,
        };
        let records = manifest.map_or(&[][..], |manifest| &manifest.segments);
        let described: BTreeMap<_, _> = records
            .iter()
            .map(|segment| (segment.file.as_str(), segment.bytes))
            .collect();
        let mut plan = Self {
            seal: manifest.is_none_or(|it| it.state != RecordingState::Sealed),
            ..Self::default()
        };
        let has = |wanted| listing.ours.iter().any(|(ours, ..)| *ours == wanted);
        let mut free = first_free(listing, records.iter().map(|it| it.file.as_str()));
        for (ours, name, bytes) in &listing.ours {
            let told = described.get(name.as_str()).copied();
            match *ours {
                Ours::Unfinished => plan.unfinished.push(name.clone()),
                Ours::Open(index) if has(Ours::Final(index)) => {
                    plan.repair.push((index, free));
                    free.0 = free.0.saturating_add(1);
                }
                Ours::Open(index) => plan.repair.push((index, index)),
                Ours::Final(index) => match told {
                    None => plan.describe.push(index),
                    Some(told) if told != *bytes => {
                        plan.changed.push((name.clone(), told, *bytes));
                    }
                    Some(_) => {}
                },
                Ours::Damaged(index) if told.is_none() => plan.mention.push((index, *bytes)),
                Ours::Damaged(_) | Ours::Manifest | Ours::Playlist => {}
            }
        }
        let is_there = |file: &str| listing.ours.iter().any(|(_, name, _)| name == file);
        for (file, _) in described.iter().filter(|(file, _)| !is_there(file)) {
            // It may have another name by now.
            let number = segment_number(file);
            let same = |ours: &Ours| match *ours {
                Ours::Open(index) | Ours::Final(index) | Ours::Damaged(index) => {
                    Some(index.0) == number
                }
                Ours::Unfinished | Ours::Manifest | Ours::Playlist => false,
            };
            if !listing.ours.iter().any(|(ours, ..)| same(ours)) {
                plan.missing.push((*file).to_owned());
            }
        }
        plan.empty = !listing.others && records.is_empty() && has_no_segments(listing);
        plan
    }

    /// Whether the manifest will say something else than it does.
    pub(super) fn changes_manifest(&self) -> bool {
        self.seal
            || !(self.repair.is_empty()
                && self.describe.is_empty()
                && self.mention.is_empty()
                && self.missing.is_empty())
    }
}

fn has_no_segments(listing: &Listing) -> bool {
    let is_index = |ours: &Ours| matches!(ours, Ours::Manifest | Ours::Playlist | Ours::Unfinished);
    listing.ours.iter().all(|(ours, ..)| is_index(ours))
}

fn first_free<'a>(listing: &'a Listing, records: impl Iterator<Item = &'a str>) -> SegmentIndex {
    let files = listing.ours.iter().map(|(_, name, _)| name.as_str());
    let greatest = files.chain(records).filter_map(segment_number).max();
    SegmentIndex(greatest.map_or(0, |number| number.saturating_add(1)))
}

/// Whether a playlist is that of the sealed recording.
pub(super) fn lists_all(playlist: &str, manifest: &Manifest) -> bool {
    let lines = || playlist.lines().map(str::trim);
    let listed = lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sealed = manifest.segments.iter().filter(|segment| !segment.damaged);
    lines().any(|line| line == "#EXT-X-ENDLIST") && listed.eq(sealed.map(|it| it.file.as_str()))
}
