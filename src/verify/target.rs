//! Which files a path stands for.

use std::fs;
use std::path::{Path, PathBuf};

use super::VerifyError;

/// What is verified together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file by itself.
    File(PathBuf),
    /// A directory with segments, in their order.
    Recording {
        directory: PathBuf,
        segments: Vec<PathBuf>,
    },
}

/// Whether the name is a segment's final one.
pub(super) fn is_sealed(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".ts") && !name.ends_with(".recording.ts")
}

/// Half a recording that is being deleted is in a hidden directory; no whole one ever is.
fn is_hidden(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
}

/// Finds the recordings at `path` and below it. Links to directories are not followed: they
/// could lead round in circles.
pub(super) fn find(path: &Path) -> Result<Vec<Target>, VerifyError> {
    let kind = fs::metadata(path).map_err(|source| VerifyError::reading(path, source))?;
    if !kind.is_dir() {
        return Ok(vec![Target::File(path.to_owned())]);
    }
    let mut found = Vec::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(directory) = waiting.pop() {
        let listing = list(&directory)?;
        if !listing.segments.is_empty() || listing.has_manifest {
            found.push(Target::Recording {
                directory,
                segments: listing.segments,
            });
        }
        waiting.extend(listing.directories.into_iter().rev());
    }
    if found.is_empty() {
        return Err(VerifyError::Nothing {
            path: path.to_owned(),
        });
    }
    Ok(found)
}

/// Of one directory, each in the order of the names.
#[derive(Debug, Default)]
struct Listing {
    segments: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    has_manifest: bool,
}

fn list(directory: &Path) -> Result<Listing, VerifyError> {
    let unreadable = |source| VerifyError::reading(directory, source);
    let mut listing = Listing::default();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if is_hidden(&path) {
                continue;
            }
            listing.directories.push(path);
        } else if path.extension().is_some_and(|extension| extension == "ts") {
            listing.segments.push(path);
        } else if entry.file_name() == super::recording::MANIFEST {
            listing.has_manifest = true;
        }
    }
    listing.segments.sort();
    listing.directories.sort();
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_searched_for_recordings_in_order() {
        let root = tempfile::tempdir().unwrap();
        let recording = root.path().join("room/20261122T041700Z-ann-camera");
        fs::create_dir_all(&recording).unwrap();
        fs::create_dir_all(root.path().join("another/empty")).unwrap();
        let half = root
            .path()
            .join("room/.deleting-20261122T041600Z-ann-camera");
        fs::create_dir_all(&half).unwrap();
        fs::write(half.join("00000.ts"), "").unwrap();
        for name in [
            "00001.recording.ts",
            "00000.ts",
            "index.m3u8",
            "manifest.json",
        ] {
            fs::write(recording.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("another/circle")).unwrap();
        let segments = vec![
            recording.join("00000.ts"),
            recording.join("00001.recording.ts"),
        ];
        let expected = Target::Recording {
            directory: recording.clone(),
            segments,
        };
        assert_eq!(find(root.path()).unwrap(), [expected]);
        let file = recording.join("index.m3u8");
        assert_eq!(find(&file).unwrap(), [Target::File(file)]);
    }

    #[test]
    fn nothing_to_verify_is_an_error_that_names_the_path() {
        let root = tempfile::tempdir().unwrap();
        let nothing = find(root.path()).unwrap_err();
        assert!(matches!(nothing, VerifyError::Nothing { .. }));
        let missing = find(&root.path().join("no.ts")).unwrap_err();
        assert!(matches!(missing, VerifyError::NotFound { .. }));
        assert!(
            missing.to_string().contains("no.ts: not found"),
            "{missing}"
        );
    }
}
