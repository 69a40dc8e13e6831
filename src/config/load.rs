//! Lays the sources over one another: defaults < files < credentials < environment < flags.
//!
//! Each source is checked by itself first, because only there is it known where a value was
//! written; laying them over one another can then hardly fail.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

use config::FileFormat;
use serde::Deserialize;

use super::credentials;
use super::environment;
use super::error::{ConfigError, Origin, Warning};
use super::file;
use super::keys::Keys;
use super::schema::{AudioCodec, Client, Config, VideoMode};

/// A configuration, and what should be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// To be shown or logged; none stops anything.
    pub warnings: Vec<Warning>,
}

/// What the command line sets; it is stronger than all else.
#[derive(Debug, Default)]
pub struct Flags(Vec<Setting>);

impl Flags {
    /// Sets a dotted `key` (`video.in_flight`) to what was given behind `flag` (`--in-flight`).
    pub fn set(&mut self, flag: &'static str, key: &str, value: impl Into<toml::Value>) {
        self.0.push(Setting {
            origin: Origin::Flag(flag),
            key: key.to_owned(),
            value: value.into(),
        });
    }
}

/// One value from outside the file.
pub(super) struct Setting {
    pub(super) origin: Origin,
    /// Dotted.
    pub(super) key: String,
    pub(super) value: toml::Value,
}

/// The value may be a secret.
impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("origin", &self.origin)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Loads the configuration of the files, the later over the earlier, of the credentials that systemd
/// hands over, of the environment (for a program [`std::env::vars_os`]) and of the flags. A list,
/// such as that of the rooms, is the later one's as a whole.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong in any of them.
pub fn load(
    files: &[PathBuf],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: Flags,
) -> Result<Loaded, ConfigError> {
    let keys = Keys::new()?;
    let mut builder = config::Config::builder();
    let mut places: BTreeMap<String, Origin> = BTreeMap::new();
    let mut warnings = Vec::new();
    for path in files {
        let file = file::read(path, &keys)?;
        builder = builder.add_source(config::File::from_str(&file.text, FileFormat::Toml));
        places.retain(|key, _| !is_replaced(key, &file.places));
        places.extend(file.places);
        warnings.extend(file.warnings);
    }
    let variables: Vec<_> = variables.into_iter().collect();
    let mut settings = credentials::read(&variables)?;
    settings.extend(environment::read(variables, &keys)?);
    settings.extend(flags.0);
    for setting in settings {
        builder = builder.set_override(&setting.key, setting.checked()?)?;
        places.retain(|key, _| !key.starts_with(&setting.key));
        places.insert(setting.key, setting.origin);
    }
    let config: Config = builder.build()?.try_deserialize()?;
    check_together(&config, &places)?;
    Ok(Loaded { config, warnings })
}

/// Whether `key` is of a list that a later file has as well.
fn is_replaced(key: &str, later: &BTreeMap<String, Origin>) -> bool {
    key.split_once('[')
        .is_some_and(|(list, _)| later.contains_key(list))
}

/// Loads the files as the daemon would, under this process's environment.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong.
pub fn check(files: &[PathBuf]) -> Result<Loaded, ConfigError> {
    load(files, std::env::vars_os(), Flags::default())
}

impl Setting {
    /// The value, if a configuration that sets nothing but this is sound.
    fn checked(&self) -> Result<config::Value, ConfigError> {
        let mut alone = self.value.clone();
        for name in self.key.rsplit('.') {
            alone = toml::Table::from_iter([(name.to_owned(), alone)]).into();
        }
        let checked = Config::deserialize(alone);
        checked
            .and_then(|_| config::Value::deserialize(self.value.clone()))
            .map_err(|error| ConfigError::Value {
                origin: self.origin.clone(),
                key: self.key.clone(),
                problem: error.message().to_owned(),
            })
    }
}

/// What only several values together can get wrong.
fn check_together(config: &Config, places: &BTreeMap<String, Origin>) -> Result<(), ConfigError> {
    let place = |key: &str| {
        let whole = key.split('[').next().unwrap_or(key);
        places.get(key).or_else(|| places.get(whole)).cloned()
    };
    let wrong = |key: &str, problem: String| ConfigError::Value {
        origin: place(key).unwrap_or(Origin::Default),
        key: key.to_owned(),
        problem,
    };
    let writer = &config.writer;
    if writer.handover_bytes < writer.flush_bytes {
        let problem = format!(
            "{} is less than writer.flush_bytes, {}: a full write would never gather",
            writer.handover_bytes, writer.flush_bytes
        );
        return Err(wrong("writer.handover_bytes", problem));
    }
    let memory = &config.memory;
    for (less, more, least, most) in [
        ("lower", "upper", memory.lower, memory.upper),
        ("upper", "emergency", memory.upper, memory.emergency),
        (
            "drop_warn",
            "drop_error",
            memory.drop_warn,
            memory.drop_error,
        ),
    ] {
        if least >= most {
            let problem = format!("{least} is no less than memory.{more}, {most}");
            return Err(wrong(&format!("memory.{less}"), problem));
        }
    }
    if config.livekit.client == Client::Sdk {
        let why = "livekit.client is \"sdk\", which gives what is decoded";
        if config.video.mode == VideoMode::Passthrough {
            let problem = format!("nothing could be recorded: {why}");
            return Err(wrong("video.mode", problem));
        }
        if config.audio.codec == AudioCodec::Opus {
            let problem = format!("there is no Opus to copy: {why}; write \"aac\"");
            return Err(wrong("audio.codec", problem));
        }
    }
    let mut names = HashSet::new();
    for (index, room) in config.rooms.iter().enumerate() {
        if !names.insert(&room.name) {
            let problem = format!("{:?} is configured twice: remove one", room.name);
            return Err(wrong(&format!("room[{index}].name"), problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the build: without the feature the source is refused before.
    #[test]
    fn what_needs_encoded_media_is_refused_of_a_source_that_decodes() {
        let mut config = Config::default();
        config.livekit.client = Client::Sdk;
        let refusal = |config: &Config| {
            let checked = check_together(config, &BTreeMap::new());
            checked.map_err(|error| error.to_string())
        };
        assert!(refusal(&config).is_ok());
        config.video.mode = VideoMode::Passthrough;
        let refused = refusal(&config).unwrap_err();
        assert!(
            refused.contains("video.mode: nothing could be"),
            "{refused}"
        );
        config.video.mode = VideoMode::Transcode;
        config.audio.codec = AudioCodec::Opus;
        let refused = refusal(&config).unwrap_err();
        assert!(
            refused.contains("audio.codec: there is no Opus"),
            "{refused}"
        );
    }
}
