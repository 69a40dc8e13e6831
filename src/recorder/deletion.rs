//! Deletes recordings, so that a crash in the middle leaves nothing that lies.
//!
//! 1. The folder is claimed: whoever records into it or repairs it is left alone.
//! 2. It is renamed to `.deleting-…`, and its room's directory synced: from here on it is no
//!    recording, and a crash only leaves something to go on with ([`resume`]).
//! 3. Each file of ours is cut from its end, in steps with a pause behind each, and removed. To
//!    unlink gigabytes at once can hold up the journal of ext4, and with it every recording.
//! 4. The folder is removed, and the room's when it is empty. What is not ours is never touched:
//!    where there is any, the folder gets its name back, with that alone in it.

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::claim::Claim;
use super::contents::{Contents, OwnFile};
use super::error::RecorderError;
use super::folder::sync_directory;
use super::kept;
use super::names::{DELETING, start_of_recording};
use super::shelf;

/// Bytes cut off at a time.
const STEP: u64 = 64 << 20;

/// What became of a recording that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// What was ours is gone; the folder stays because of what is not.
    Stripped,
    /// Nothing was done: somebody works in its folder.
    Busy,
    /// Nothing was done: it is marked to be kept.
    Kept,
    /// Somebody else has deleted it.
    Gone,
    /// The pause asked to stop in the middle: [`resume`] goes on.
    Interrupted,
}

/// A recording's folder whose deletion was gone on with, and what became of it.
pub type Resumed = (PathBuf, Result<Deletion, RecorderError>);

/// Waits between two steps of a deletion; a break stops it there.
pub type Pause<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

/// Deletes the recording with this folder, which lies below `output`.
///
/// # Errors
/// When a step fails; what was not done is left for [`resume`]. Where the file system knows no
/// locks nothing is deleted.
pub fn delete(
    output: &Path,
    folder: &Path,
    pause: &mut Pause<'_>,
) -> Result<Deletion, RecorderError> {
    let (Some(room), Some(name)) = (folder.parent(), recording_name(folder)) else {
        return Err(RecorderError::NotARecording {
            path: folder.to_owned(),
        });
    };
    let _claim = match claim(folder)? {
        Ok(claim) => claim,
        Err(outcome) => return Ok(outcome),
    };
    if is_kept(folder)? {
        return Ok(Deletion::Kept);
    }
    let hidden = room.join(format!("{DELETING}{name}"));
    rename(folder, &hidden)?;
    // Marked in the last moment: who marked it was told that it is kept.
    if is_kept(&hidden)? {
        rename(&hidden, folder)?;
        return Ok(Deletion::Kept);
    }
    sync_directory(room)?;
    clear(output, &hidden, folder, pause)
}

