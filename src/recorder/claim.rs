//! Who works on a recording's folder: one process at a time, for as long as it lives.
//!
//! A lock (`flock`) on the directory itself. The kernel takes it back when its process dies, so
//! it is never stale: a folder that can be claimed is recorded into by nobody, and what is open
//! in it was left by a crash.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The right to change what is in a recording's folder. Given back when dropped.
#[derive(Debug)]
pub struct Claim {
    _directory: File,
}

impl Claim {
    /// Claims `folder`; none when somebody else has.
    ///
    /// # Errors
    /// When it can't be opened, is no longer there, or its file system knows no locks.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        let directory = File::open(folder)?;
        match directory.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it before may have removed it meanwhile.
        if directory.metadata()?.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(Self {
            _directory: directory,
        }))
    }
}

/// Whether somebody has claimed `folder` at this moment. For whoever only wants to look: it takes
/// and gives back a lock that others can have at the same time.
///
/// # Errors
/// When it can't be opened, or its file system knows no locks.
pub fn is_taken(folder: &Path) -> io::Result<bool> {
    match File::open(folder)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_claim_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let claim = Claim::take(folder.path()).unwrap();
        assert!(claim.is_some());
        assert!(Claim::take(folder.path()).unwrap().is_none());
        assert!(is_taken(folder.path()).unwrap());
        drop(claim);
        assert!(!is_taken(folder.path()).unwrap());
        assert!(Claim::take(folder.path()).unwrap().is_some());
        assert!(Claim::take(&folder.path().join("absent")).is_err());
    }
}
