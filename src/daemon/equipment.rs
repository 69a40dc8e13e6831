//! Finding out what encodes here, beside everything else: rooms are joined and H.264 is recorded
//! while the trials run.

use std::collections::BTreeMap;
use std::thread;

use crate::config::{self, Config};
use crate::events;
use crate::media::aside::Program;
use crate::media::encoder::cache;
use crate::media::encoder::search::{Found, Search};
use crate::media::encoder::selection::{Choice, TRIAL_SIZE, Tried, Wanted, choose, tell};
use crate::media::{self, Equipment, EquipmentTeller, EquipmentWatch, MediaError};
use crate::room::Codec;

/// What `config` wants of an encoder.
#[must_use]
pub fn wanted(config: &Config) -> Wanted {
    let video = &config.video;
    Wanted {
        choice: if video.encoder == config::AUTO {
            Choice::Auto
        } else {
            Choice::Forced(video.encoder.clone())
        },
        lines: video.most_lines(),
        bitrate: video.bitrate.bits_per_second(),
    }
}

/// A search by this program, with its cache.
#[must_use]
pub fn search(fresh: bool) -> Search {
    Search {
        program: Program::this(),
        cache: cache::directory(|name| std::env::var_os(name)),
        fresh,
    }
}

/// Starts to find out. What is forced is waited for: it works, or nothing is begun.
///
/// # Errors
/// GStreamer does not start, the forced encoder does not work, or there is no thread.
pub fn start(config: &Config) -> Result<EquipmentWatch, MediaError> {
    media::init()?;
    let (teller, watch) = EquipmentWatch::channel();
    if config.video.mode == config::VideoMode::Passthrough {
        teller.tell(Ok(Equipment::new(Vec::new(), BTreeMap::new())));
        return Ok(watch);
    }
    let wanted = wanted(config);
    let codecs = if config.livekit.client == config::Client::Sdk {
        &[]
    } else {
        decoded(config.video.mode)
    };
    if matches!(wanted.choice, Choice::Forced(_)) {
        teller.tell(Ok(find(&wanted, codecs)?));
        return Ok(watch);
    }
    thread::Builder::new()
        .name("reeld-trials".to_owned())
        .spawn(move || begin(&wanted, codecs, &teller))
        .map_err(|_| MediaError::NoEncoder {
            tried: "no thread for the trials".to_owned(),
        })?;
    Ok(watch)
}

/// The codecs that are decoded at all.
#[must_use]
pub const fn decoded(mode: config::VideoMode) -> &'static [Codec] {
    match mode {
        config::VideoMode::Auto => &[Codec::Vp8, Codec::Vp9, Codec::Av1],
        config::VideoMode::Passthrough => &[],
        config::VideoMode::Transcode => {
            &[Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264, Codec::H265]
        }
    }
}

fn begin(wanted: &Wanted, codecs: &[Codec], teller: &EquipmentTeller) {
    let found = find(wanted, codecs);
    if let Err(error) = &found {
        tracing::error!(
            message_id = events::NO_ENCODER,
            "only H.264 and H.265 can be recorded: {error}"
        );
    }
    teller.tell(found);
}

fn find(wanted: &Wanted, codecs: &[Codec]) -> Result<Equipment, MediaError> {
    let search = search(false);
    let Found { tried, took } = search.run(wanted)?;
    let encoders = choose(&wanted.choice, &tried)?;
    say(&wanted.choice, &tried, took);
    Ok(Equipment::new(encoders, search.decoders(codecs)?))
}

/// Says what encodes, once; and what it costs where the processor has to.
fn say(choice: &Choice, tried: &[Tried], took: std::time::Duration) {
    let mut works = tried
        .iter()
        .filter_map(|one| Some((one.path, one.verdict.performance()?)));
    let Some((path, how)) = works.next() else {
        return;
    };
    for property in &how.missing {
        tracing::info!(
            encoder = path.factory(),
            property,
            "the encoder has no such property"
        );
    }
    let rate = how.pictures_per_second;
    let milliseconds = took.as_millis();
    if path.is_hardware() || matches!(choice, Choice::Forced(_)) {
        tracing::info!(
            message_id = events::ENCODER_CHOSEN,
            encoder = %path,
            pictures_per_second = rate.round(),
            milliseconds,
            "encoder chosen"
        );
        return;
    }
    let percent = (3_000.0 / rate).ceil();
    let failed: Vec<Tried> = tried
        .iter()
        .filter(|one| one.path.is_hardware())
        .cloned()
        .collect();
    tracing::warn!(
        message_id = events::NO_HARDWARE,
        encoder = %path,
        hardware = tell(&failed),
        milliseconds,
        "no hardware encoder works here: what has to be encoded costs the processor about \
         {percent} % of a core for {}x{} at 30 pictures a second; see `reeld doctor`",
        TRIAL_SIZE.width,
        TRIAL_SIZE.height
    );
}
