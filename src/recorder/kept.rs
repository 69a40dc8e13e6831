//! The mark of a recording that is never deleted: an empty file in its folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::RecorderError;
use super::names::{KEPT, start_of_recording};

/// Marks the recording whose folder this is; it may still run. The mark is on the disk when this
/// returns. False when it was there.
///
/// # Errors
/// When `folder` is no recording's, or can't be written.
pub fn keep(folder: &Path) -> Result<bool, RecorderError> {
    let mark = mark(folder)?;
    let failed = |action| move |error| RecorderError::from_io(action, folder, error);
    let made = match File::create_new(&mark) {
        Ok(file) => {
            file.sync_all().map_err(failed("fsync"))?;
            true
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(RecorderError::from_io("create", &mark, error)),
    };
    sync(folder).map_err(failed("fsync"))?;
    Ok(made)
}

/// Takes the mark away again. False when there was none.
///
/// # Errors
/// When `folder` is no recording's, or can't be written.
pub fn release(folder: &Path) -> Result<bool, RecorderError> {
    let mark = mark(folder)?;
    let removed = match fs::remove_file(&mark) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(RecorderError::from_io("remove", &mark, error)),
    };
    sync(folder).map_err(|error| RecorderError::from_io("fsync", folder, error))?;
    Ok(removed)
}

/// Whether the recording is marked.
///
/// # Errors
/// When that can't be seen.
pub fn is_kept(folder: &Path) -> io::Result<bool> {
    folder.join(KEPT).try_exists()
}

/// Where the mark of `folder` stands.
fn mark(folder: &Path) -> Result<PathBuf, RecorderError> {
    let real =
        fs::canonicalize(folder).map_err(|error| RecorderError::from_io("read", folder, error))?;
    let name = real.file_name().and_then(|name| name.to_str());
    if real.is_dir() && name.and_then(start_of_recording).is_some() {
        Ok(real.join(KEPT))
    } else {
        Err(RecorderError::NotARecording {
            path: folder.to_owned(),
        })
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("20261122T041700Z-ann-camera");
        fs::create_dir(&folder).unwrap();
        assert!(!is_kept(&folder).unwrap());
        assert!(keep(&folder).unwrap());
        assert!(!keep(&folder).unwrap());
        assert!(is_kept(&folder).unwrap());
        assert!(release(&folder).unwrap());
        assert!(!release(&folder).unwrap());
        assert!(!is_kept(&folder).unwrap());
    }

    #[test]
    fn only_recordings_are_marked() {
        let root = tempfile::tempdir().unwrap();
        let error = keep(root.path()).unwrap_err();
        assert!(
            matches!(&error, RecorderError::NotARecording { path } if path == root.path()),
            "{error}"
        );
        let file = root.path().join("20261122T041700Z-ann-camera");
        fs::write(&file, "").unwrap();
        assert!(matches!(
            keep(&file),
            Err(RecorderError::NotARecording { .. })
        ));
        let absent = root.path().join("absent");
        assert!(matches!(keep(&absent), Err(RecorderError::Missing { .. })));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
