//! The command line: one file a subcommand.

mod check_config;
mod demo;
mod doctor;
mod exit;
mod keep;
mod ls;
mod nothing;
mod probe;
mod progress;
mod record;
mod recover;
mod results;
mod run;
mod signals;
mod status;
mod summary;
mod verify;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Failure};

const AFTER_HELP: &str = "\
Examples:
  reeld demo --duration 10s --output recordings
  LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… \\
    reeld record --url ws://127.0.0.1:7880 --room lobby --duration 30s
  reeld verify recordings
  reeld recover recordings
  reeld ls recordings
  reeld check-config /etc/reeld/reeld.toml
  reeld doctor --config /etc/reeld/reeld.toml
  reeld run --config /etc/reeld/reeld.toml
  reeld status --watch

Exit codes:
  0  done           4  the server can't be reached or was lost
  1  not sound      5  the server refused the key, the token or its grants
  2  wrong usage    6  the output directory can't be written
  3  configuration  7  nothing was there to record, or nothing came
  8  this machine lacks a part of GStreamer, or it failed
  of `reeld doctor`: 0 good, 1 degraded, 2 can't record";

/// Records LiveKit rooms to crash-safe MPEG-TS with flat memory.
#[derive(Debug, Parser)]
#[command(name = "reeld", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record one room now, until the duration is over, the room closes or Ctrl-C.
    Record(record::Args),
    /// Record the rooms of a configuration until told to stop.
    Run(run::Args),
    /// Record a synthetic room: moving picture, frame counter, a flash and a beep each second.
    Demo(demo::Args),
    /// Read recordings back and say whether they are sound.
    Verify(verify::Args),
    /// Make recordings whole that a crash or a power cut has left.
    Recover(recover::Args),
    /// List recordings: how long, how large, in which state, what is missing.
    Ls(ls::Args),
    /// Mark recordings that are never to be deleted.
    Keep(keep::Args),
    /// Say how a `reeld` that runs stands: rooms, recordings, memory, disk.
    Status(status::Args),
    /// Say whether a configuration file is right, and where not.
    CheckConfig(check_config::Args),
    /// Say what this box is and can do, and what to do about what is not good.
    Doctor(doctor::Args),
    #[command(hide = true)]
    Probe(probe::Args),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// A [`Failure`]: one line for the user and the exit code.
    pub fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Record(args) => record::run(args),
            Command::Run(args) => run::run(args),
            Command::Demo(args) => demo::run(args),
            Command::Verify(args) => verify::run(args),
            Command::Recover(args) => recover::run(args),
            Command::Ls(args) => ls::run(args),
            Command::Keep(args) => keep::run(args),
            Command::Status(args) => status::run(args),
            Command::CheckConfig(args) => check_config::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Probe(args) => probe::run(args),
        }
    }
}