/// Goes on with what was being deleted when a process ended or a step failed. Returns the
/// folders that were left, each with what became of it.
///
/// # Errors
/// When `output` can't be read.
pub fn resume(output: &Path, pause: &mut Pause<'_>) -> Result<Vec<Resumed>, RecorderError> {
    let mut done = Vec::new();
    for (hidden, folder) in left_behind(output)? {
        let outcome = match claim(&hidden) {
            Ok(Ok(_claim)) => go_on(output, &hidden, &folder, pause),
            Ok(Err(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        let stopped = matches!(outcome, Ok(Deletion::Interrupted));
        done.push((folder, outcome));
        if stopped {
            break;
        }
    }
    Ok(done)
}

fn go_on(
    output: &Path,
    hidden: &Path,
    folder: &Path,
    pause: &mut Pause<'_>,
) -> Result<Deletion, RecorderError> {
    // Of a kept one nothing is removed: it was marked just before the crash.
    if is_kept(hidden)? {
        rename(hidden, folder)?;
        return Ok(Deletion::Kept);
    }
    clear(output, hidden, folder, pause)
}

/// Hidden folders below `output`, each with the name that it had.
fn left_behind(output: &Path) -> Result<Vec<(PathBuf, PathBuf)>, RecorderError> {
    let listed = |path: &Path| {
        shelf::directories(path).map_err(|error| RecorderError::from_io("read", path, error))
    };
    let mut found = Vec::new();
    for (room, _) in listed(output)? {
        let inside = match listed(&room) {
            // Removed since it was listed.
            Err(RecorderError::Missing { .. }) => continue,
            inside => inside?,
        };
        for (hidden, name) in inside {
            if let Some(name) = name.strip_prefix(DELETING)
                && start_of_recording(name).is_some()
            {
                found.push((hidden, room.join(name)));
            }
        }
    }
    Ok(found)
}

/// The right to delete, or what stands against it.
fn claim(folder: &Path) -> Result<Result<Claim, Deletion>, RecorderError> {
    match Claim::take(folder) {
        Ok(Some(claim)) => Ok(Ok(claim)),
        Ok(None) => Ok(Err(Deletion::Busy)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Err(Deletion::Gone)),
        Err(error) => Err(RecorderError::from_io("lock", folder, error)),
    }
}

/// Removes what is ours in `hidden`, and `hidden` itself where nothing else is in it.
fn clear(
    output: &Path,
    hidden: &Path,
    folder: &Path,
    pause: &mut Pause<'_>,
) -> Result<Deletion, RecorderError> {
    let contents =
        Contents::read(hidden).map_err(|error| RecorderError::from_io("read", hidden, error))?;
    for file in &contents.own {
        let path = hidden.join(&file.name);
        if shrink(&path, file, pause)?.is_break() {
            return Ok(Deletion::Interrupted);
        }
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(RecorderError::from_io("remove", &path, error)),
        }
    }
    match fs::remove_dir(hidden) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            rename(hidden, folder)?;
            return Ok(Deletion::Stripped);
        }
        Err(error) => return Err(RecorderError::from_io("rmdir", hidden, error)),
    }
    if let Some(room) = folder.parent() {
        remove_room(output, room)?;
    }
    Ok(Deletion::Deleted)
}

