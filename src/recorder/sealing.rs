//! The end of a recording's writer, which a disk that hangs must not hold up.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::failure::{RecordingError, one_line};
use super::{Outcome, WriterEvent, WriterHandle, folder};

/// How long the disk may take to seal what is written.
const SEAL: Duration = Duration::from_secs(10);

/// The folder, none where nothing was recorded, and how the writer ended.
pub(super) type Sealed = (Option<PathBuf>, Result<Outcome, RecordingError>);

/// Waits until everything is sealed, or gives the disk up. `hear` is given what the writer says.
pub(super) async fn finish_writer(
    writer: WriterHandle,
    mut events: mpsc::Receiver<WriterEvent>,
    hear: impl Fn(WriterEvent),
) -> Sealed {
    let folder = writer.folder().to_owned();
    // The outcome says all that the events would; taking them keeps the writer going.
    let drain = async {
        while let Some(event) = events.recv().await {
            hear(event);
        }
    };
    let finished = async { tokio::join!(writer.finish(), drain).0 };
    let outcome = match tokio::time::timeout(SEAL, finished).await {
        Ok(outcome) => outcome.map_err(RecordingError::from),
        Err(_) => Err(RecordingError::SealDeadline {
            folder: folder.clone(),
            waited: SEAL,
        }),
    };
    if outcome
        .as_ref()
        .is_ok_and(|outcome| outcome.manifest.segments.is_empty())
    {
        let empty = folder.clone();
        match tokio::task::spawn_blocking(move || folder::remove_empty(&empty)).await {
            Ok(Ok(())) => return (None, outcome),
            Ok(Err(error)) => tracing::debug!("{}", one_line(&error)),
            Err(error) => tracing::error!("a thread died while a folder was removed: {error}"),
        }
    }
    (Some(folder), outcome)
}
