//! Why a recording ended early.

use std::path::PathBuf;
use std::time::Duration;

use super::RecorderError;
use crate::media::MediaError;

/// Why a recording ended early.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Its files can't be made or written.
    #[error(transparent)]
    Storage(#[from] RecorderError),
    /// Its media can't be processed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The thread that started a segment died.
    #[error("a thread died while a segment was started; please report this")]
    Thread(#[source] tokio::task::JoinError),
    /// The disk did not seal the recording in time.
    #[error(
        "{folder}: the disk did not seal the recording within {waited:?}; what is written stays"
    )]
    SealDeadline {
        /// The recording's folder.
        folder: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
}

/// An error and its causes on one line.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}
