//! `reeld probe`: a few pictures through one encoder or decoder. `reeld` runs it itself, in a
//! process that may die of it.

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::alarm;

use super::{Exit, Failure};
use crate::media::aside::MARKER;
use crate::media::probe::{self, Order};

/// When a trial is over whatever happens, in seconds: behind the limit of who runs it.
const LAST_SECOND: u32 = 10;

/// What to try, as JSON.
#[derive(Debug, clap::Args)]
pub struct Args {
    order: String,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    die_in_time();
    let order: Order = serde_json::from_str(&args.order).map_err(|source| Failure::System {
        doing: "reading the order of a trial",
        source: source.into(),
    })?;
    let report = probe::here(&order).map_err(|source| Failure::System {
        doing: "writing the report of a trial",
        source: source.into(),
    })?;
    // On a line of its own, whatever a library has printed before.
    println!("\n{MARKER}{report}");
    Ok(Exit::Done)
}

/// Ends this process with the one that runs it, and by itself when that does not: a codec that
/// hangs is not left behind.
fn die_in_time() {
    // Neither is refused on Linux, and without them a trial only lasts longer.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    alarm::set(LAST_SECOND);
}
