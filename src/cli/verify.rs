//! `reeld verify`: reads recordings back.

use std::io;
use std::path::PathBuf;

use super::{Exit, Failure};
use crate::verify::{self, Format};

/// Read recordings back and say whether they are sound.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld verify recordings
  reeld verify 00000.ts --json

Exit codes: 0 all sound; 1 something is not; 6 something can't be read")]
pub struct Args {
    /// Files, recordings' folders, or directories with recordings below.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print a report for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let format = if args.json {
        Format::Json
    } else {
        Format::Human
    };
    let mut verdict = verify::run(&args.paths, format, &mut io::stdout().lock())?;
    if !verdict.errors.is_empty() {
        let last = verdict.errors.pop();
        for error in &verdict.errors {
            eprintln!("reeld: {}", crate::recorder::recording::one_line(error));
        }
        if let Some(error) = last {
            return Err(error.into());
        }
    }
    Ok(if verdict.unsound == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}
