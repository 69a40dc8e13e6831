//! How long it takes to find out what encodes here.

use std::path::Path;
use std::time::Duration;

use reeld::media::aside::Program;
use reeld::media::encoder::search::Search;
use reeld::media::encoder::selection::{Choice, Wanted};
use serde::Serialize;

/// How long finding out may take.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Targets {
    /// All candidates tried, in milliseconds.
    pub all_ms: f64,
    /// One chosen by earlier trials, in milliseconds.
    pub known_ms: f64,
}

pub const TARGETS: Targets = Targets {
    all_ms: 3_000.0,
    known_ms: 10.0,
};

/// What was found, and in what time.
pub struct Trials {
    /// Each candidate with its verdict.
    pub verdicts: Vec<String>,
    /// All tried anew.
    pub all: Duration,
    /// Chosen by what is kept of that.
    pub known: Duration,
}

/// Tries all candidates in processes of the built `reeld`, then chooses as a start does that finds
/// the trials made.
///
/// # Panics
/// When nothing works, or what was tried is not remembered.
pub fn measure() -> Trials {
    let kept = tempfile::tempdir().expect("a temporary directory");
    let mut search = Search {
        program: Program::at(Path::new(env!("CARGO_BIN_EXE_reeld"))),
        cache: Some(kept.path().to_owned()),
        fresh: true,
    };
    let wanted = Wanted {
        choice: Choice::Auto,
        lines: None,
        bitrate: 2_500_000,
    };
    // Starting GStreamer is no part of either.
    reeld::media::init().expect("GStreamer starts");
    let all = search.run_all(&wanted).expect("GStreamer starts");
    search.fresh = false;
    // A trial would fail now.
    search.program = Program::at(Path::new("/nonexistent"));
    let known = search.run(&wanted).expect("GStreamer starts");
    assert!(
        known
            .tried
            .iter()
            .any(|one| one.verdict.performance().is_some()),
        "nothing that works is remembered: {all:?}"
    );
    Trials {
        verdicts: all
            .tried
            .iter()
            .map(|one| format!("{}: {}", one.path, one.verdict))
            .collect(),
        all: all.took,
        known: known.took,
    }
}
