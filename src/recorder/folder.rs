//! Makes the folder of a recording.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::claim::Claim;
use super::error::RecorderError;
use super::{names, shelf};

/// Recordings of one participant and source that may follow each other within a second of the
/// wall clock each, which can stand still.
const ATTEMPTS: u32 = 10_000;

/// How often a room's folder may be removed, empty, while a recording is made in it.
const REMOVALS: u32 = 10;

/// Makes the output directory where it is missing and tries whether it can be written: said at
/// the start, not when the first person joins.
///
/// # Errors
/// When it can't be made, is no directory or can't be written.
pub fn prepare(output: &Path) -> Result<(), RecorderError> {
    std::fs::create_dir_all(output)
        .map_err(|error| RecorderError::from_io("mkdir", output, error))?;
    probe(output)
}

/// Tries whether the output directory is there and can be written, down to the disk. Makes no
/// directory: that of a card which is not there must not be filled in.
///
/// # Errors
/// When it is not there, is no directory or can't be written.
pub fn probe(output: &Path) -> Result<(), RecorderError> {
    require_directory(output)?;
    let probe = output.join(format!(".reeld-probe-{}", std::process::id()));
    let tried = File::create(&probe).and_then(|mut file| {
        file.write_all(b"reeld")?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&probe);
    tried
        .and(removed)
        .map_err(|error| RecorderError::from_io("write", output, error))
}

/// Whether something is mounted at `path`: it lies on another device than its parent. False when
/// there is nothing at all.
#[must_use]
pub fn is_mounted(path: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    match (device(path), device(&path.join(".."))) {
        (Some(inside), Some(outside)) => inside != outside,
        _ => false,
    }
}

/// A recording's folder, and the right to write into it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// None where the file system knows no locks.
    pub(super) claim: Option<Claim>,
}

#[cfg(test)]
impl Place {
    pub(super) const fn unclaimed(path: PathBuf) -> Self {
        Self { path, claim: None }
    }
}

/// Makes and claims the folder of a recording that starts at `started`, as the wall clock says;
/// `output` must exist. The new entries are on the disk when this returns.
///
/// Where the room has a recording of a later start, the clock was set back, or it began again in
/// 1970: the name then has the first second after that one, so that names stay in order.
pub(super) fn create(
    output: &Path,
    room: &str,
    started: OffsetDateTime,
    name: impl Fn(OffsetDateTime) -> String,
) -> Result<Place, RecorderError> {
    let room = output.join(room);
    let mut attempts = 1;
    loop {
        match create_in(output, &room, started, &name) {
            // The room's folder was removed together with the last recording in it.
            Err(RecorderError::Missing { .. }) if attempts < REMOVALS => attempts += 1,
            result => return result,
        }
    }
}

fn create_in(
    output: &Path,
    room: &Path,
    started: OffsetDateTime,
    name: impl Fn(OffsetDateTime) -> String,
) -> Result<Place, RecorderError> {
    require_directory(output)?;
    match std::fs::create_dir(room) {
        Ok(()) => sync_directory(output)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => require_directory(room)?,
        Err(error) => return Err(RecorderError::from_io("mkdir", room, error)),
    }
    let newest = shelf::recordings(room)?.recordings.pop();
    let place = create_unique(room, first_free(started, newest.map(|it| it.started)), name)?;
    sync_directory(room)?;
    Ok(place)
}

/// The second from which names are tried.
fn first_free(started: OffsetDateTime, newest: Option<OffsetDateTime>) -> OffsetDateTime {
    match newest {
        Some(newest) if newest > started => newest.saturating_add(time::Duration::SECOND),
        _ => started,
    }
}

/// Removes the folder of a recording in which nothing was recorded.
pub(super) fn remove_empty(folder: &Path) -> Result<(), RecorderError> {
    for name in [names::MANIFEST, names::PLAYLIST] {
        let file = folder.join(name);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(RecorderError::from_io("remove", &file, error)),
        }
    }
    // It fails, and rightly, when there is anything else in it.
    std::fs::remove_dir(folder).map_err(|error| RecorderError::from_io("rmdir", folder, error))
}

