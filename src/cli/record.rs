//! `reeld record`: one room, now.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::nothing::Nothing;
use super::progress::{self, Style};
use super::results::Results;
use super::summary::Report;
use super::{Exit, Failure, signals};
use crate::config::units::parse_duration;
use crate::config::{self, Config, Flags, Room};
use crate::daemon::equipment;
use crate::daemon::governing::Governing;
use crate::daemon::join::{self, Place, Stay};
use crate::daemon::recovery::Recovery;
use crate::daemon::settings::{Means, OnFailure, RoomProgress};
use crate::media::EquipmentWatch;
use crate::room::RoomEnd;
use crate::room::livekit;
use crate::storage::{Keeper, Limits};
use crate::{logging, recorder};

/// How long the disk may take to say how much is free.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// Record one room now, until the duration is over, the room closes or Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=…
  reeld record --url ws://127.0.0.1:7880 --room lobby
  reeld record --url wss://live.example --room lobby --participant 'cam-*' --duration 1h
  LIVEKIT_TOKEN=… reeld record --url wss://live.example --room lobby --json

What reeld.toml sets can be set by variables: REELD_AUDIO__CODEC=opus, REELD_SEGMENT__DURATION=10m.
Ctrl-C seals what is open and exits with 0; a second one exits at once.")]
pub struct Args {
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        help = "The server: ws://, wss://, http:// or https:// [env: LIVEKIT_URL]"
    )]
    url: Option<String>,
    /// Certificates of CAs (PEM) to trust next to the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The room's name.
    #[arg(long)]
    room: String,
    /// Record participants whose identity matches; may be given several times [default: *]
    #[arg(long, value_name = "GLOB")]
    participant: Vec<String>,
    /// Stop after this long, such as 30s or 1h30m.
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    duration: Option<Duration>,
    /// The directory that recordings go under; made when it does not exist.
    #[arg(long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,
    /// Print the summary for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let (config, room) = configure(args)?;
    let mut results = Results::claim().map_err(|source| Failure::System {
        doing: "keeping the standard output for results",
        source,
    })?;
    let style = Style::choose(std::io::stderr().is_terminal(), args.json);
    logging::init(style.log_level(&config), logging::Style::detect())?;
    let connection = config.connection(&room)?;
    let plan = join::plan(&config, &connection, config.selection(&room))?;
    trust(&config)?;
    recorder::prepare(&config.output)?;
    let keeper = keep(&config)?;
    let equipment = equipment::start(&config)?;
    let _recovery = recover(&config)?;
    runtime()?.block_on(async {
        let governing = govern(&config)?;
        require_room(&keeper).await?;
        let stop = CancellationToken::new();
        listen(&stop, args.duration)?;
        let (progress, watched) = watch::channel(RoomProgress::default());
        governing.look_at(&room.name, watched.clone()).await;
        let shown = tokio::spawn(progress::show(style, watched));
        let means = means(&keeper, equipment, &governing);
        let settings = join::room_settings(&config, &room.name, OnFailure::Stop, &means);
        let mut report = Report::new(&room.name);
        let stay = join::record(
            Place::Server(Box::new(plan)),
            settings,
            stop,
            progress,
            |summary| {
                report.add(summary);
            },
        )
        .await;
        shown.await?;
        conclude(report, args.json, &mut results, stay)
    })
}

/// Lets connections to the server trust the CA that the configuration names.
pub(super) fn trust(config: &Config) -> Result<(), Failure> {
    if let Some(ca_file) = &config.livekit.ca_file {
        livekit::trust(ca_file)?;
    }
    Ok(())
}

/// Starts to recover what crashes have left below the output directory.
pub(super) fn recover(config: &Config) -> Result<Recovery, Failure> {
    Recovery::start(&config.output).map_err(|source| Failure::System {
        doing: "starting a thread for the recovery",
        source,
    })
}

