//! What is on the disk: recordings and their sizes.
//!
//! Made anew every few seconds, with thousands of recordings. A folder is only read again when
//! something was made, renamed or removed in it since, or when a segment of it is open and may
//! grow: what is sealed does not change.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

use super::retention::Stock;
use crate::recorder::RecorderError;
use crate::recorder::contents::Contents;
use crate::recorder::shelf::{self, RecordingFolder};

/// A folder that changed less than this before it was read may change again without a newer
/// time: file systems count in steps, of up to 2 s.
const COARSEST_CLOCK: Duration = Duration::from_secs(3);

/// What is known of the folders.
#[derive(Debug, Default)]
pub struct Inventory {
    known: HashMap<PathBuf, Known>,
}

/// What was seen in a folder.
#[derive(Debug)]
struct Known {
    /// When it last changed; none when it has to be read again.
    changed: Option<SystemTime>,
    bytes: u64,
    written: Option<SystemTime>,
    kept: bool,
    /// Whether there is anything of ours, or nothing at all.
    ours: bool,
}

/// Recordings, and what could not be read.
#[derive(Debug, Default)]
pub struct Taken {
    /// The recordings, oldest first.
    pub stock: Vec<Stock>,
    /// Folders that can't be read.
    pub errors: Vec<RecorderError>,
}

impl Inventory {
    /// Looks at all recordings below `output`.
    ///
    /// # Errors
    /// When `output` itself can't be read.
    pub fn take(&mut self, output: &Path, now: SystemTime) -> Result<Taken, RecorderError> {
        let listed = shelf::recordings(output)?;
        let mut before = std::mem::take(&mut self.known);
        let mut found = Taken {
            errors: listed.errors,
            ..Taken::default()
        };
        for folder in listed.recordings {
            let known = before.remove(&folder.path);
            match renew(known, &folder.path, now) {
                Ok(known) => {
                    if known.ours {
                        found.stock.push(stock(&folder, &known));
                    }
                    self.known.insert(folder.path, known);
                }
                // Removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let error = RecorderError::from_io("read", &folder.path, error);
                    found.errors.push(error);
                }
            }
        }
        Ok(found)
    }
}

/// What is in a folder now.
fn renew(known: Option<Known>, path: &Path, now: SystemTime) -> io::Result<Known> {
    let changed = fs::metadata(path)?.modified()?;
    if let Some(known) = known
        && known.changed == Some(changed)
    {
        return Ok(known);
    }
    let contents = Contents::read(path)?;
    // A time in the future is no better: the clock was set back.
    let settled = now
        .duration_since(changed)
        .is_ok_and(|age| age >= COARSEST_CLOCK);
    Ok(Known {
        changed: (settled && !contents.has_open_segment()).then_some(changed),
        bytes: contents.on_disk(),
        written: contents.last_written(),
        kept: contents.is_kept(),
        ours: !contents.own.is_empty() || contents.foreign == 0,
    })
}

fn stock(folder: &RecordingFolder, known: &Known) -> Stock {
    Stock {
        path: folder.path.clone(),
        started: folder.started,
        written: known.written.map_or(folder.started, OffsetDateTime::from),
        bytes: known.bytes,
        busy: false,
        kept: known.kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn folder(output: &Path, name: &str) -> PathBuf {
        let folder = output.join("room").join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// As if it had not changed for a while.
    fn settle(folder: &Path) {
        let past = SystemTime::now() - Duration::from_mins(1);
        File::open(folder).unwrap().set_modified(past).unwrap();
    }

    /// Whole mebibytes: file systems may take some blocks more.
    fn sizes(inventory: &mut Inventory, output: &Path) -> Vec<u64> {
        let taken = inventory.take(output, SystemTime::now()).unwrap();
        assert!(taken.errors.is_empty());
        taken.stock.iter().map(|one| one.bytes >> 20).collect()
    }

    #[test]
    fn sizes_follow_what_is_written_and_removed() {
        let output = tempfile::tempdir().unwrap();
        let open = folder(output.path(), "20261122T041700Z-ann-camera");
        let sealed = folder(output.path(), "20261122T041701Z-bob-camera");
        let foreign = folder(output.path(), "20261122T041702Z-cat-camera");
        let segment = open.join("00000.recording.ts");
        fs::write(&segment, vec![1; 1 << 20]).unwrap();
        fs::write(sealed.join("00000.ts"), vec![1; 2 << 20]).unwrap();
        fs::write(foreign.join("notes.txt"), vec![1; 4 << 20]).unwrap();
        for path in [&open, &sealed, &foreign] {
            settle(path);
        }
        let mut inventory = Inventory::default();
        assert_eq!(sizes(&mut inventory, output.path()), [1, 2]);

        // An open segment grows in a folder that does not change; a sealed one is not looked at.
        fs::write(&segment, vec![1; 3 << 20]).unwrap();
        fs::write(sealed.join("00000.ts"), vec![1; 1 << 20]).unwrap();
        assert_eq!(sizes(&mut inventory, output.path()), [3, 2]);

        fs::write(sealed.join("00001.ts"), vec![1; 4 << 20]).unwrap();
        assert_eq!(sizes(&mut inventory, output.path()), [3, 5]);
        fs::remove_dir_all(&open).unwrap();
        assert_eq!(sizes(&mut inventory, output.path()), [5]);
    }

    #[test]
    fn a_mark_and_a_last_write_are_seen() {
        let output = tempfile::tempdir().unwrap();
        let one = folder(output.path(), "20261122T041700Z-ann-camera");
        fs::write(one.join("00000.ts"), "x").unwrap();
        settle(&one);
        let mut inventory = Inventory::default();
        let now = SystemTime::now();
        let seen = inventory.take(output.path(), now).unwrap().stock;
        assert!(!seen[0].kept);
        assert!((OffsetDateTime::from(now) - seen[0].written).abs() < time::Duration::minutes(1));
        crate::recorder::kept::keep(&one).unwrap();
        let seen = inventory.take(output.path(), now).unwrap().stock;
        assert!(seen[0].kept);
    }
}
