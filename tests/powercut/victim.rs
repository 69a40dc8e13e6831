//! A recorder that does not know what is coming.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reeld::recorder::Manifest;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::preload;
use super::stage::card::{Card, Log};
use super::stage::process::Process;
use super::stage::reeld::{command, sealed};
use super::stage::{poll, reeld::files};

/// How long it may take beyond what it records.
const SLACK: Duration = Duration::from_secs(30);

/// A `reeld demo` that records onto a card.
pub struct Victim {
    process: Process,
    card: Card,
    begin: usize,
    seconds: u32,
    promised: BTreeMap<PathBuf, usize>,
    started: Option<Instant>,
    stall: Option<Range<Instant>>,
    /// The library that it was started with.
    _dir: TempDir,
}

/// All about a recording that went well.
pub struct Recorded {
    pub log: Log,
    /// The position at which the recorder started.
    pub begin: usize,
    /// When the first unit was recorded.
    pub started: Instant,
    /// When the recorder had ended.
    pub ended: Instant,
    /// When the card may have done nothing.
    pub stall: Option<Range<Instant>>,
    /// The segments in the end, by their path on the card.
    pub sealed: BTreeMap<PathBuf, Vec<u8>>,
    /// From which position on the manifest had named a segment: it must be there.
    pub promised: BTreeMap<PathBuf, usize>,
}

impl Victim {
    /// Starts it; the functions of libc named by `without` do nothing for it.
    pub fn start(card: Card, seconds: u32, without: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut command = command();
        command
            .args(["demo", "--json", "--duration", &format!("{seconds}s")])
            .arg("--output")
            .arg(card.path())
            .env("REELD_SEGMENT__DURATION", "10s");
        if !without.is_empty() {
            let library = dir.path().join("without.so");
            preload::build(&library, without);
            command.env("LD_PRELOAD", library);
        }
        Self {
            begin: card.position(),
            process: Process::spawn("reeld demo", &mut command),
            card,
            seconds,
            promised: BTreeMap::new(),
            started: None,
            stall: None,
            _dir: dir,
        }
    }

    /// Has the card do nothing for so long, once the recording has gone on for `after`.
    pub fn stall(mut self, after: Duration, length: Duration) -> Self {
        let begin = poll("a recording", SLACK, || {
            self.look();
            let begin = self.started? + after;
            (begin <= Instant::now()).then_some(begin)
        });
        self.card.stall(length);
        // It begins with the next write, which comes within a second.
        self.stall = Some(begin..begin + Duration::from_secs(1) + length);
        self
    }

    /// Watches it to its end, and takes the card out.
    pub fn watch(mut self) -> Recorded {
        let limit = Duration::from_secs(self.seconds.into()) + SLACK;
        poll("reeld demo", limit, || {
            // Asked before looking, so that the last look is behind all that it did.
            let running = self.process.is_running();
            self.look();
            (!running).then_some(())
        });
        let ended = Instant::now();
        let (_, status) = self.process.wait(SLACK);
        assert!(status.success(), "{status}: {}", self.process.stderr());
        let root = self.card.path();
        let read = |file: PathBuf| {
            let bytes = fs::read(&file).unwrap();
            (relative(&file, root), bytes)
        };
        let sealed = sealed(root).into_iter().map(read).collect();
        Recorded {
            begin: self.begin,
            started: self.started.expect("a manifest was seen"),
            ended,
            stall: self.stall,
            sealed,
            promised: self.promised,
            log: self.card.eject(),
        }
    }

    /// Notes what the manifest says, and where on the log that is at the latest.
    fn look(&mut self) {
        let root = self.card.path();
        for file in files(root) {
            if !file.ends_with("manifest.json") {
                continue;
            }
            let manifest = Manifest::read(&file).expect("a manifest that is whole");
            let position = self.card.position();
            let ago = OffsetDateTime::now_utc() - manifest.started;
            let ago = Duration::try_from(ago).expect("a clock that was not set");
            self.started
                .get_or_insert_with(|| Instant::now().checked_sub(ago).unwrap());
            for segment in &manifest.segments {
                let path = relative(&file.with_file_name(&segment.file), root);
                self.promised.entry(path).or_insert(position);
            }
        }
    }
}

/// The path of a file below `root`.
pub fn relative(file: &Path, root: &Path) -> PathBuf {
    file.strip_prefix(root).unwrap().to_owned()
}
