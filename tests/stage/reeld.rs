//! The `reeld` binary as a child, and what it left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::process::Process;
use super::server::{API_KEY, API_SECRET, Server};

/// Sealing takes well under a second; a busy test machine gets room.
const SEALING: Duration = Duration::from_mins(1);

/// A running `reeld record`.
pub struct Reeld {
    process: Process,
    output: PathBuf,
}

/// How a run of `reeld` ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// What `reeld record --json` prints at the end.
#[derive(Debug, Deserialize)]
pub struct Summary {
    pub recordings: Vec<Recording>,
    /// Tracks that were asked for and not recorded, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// One recording of the summary.
#[derive(Debug, Deserialize)]
pub struct Recording {
    /// Nothing when it ended before there was anything to write.
    pub dir: Option<PathBuf>,
    pub participant: String,
    pub source: String,
    pub duration_s: f64,
    pub bytes: u64,
    pub frames: Frames,
}

/// Access units by kind; a kind that was not recorded may be absent.
#[derive(Debug, Deserialize)]
pub struct Frames {
    pub video: Option<Units>,
    pub audio: Option<Units>,
}

/// What came in, what was written, what was dropped and why.
#[derive(Debug, Deserialize)]
pub struct Units {
    pub received: u64,
    pub written: u64,
    pub dropped: BTreeMap<String, u64>,
}

/// `reeld` with nothing in its environment that could change what it does.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeld"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("REELD_") || name.starts_with("LIVEKIT_") || name == "JOURNAL_STREAM" {
            command.env_remove(name);
        }
    }
    command
}

/// Starts `reeld demo` for so long, in segments of `segment`. Dropping it kills it.
pub fn demo(output: &Path, duration: &str, segment: &str) -> Process {
    Process::spawn(
        "reeld demo",
        command()
            .args(["demo", "--duration", duration, "--output"])
            .arg(output)
            .env("REELD_SEGMENT__DURATION", segment),
    )
}

/// Runs `command` to its end.
pub fn run(command: &mut Command, limit: Duration) -> Outcome {
    outcome(Process::spawn("reeld", command), limit)
}

fn outcome(mut process: Process, limit: Duration) -> Outcome {
    let (stdout, status) = process.wait(limit);
    Outcome {
        code: status.code(),
        stdout: stdout.join("\n"),
        stderr: process.stderr(),
    }
}

impl Reeld {
    /// Starts `reeld record` of `room` into `output`, with the server's key.
    pub fn record(server: &Server, room: &str, output: &Path, options: &[&str]) -> Self {
        Self::record_at(&server.url(), room, output, options)
    }

    /// The same with settings of `reeld.toml`, as variables.
    pub fn record_set(
        server: &Server,
        room: &str,
        output: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::record_configured(&server.url(), room, output, &[], settings)
    }

    /// The same with the server at `url`.
    pub fn record_at(url: &str, room: &str, output: &Path, options: &[&str]) -> Self {
        Self::record_configured(url, room, output, options, &[])
    }

    /// The same, configured by `variables` of its environment.
    pub fn record_configured(
        url: &str,
        room: &str,
        output: &Path,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start(
            command()
                .args(["record", "--json", "--url", url, "--room", room])
                .arg("--output")
                .arg(output)
                .args(options)
                .envs(variables.iter().copied())
                .env("LIVEKIT_API_KEY", API_KEY)
                .env("LIVEKIT_API_SECRET", API_SECRET),
            output,
        )
    }

    /// Runs a command that becomes `reeld` and records into `output`.
    pub fn start(command: &mut Command, output: &Path) -> Self {
        Self {
            process: Process::spawn("reeld", command),
            output: output.to_owned(),
        }
    }

    /// Starts `reeld run` with a configuration file whose `output` is `output`.
    pub fn daemon(config: &Path, output: &Path) -> Self {
        Self::start(command().args(["run", "--config"]).arg(config), output)
    }

    /// Takes the processor from it, as a debugger or a frozen control group does.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// What `systemctl reload` does.
    pub fn reload(&self) {
        self.process.signal("HUP");
    }

    /// Waits until it has logged this.
    pub fn await_log(&self, words: &str) {
        super::poll(
            &format!("{words:?} is logged"),
            Duration::from_mins(1),
            || self.log().contains(words).then_some(()),
        );
    }

    /// What `systemctl stop` does, and what came of it.
    pub fn terminate(self) -> Outcome {
        self.process.signal("TERM");
        self.finish(SEALING)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits until all that was recorded of `participant` has got its final name.
    pub fn await_sealed(&mut self, participant: &str) {
        self.await_files(&format!("{participant} is sealed"), |files| {
            let mut of_participant = files
                .iter()
                .filter(|file| file.to_string_lossy().contains(participant))
                .peekable();
            of_participant.peek().is_some() && of_participant.all(|file| !is_open(file))
        });
    }

    /// Waits until `count` segments are being written and have bytes on the disk.
    pub fn await_writing(&mut self, count: usize) {
        let has_bytes = |file: &&PathBuf| file.metadata().is_ok_and(|data| data.len() > 0);
        self.await_files(&format!("{count} segments are being written"), |files| {
            let open = files.iter().filter(|file| is_open(file));
            open.filter(has_bytes).count() >= count
        });
    }

    fn await_files(&mut self, what: &str, seen: impl Fn(&[PathBuf]) -> bool) {
        super::poll(what, Duration::from_mins(2), || {
            let running = self.process.is_running();
            assert!(running, "reeld ended: {}", self.process.stderr());
            seen(&transport_streams(&self.output)).then_some(())
        });
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.process.signal("INT");
    }

    /// Ctrl-C, and what came of it.
    pub fn stop(self) -> Outcome {
        self.interrupt();
        self.finish(SEALING)
    }

    /// Waits until it ends by itself.
    pub fn finish(self, limit: Duration) -> Outcome {
        outcome(self.process, limit)
    }
}

impl Recording {
    /// Its directory, whether the summary gives it from `root` or from the top.
    pub fn place(&self, root: &Path) -> PathBuf {
        let dir = self.dir.as_ref().expect("a recording with files");
        root.join(dir)
    }
}

impl Outcome {
    /// The summary of a run that ended well.
    pub fn summary(&self) -> Summary {
        assert_eq!(self.code, Some(0), "reeld failed: {}", self.stderr);
        self.assert_no_panic();
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("summary: {error}: {}", self.stdout))
    }

    pub fn assert_no_panic(&self) {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// Every file below `root` whose name ends in `.ts`.
pub fn transport_streams(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = files(root)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "ts"))
        .collect();
    found.sort();
    found
}

/// Every file below `root`; nothing when `root` is missing.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // A file may be renamed while we look: what is gone is skipped.
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn is_open(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".recording.ts")
}

/// The segments of a recording that have their final name.
pub fn sealed(dir: &Path) -> Vec<PathBuf> {
    let mut found = transport_streams(dir);
    found.retain(|file| !is_open(file));
    found
}

/// The manifest of a recording.
pub fn manifest(dir: &Path) -> serde_json::Value {
    let path = dir.join("manifest.json");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One gap of a manifest.
#[derive(Debug, Deserialize)]
pub struct Gap {
    pub kind: String,
    pub cause: String,
    pub duration_ms: u64,
}

/// The gaps of one kind of media that the manifest of a recording lists.
pub fn gaps(dir: &Path, kind: &str) -> Vec<Gap> {
    let gaps: Vec<Gap> =
        serde_json::from_value(manifest(dir)["gaps"].take()).expect("a list of gaps");
    gaps.into_iter().filter(|gap| gap.kind == kind).collect()
}
