//! Makes the folder of a recording.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::RecorderError;
use super::names::{self, numbered};

/// Recordings of one participant and source that may start within one second of the wall clock,
/// which can stand still or jump back.
const ATTEMPTS: u32 = 10_000;

/// Makes the output directory where it is missing and tries whether it can be written: said at
/// the start, not when the first person joins.
///
/// # Errors
/// When it can't be made, is no directory or can't be written.
pub fn prepare(output: &Path) -> Result<(), RecorderError> {
    std::fs::create_dir_all(output)
        .map_err(|error| RecorderError::from_io("mkdir", output, error))?;
    require_directory(output)?;
    let probe = output.join(format!(".reeld-probe-{}", std::process::id()));
    let tried = File::create(&probe).and_then(|mut file| file.write_all(b"reeld"));
    let removed = std::fs::remove_file(&probe);
    tried
        .and(removed)
        .map_err(|error| RecorderError::from_io("write", output, error))
}

/// Makes `<output>/<room>/<name>`, or `<name>-2` … when there is one; `output` must exist.
///
/// The new entries are on the disk when this returns.
pub(super) fn create(output: &Path, room: &str, name: &str) -> Result<PathBuf, RecorderError> {
    require_directory(output)?;
    let room = output.join(room);
    match std::fs::create_dir(&room) {
        Ok(()) => sync_directory(output)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => require_directory(&room)?,
        Err(error) => return Err(RecorderError::from_io("mkdir", &room, error)),
    }
    let folder = create_unique(&room, name)?;
    sync_directory(&room)?;
    Ok(folder)
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

fn create_unique(room: &Path, name: &str) -> Result<PathBuf, RecorderError> {
    let mut attempt = 1;
    loop {
        let folder = room.join(numbered(name, attempt));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(RecorderError::from_io("mkdir", &folder, error)),
        }
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

fn sync_directory(path: &Path) -> Result<(), RecorderError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| RecorderError::from_io("fsync", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recording_has_its_own_folder() {
        let root = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3)
            .map(|_| create(root.path(), "room", "x").unwrap())
            .map(|path| path.strip_prefix(root.path()).unwrap().to_owned())
            .collect();
        let expected = ["room/x", "room/x-2", "room/x-3"].map(PathBuf::from);
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_wrong_with_the_output_is_named() {
        let root = tempfile::tempdir().unwrap();
        let absent = root.path().join("absent");
        let error = create(&absent, "room", "x").unwrap_err();
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
        let error = create(&file, "room", "x").unwrap_err();
        assert!(matches!(&error, RecorderError::NotADirectory { path } if *path == file));
        let error = create(root.path(), "file", "x").unwrap_err();
        assert!(matches!(&error, RecorderError::NotADirectory { path } if *path == file));
    }
}
