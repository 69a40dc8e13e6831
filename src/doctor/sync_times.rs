//! How long the disk takes until data is on it for good.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// How many pieces are written and synced.
const PIECES: usize = 20;

/// Bytes in each: some video of a tenth of a second.
pub(super) const PIECE: usize = 64 << 10;

/// No new piece is begun after this long: a disk that slow has shown itself.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// How long it took to write 64 KiB and to sync them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SyncTimes {
    /// How many times.
    pub pieces: usize,
    /// Half of them were faster.
    #[serde(rename = "median_ms", serialize_with = "milliseconds")]
    pub median: Duration,
    /// The slowest.
    #[serde(rename = "worst_ms", serialize_with = "milliseconds")]
    pub worst: Duration,
}

impl SyncTimes {
    /// None without any times.
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort();
        Some(Self {
            pieces: times.len(),
            median: *times.get(times.len() / 2)?,
            worst: *times.last()?,
        })
    }

    /// Writes to a file of its own in `directory` and removes it. Blocks.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn measure(directory: &Path) -> io::Result<Option<Self>> {
        let mut scratch = Scratch::new(directory)?;
        let mut times = Vec::with_capacity(PIECES);
        let begun = Instant::now();
        while times.len() < PIECES && begun.elapsed() < LONG_ENOUGH {
            // Nothing that a file system or a drive could make smaller.
            let piece: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                .take(PIECE)
                .collect();
            let before = Instant::now();
            scratch.file.write_all(&piece)?;
            scratch.file.sync_data()?;
            times.push(before.elapsed());
        }
        scratch.remove()?;
        Ok(Self::of(times))
    }
}

fn milliseconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let tenths = time.as_micros() / 100;
    #[expect(clippy::cast_precision_loss, reason = "some seconds at most")]
    let milliseconds = tenths as f64 / 10.0;
    to.serialize_f64(milliseconds)
}

/// A file that is gone when this is. It keeps its name until then: file systems may take the sync
/// of a file without one lightly.
struct Scratch {
    path: PathBuf,
    file: File,
    removed: bool,
}

impl Scratch {
    fn new(directory: &Path) -> io::Result<Self> {
        let path = directory.join(format!(".reeld-doctor-{}", std::process::id()));
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).open(&path)?;
        Ok(Self {
            path,
            file,
            removed: false,
        })
    }

    fn remove(&mut self) -> io::Result<()> {
        self.removed = true;
        std::fs::remove_file(&self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // On the way out with another error, which is the one to tell.
        if !self.removed {
            let _ = self.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_disk_is_measured_and_nothing_is_left_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let times = SyncTimes::measure(folder.path()).unwrap().unwrap();
        assert!(times.pieces > 0 && times.worst > Duration::ZERO);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let absent = SyncTimes::measure(&folder.path().join("absent"));
        assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_is_in_the_way_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder
            .path()
            .join(format!(".reeld-doctor-{}", std::process::id()));
        std::fs::write(&path, "somebody's").unwrap();
        SyncTimes::measure(folder.path()).unwrap_err();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "somebody's");
    }

    #[test]
    fn times_are_in_milliseconds_in_json() {
        let times = SyncTimes {
            pieces: 3,
            median: Duration::from_micros(1_250),
            worst: Duration::from_millis(40),
        };
        let json = serde_json::to_string(&times).unwrap();
        assert_eq!(json, r#"{"pieces":3,"median_ms":1.2,"worst_ms":40.0}"#);
    }

    proptest! {
        #[test]
        fn half_is_no_slower_than_the_median(
            times in proptest::collection::vec(0_u64..5_000, 0..40),
        ) {
            let times: Vec<Duration> = times.into_iter().map(Duration::from_micros).collect();
            let Some(summed) = SyncTimes::of(times.clone()) else {
                prop_assert!(times.is_empty());
                return Ok(());
            };
            let faster = times.iter().filter(|time| **time <= summed.median).count();
            let slower = times.iter().filter(|time| **time >= summed.median).count();
            prop_assert!(faster * 2 >= times.len() && slower * 2 >= times.len());
            prop_assert_eq!(Some(&summed.worst), times.iter().max());
        }
    }
}
