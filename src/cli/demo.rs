//! `reeld demo`: a synthetic room through the whole path, without a server.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::nothing::Nothing;
use super::progress::{self, Style};
use super::record::{keep, listen, require_room, runtime};
use super::summary::Report;
use super::{Exit, Failure};
use crate::config::units::parse_duration;
use crate::config::{self, Flags};
use crate::daemon::join;
use crate::daemon::room;
use crate::daemon::settings::{OnFailure, RoomProgress};
use crate::room::{COMMAND_QUEUE, Codec, EventSender, synthetic};
use crate::{logging, media, recorder};

/// The room's name in the output directory.
const ROOM: &str = "demo";

/// Record a synthetic room: moving picture, frame counter, a flash and a beep each second.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld demo --duration 10s --output recordings && reeld verify recordings")]
pub struct Args {
    /// How long.
    #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "10s")]
    duration: Duration,
    /// The directory that recordings go under; made when it does not exist.
    #[arg(long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,
    /// Print the summary for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut flags = Flags::default();
    flags.set("--output", "output", args.output.to_string_lossy().as_ref());
    let config = config::load(None, std::env::vars_os(), flags)?.config;
    let style = Style::choose(std::io::stderr().is_terminal(), args.json);
    logging::init(style.log_level(&config), logging::Style::detect())?;
    recorder::prepare(&config.output)?;
    let keeper = keep(&config)?;
    media::init()?;
    runtime()?.block_on(async {
        require_room(&keeper).await?;
        let stop = CancellationToken::new();
        listen(&stop, None)?;
        let (sender, events) = EventSender::channel();
        let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
        let length = args.duration;
        let source = tokio::task::spawn_blocking(move || {
            synthetic::run(Codec::H264, length, &sender, orders)
        });
        let (progress, watched) = watch::channel(RoomProgress::default());
        let shown = tokio::spawn(progress::show(style, watched));
        let settings = join::room_settings(&config, ROOM, OnFailure::Stop, keeper.watch());
        let mut report = Report::new(ROOM);
        let totals = room::follow(settings, events, commands, stop, progress, |summary| {
            report.add(summary);
        })
        .await;
        shown.await?;
        let end = source.await?;
        report.print(args.json)?;
        let nothing = (!report.has_files()).then(|| Nothing::of(&report, &totals));
        if let Some(cause) = report.into_failure() {
            return Err(cause.into());
        }
        if let Some(storage) = totals.storage {
            return Err(Failure::NoRoom(storage));
        }
        end?;
        match nothing {
            None => Ok(Exit::Done),
            Some(nothing) => Err(nothing.into()),
        }
    })
}
