//! `reeld check-config`: says whether a configuration is right, and where not.

use std::path::PathBuf;

use super::{Exit, Failure};
use crate::config;

/// Say whether a configuration file is right, and where not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld check-config /etc/reeld/reeld.toml

Exit codes: 0 right; 3 wrong, with the file, the line and the key")]
pub struct Args {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = config::check(&args.file)?;
    for warning in &loaded.warnings {
        eprintln!("reeld: warning: {warning}");
    }
    let rooms = loaded.config.rooms.len();
    println!(
        "{}: right, {rooms} room{}",
        args.file.display(),
        if rooms == 1 { "" } else { "s" }
    );
    Ok(Exit::Done)
}
