//! `reeld doctor`: what this box is and can do.

use std::io::{self, Write};
use std::path::PathBuf;

use super::{Exit, Failure, record};
use crate::board::Root;
use crate::config::{self, Config, ConfigError, Flags};
use crate::doctor::{self, Finding, Grade, Questions, Report};
use crate::recorder::recording::one_line;

/// Say what this box is and can do, and what to do about what is not good.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld doctor
  reeld doctor --config /etc/reeld/reeld.toml
  LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… reeld doctor --url wss://live.example --json

Nothing is joined and nothing is changed, but what trials of encoders find is kept for the next
time; 1.3 MB are written to the output directory for a moment, to see how fast the disk is. Below a
line that is not good stands what to do.

--json prints {\"reeld\": version, \"grade\": …, \"findings\": [{grade, subject, what, advice}],
\"facts\": {board, machine, gstreamer, coders, memory_cgroup, pressure, watchdog, clock, disk, servers}};
docs/hardware.md says what is in them.

Exit codes: 0 good; 1 degraded: it records, and something could be better; 2 bad: it can't record
(or wrong usage)")]
pub struct Args {
    /// The configuration; REELD_… variables come on top of it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory that recordings go under; without it that of the configuration.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        help = "The server to ask whether it would let us in [env: LIVEKIT_URL]"
    )]
    url: Option<String>,
    /// Try encoders again that were tried before.
    #[arg(long)]
    fresh: bool,
    /// Print a report for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = configure(args);
    let default = Config::default();
    let config = loaded.as_ref().unwrap_or(&default);
    let output = match &loaded {
        Ok(config) => Some(config.output.as_path()),
        Err(_) => args.output.as_deref(),
    };
    let mut report = doctor::examine(&Questions {
        root: &Root::here(),
        config,
        output,
        fresh: args.fresh,
    });
    match &loaded {
        Ok(config) => ask_servers(args, config, &mut report)?,
        Err(error) => report.push(Finding::bad(
            "configuration",
            one_line(error),
            "put it right; `reeld check-config FILE` says whether it is",
        )),
    }
    let mut out = io::stdout().lock();
    let printed = if args.json {
        serde_json::to_writer(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        print(&report, &mut out)
    };
    printed.map_err(|source| Failure::System {
        doing: "writing the report",
        source,
    })?;
    Ok(match report.grade() {
        Grade::Good => Exit::Done,
        Grade::Degraded => Exit::Failed,
        Grade::Bad => Exit::Unfit,
    })
}

fn configure(args: &Args) -> Result<Config, ConfigError> {
    let mut flags = Flags::default();
    if let Some(url) = &args.url {
        flags.set("--url", "livekit.url", url.as_str());
    }
    if let Some(output) = &args.output {
        flags.set("--output", "output", output.to_string_lossy().as_ref());
    }
    let loaded = config::load(args.config.as_slice(), std::env::vars_os(), flags)?;
    Ok(loaded.config)
}

/// Asks the servers that are named anywhere; with a configuration there must be one.
fn ask_servers(args: &Args, config: &Config, report: &mut Report) -> Result<(), Failure> {
    if args.config.is_none() && config.livekit.url.is_none() {
        return Ok(());
    }
    if let Err(failure) = record::trust(config) {
        report.push(Finding::bad(
            "server",
            failure.to_string(),
            "name a file with the CA's certificate in PEM by livekit.ca_file",
        ));
        return Ok(());
    }
    let asked = record::runtime()?.block_on(doctor::server::ask(config));
    report.add_servers(asked);
    Ok(())
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let findings = report.findings();
    let subjects = findings.iter().map(|one| one.subject().chars().count());
    let subject = subjects.max().unwrap_or(0);
    let grade = Grade::Degraded.as_str().len();
    for one in findings {
        writeln!(
            out,
            "{:grade$}  {:subject$}  {}",
            one.grade(),
            one.subject(),
            // Firmware, drivers and servers chose parts of it: nothing may steer a terminal.
            plain(one.what())
        )?;
        if let Some(advice) = one.advice() {
            writeln!(out, "    → {}", plain(advice))?;
        }
    }
    let not_good = findings.iter().filter(|one| one.grade() != Grade::Good);
    let count = not_good.count();
    let lines = if count == 1 { "line" } else { "lines" };
    match report.grade() {
        Grade::Good => writeln!(out, "good: this box can record"),
        Grade::Degraded => writeln!(
            out,
            "degraded: this box can record, and {count} {lines} say what could be better"
        ),
        Grade::Bad => writeln!(
            out,
            "bad: this box can't record; {count} {lines} say what to do"
        ),
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_steers_a_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb\u{7}…\u{9b}"), "a[2Jb…");
    }
}