/// Starts to look after the output directory.
pub(super) fn keep(config: &Config) -> Result<Keeper, Failure> {
    let limits = Limits::of(&config.storage);
    Keeper::start(config.output.clone(), limits).map_err(|source| Failure::System {
        doing: "starting a thread for the storage",
        source,
    })
}

/// Starts to watch memory, processor and disk, where tokio runs.
pub(super) fn govern(config: &Config) -> Result<Governing, Failure> {
    Governing::start(config).map_err(|source| Failure::System {
        doing: "starting a thread for the governor",
        source,
    })
}

/// What a room is recorded with.
pub(super) fn means(keeper: &Keeper, equipment: EquipmentWatch, governing: &Governing) -> Means {
    Means {
        storage: keeper.watch(),
        equipment,
        orders: governing.orders(),
        door: governing.door(),
    }
}

/// Fails when the storage takes no recordings, so that this is said before anything is joined.
/// A disk that does not answer is left to show itself.
pub(super) async fn require_room(keeper: &Keeper) -> Result<(), Failure> {
    let mut storage = keeper.watch();
    let looked = storage.wait_for(|storage| storage.looked.is_some());
    match tokio::time::timeout(FIRST_LOOK, looked).await {
        Ok(Ok(storage)) if !storage.state.may_record() => {
            Err(Failure::NoRoom(storage.state.clone()))
        }
        _ => Ok(()),
    }
}

/// Prints the summary and says how it all ended.
fn conclude(
    mut report: Report,
    json: bool,
    results: &mut Results,
    stay: Stay,
) -> Result<Exit, Failure> {
    let Stay { end, totals } = stay;
    report.refuse(totals.refused);
    // A room that could not even be joined has no summary.
    if end.is_ok() || !report.is_empty() {
        report.print(json, results)?;
    }
    let nothing = (!report.has_files()).then(|| Nothing::of(&report, &totals));
    if let Some(cause) = report.into_failure() {
        return Err(cause.into());
    }
    if let Some(storage) = totals.storage {
        return Err(Failure::NoRoom(storage));
    }
    match end? {
        RoomEnd::Left | RoomEnd::Closed => match nothing {
            None => Ok(Exit::Done),
            Some(nothing) => Err(nothing.into()),
        },
        RoomEnd::Removed => Err(Failure::Removed),
    }
}

fn configure(args: &Args) -> Result<(Config, Room), Failure> {
    let mut flags = Flags::default();
    if let Some(url) = &args.url {
        flags.set("--url", "livekit.url", url.as_str());
    }
    if let Some(file) = &args.ca_file {
        flags.set(
            "--ca-file",
            "livekit.ca_file",
            file.to_string_lossy().as_ref(),
        );
    }
    if !args.participant.is_empty() {
        flags.set(
            "--participant",
            "select.participants",
            args.participant.clone(),
        );
    }
    flags.set("--output", "output", args.output.to_string_lossy().as_ref());
    let mut room = toml::Table::new();
    room.insert("name".to_owned(), args.room.as_str().into());
    flags.set("--room", "room", vec![toml::Value::Table(room)]);
    let config = config::load(&[], std::env::vars_os(), flags)?.config;
    let room = config
        .require_rooms()?
        .first()
        .cloned()
        .ok_or(config::ConfigError::NoRooms)?;
    Ok((config, room))
}

/// Cancels `stop` on signals and when `duration` is over.
pub(super) fn listen(stop: &CancellationToken, duration: Option<Duration>) -> Result<(), Failure> {
    signals::stop_on_signals(stop.clone()).map_err(|source| Failure::System {
        doing: "listening for signals",
        source,
    })?;
    if let Some(duration) = duration {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            stop.cancel();
        });
    }
    Ok(())
}

/// One thread for all that waits: sockets, timers, decisions. What computes or blocks has
/// threads of its own.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System {
            doing: "starting the runtime",
            source,
        })
}
