//! Finding out what works: from what is known, and by trials of the rest.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::EncoderPath;
use super::cache::{Cache, Circumstances};
use super::probe::Order;
use super::selection::{TRIAL_SIZE, Tried, Wanted, candidates, climb, trial_output};
use super::trial::{self, Verdict};
use crate::media::MediaError;
use crate::media::aside::Program;

/// How to search.
#[derive(Debug, Clone)]
pub struct Search {
    /// What runs a trial.
    pub program: Program,
    /// Where earlier verdicts are kept, if anywhere.
    pub cache: Option<PathBuf>,
    /// What was found earlier does not count.
    pub fresh: bool,
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// What was tried, now or earlier, in the order of preference.
    pub tried: Vec<Tried>,
    /// How long it took.
    pub took: Duration,
}

impl Search {
    /// The encoders that may be used as `wanted`, with verdicts up to the first in software that
    /// works. Blocks, for up to some seconds with each encoder that hangs.
    ///
    /// # Errors
    /// GStreamer does not start.
    pub fn run(&self, wanted: &Wanted) -> Result<Found, MediaError> {
        self.look(wanted, climb)
    }

    /// The same with a verdict on every encoder that is installed.
    ///
    /// # Errors
    /// GStreamer does not start.
    pub fn run_all(&self, wanted: &Wanted) -> Result<Found, MediaError> {
        self.look(wanted, |candidates, attempt| {
            let tried = candidates.iter().map(|path| Tried {
                path: *path,
                verdict: attempt(*path),
            });
            tried.collect()
        })
    }

    fn look(
        &self,
        wanted: &Wanted,
        walk: impl FnOnce(&[EncoderPath], &mut dyn FnMut(EncoderPath) -> Verdict) -> Vec<Tried>,
    ) -> Result<Found, MediaError> {
        let began = Instant::now();
        crate::media::init()?;
        let candidates = candidates(&wanted.choice, EncoderPath::is_installed);
        let known = self.cache.as_deref().filter(|_| !self.fresh);
        let mut cache = Cache::load(known, Circumstances::now());
        let tried = walk(&candidates, &mut |path| {
            self.verdict(path, wanted, &mut cache)
        });
        if let Some(directory) = &self.cache
            && let Err(error) = cache.save(directory)
        {
            tracing::debug!(directory = %directory.display(), "trials are not kept: {error}");
        }
        Ok(Found {
            tried,
            took: began.elapsed(),
        })
    }

    fn verdict(&self, path: EncoderPath, wanted: &Wanted, cache: &mut Cache) -> Verdict {
        let size = trial_output(path, wanted.lines);
        let name = format!("{path} {}x{} {}", size.0, size.1, wanted.bitrate);
        if let Some(verdict) = cache.get(&name) {
            return verdict.clone();
        }
        let order = Order {
            encoder: path.factory().to_owned(),
            scaler: path.scaler().to_owned(),
            size: (TRIAL_SIZE.width, TRIAL_SIZE.height),
            lines: wanted.lines,
            bitrate: wanted.bitrate,
        };
        let verdict = trial::attempt(&self.program, &order, size);
        tracing::debug!(encoder = %path, "trial: {verdict}");
        cache.put(name, &verdict);
        verdict
    }
}
