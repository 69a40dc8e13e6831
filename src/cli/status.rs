//! `reeld status`: how a `reeld` that runs stands.

mod told;
mod view;
mod width;

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Exit, Failure};
use crate::config::{self, Flags};
use crate::recorder::recording::one_line;
use crate::status::ask::{self, AskError};
use told::Told;

/// Between two looks with `--watch`; what is told is renewed as often.
const LOOK: Duration = Duration::from_secs(1);

/// Home, and everything behind it away: what each terminal since the VT100 understands.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Where systemd makes the directories of sockets.
const RUN: &str = "/run";

/// Say how a `reeld` that runs stands: rooms, recordings, memory, disk.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld status
  reeld status --watch
  reeld status --socket /run/reeld/lobby/reeld.sock --json

Without --socket and --config all that run on this box are asked: /run/reeld/reeld.sock and
/run/reeld/*/reeld.sock.

Exit codes: 0 healthy; 1 something hangs; 3 the configuration is wrong; 4 nobody answers")]
pub struct Args {
    /// The configuration whose status.socket is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// The socket that is asked.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Look again each second, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Print what is told for programs: a line each, as at /status.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let clears = args.watch && !args.json && out.is_terminal();
    loop {
        let (text, end) = look(args)?;
        let clear = if clears { CLEAR } else { "" };
        let written = write!(out, "{clear}{text}").and_then(|()| out.flush());
        if let Err(source) = written {
            // Whoever read it has seen enough.
            if args.watch && source.kind() == io::ErrorKind::BrokenPipe {
                return Ok(Exit::Done);
            }
            let doing = "writing what is known";
            return Err(Failure::System { doing, source });
        }
        if !args.watch {
            return end;
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks all once: what they tell, and how that ends.
fn look(args: &Args) -> Result<(String, Result<Exit, Failure>), Failure> {
    let sockets = sockets(args)?;
    let several = sockets.len() > 1;
    let mut text = String::new();
    let mut end = Ok(Exit::Done);
    for socket in &sockets {
        if several && !args.json {
            text.extend(["== ", &socket.to_string_lossy(), "\n"]);
        }
        match ask_one(socket, args.json) {
            Ok((told, healthy)) => {
                text += &told;
                if end.is_ok() && !healthy {
                    end = Ok(Exit::Failed);
                }
            }
            Err(error) => {
                // The last one is said at the end, where there is one.
                if (several || args.watch) && !args.json {
                    text.extend([&one_line(&error), "\n"]);
                }
                end = Err(error.into());
            }
        }
    }
    Ok((text, end))
}

/// What one of them tells, and whether all is well with it.
fn ask_one(socket: &Path, json: bool) -> Result<(String, bool), AskError> {
    let body = ask::get(socket, "/status")?;
    let told = Told::parse(&body).ok_or_else(|| rubbish(socket, &body))?;
    let text = if json {
        body + "\n"
    } else {
        view::render(&told)
    };
    Ok((text, told.is_healthy()))
}

fn rubbish(socket: &Path, told: &str) -> AskError {
    AskError::Rubbish {
        path: socket.to_owned(),
        said: told.chars().take(80).collect(),
    }
}

/// Who is to be asked: as the options say, or all that run here.
fn sockets(args: &Args) -> Result<Vec<PathBuf>, Failure> {
    if let Some(socket) = &args.socket {
        return Ok(vec![socket.clone()]);
    }
    if let Some(file) = &args.config {
        let loaded = config::load(std::slice::from_ref(file), env::vars_os(), Flags::default())?;
        if let Some(socket) = loaded.config.status.socket {
            return Ok(vec![socket]);
        }
    }
    let found = ask::sockets(Path::new(RUN));
    if found.is_empty() {
        return Ok(vec![Path::new(RUN).join("reeld/reeld.sock")]);
    }
    Ok(found)
}
