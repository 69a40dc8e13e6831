//! `reeld demo`: a synthetic room through the whole path, without a server.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::nothing::Nothing;
use super::progress::{self, Style};
use super::record::{govern, keep, listen, means, require_room, runtime};
use super::results::Results;
use super::summary::Report;
use super::{Exit, Failure};
use crate::config::units::parse_duration;
use crate::config::{self, Flags};
use crate::daemon::equipment;
use crate::daemon::join;
use crate::daemon::room;
use crate::daemon::settings::{OnFailure, RoomProgress};
use crate::media::test_card::CardVideo;
use crate::room::{COMMAND_QUEUE, Codec, EventSender, synthetic};
use crate::{logging, recorder};

/// The room's name in the output directory.
const ROOM: &str = "demo";

/// Record a synthetic room: moving picture, frame counter, a flash and a beep each second.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  reeld demo --duration 10s --output recordings && reeld verify recordings
  reeld demo --codec vp8 --size 1920x1080      # through this box's encoder")]
pub struct Args {
    /// How long.
    #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "10s")]
    duration: Duration,
    /// How the camera encodes: h264, vp8, vp9 or av1. What is not h264 shows what encodes here.
    #[arg(long, value_parser = parse_codec, value_name = "CODEC", default_value = "h264")]
    codec: Codec,
    /// The camera's pictures, such as 1920x1080.
    #[arg(long, value_parser = parse_size, value_name = "SIZE", default_value = "1280x720")]
    size: (u16, u16),
    /// The directory that recordings go under; made when it does not exist.
    #[arg(long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,
    /// Print the summary for programs.
    #[arg(long)]
    json: bool,
}

fn parse_codec(text: &str) -> Result<Codec, String> {
    let known = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1];
    let mut known = known.into_iter();
    known
        .find(|codec| codec.as_str() == text)
        .ok_or_else(|| "write h264, vp8, vp9 or av1".to_owned())
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    config::card_size(text).ok_or_else(|| {
        "write pixels across and down, such as 1280x720; the width is a multiple of 8, the height \
         even, both 160 to 4096"
            .to_owned()
    })
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut flags = Flags::default();
    flags.set("--output", "output", args.output.to_string_lossy().as_ref());
    let config = config::load(&[], std::env::vars_os(), flags)?.config;
    let mut results = Results::claim().map_err(|source| Failure::System {
        doing: "keeping the standard output for results",
        source,
    })?;
    let style = Style::choose(std::io::stderr().is_terminal(), args.json);
    logging::init(style.log_level(&config), logging::Style::detect())?;
    recorder::prepare(&config.output)?;
    let keeper = keep(&config)?;
    let equipment = equipment::start(&config)?;
    runtime()?.block_on(async {
        let governing = govern(&config)?;
        require_room(&keeper).await?;
        let stop = CancellationToken::new();
        listen(&stop, None)?;
        let (sender, events) = EventSender::channel();
        let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
        let camera = CardVideo {
            codec: args.codec,
            width: args.size.0,
            height: args.size.1,
            ..CardVideo::default()
        };
        let length = args.duration;
        let source =
            tokio::task::spawn_blocking(move || synthetic::run(camera, length, &sender, orders));
        let (progress, watched) = watch::channel(RoomProgress::default());
        governing.look_at(ROOM, watched.clone()).await;
        let shown = tokio::spawn(progress::show(style, watched));
        let means = means(&keeper, equipment, &governing);
        let settings = join::room_settings(&config, ROOM, OnFailure::Stop, &means);
        let mut report = Report::new(ROOM);
        let totals = room::follow(settings, events, commands, stop, progress, |summary| {
            report.add(summary);
        })
        .await;
        shown.await?;
        let end = source.await?;
        report.print(args.json, &mut results)?;
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
