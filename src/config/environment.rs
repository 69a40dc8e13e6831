//! The environment: `REELD_VIDEO__IN_FLIGHT=3` is `video.in_flight`, and LiveKit's own names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::error::{ConfigError, Origin};
use super::keys::{self, Keys, Shape};
use super::load::Setting;

/// Every variable that starts so must be a key of the schema.
const PREFIX: &str = "REELD_";

/// Between a table and its key; one underscore is part of a key's name.
const SEPARATOR: &str = "__";

/// The names that LiveKit's own tools use, and the keys that they set.
const LIVEKIT: [(&str, &str); 4] = [
    ("LIVEKIT_URL", "livekit.url"),
    ("LIVEKIT_API_KEY", "livekit.api_key"),
    ("LIVEKIT_API_SECRET", "livekit.api_secret"),
    ("LIVEKIT_TOKEN", "livekit.token"),
];

/// What the environment sets, the later the stronger: `REELD_…` over `LIVEKIT_…`. An empty
/// variable counts as absent: service managers cannot unset one.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    keys: &Keys,
) -> Result<Vec<Setting>, ConfigError> {
    let mut livekit = Vec::new();
    let mut ours = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else {
            continue;
        };
        let known = LIVEKIT.iter().find(|(known, _)| *known == name);
        if known.is_none() && !name.starts_with(PREFIX) || value.is_empty() {
            continue;
        }
        let value = utf8(name, &value)?;
        match known {
            Some((_, key)) => livekit.push(setting(name, key, value.into())),
            None => ours.push(own(name, value, keys)?),
        }
    }
    livekit.append(&mut ours);
    Ok(livekit)
}

fn utf8<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, ConfigError> {
    value.to_str().ok_or_else(|| ConfigError::Variable {
        name: name.to_owned(),
        problem: "is not valid UTF-8".to_owned(),
    })
}

/// Reads one `REELD_…` variable as what its key takes.
fn own(name: &str, value: &str, keys: &Keys) -> Result<Setting, ConfigError> {
    let settable = settable(keys);
    let Some((key, shape)) = settable.get(name) else {
        return Err(ConfigError::Variable {
            name: name.to_owned(),
            problem: unknown(name, &settable),
        });
    };
    let value = match shape {
        // What is no number is left to the schema, which says what it wants instead.
        Shape::Number => value
            .parse::<i64>()
            .map_or_else(|_| value.into(), toml::Value::Integer),
        Shape::List => {
            let items = value.split(',').map(|item| item.trim().into());
            toml::Value::Array(items.collect())
        }
        Shape::Text | Shape::Table | Shape::Tables => value.into(),
    };
    Ok(setting(name, key, value))
}

/// The variables that there are, and the key that each sets: of every table that stands in the
/// file once, all that is no table itself.
fn settable(keys: &Keys) -> BTreeMap<String, (String, Shape)> {
    let once = |key: &str| {
        let table = key.split('.').next().unwrap_or(key);
        keys.shape(table) != Some(Shape::Tables)
    };
    let shaped = keys.all().into_iter().filter_map(|key| {
        let shape = keys.shape(&key)?;
        (once(&key) && shape != Shape::Table).then(|| (variable(&key), (key, shape)))
    });
    shaped.collect()
}

fn setting(name: &str, key: &str, value: toml::Value) -> Setting {
    Setting {
        origin: Origin::Variable(name.to_owned()),
        key: key.to_owned(),
        value,
    }
}

/// The variable that sets a dotted key.
fn variable(key: &str) -> String {
    format!(
        "{PREFIX}{}",
        key.replace('.', SEPARATOR).to_ascii_uppercase()
    )
}

fn unknown(name: &str, settable: &BTreeMap<String, (String, Shape)>) -> String {
    match keys::nearest(name, settable.keys().map(String::as_str)) {
        Some(meant) => format!("sets no key, did you mean {meant}?"),
        None => format!(
            "sets no key: names are {PREFIX}TABLE{SEPARATOR}KEY, and rooms stand in the file"
        ),
    }
}
