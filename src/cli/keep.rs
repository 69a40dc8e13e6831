//! `reeld keep`: marks recordings that are never to be deleted.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Exit, Failure};
use crate::recorder::recording::one_line;
use crate::recorder::{RecorderError, kept};

/// Mark recordings that are never to be deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld keep /var/lib/reeld/lobby/20261122T041700Z-ann-camera
  reeld keep --undo /var/lib/reeld/lobby/20261122T041700Z-ann-camera

It works on recordings that still run. The mark is the file `kept` in the folder.

Exit codes: 0 done; 6 one is no recording, or can't be written")]
pub struct Args {
    /// Folders of recordings, as `reeld ls` shows them.
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// Take the marks away again.
    #[arg(long)]
    undo: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let mut last = None;
    for folder in &args.recordings {
        match mark(folder, args.undo) {
            Ok(what) => {
                let said = writeln!(out, "{}: {what}", folder.display());
                said.map_err(|source| Failure::System {
                    doing: "writing what was done",
                    source,
                })?;
            }
            Err(error) => {
                if let Some(earlier) = last.replace(error) {
                    eprintln!("reeld: {}", one_line(&earlier));
                }
            }
        }
    }
    match last {
        None => Ok(Exit::Done),
        Some(error) => Err(error.into()),
    }
}

/// Marks one recording, or takes its mark away, and says what that came to.
fn mark(folder: &Path, undo: bool) -> Result<&'static str, RecorderError> {
    if undo {
        let changed = kept::release(folder)?;
        return Ok(if changed {
            "no longer kept"
        } else {
            "was not kept"
        });
    }
    let changed = kept::keep(folder)?;
    Ok(if changed { "kept" } else { "was kept already" })
}
