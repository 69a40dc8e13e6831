//! What can go wrong between a recording and its disk.

use std::io;
use std::path::{Path, PathBuf};

/// A recording's files could not be made or written.
///
/// Each message is one line, names the path and says what to do; the operating system's own
/// words are the source of the error.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// Something on the way to the file is not there: never made, or removed meanwhile.
    #[error("{path}: no such directory; create the output directory or choose another one")]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file stands where a directory is needed.
    #[error("{path}: not a directory; choose a directory as the output")]
    NotADirectory {
        /// What is not a directory.
        path: PathBuf,
    },
    /// A folder of another kind, or of none of ours.
    #[error("{path}: not a recording's folder; name one as `reeld ls` shows it")]
    NotARecording {
        /// What was named.
        path: PathBuf,
    },
    /// No permission, or the file system is mounted read-only.
    #[error("{path}: not writable; check its owner and mode, and that it is not mounted read-only")]
    NotWritable {
        /// What could not be written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No space, or the quota is used up.
    #[error("{path}: the disk is full; free some space or choose another output directory")]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Any other failure of the disk.
    #[error("{path}: {action} failed; check the disk and the kernel log")]
    Io {
        /// What was being done: "write", "fdatasync" …
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The manifest could not be put into JSON.
    #[error("{path}: the manifest cannot be written as JSON; please report this")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What JSON can't say.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is not one.
    #[error("{path}: not a manifest; restore it from a copy or move it away")]
    ManifestSyntax {
        /// The manifest.
        path: PathBuf,
        /// Where and why it can't be read.
        #[source]
        source: serde_json::Error,
    },
    /// A newer program wrote it.
    #[error("{path}: manifest version {found}, this program knows {known}; use a newer reeld")]
    ManifestVersion {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// A sealed segment is not what it was.
    #[error(
        "{path}: has {found} bytes, its manifest says {told}; take it from a copy, or play what \
         is left"
    )]
    Changed {
        /// The segment.
        path: PathBuf,
        /// Bytes by the manifest.
        told: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The operating system gave no thread for the writer.
    #[error("{path}: no thread for the writer; check the limit of tasks of the service")]
    NoThread {
        /// The recording's folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The disk is so far behind that too many segments wait to be finished.
    #[error("{path}: the disk is too slow: {unfinished} segments are still unfinished")]
    Behind {
        /// The recording's folder.
        path: PathBuf,
        /// Segments opened and neither sealed nor given up.
        unfinished: usize,
    },
    /// The writer has ended: finished, or its thread died.
    #[error("{path}: the writer of this recording has ended; start another recording")]
    Ended {
        /// The recording's folder.
        path: PathBuf,
    },
}

impl RecorderError {
    /// Whether the place itself takes nothing, so that another file there fares no better.
    #[must_use]
    pub const fn is_of_the_place(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::NotADirectory { .. }
                | Self::NotWritable { .. }
                | Self::DiskFull { .. }
        )
    }

    /// Sorts what the operating system said about `path` while doing `action`.
    #[must_use]
    pub fn from_io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path, source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

/// The segment takes no more data: it was closed, its file failed, or the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the segment takes no more data")]
pub struct Closed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_the_disk_has_its_advice() {
        let cases = [
            (libc_error(2), "create the output directory"),
            (libc_error(20), "not a directory"),
            (libc_error(13), "check its owner"),
            (libc_error(30), "mounted read-only"),
            (libc_error(28), "the disk is full"),
            (libc_error(122), "the disk is full"),
            (libc_error(5), "write failed; check the disk"),
        ];
        for (source, advice) in cases {
            let number = source.raw_os_error();
            let error = RecorderError::from_io("write", Path::new("/media/card/x"), source);
            let text = error.to_string();
            assert!(text.starts_with("/media/card/x: "), "{text}");
            assert!(text.contains(advice), "errno {number:?}: {text}");
            assert!(!text.contains('\n'));
        }
    }

    fn libc_error(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }
}
