//! The TOML file: every complaint with its line, column and dotted key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{ConfigError, Origin, Warning};
use super::keys::{self, Keys, Shape};
use super::schema::Config;

/// Keys that hold a [`Secret`](super::Secret), wherever they stand.
const SECRET_KEYS: [&str; 3] = ["api_key", "api_secret", "token"];

/// Others than owner and group may read.
const WORLD_READABLE: u32 = 0o004;

/// A file that was read, and is sound by itself.
pub(super) struct CheckedFile {
    /// Its content.
    pub(super) text: String,
    /// Where each dotted key's value stands in it.
    pub(super) places: BTreeMap<String, Origin>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads the file at `path` and checks it against the schema.
pub(super) fn read(path: &Path, keys: &Keys) -> Result<CheckedFile, ConfigError> {
    let cannot = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(cannot)?;
    let mode = file.metadata().map_err(cannot)?.permissions().mode();
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot)?;
    let places = check(path, &text, keys)?;
    let warnings = readable_secret(path, mode, &places).into_iter().collect();
    Ok(CheckedFile {
        text,
        places,
        warnings,
    })
}

/// Checks the `text` of the file at `path`, and says where each key stands.
fn check(path: &Path, text: &str, keys: &Keys) -> Result<BTreeMap<String, Origin>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        origin: Origin::in_file(path, text, error.span().unwrap_or_default().start),
        problem: error.message().to_owned(),
    })?;
    let mut walk = Walk {
        keys,
        spans: Vec::new(),
    };
    let at = |span: &Range<usize>| Origin::in_file(path, text, span.start);
    walk.table("", "", table.get_ref())
        .map_err(|wrong| ConfigError::Value {
            origin: at(&wrong.span),
            key: wrong.key,
            problem: wrong.problem,
        })?;
    Config::deserialize(toml::de::Deserializer::from(table)).map_err(|error| {
        let span = error.span().unwrap_or_default();
        ConfigError::Value {
            origin: at(&span),
            key: walk.key_at(&span),
            problem: error.message().to_owned(),
        }
    })?;
    let places = walk.spans.iter();
    Ok(places.map(|(key, span)| (key.clone(), at(span))).collect())
}

/// A key that the schema does not have, or not in this shape.
struct Wrong {
    span: Range<usize>,
    key: String,
    problem: String,
}

/// Goes through a parsed file beside the schema.
struct Walk<'a> {
    keys: &'a Keys,
    /// The dotted key and place of every value seen, a table before what is in it.
    spans: Vec<(String, Range<usize>)>,
}

impl Walk<'_> {
    /// `shown` is the table's key for people (`room[1].select`), `known` the schema's word for
    /// it (`room.select`).
    fn table(&mut self, shown: &str, known: &str, table: &DeTable) -> Result<(), Wrong> {
        for (name, value) in table {
            let (span, name) = (name.span(), name.get_ref().as_ref());
            let shown_key = keys::join(shown, &name.escape_debug().to_string());
            let known_key = keys::join(known, name);
            // A quoted name with a dot in it is one name, and the schema has none such.
            let exists = !name.is_empty() && !name.contains('.');
            let Some(shape) = self.keys.shape(&known_key).filter(|_| exists) else {
                return Err(Wrong {
                    span,
                    key: shown_key,
                    problem: self.keys.unknown(known, name),
                });
            };
            self.value(&shown_key, &known_key, shape, value)?;
        }
        Ok(())
    }

    /// Tables and lists must be such; what a single value may be is the schema's to say.
    fn value(
        &mut self,
        shown: &str,
        known: &str,
        shape: Shape,
        value: &Spanned<DeValue>,
    ) -> Result<(), Wrong> {
        self.spans.push((shown.to_owned(), value.span()));
        let expected = match (shape, value.get_ref()) {
            (Shape::Table, DeValue::Table(table)) => return self.table(shown, known, table),
            (Shape::Tables, DeValue::Array(items)) => {
                return self.items(shown, known, Shape::Table, items);
            }
            (Shape::List, DeValue::Array(items)) => {
                return self.items(shown, known, Shape::Text, items);
            }
            (Shape::Number | Shape::Text, _) => return Ok(()),
            (Shape::Table, _) => format!("a table: [{known}]"),
            (Shape::Tables, _) => format!("a list of tables: [[{known}]]"),
            (Shape::List, _) => "a list: [\"…\", \"…\"]".to_owned(),
        };
        Err(Wrong {
            span: value.span(),
            key: shown.to_owned(),
            problem: format!(
                "invalid type: {}, expected {expected}",
                value.get_ref().type_str()
            ),
        })
    }

    fn items(
        &mut self,
        shown: &str,
        known: &str,
        shape: Shape,
        items: &DeArray,
    ) -> Result<(), Wrong> {
        for (index, item) in items.iter().enumerate() {
            self.value(&format!("{shown}[{index}]"), known, shape, item)?;
        }
        Ok(())
    }

    /// The dotted key of the innermost value that `span` lies in.
    fn key_at(&self, span: &Range<usize>) -> String {
        let within = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        let innermost = self.spans.iter().rfind(|(_, outer)| within(outer));
        innermost.map_or_else(String::new, |(key, _)| key.clone())
    }
}

/// Says so when everybody may read a secret.
fn readable_secret(path: &Path, mode: u32, places: &BTreeMap<String, Origin>) -> Option<Warning> {
    let is_secret = |key: &&String| {
        let name = key.rsplit('.').next();
        name.is_some_and(|name| SECRET_KEYS.contains(&name))
    };
    let key = places.keys().find(is_secret)?;
    (mode & WORLD_READABLE != 0).then(|| Warning::ReadableSecret {
        path: path.to_owned(),
        key: key.clone(),
    })
}
