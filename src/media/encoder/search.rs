//! Finding out what works: from what is known, and by trials of the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::EncoderPath;
use super::cache::{Cache, Circumstances};
use super::probe::Order;
use super::selection::{TRIAL_SIZE, Tried, Wanted, candidates, climb, trial_output};
use super::trial;
use crate::media::MediaError;
use crate::media::aside::Program;
use crate::media::decoder::{self, Decoder};
use crate::media::verdict::Verdict;
use crate::room::Codec;

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
        let tried = self
            .with_cache(|cache| walk(&candidates, &mut |path| self.verdict(path, wanted, cache)));
        Ok(Found {
            tried,
            took: began.elapsed(),
        })
    }

    /// The decoders that may be used for `codecs`, best first. Those in software are not tried.
    /// Blocks like [`Self::run`].
    ///
    /// # Errors
    /// GStreamer does not start.
    pub fn decoders(&self, codecs: &[Codec]) -> Result<BTreeMap<Codec, Vec<Decoder>>, MediaError> {
        crate::media::init()?;
        Ok(self.with_cache(|cache| {
            let work = codecs.iter().map(|codec| {
                let works = Decoder::of(*codec).filter(|decoder| {
                    decoder.is_installed()
                        && (!decoder.is_hardware()
                            || self.decodes(*decoder, cache).performance().is_some())
                });
                (*codec, works.collect())
            });
            work.collect()
        }))
    }

    /// Every decoder that is installed for `codecs`, with a verdict.
    ///
    /// # Errors
    /// GStreamer does not start.
    pub fn all_decoders(&self, codecs: &[Codec]) -> Result<Vec<(Decoder, Verdict)>, MediaError> {
        crate::media::init()?;
        Ok(self.with_cache(|cache| {
            let all = codecs.iter().flat_map(|codec| Decoder::of(*codec));
            let installed = all.filter(|decoder| decoder.is_installed());
            let tried = installed.map(|decoder| (decoder, self.decodes(decoder, cache)));
            tried.collect()
        }))
    }

    fn with_cache<T>(&self, search: impl FnOnce(&mut Cache) -> T) -> T {
        // What is tried anew takes the place of what is known, and the rest stays.
        let mut cache = Cache::load(self.cache.as_deref(), Circumstances::now());
        let found = search(&mut cache);
        if let Some(directory) = &self.cache
            && let Err(error) = cache.save(directory)
        {
            tracing::debug!(directory = %directory.display(), "trials are not kept: {error}");
        }
        found
    }

    fn decodes(&self, decoder: Decoder, cache: &mut Cache) -> Verdict {
        let name = format!("{} {}", decoder.factory(), decoder.codec());
        self.known_or(name, cache, || {
            decoder::trial::attempt(&self.program, decoder)
        })
    }

    fn verdict(&self, path: EncoderPath, wanted: &Wanted, cache: &mut Cache) -> Verdict {
        let size = trial_output(path, wanted.lines);
        let name = format!("{path} {}x{} {}", size.0, size.1, wanted.bitrate);
        self.known_or(name, cache, || {
            let order = Order {
                encoder: path.factory().to_owned(),
                scaler: path.scaler().to_owned(),
                size: (TRIAL_SIZE.width, TRIAL_SIZE.height),
                lines: wanted.lines,
                bitrate: wanted.bitrate,
            };
            trial::attempt(&self.program, order, size)
        })
    }

    /// What is known of `name`, else what a trial finds.
    fn known_or(
        &self,
        name: String,
        cache: &mut Cache,
        attempt: impl FnOnce() -> Verdict,
    ) -> Verdict {
        if let Some(verdict) = cache.get(&name).filter(|_| !self.fresh) {
            return verdict.clone();
        }
        let verdict = attempt();
        tracing::debug!(what = name, "trial: {verdict}");
        cache.put(name, &verdict);
        verdict
    }
}
