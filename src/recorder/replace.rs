//! Replaces a small file, so that there is the old one or the new one, whole, at any time.

use std::path::Path;

use super::disk::Disk;
use super::error::RecorderError;

/// Writes `bytes` beside the file, syncs them and renames them into place. The directory is still
/// to be synced. A failed try is given up with its file; the next one starts from an empty one.
pub(super) fn replace<D: Disk>(
    disk: &mut D,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), RecorderError> {
    let path = folder.join(name);
    let beside = folder.join(format!("{name}.tmp"));
    let failed = |action, error| RecorderError::from_io(action, &beside, error);
    let mut file = disk
        .create_or_empty(&beside)
        .map_err(|error| failed("create", error))?;
    disk.append(&mut file, bytes)
        .map_err(|error| failed("write", error))?;
    disk.sync(&mut file)
        .map_err(|error| failed("fdatasync", error))?;
    disk.rename(&beside, &path)
        .map_err(|error| failed("rename", error))
}
