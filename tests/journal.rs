//! What the journal gets: events with ids, which the catalogue and the documentation explain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const CATALOGUE: &str = "systemd/reeld.catalog";

/// The ids by the names of their constants.
fn ids() -> BTreeMap<String, String> {
    let source = fs::read_to_string("src/events.rs").unwrap();
    let constants = source.lines().filter_map(|line| {
        let (name, id) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some((name.to_owned(), id.trim_end_matches("\";").to_owned()))
    });
    let ids: BTreeMap<_, _> = constants.collect();
    assert!(ids.len() > 20, "{ids:?}");
    ids
}

/// The subjects of the catalogue by their ids.
fn subjects() -> BTreeMap<String, String> {
    let catalogue = fs::read_to_string(CATALOGUE).unwrap();
    let mut subjects = BTreeMap::new();
    for entry in catalogue.split("\n-- ").skip(1) {
        let (id, rest) = entry.split_once('\n').unwrap();
        let (head, text) = rest.split_once("\n\n").unwrap();
        let head: Vec<_> = head.lines().collect();
        let subject = head[0].strip_prefix("Subject: ").unwrap();
        assert_eq!(head[1], "Defined-By: reeld", "{id}");
        assert!(head[2].starts_with("Support: "), "{id}");
        assert!(text.len() > 40, "{id}: {text}");
        let twice = subjects.insert(id.to_owned(), subject.to_owned());
        assert_eq!(twice, None, "{id} twice");
    }
    subjects
}

#[test]
fn each_id_is_one_of_its_own_and_is_explained() {
    let ids = ids();
    let values: BTreeSet<_> = ids.values().cloned().collect();
    assert_eq!(values.len(), ids.len(), "an id stands for two events");
    for (name, id) in &ids {
        let is_hex = id
            .bytes()
            .all(|it| it.is_ascii_hexdigit() && !it.is_ascii_uppercase());
        assert!(is_hex && id.len() == 32, "{name}: {id}");
    }
    let explained: BTreeSet<_> = subjects().into_keys().collect();
    assert_eq!(values, explained);
}

/// The rows of the documentation: what stands there of each id.
fn rows() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string("docs/operations.md").unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        let id = cells.last()?.trim().strip_prefix('`')?.strip_suffix('`')?;
        let is_row = line.starts_with("| ") && id.len() == 32;
        is_row.then(|| {
            let cells = cells.iter().map(|cell| cell.trim().to_owned());
            (id.to_owned(), cells.collect())
        })
    });
    rows.collect()
}

#[test]
fn the_documentation_says_what_the_catalogue_says() {
    let rows = rows();
    for (id, subject) in subjects() {
        let row = rows.get(&id).unwrap_or_else(|| panic!("no row: {subject}"));
        assert_eq!(row[0], subject.replace('@', ""));
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    assert_eq!(rows.len(), subjects().len());
}

/// Everything below `folder` that is Rust.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The levels that each event is logged at, by the names of the constants.
fn levels() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut levels: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("message_id = ") {
            let rest = &text[at + "message_id = ".len()..];
            let Some(name) = rest.trim_start_matches("crate::").strip_prefix("events::") else {
                continue;
            };
            let name: String = name
                .chars()
                .take_while(|it| it.is_ascii_uppercase() || *it == '_')
                .collect();
            let before = &text[..at];
            let call = before.rfind("tracing::").unwrap();
            let level = ["error", "warn", "info"]
                .into_iter()
                .find(|level| before[call + "tracing::".len()..].starts_with(level));
            let level = level.unwrap_or_else(|| panic!("{}: {name}", file.display()));
            levels.entry(name).or_default().insert(level);
        }
    }
    levels
}

#[test]
fn each_event_is_logged_somewhere_as_the_documentation_says() {
    let (levels, rows) = (levels(), rows());
    for (name, id) in ids() {
        let logged = levels
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is logged nowhere"));
        let said: BTreeSet<_> = rows[&id][1]
            .split(", ")
            .map(|word| if word == "warning" { "warn" } else { word })
            .collect();
        assert_eq!(logged, &said, "{name}");
    }
}

#[test]
fn journalctl_takes_the_catalogue() {
    let root = TempDir::new().unwrap();
    let place = root.path().join("usr/lib/systemd/catalog");
    fs::create_dir_all(&place).unwrap();
    fs::create_dir_all(root.path().join("var/lib/systemd/catalog")).unwrap();
    fs::copy(CATALOGUE, place.join("reeld.catalog")).unwrap();
    let journalctl = |action: &str| {
        Command::new("journalctl")
            .arg(action)
            .arg("--root")
            .arg(root.path())
            .output()
    };
    let updated = match journalctl("--update-catalog") {
        Ok(updated) => updated,
        Err(error) => {
            eprintln!("skipped: no journalctl here ({error})");
            return;
        }
    };
    let said = String::from_utf8_lossy(&updated.stderr);
    assert!(updated.status.success() && said.is_empty(), "{said}");
    let listed = journalctl("--list-catalog").unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (id, subject) in subjects() {
        let line = format!("{id} reeld: {subject}");
        assert!(listed.lines().any(|it| it == line), "{line} in\n{listed}");
    }
}
