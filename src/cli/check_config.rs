//! `reeld check-config`: says whether a configuration is right, and where not.

use std::path::PathBuf;

use super::{Exit, Failure};
use crate::config;

/// Say whether a configuration file is right, and where not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld check-config /etc/reeld/reeld.toml
  reeld check-config /etc/reeld/reeld.toml /etc/reeld/rooms/lobby.toml

Exit codes: 0 right; 3 wrong, with the file, the line and the key")]
pub struct Args {
    /// The file; of several, the later come over the earlier.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = config::check(&args.files)?;
    for warning in &loaded.warnings {
        eprintln!("reeld: warning: {warning}");
    }
    let files: Vec<String> = args
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let rooms = loaded.config.rooms.len();
    println!(
        "{}: right, {rooms} room{}",
        files.join(" and "),
        if rooms == 1 { "" } else { "s" }
    );
    Ok(Exit::Done)
}
