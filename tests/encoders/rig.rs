//! `reeld demo` with a camera that sends VP8, on a box with stand-ins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::stage::reeld::{self, Outcome};
use crate::stage::vendors::Vendors;
use crate::stage::{decode, poll};

/// A demo of some seconds ends long before, also behind encoders that hang.
const LIMIT: Duration = Duration::from_mins(1);

/// A box that recordings are made on.
pub struct Bench {
    pub vendors: Vendors,
    /// What trials found is kept here from run to run.
    cache: TempDir,
}

/// A demo that is over.
pub struct Demo {
    pub outcome: Outcome,
    /// Removed with it.
    _output: TempDir,
}

impl Bench {
    pub fn new(stand_ins: &str) -> Self {
        Self {
            vendors: Vendors::new(stand_ins),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs the demo with `options`, configured by `variables`.
    pub fn demo(&self, options: &[&str], variables: &[(&str, &str)]) -> Demo {
        let output = tempfile::tempdir().unwrap();
        let mut command = reeld::command();
        command
            .args(["demo", "--json", "--output"])
            .arg(output.path())
            .args(options)
            .env("CACHE_DIRECTORY", self.cache.path())
            .env("REELD_VIDEO__KEYFRAME_INTERVAL", "1s")
            .envs(variables.iter().copied());
        let outcome = reeld::run(self.host(&mut command), LIMIT);
        outcome.assert_no_panic();
        Demo {
            outcome,
            _output: output,
        }
    }

    /// Waits until no process of this box is left.
    pub fn await_quiet(&self) {
        let mark = self.cache.path().to_string_lossy().into_owned();
        poll("trials are left behind", Duration::from_secs(2), || {
            let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
            let left = processes.any(|process| {
                let environment = std::fs::read(process.path().join("environ"));
                String::from_utf8_lossy(&environment.unwrap_or_default()).contains(&mark)
            });
            (!left).then_some(())
        });
    }

    fn host<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        self.vendors.host(command)
    }

    /// How often pictures of some size began to come to an element, in all processes.
    pub fn starts(&self, name: &str) -> usize {
        let facts = self.vendors.facts(name);
        facts
            .iter()
            .filter(|fact| fact.starts_with("size "))
            .count()
    }

    #[track_caller]
    pub fn tells(&self, name: &str, fact: &str) {
        let facts = self.vendors.facts(name);
        assert!(facts.iter().any(|it| it == fact), "{fact}: {facts:#?}");
    }
}

/// What `reeld verify` says of one file.
pub struct File {
    pub frames: u64,
    pub keyframes: u64,
    pub size: (u64, u64),
}

impl Demo {
    /// The recording's folder.
    pub fn folder(&self) -> PathBuf {
        let summary = self.outcome.summary();
        assert_eq!(summary.recordings.len(), 1, "{summary:?}");
        summary.recordings[0].place(Path::new(""))
    }

    pub fn manifest(&self) -> Value {
        reeld::manifest(&self.folder())
    }

    /// What it was encoded with, one after the other: decoder, scaler, encoder, and why the one
    /// before was given up.
    pub fn coders(&self) -> Vec<[String; 4]> {
        let manifest = self.manifest();
        let listed = manifest["coders"].as_array().cloned().unwrap_or_default();
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or("").to_owned();
        let names = ["decoder", "scaler", "encoder", "failed"];
        listed
            .iter()
            .map(|one| names.map(|name| text(one, name)))
            .collect()
    }

    /// Its sealed files, each of which `reeld verify` calls sound and ffmpeg decodes without a
    /// complaint, to as many pictures.
    pub fn files(&self) -> Vec<File> {
        let folder = self.folder();
        let verified = verify(&folder);
        let files: Vec<PathBuf> = reeld::sealed(&folder);
        assert!(!files.is_empty(), "{}", self.outcome.stderr);
        files
            .into_iter()
            .map(|path| {
                let decoded = decode::pictures(&path);
                assert!(decoded.errors.is_empty(), "{:?}", decoded.errors);
                let file = File::of(&path, &verified);
                assert_eq!(decoded.pictures.len() as u64, file.frames);
                let counters = decoded.pictures.iter().map(|picture| picture.counter);
                assert!(counters.is_sorted(), "pictures out of order");
                file
            })
            .collect()
    }

    /// The pictures that came and those in the files.
    pub fn pictures(&self) -> (u64, u64) {
        let summary = self.outcome.summary();
        let video = summary.recordings[0].frames.video.as_ref().unwrap();
        (video.received, video.written)
    }

    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        let said = self.outcome.stderr.lines();
        let said = said.filter(|line| words.iter().all(|word| line.contains(word)));
        assert_ne!(said.count(), 0, "{words:?}: {}", self.outcome.stderr);
    }
}

/// What `reeld verify` says of a sound recording, by file.
fn verify(folder: &Path) -> Vec<Value> {
    let mut command = reeld::command();
    command.args(["verify", "--json"]).arg(folder);
    let outcome = reeld::run(&mut command, LIMIT);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
    serde_json::from_str(&outcome.stdout).unwrap()
}

impl File {
    fn of(path: &Path, verified: &[Value]) -> Self {
        let is_it = |one: &&Value| one["path"].as_str() == path.to_str();
        let one = verified.iter().find(is_it).unwrap();
        let video = &one["streams"][0];
        assert_eq!(video["codec"], "h264", "{video:#}");
        let number = |value: &Value| value.as_u64().unwrap();
        Self {
            frames: number(&video["frames"]),
            keyframes: number(&video["keyframes"]),
            size: (
                number(&video["picture"]["width"]),
                number(&video["picture"]["height"]),
            ),
        }
    }
}
