//! Recovery beside the recordings of this process.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender, TrySendError};

use crate::events;
use crate::recorder::recording::one_line;
use crate::recorder::recovery::{self, FolderReport, Options, Outcome, SegmentReport};

/// Recovers what is below an output directory: at the start, and whenever it is called, until
/// its last clone is dropped. Nobody waits for its thread: a recovery that the end of the process
/// interrupts is finished by the next one.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// One call is enough for any number: more are dropped.
    calls: SyncSender<()>,
}

impl Recovery {
    /// Starts to recover what is below `output`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(output: &Path) -> io::Result<Self> {
        let output = output.to_owned();
        let (calls, called) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("reeld-recovery".to_owned());
        thread.spawn(move || {
            run(&output);
            while called.recv().is_ok() {
                run(&output);
            }
        })?;
        Ok(Self { calls })
    }

    /// Asks to look again: a segment was given up, or the disk is back. Never waits.
    pub fn look_again(&self) {
        match self.calls.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => {
                tracing::error!(
                    message_id = events::DIED,
                    "the thread of the recovery has died, please report this"
                );
            }
        }
    }
}

fn run(output: &Path) {
    match recovery::run(output, Options::IN_BACKGROUND, log) {
        Ok(totals) if totals.repaired + totals.errors > 0 => tracing::info!(
            output = %output.display(),
            recordings = totals.recordings,
            repaired = totals.repaired,
            segments = totals.sealed,
            failed = totals.errors,
            "older recordings are recovered"
        ),
        Ok(totals) => tracing::debug!(recordings = totals.recordings, "nothing to recover"),
        Err(error) => tracing::error!("{}", one_line(&error)),
    }
}

/// Tells the log what became of a folder.
pub fn log(report: &FolderReport) {
    for segment in &report.segments {
        log_segment(&report.folder, segment);
    }
    for error in &report.errors {
        tracing::error!(
            message_id = events::NOT_RECOVERED,
            folder = %report.folder.display(),
            "not recovered: {}",
            one_line(error)
        );
    }
}

fn log_segment(folder: &Path, segment: &SegmentReport) {
    let name = segment.outcome.name().unwrap_or(&segment.file);
    if let Outcome::SetAside(_) = &segment.outcome {
        tracing::warn!(
            message_id = events::DAMAGED,
            folder = %folder.display(),
            segment = name,
            bytes = segment.kept_bytes,
            "nothing of a segment can be decoded: it is set aside"
        );
        return;
    }
    tracing::info!(
        message_id = events::RECOVERED,
        folder = %folder.display(),
        segment = name,
        outcome = segment.outcome.as_str(),
        kept = segment.kept_bytes,
        cut = segment.cut_bytes(),
        seconds = segment.duration.map(|length| length.as_secs_f64()),
        "segment recovered"
    );
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::verify::packets_for_tests::Builder;

    fn leave_open(output: &Path, name: &str) -> std::path::PathBuf {
        let folder = output.join("room").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut builder = Builder::new();
        builder.media(0, 30);
        std::fs::write(folder.join("00000.recording.ts"), builder.bytes).unwrap();
        folder.join("00000.ts")
    }

    #[test]
    fn what_is_left_open_is_sealed_at_the_start_and_when_called() {
        let output = tempfile::tempdir().unwrap();
        let first = leave_open(output.path(), "20261122T041700Z-ann-camera");
        let recovery = Recovery::start(output.path()).unwrap();
        await_file(&first);
        let second = leave_open(output.path(), "20261122T041800Z-ann-camera");
        recovery.look_again();
        await_file(&second);
        // Nothing there to recover in is said, and no panic.
        run(&output.path().join("absent"));
    }

    fn await_file(file: &Path) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !file.exists() {
            assert!(Instant::now() < deadline, "{}", file.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
