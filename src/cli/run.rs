//! `reeld run`: the daemon.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, record, signals};
use crate::config::{self, Config, Flags};
use crate::daemon::care::Care;
use crate::daemon::governing::Governing;
use crate::daemon::{equipment, rooms};
use crate::status::{self, Server, StatusError};
use crate::{logging, recorder};

/// Record the rooms of a configuration until told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld run --config /etc/reeld/reeld.toml

A room that does not exist yet, or has closed, is waited for. Ctrl-C or SIGTERM seals what is
open and exits with 0; a second one exits at once.")]
pub struct Args {
    /// The configuration; REELD_… variables come on top of it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = config::load(Some(&args.config), std::env::vars_os(), Flags::default())?;
    let config = loaded.config;
    logging::init(&config.log.level, logging::Style::detect())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    config.require_rooms()?;
    record::trust(&config)?;
    recorder::prepare(&config.output)?;
    let keeper = record::keep(&config)?;
    let equipment = equipment::start(&config)?;
    let recovery = record::recover(&config)?;
    record::runtime()?.block_on(async {
        let governing = record::govern(&config)?;
        let _status = tell_status(&config, &governing)?;
        let stop = CancellationToken::new();
        signals::stop_on_signals(stop.clone())
            .map_err(|source| Failure::System { doing: "listening for signals", source })?;
        tracing::info!(rooms = config.rooms.len(), output = %config.output.display(), "reeld is running");
        rooms::run(&config, &Care::new(keeper, recovery), &equipment, &governing, &stop).await?;
        tracing::info!("reeld has stopped");
        Ok(Exit::Done)
    })
}

/// Tells what is known of all rooms to who asks, where that is wanted.
fn tell_status(config: &Config, governing: &Governing) -> Result<Option<Server>, StatusError> {
    let made = std::env::var_os("RUNTIME_DIRECTORY");
    // There may be several, with colons between them; the first is ours.
    let first = made
        .as_ref()
        .and_then(|made| std::env::split_paths(made).next());
    let socket = status::socket(config.status.socket.as_deref(), first.as_deref());
    socket
        .map(|path| Server::start(&path, governing.status()))
        .transpose()
}
