//! `reeld run`: the daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, record, signals};
use crate::config::{self, Config, Flags};
use crate::daemon::care::Care;
use crate::daemon::signs::Signs;
use crate::daemon::stays::Shared;
use crate::daemon::{equipment, rooms};
use crate::health::vigil::{Turn, Vigil};
use crate::status::{self, Known, Server, StatusError};
use crate::{events, logging, recorder};

/// How long ending may take in all. Each step has a deadline of its own, and all of them together
/// less than this; what is not sealed by then is made whole by the next start.
const END: Duration = Duration::from_secs(40);

/// How long threads that are still busy at the end are waited for.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Record the rooms of a configuration until told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld run --config /etc/reeld/reeld.toml

A room that does not exist yet, or has closed, is waited for. SIGHUP has the configuration read again:
rooms that it does not change go on untouched. Ctrl-C or SIGTERM seals what is open and exits with 0; a
second one exits at once.")]
pub struct Args {
    /// The configuration; of several, the later come over the earlier, and REELD_… variables on top.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = load(args)?;
    logging::init(&loaded.config.log.level, logging::Style::detect())?;
    let config = warn(loaded);
    rooms::check(&config)?;
    record::trust(&config)?;
    recorder::prepare(&config.output)?;
    let keeper = record::keep(&config)?;
    let equipment = equipment::start(&config)?;
    let recovery = record::recover(&config)?;
    let runtime = record::runtime()?;
    let done = runtime.block_on(async {
        let governing = record::govern(&config)?;
        let (observed, mut signs) = Signs::new(governing.status(), keeper.watch());
        let vigil = Vigil::start(move |now| signs.look(now)).map_err(|source| Failure::System {
            doing: "starting a thread for the watchdog",
            source,
        })?;
        let vigil = Arc::new(vigil);
        let known = Known {
            status: governing.status(),
            health: vigil.health(),
            storage: keeper.watch(),
        };
        let _status = tell_status(&config, &known)?;
        let stop = CancellationToken::new();
        listen(&stop, &vigil)?;
        let reloads = reloads(args.config.clone())?;
        let care = Care::new(keeper, recovery);
        let shared = Shared {
            care,
            equipment,
            governing,
            observed,
            vigil,
        };
        tracing::info!(
            message_id = events::STARTED,
            rooms = config.rooms.len(),
            output = %config.output.display(),
            "reeld is running"
        );
        tokio::select! {
            ended = rooms::run(&config, &shared, reloads, &stop) => ended?,
            () = too_long(&stop) => {
                tracing::error!("not everything could be sealed: the next start does it");
                return Ok(Exit::Failed);
            }
        }
        tracing::info!(message_id = events::STOPPED, "reeld has stopped");
        Ok(Exit::Done)
    });
    // A thread that hangs must not hold up the end.
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

fn load(args: &Args) -> Result<config::Loaded, Failure> {
    Ok(config::load(
        &args.config,
        std::env::vars_os(),
        Flags::default(),
    )?)
}

/// Says what is not good about a configuration.
fn warn(loaded: config::Loaded) -> Config {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    loaded.config
}

/// Has everything end at the first signal, and systemd hear of it.
fn listen(stop: &CancellationToken, vigil: &Arc<Vigil>) -> Result<(), Failure> {
    signals::stop_on_signals(stop.clone()).map_err(|source| Failure::System {
        doing: "listening for signals",
        source,
    })?;
    let (stop, vigil) = (stop.clone(), Arc::clone(vigil));
    tokio::spawn(async move {
        stop.cancelled().await;
        vigil.tell(Turn::Stopping);
    });
    Ok(())
}

/// The configuration as it is read again at each SIGHUP.
fn reloads(files: Vec<PathBuf>) -> Result<rooms::Reloads, Failure> {
    let mut hang_up = signals::hang_up().map_err(|source| Failure::System {
        doing: "listening for SIGHUP",
        source,
    })?;
    // One that is being taken, and the next.
    let (sender, reloads) = mpsc::channel(1);
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            let loaded = config::load(&files, std::env::vars_os(), Flags::default());
            if sender.send(loaded.map(warn)).await.is_err() {
                break;
            }
        }
    });
    Ok(reloads)
}

async fn too_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(END).await;
}

/// Tells what is known of all rooms to who asks, where that is wanted.
fn tell_status(config: &Config, known: &Known) -> Result<Vec<Server>, StatusError> {
    let made = std::env::var_os("RUNTIME_DIRECTORY");
    // There may be several, with colons between them; the first is ours.
    let first = made
        .as_ref()
        .and_then(|made| std::env::split_paths(made).next());
    let socket = status::socket(config.status.socket.as_deref(), first.as_deref());
    let socket = socket.map(|path| Server::start(&path, known.clone()));
    let address = config.status.listen;
    let address = address.map(|address| Server::listen(address, known.clone()));
    socket.into_iter().chain(address).collect()
}
