//! Lays the sources over one another: defaults < file < environment < flags.
//!
//! Each source is checked by itself first, because only there is it known where a value was
//! written; laying them over one another can then hardly fail.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::Path;

use config::FileFormat;
use serde::Deserialize;

use super::environment;
use super::error::{ConfigError, Origin, Warning};
use super::file;
use super::keys::Keys;
use super::schema::Config;

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

/// Loads the configuration of the file, if one is named, of the environment (for a program
/// [`std::env::vars_os`]) and of the flags.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong in any of them.
pub fn load(
    path: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: Flags,
) -> Result<Loaded, ConfigError> {
    let keys = Keys::new()?;
    let mut builder = config::Config::builder();
    let mut places = BTreeMap::new();
    let mut warnings = Vec::new();
    if let Some(path) = path {
        let file = file::read(path, &keys)?;
        builder = builder.add_source(config::File::from_str(&file.text, FileFormat::Toml));
        places = file.places;
        warnings = file.warnings;
    }
    let mut settings = environment::read(variables, &keys)?;
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

/// Loads the file at `path` as the daemon would, under this process's environment.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong.
pub fn check(path: &Path) -> Result<Loaded, ConfigError> {
    load(Some(path), std::env::vars_os(), Flags::default())
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
    let mut names = HashSet::new();
    for (index, room) in config.rooms.iter().enumerate() {
        if !names.insert(&room.name) {
            let problem = format!("{:?} is configured twice: remove one", room.name);
            return Err(wrong(&format!("room[{index}].name"), problem));
        }
    }
    Ok(())
}
