//! Which keys there are, taken from the schema itself, and which one was probably meant.

use std::num::NonZeroU32;

use serde_json::Value;

use super::schema::{Config, Room, Selection, Video};

/// What stands behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Table,
    /// `[[…]]`
    Tables,
    List,
    Number,
    Text,
}

/// All keys of the schema.
pub(super) struct Keys(Value);

impl Keys {
    /// # Errors
    /// When the defaults cannot be serialised; a test shows that they can.
    pub(super) fn new() -> Result<Self, serde_json::Error> {
        let room = Room {
            name: String::new(),
            url: None,
            api_key: None,
            api_secret: None,
            token: None,
            select: Some(Selection::default()),
        };
        // Absent by default, so that its default would not show that it is a number.
        let video = Video {
            max_height: Some(NonZeroU32::MIN),
            ..Video::default()
        };
        let config = Config {
            rooms: vec![room],
            video,
            ..Config::default()
        };
        serde_json::to_value(config).map(Self)
    }

    /// What stands at the dotted `key`; of `[[…]]` the first stands for all. `""` is the top.
    pub(super) fn shape(&self, key: &str) -> Option<Shape> {
        self.at(key).map(|value| match value {
            Value::Object(_) => Shape::Table,
            Value::Array(items) if items.iter().any(Value::is_object) => Shape::Tables,
            Value::Array(_) => Shape::List,
            Value::Number(_) => Shape::Number,
            Value::Null | Value::Bool(_) | Value::String(_) => Shape::Text,
        })
    }

    fn at(&self, key: &str) -> Option<&Value> {
        let mut value = &self.0;
        for part in key.split('.').filter(|part| !part.is_empty()) {
            value = first_table(value).get(part)?;
        }
        Some(value)
    }

    /// Every dotted key, tables and what stands in them.
    pub(super) fn all(&self) -> Vec<String> {
        let mut keys = Vec::new();
        collect("", &self.0, &mut keys);
        keys
    }

    /// What to say of a key that does not exist, below the dotted `parent` that does.
    pub(super) fn unknown(&self, parent: &str, found: &str) -> String {
        let siblings: Vec<&str> = match self.at(parent).map(first_table) {
            Some(Value::Object(table)) => table.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let meant = nearest(found, siblings.iter().copied()).map(|name| join(parent, name));
        if let Some(meant) = meant.or_else(|| self.elsewhere(found)) {
            return format!("unknown key, did you mean {meant}?");
        }
        format!("unknown key, allowed here: {}", siblings.join(", "))
    }

    /// A key of this name in another table.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let mut keys = self.all().into_iter();
        keys.find(|key| key.rsplit('.').next() == Some(name))
    }
}

/// `parent.key`, or `key` at the top.
pub(super) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

/// The most similar of `known`, if any is similar enough to have been meant.
pub(super) fn nearest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let most = found.chars().count().div_ceil(3);
    let distances = known
        .into_iter()
        .map(|name| (strsim::osa_distance(found, name), name));
    let (distance, name) = distances.min()?;
    (distance <= most).then_some(name)
}

fn first_table(value: &Value) -> &Value {
    match value {
        Value::Array(items) => items.first().unwrap_or(value),
        _ => value,
    }
}

fn collect(parent: &str, value: &Value, keys: &mut Vec<String>) {
    let Value::Object(table) = first_table(value) else {
        return;
    };
    for (name, value) in table {
        let key = join(parent, name);
        collect(&key, value, keys);
        keys.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_has_its_shape() {
        let keys = Keys::new().unwrap();
        for (key, shape) in [
            ("", Shape::Table),
            ("video", Shape::Table),
            ("video.in_flight", Shape::Number),
            ("video.max_height", Shape::Number),
            ("video.keyframe_interval", Shape::Text),
            ("livekit.token", Shape::Text),
            ("select.sources", Shape::List),
            ("room", Shape::Tables),
            ("room.select.participants", Shape::List),
        ] {
            assert_eq!(keys.shape(key), Some(shape), "{key}");
        }
        assert_eq!(keys.shape("video.nothing"), None);
        assert_eq!(keys.shape("output.nothing"), None);
    }

    #[test]
    fn a_slip_is_answered_with_the_key_that_was_meant() {
        let keys = Keys::new().unwrap();
        for (parent, found, answer) in [
            ("video", "in_fligth", "did you mean video.in_flight?"),
            ("", "vidoe", "did you mean video?"),
            ("room", "tokn", "did you mean room.token?"),
            ("audio", "in_flight", "did you mean video.in_flight?"),
            ("log", "colour", "allowed here: level"),
        ] {
            assert_eq!(
                keys.unknown(parent, found),
                format!("unknown key, {answer}")
            );
        }
    }
}