/// Cuts a long file from its end. One that has a second name somewhere is left as it is: it is
/// somebody's copy.
fn shrink(
    path: &Path,
    file: &OwnFile,
    pause: &mut Pause<'_>,
) -> Result<ControlFlow<()>, RecorderError> {
    if file.links > 1 || file.bytes <= STEP {
        return Ok(ControlFlow::Continue(()));
    }
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(|error| RecorderError::from_io("open", path, error))?;
    let mut left = file.bytes;
    while left > STEP {
        left -= STEP;
        opened
            .set_len(left)
            .map_err(|error| RecorderError::from_io("truncate", path, error))?;
        if pause().is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Removes a room's folder in which nothing is left.
fn remove_room(output: &Path, room: &Path) -> Result<(), RecorderError> {
    if room == output {
        return Ok(());
    }
    match fs::remove_dir(room) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Other recordings are in it.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => Err(RecorderError::from_io("rmdir", room, error)),
    }
}

fn recording_name(folder: &Path) -> Option<&str> {
    let name = folder.file_name()?.to_str()?;
    start_of_recording(name).map(|_| name)
}

fn is_kept(folder: &Path) -> Result<bool, RecorderError> {
    kept::is_kept(folder).map_err(|error| RecorderError::from_io("stat", folder, error))
}

fn rename(from: &Path, to: &Path) -> Result<(), RecorderError> {
    fs::rename(from, to).map_err(|error| RecorderError::from_io("rename", from, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const NAME: &str = "20261122T041700Z-ann-camera";

    /// A recording with a segment of `bytes`, which takes no room on the disk.
    fn recording(output: &Path, bytes: u64) -> PathBuf {
        let folder = output.join("room").join(NAME);
        fs::create_dir_all(&folder).unwrap();
        File::create(folder.join("00000.ts"))
            .and_then(|file| file.set_len(bytes))
            .unwrap();
        for name in ["manifest.json", "index.m3u8", "00001.recording.ts"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        folder
    }

    fn keep_on() -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn a_recording_is_deleted_in_steps_and_its_room_with_it() {
        let output = tempfile::tempdir().unwrap();
        let folder = recording(output.path(), 5 * STEP + 1);
        let segment = output
            .path()
            .join(format!("room/{DELETING}{NAME}/00000.ts"));
        let mut lengths = Vec::new();
        let mut pause = || {
            assert!(!folder.exists(), "half a recording under its name");
            lengths.push(fs::metadata(&segment).unwrap().len());
            ControlFlow::Continue(())
        };
        let outcome = delete(output.path(), &folder, &mut pause).unwrap();
        assert_eq!(outcome, Deletion::Deleted);
        assert_eq!(lengths, [4, 3, 2, 1, 0].map(|steps| steps * STEP + 1));
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 0);
        let again = delete(output.path(), &folder, &mut keep_on).unwrap();
        assert_eq!(again, Deletion::Gone);
    }

    #[test]
    fn what_was_interrupted_anywhere_is_resumed() {
        for steps in 0..3 {
            let output = tempfile::tempdir().unwrap();
            let folder = recording(output.path(), 3 * STEP + 1);
            let mut left = steps;
            let mut pause = || {
                left -= 1;
                if left < 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let outcome = delete(output.path(), &folder, &mut pause).unwrap();
            assert_eq!(outcome, Deletion::Interrupted);
            assert!(!folder.exists());
            let shelf = shelf::recordings(output.path()).unwrap();
            assert!(shelf.recordings.is_empty(), "half a recording is none");

            let resumed = resume(output.path(), &mut keep_on).unwrap();
            assert_eq!(resumed.len(), 1);
            assert!(matches!(&resumed[0], (path, Ok(Deletion::Deleted)) if *path == folder));
            assert_eq!(fs::read_dir(output.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn what_was_marked_just_before_a_crash_gets_its_name_back() {
        let output = tempfile::tempdir().unwrap();
        let folder = recording(output.path(), 1_000);
        kept::keep(&folder).unwrap();
        let hidden = output.path().join(format!("room/{DELETING}{NAME}"));
        fs::rename(&folder, &hidden).unwrap();
        let resumed = resume(output.path(), &mut keep_on).unwrap();
        assert!(matches!(resumed[0].1, Ok(Deletion::Kept)));
        assert!(folder.join("00000.ts").exists() && !hidden.exists());
    }

    #[test]
    fn what_is_not_ours_stays_where_it_was() {
        let output = tempfile::tempdir().unwrap();
        let folder = recording(output.path(), 1_000);
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        fs::create_dir(folder.join("clips")).unwrap();
        let outcome = delete(output.path(), &folder, &mut keep_on).unwrap();
        assert_eq!(outcome, Deletion::Stripped);
        assert_eq!(fs::read(folder.join("notes.txt")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        assert!(resume(output.path(), &mut keep_on).unwrap().is_empty());
    }

    #[test]
    fn a_linked_copy_keeps_its_bytes() {
        let output = tempfile::tempdir().unwrap();
        let folder = recording(output.path(), STEP + 1);
        let copy = output.path().join("copy.ts");
        fs::hard_link(folder.join("00000.ts"), &copy).unwrap();
        let outcome = delete(output.path(), &folder, &mut keep_on).unwrap();
        assert_eq!(outcome, Deletion::Deleted);
        assert_eq!(fs::metadata(copy).unwrap().len(), STEP + 1);
    }

    #[test]
    fn claimed_and_kept_recordings_stay_whole() {
        let output = tempfile::tempdir().unwrap();
        let folder = recording(output.path(), 2 * STEP);
        let claim = Claim::take(&folder).unwrap().unwrap();
        let outcome = delete(output.path(), &folder, &mut keep_on).unwrap();
        assert_eq!(outcome, Deletion::Busy);
        drop(claim);
        kept::keep(&folder).unwrap();
        let outcome = delete(output.path(), &folder, &mut keep_on).unwrap();
        assert_eq!(outcome, Deletion::Kept);
        let length = fs::metadata(folder.join("00000.ts")).unwrap().len();
        assert_eq!(length, 2 * STEP);
    }

    #[test]
    fn only_recordings_are_deleted() {
        let output = tempfile::tempdir().unwrap();
        let other = output.path().join("room/holidays");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("00000.ts"), "x").unwrap();
        let error = delete(output.path(), &other, &mut keep_on).unwrap_err();
        assert!(matches!(error, RecorderError::NotARecording { .. }));
        assert!(other.join("00000.ts").exists());
    }
}
