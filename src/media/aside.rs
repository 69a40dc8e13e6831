//! A trial in a process of its own: this program once more, with an order, a time limit, and a
//! report on its standard output between whatever a vendor's library prints there.

use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "probe";

/// What stands in front of the report on its line.
pub const MARKER: &str = "reeld-probe-report: ";

/// How long one trial may take.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How long the end of a killed process is waited for; one that waits for a driver stays.
const END: Duration = Duration::from_millis(500);

/// What is kept of what a process prints.
const MOST_OUTPUT: u64 = 256 * 1024;

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the process ended.
    pub end: End,
    /// Its report, if it gave one.
    pub report: Option<String>,
    /// The last thing it printed otherwise.
    pub said: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It had to be killed.
    Hung,
}

/// The program that is run.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

impl Program {
    /// This one, as it runs: also after an update has replaced its file.
    #[must_use]
    pub fn this() -> Self {
        Self(PathBuf::from("/proc/self/exe"))
    }

    /// Another one.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Runs it with `order` until it ends, or for `limit`. Blocks.
    ///
    /// # Errors
    /// When there can be no such process.
    pub fn run(&self, order: &str, limit: Duration) -> std::io::Result<Outcome> {
        let deadline = Instant::now() + limit;
        let mut child = Command::new(&self.0)
            .arg0("reeld")
            .args([SUBCOMMAND, order])
            // It is no service, and what it says of one would be believed.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Killed with all that it has started.
            .process_group(0)
            .spawn()?;
        let printed = collect(child.stdout.take());
        let complained = collect(child.stderr.take());
        let status = wait_until(&mut child, deadline)?;
        let end = if let Some(status) = status {
            end_of(status)
        } else {
            kill(child);
            End::Hung
        };
        // Whoever inherited its output and lives on is not waited for.
        let printed = printed.recv_timeout(END).unwrap_or_default();
        let complained = complained.recv_timeout(END).unwrap_or_default();
        Ok(read(end, &printed, &complained))
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

/// Reads all of a pipe on a thread of its own, and keeps the first part.
fn collect<R: Read + Send + 'static>(pipe: Option<R>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            // What can't be read was not said.
            let _ = pipe.by_ref().take(MOST_OUTPUT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        // Nobody waits for it any longer.
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

fn wait_until(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a process and what it has started. One that waits for a driver dies when that lets it.
fn kill(mut child: Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended just now.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let ended = wait_until(&mut child, Instant::now() + END);
    if !matches!(ended, Ok(Some(_))) {
        thread::spawn(move || child.wait());
    }
}

fn read(end: End, printed: &str, complained: &str) -> Outcome {
    let mut reports = printed.lines().filter_map(|line| line.split_once(MARKER));
    let report = reports.next_back().map(|(_, report)| report.to_owned());
    let said = |text: &str| {
        let mut lines = text.lines().map(str::trim);
        let line = lines.rfind(|line| !line.is_empty() && !line.contains(MARKER));
        line.map(|line| line.chars().take(200).collect::<String>())
    };
    Outcome {
        end,
        report,
        said: said(complained)
            .or_else(|| said(printed))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn program(script: &str) -> (tempfile::TempDir, Program) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (dir, Program::at(&path))
    }

    #[test]
    fn a_report_is_found_between_what_a_library_prints() {
        let script = format!("echo NvMMLite open; echo 'noise {MARKER}{{}}'; echo more; exit 3");
        let (_dir, program) = program(&script);
        let outcome = program.run("x", LIMIT).unwrap();
        assert_eq!(outcome.end, End::Code(3));
        assert_eq!(outcome.report.as_deref(), Some("{}"));
        assert_eq!(outcome.said, "more");
    }

    #[test]
    fn a_process_that_hangs_is_killed_with_its_children() {
        let (_dir, program) = program("echo here >&2; sleep 60 & sleep 60");
        let began = Instant::now();
        let outcome = program.run("x", Duration::from_millis(300)).unwrap();
        assert_eq!(outcome.end, End::Hung);
        assert_eq!(outcome.said, "here");
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_process_that_dies_or_floods_its_output_is_told() {
        let (_dir, dies) = program("kill -SEGV $$");
        assert_eq!(dies.run("x", LIMIT).unwrap().end, End::Signal(11));
        let (_dir, floods) = program("head -c 3000000 /dev/zero");
        assert_eq!(floods.run("x", LIMIT).unwrap().end, End::Code(0));
        assert!(Program::at(Path::new("/no/such")).run("x", LIMIT).is_err());
    }
}
