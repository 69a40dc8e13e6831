//! `reeld probe`: a few pictures through one encoder or decoder. `reeld` runs it itself, in a
//! process that may die of it.

use super::{Exit, Failure};
use crate::media::aside::MARKER;
use crate::media::probe::{self, Order};

/// What to try, as JSON.
#[derive(Debug, clap::Args)]
pub struct Args {
    order: String,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
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
