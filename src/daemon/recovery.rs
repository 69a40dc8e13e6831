//! Recovery beside the recordings of this process.

use std::path::Path;

use crate::recorder::recording::one_line;
use crate::recorder::recovery::{self, FolderReport, Options, SegmentReport};

/// Recovers what is below `output`, on a thread of its own that nobody waits for: a recovery
/// that the end of the process interrupts is finished by the next one.
pub fn start(output: &Path) {
    let output = output.to_owned();
    let thread = std::thread::Builder::new().name("reeld-recovery".to_owned());
    if let Err(error) = thread.spawn(move || run(&output)) {
        tracing::error!("no thread for the recovery of older recordings: {error}");
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
            folder = %report.folder.display(),
            "not recovered: {}",
            one_line(error)
        );
    }
}

fn log_segment(folder: &Path, segment: &SegmentReport) {
    tracing::info!(
        folder = %folder.display(),
        SEGMENT = segment.outcome.name().unwrap_or(&segment.file),
        outcome = segment.outcome.as_str(),
        kept = segment.kept_bytes,
        cut = segment.cut_bytes(),
        seconds = segment.duration.map(|length| length.as_secs_f64()),
        "segment recovered"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::Builder;

    #[test]
    fn what_a_crash_left_is_sealed() {
        let output = tempfile::tempdir().unwrap();
        let folder = output.path().join("room/20261122T041700Z-ann-camera");
        std::fs::create_dir_all(&folder).unwrap();
        let mut builder = Builder::new();
        builder.media(0, 30);
        std::fs::write(folder.join("00000.recording.ts"), builder.bytes).unwrap();
        run(output.path());
        assert!(folder.join("00000.ts").exists());
        // Nothing there to recover in is said, and no panic.
        run(&output.path().join("absent"));
    }
}
