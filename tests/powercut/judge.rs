//! What must hold for a card after a power cut, before and after it was recovered.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reeld::verify::{self, Format};
use serde::Deserialize;

use super::stage::card::Mounted;
use super::stage::card::image::repair;
use super::stage::decode;
use super::stage::reeld::{command, run, sealed};
use super::victim::{Recorded, relative};

/// Ticks of a TS stream in a second, and from one picture of the demo to the next.
const TICKS: u64 = 90_000;
const PICTURE: u64 = TICKS / 30;
/// Far more than a recovery takes.
const LONG: Duration = Duration::from_secs(30);

/// An element of what `reeld verify --json` prints.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Report {
    File {
        path: PathBuf,
        sound: bool,
        sealed: bool,
        streams: Vec<Stream>,
        problems: serde_json::Value,
    },
    Recording {
        sound: bool,
        problems: serde_json::Value,
    },
}

#[derive(Deserialize)]
struct Stream {
    codec: String,
    frames: u64,
    first_pts: Option<u64>,
    last_pts: Option<u64>,
}

impl Recorded {
    /// Recovers the card in `image`, on which the power went at `position`. Returns how much of
    /// the recording there is, where asked for by a decoder that is not ours as well.
    ///
    /// # Errors
    /// What must not be.
    pub fn judge(&self, image: &Path, position: usize, decode: bool) -> Result<Duration, String> {
        repair(image)?;
        let card = Mounted::new(image)?;
        let named = relative_paths(card.path());
        self.require_same(&named, card.path())?;
        self.require_promised(&named, position)?;
        recover(card.path())?;
        self.require_same(&named, card.path())?;
        let pictures = verified(card.path())?;
        if decode {
            require_decoded(card.path(), pictures)?;
        }
        Ok(Duration::from_millis(pictures * PICTURE * 1_000 / TICKS))
    }

    /// What had its final name is what it was to be, to the last bit.
    fn require_same(&self, named: &BTreeSet<PathBuf>, root: &Path) -> Result<(), String> {
        for path in named {
            let found = fs::read(root.join(path)).ok();
            if found.as_ref() != self.sealed.get(path) {
                let bytes = found.map(|found| found.len());
                return Err(format!(
                    "{}: another content, {bytes:?} bytes",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// What the manifest had named by then has its final name.
    fn require_promised(&self, named: &BTreeSet<PathBuf>, position: usize) -> Result<(), String> {
        let mut promised = self.promised.iter();
        match promised.find(|(path, since)| **since <= position && !named.contains(*path)) {
            None => Ok(()),
            Some((path, since)) => Err(format!(
                "{} was promised at {since} and is gone",
                path.display()
            )),
        }
    }
}

fn relative_paths(root: &Path) -> BTreeSet<PathBuf> {
    let files = sealed(root);
    files.iter().map(|file| relative(file, root)).collect()
}

/// Has the binary recover what is below `root`.
///
/// # Errors
/// What it said.
pub fn recover(root: &Path) -> Result<(), String> {
    let outcome = run(command().args(["recover", "--json"]).arg(root), LONG);
    match outcome.code {
        Some(0) => Ok(()),
        code => Err(format!("reeld recover: {code:?}: {}", outcome.stderr)),
    }
}

/// How many pictures are on the card, which must be sound and without holes.
fn verified(root: &Path) -> Result<u64, String> {
    let mut json = Vec::new();
    verify::run(&[root.to_owned()], Format::Json, &mut json)
        .map_err(|error| format!("verify: {error}"))?;
    let reports: Vec<Report> =
        serde_json::from_slice(&json).map_err(|error| format!("verify: {error}"))?;
    let mut pictures = Vec::new();
    for report in reports {
        match report {
            Report::File {
                path,
                sound,
                sealed,
                streams,
                problems,
            } => {
                if !sound || !sealed {
                    return Err(format!("{}: {problems}", path.display()));
                }
                pictures.extend(streams.into_iter().filter(|stream| stream.codec == "h264"));
            }
            Report::Recording { sound, problems } if !sound => {
                return Err(format!("recording: {problems}"));
            }
            Report::Recording { .. } => {}
        }
    }
    contiguous(&pictures)
}

/// The number of pictures in a recording: there is each from the first to the last.
fn contiguous(segments: &[Stream]) -> Result<u64, String> {
    let first = segments.first().and_then(|stream| stream.first_pts);
    let last = segments.last().and_then(|stream| stream.last_pts);
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(0);
    };
    let wanted = (last - first + PICTURE / 2) / PICTURE + 1;
    let found: u64 = segments.iter().map(|stream| stream.frames).sum();
    if found == wanted {
        Ok(found)
    } else {
        Err(format!("{found} pictures of {wanted}"))
    }
}

/// The pictures are those that were drawn: 0, 1, 2 … `pictures` of them.
fn require_decoded(root: &Path, pictures: u64) -> Result<(), String> {
    let mut counters = Vec::new();
    for file in sealed(root) {
        let decoded = decode::pictures(&file);
        if let Some(error) = decoded.errors.first() {
            return Err(format!("{}: {error}", file.display()));
        }
        counters.extend(decoded.pictures.iter().map(|it| u64::from(it.counter)));
    }
    if counters.iter().copied().eq(0..pictures) {
        return Ok(());
    }
    let ends = (counters.first(), counters.last());
    let count = counters.len();
    Err(format!("decoded {count} of {pictures} pictures: {ends:?}"))
}