fn create_unique(
    room: &Path,
    mut started: OffsetDateTime,
    name: impl Fn(OffsetDateTime) -> String,
) -> Result<Place, RecorderError> {
    let mut attempts = 1;
    loop {
        let path = room.join(name(started));
        match std::fs::create_dir(&path) {
            Ok(()) => {
                if let Some(place) = claim(path)? {
                    return Ok(place);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < ATTEMPTS => {}
            Err(error) => return Err(RecorderError::from_io("mkdir", &path, error)),
        }
        attempts += 1;
        started = started.saturating_add(time::Duration::SECOND);
    }
}

/// None when another process has claimed the folder since it was made: to remove it, as it is
/// empty.
fn claim(path: PathBuf) -> Result<Option<Place>, RecorderError> {
    match Claim::take(&path) {
        Ok(Some(claim)) => Ok(Some(Place {
            path,
            claim: Some(claim),
        })),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!(
                folder = %path.display(),
                "this file system knows no locks: don't run `reeld recover` while it is recorded"
            );
            Ok(Some(Place { path, claim: None }))
        }
        Err(error) => Err(RecorderError::from_io("lock", &path, error)),
    }
}

fn require_directory(path: &Path) -> Result<(), RecorderError> {
    let metadata =
        std::fs::metadata(path).map_err(|error| RecorderError::from_io("stat", path, error))?;
    if metadata.is_dir() {
        Ok(())
    } else {
        Err(RecorderError::NotADirectory {
            path: path.to_owned(),
        })
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<(), RecorderError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| RecorderError::from_io("fsync", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Source;
    use std::sync::atomic::{AtomicU32, Ordering};
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-22 12:00:00.7 UTC);

    fn make(
        output: &Path,
        identity: &str,
        started: OffsetDateTime,
    ) -> Result<Place, RecorderError> {
        create(output, "room", started, |started| {
            names::recording_dir(started, identity, Source::Camera)
        })
    }

    #[test]
    fn names_stay_unique_and_in_order_whatever_the_clock_does() {
        let root = tempfile::tempdir().unwrap();
        let mut claims = Vec::new();
        let mut names = Vec::new();
        let second = time::Duration::SECOND;
        for (identity, started) in [
            ("ann", NOON),
            // Somebody else in the same second.
            ("bob", NOON),
            // The same one again, in the same second.
            ("ann", NOON),
            // The clock is set back, stands there, and begins again in 1970.
            ("ann", NOON - second * 60),
            ("ann", NOON - second * 60),
            ("bob", OffsetDateTime::UNIX_EPOCH),
            ("ann", NOON + second * 60),
        ] {
            let place = make(root.path(), identity, started).unwrap();
            names.push(place.path.file_name().unwrap().to_str().unwrap().to_owned());
            assert!(Claim::take(&place.path).unwrap().is_none(), "not claimed");
            claims.extend(place.claim);
        }
        assert_eq!(claims.len(), names.len());
        let expected = [
            "20261122T120000Z-ann-camera",
            "20261122T120000Z-bob-camera",
            "20261122T120001Z-ann-camera",
            "20261122T120002Z-ann-camera",
            "20261122T120003Z-ann-camera",
            "20261122T120004Z-bob-camera",
            "20261122T120100Z-ann-camera",
        ];
        assert_eq!(names, expected);
        assert!(names.is_sorted());
    }

    /// Whoever deletes the last recording of a room removes its folder as well.
    #[test]
    fn a_room_that_is_removed_meanwhile_is_made_again() {
        const RECORDINGS: u32 = 200;
        let mut failures = Vec::new();
        let output = tempfile::tempdir().unwrap();
        let room = output.path().join("room");
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let removals = scope.spawn(|| {
                let mut removals = 0;
                let mut before = u32::MAX;
                // At any moment, and once for each recording that is made.
                while made.load(Ordering::Relaxed) < RECORDINGS {
                    let now = made.load(Ordering::Relaxed);
                    if now != before && std::fs::remove_dir(&room).is_ok() {
                        before = now;
                        removals += 1;
                    }
                }
                removals
            });
            for _ in 0..RECORDINGS {
                let place = make(output.path(), "ann", NOON);
                // Counted first, so that the other thread ends however this one does.
                made.fetch_add(1, Ordering::Relaxed);
                if let Ok(place) = &place {
                    std::fs::remove_dir(&place.path).unwrap();
                }
                failures.extend(place.err());
            }
            assert!(removals.join().unwrap() > 0, "never removed");
        });
        assert!(failures.is_empty(), "{failures:?}");
    }

    #[test]
    fn what_is_mounted_lies_on_another_device() {
        assert!(is_mounted(Path::new("/proc")));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mounted(folder.path()));
        assert!(!is_mounted(&folder.path().join("absent")));
    }

    #[test]
    fn what_is_wrong_with_the_output_is_named() {
        let root = tempfile::tempdir().unwrap();
        let absent = root.path().join("absent");
        let error = make(&absent, "ann", NOON).unwrap_err();
        assert!(
            matches!(&error, RecorderError::Missing { path } if *path == absent),
            "{error}"
        );
        assert!(
            !absent.exists(),
            "a missing card must not be filled in by a folder"
        );

        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = make(&file, "ann", NOON).unwrap_err();
        assert!(matches!(&error, RecorderError::NotADirectory { path } if *path == file));
        let error = create(root.path(), "file", NOON, |_| "x".to_owned()).unwrap_err();
        assert!(matches!(&error, RecorderError::NotADirectory { path } if *path == file));
    }
}
