//! What recording costs: real rooms on a server of our own, real libwebrtc as the publisher, and
//! the `reeld record` process measured from its start to its end. Run by `scripts/bench`.
//!
//! Not a test: a number that misses its target is marked and nothing else. It fails when a
//! recording is not sound, since what such a recording costs says nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that can't measure ends with what is wrong"
)]

#[path = "../../tests/stage/mod.rs"]
mod stage;

mod machine;
mod observe;
mod report;
mod scenes;
mod trials;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use machine::Machine;
use report::Report;
use scenes::Setting;

/// Measure what recording costs.
#[derive(Parser)]
#[command(name = "scripts/bench")]
struct Args {
    /// How long each recorder runs, in seconds, start included.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=3600))]
    secs: u64,
    /// Measure only this scene; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Setting>,
    /// Where the results go [default: target/bench/recording.json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Cargo passes it to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let length = Duration::from_secs(args.secs);
    let mut report = Report::new(Machine::look(), length);
    let mut unsound = 0;
    if args.only.is_empty() {
        eprintln!("Trying encoders");
        report.add_trials(&trials::measure());
    }
    for setting in Setting::ALL {
        if !args.only.is_empty() && !args.only.contains(&setting) {
            continue;
        }
        eprintln!("{}: {} s", setting.title(), args.secs);
        // The stage panics when something is not sound, and says what. The other scenes go on.
        match catch_unwind(|| setting.measure(length)) {
            Ok(measured) => report.add(setting, measured),
            Err(_) => unsound += 1,
        }
    }
    print!("{}", report.table());
    let json = args.json.unwrap_or_else(default_json);
    write(&json, &report.json());
    println!("\nWritten to {}", json.display());
    if unsound > 0 {
        eprintln!("error: {unsound} recordings are not sound; what is wrong stands above");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn default_json() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/recording.json")
}

fn write(file: &Path, text: &str) {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    }
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
