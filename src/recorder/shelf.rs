//! Finds the recordings below an output directory, by their names alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::error::RecorderError;
use super::names::start_of_recording;

/// The folder of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFolder {
    /// Where it is.
    pub path: PathBuf,
    /// When it started, as its name says.
    pub started: OffsetDateTime,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The recordings, oldest first.
    pub recordings: Vec<RecordingFolder>,
    /// Directories that can't be read.
    pub errors: Vec<RecorderError>,
}

/// The recordings of an output directory, of a room's directory, or the one whose folder this is.
/// Links are not followed, and what is not named like a recording is passed over.
///
/// # Errors
/// When `path` itself can't be read.
pub fn recordings(path: &Path) -> Result<Shelf, RecorderError> {
    let mut shelf = Shelf::default();
    let named =
        fs::canonicalize(path).map_err(|error| RecorderError::from_io("read", path, error))?;
    if let Some(started) = named
        .file_name()
        .and_then(|name| start_of_recording(name.to_str()?))
    {
        let path = path.to_owned();
        shelf.recordings.push(RecordingFolder { path, started });
        return Ok(shelf);
    }
    let rooms = directories(path).map_err(|error| RecorderError::from_io("read", path, error))?;
    for room in shelf.sort_out(rooms) {
        match directories(&room) {
            Ok(inside) => drop(shelf.sort_out(inside)),
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => shelf
                .errors
                .push(RecorderError::from_io("read", &room, error)),
        }
    }
    let order = |folder: &RecordingFolder| (folder.started, folder.path.clone());
    shelf.recordings.sort_by_cached_key(order);
    Ok(shelf)
}

impl Shelf {
    /// Takes the recordings among `directories` and returns the rest.
    fn sort_out(&mut self, directories: Vec<(PathBuf, String)>) -> Vec<PathBuf> {
        let mut rest = Vec::new();
        for (path, name) in directories {
            match start_of_recording(&name) {
                Some(started) => self.recordings.push(RecordingFolder { path, started }),
                None => rest.push(path),
            }
        }
        rest
    }
}

/// The directories in a directory. Those whose names are not UTF-8 are not ours.
pub(super) fn directories(path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.file_type()?.is_dir()
        {
            found.push((entry.path(), name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use time::macros::datetime;

    #[test]
    fn recordings_are_found_by_their_names_and_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        let output = root.path();
        let [first, second] = [
            output.join("b/20261122T041700Z-ann-camera"),
            output.join("a/20261122T041701Z-ann-camera"),
        ];
        for folder in [
            &second,
            &first,
            &output.join("a/holidays"),
            &output.join("lost+found"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(output.join("a/20261122T041701Z-file-camera"), "").unwrap();
        symlink(&first, output.join("a/20261122T041702Z-link-camera")).unwrap();
        symlink(output, output.join("a/circle")).unwrap();

        let shelf = recordings(output).unwrap();
        assert!(shelf.errors.is_empty());
        let expected = [
            (&first, datetime!(2026-11-22 04:17:00 UTC)),
            (&second, datetime!(2026-11-22 04:17:01 UTC)),
        ];
        let found: Vec<_> = shelf
            .recordings
            .iter()
            .map(|r| (&r.path, r.started))
            .collect();
        assert_eq!(found, expected);
        for (path, only) in [(output.join("a"), &second), (first.clone(), &first)] {
            let shelf = recordings(&path).unwrap();
            assert_eq!(shelf.recordings.len(), 1, "{}", path.display());
            assert_eq!(shelf.recordings[0].path, *only);
        }
        assert!(recordings(&output.join("absent")).is_err());
    }
}
