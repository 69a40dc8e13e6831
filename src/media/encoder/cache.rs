//! What earlier trials found, kept for as long as the box is the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gstreamer as gst;
use serde::{Deserialize, Serialize};

use crate::media::verdict::Verdict;

const FILE: &str = "trials.json";

/// The circumstances of a trial: under others, what it found is worth nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// This program: its version, and the size and time of its file.
    reeld: String,
    gstreamer: String,
    kernel: String,
    /// The model by the device tree; empty on other boxes.
    model: String,
}

impl Circumstances {
    /// Those of now.
    #[must_use]
    pub fn now() -> Self {
        let file = fs::metadata("/proc/self/exe");
        let (bytes, time) = file.map_or((0, 0), |file| (file.len(), file.mtime()));
        Self {
            reeld: format!("{} ({bytes} bytes, {time})", env!("CARGO_PKG_VERSION")),
            gstreamer: gst::version_string().to_string(),
            kernel: line("/proc/sys/kernel/osrelease"),
            model: line("/proc/device-tree/model"),
        }
    }
}

fn line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace())
        .to_owned()
}

/// Verdicts by what was tried.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cache {
    circumstances: Circumstances,
    verdicts: BTreeMap<String, Verdict>,
    #[serde(skip)]
    changed: bool,
}

impl Cache {
    /// What is known under these circumstances, from the file in `directory`. A file that is
    /// not there or can't be read is an empty one.
    #[must_use]
    pub fn load(directory: Option<&Path>, circumstances: Circumstances) -> Self {
        let read = |directory: &Path| {
            let text = fs::read(directory.join(FILE)).ok()?;
            serde_json::from_slice::<Self>(&text).ok()
        };
        directory
            .and_then(read)
            .filter(|cache| cache.circumstances == circumstances)
            .unwrap_or_else(|| Self {
                circumstances,
                ..Self::default()
            })
    }

    /// What was found, if it was tried.
    #[must_use]
    pub fn get(&self, what: &str) -> Option<&Verdict> {
        self.verdicts.get(what)
    }

    /// Takes note of a verdict, if the next trial would find the same.
    pub fn put(&mut self, what: String, verdict: &Verdict) {
        if verdict.lasts() {
            self.verdicts.insert(what, verdict.clone());
            self.changed = true;
        }
    }

    /// Writes it, if there is anything new. A crash leaves the one before.
    ///
    /// # Errors
    /// When the directory can't be made or written.
    pub fn save(&mut self, directory: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        fs::create_dir_all(directory)?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let new = directory.join(format!("{FILE}.{}", std::process::id()));
        fs::write(&new, text)?;
        fs::rename(&new, directory.join(FILE))?;
        self.changed = false;
        Ok(())
    }
}

/// Where the file is: systemd's directory for the service, else the user's.
pub fn directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(directories) = set("CACHE_DIRECTORY") {
        // Several are separated by colons (systemd.exec(5)).
        return std::env::split_paths(&directories).next();
    }
    let users = set("XDG_CACHE_HOME").map(PathBuf::from);
    let users = users.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    Some(users.join("reeld"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn on(kernel: &str) -> Circumstances {
        Circumstances {
            kernel: kernel.to_owned(),
            ..Circumstances::default()
        }
    }

    #[test]
    fn what_was_found_holds_under_the_same_circumstances_only() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("new");
        let mut cache = Cache::load(Some(&place), on("6.6"));
        cache.put("nvv4l2h264enc".to_owned(), &Verdict::Hung);
        let busy = Verdict::Failed {
            reason: "in use".to_owned(),
        };
        cache.put("v4l2h264enc".to_owned(), &busy);
        cache.save(&place).unwrap();
        let again = Cache::load(Some(&place), on("6.6"));
        assert_eq!(again.get("nvv4l2h264enc"), Some(&Verdict::Hung));
        assert_eq!(again.get("v4l2h264enc"), None, "may work the next time");
        assert!(Cache::load(Some(&place), on("6.12")).verdicts.is_empty());
        assert!(Cache::load(None, on("6.6")).verdicts.is_empty());
    }

    #[test]
    fn rubbish_is_no_cache_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for rubbish in ["", "{", "[1]", "{\"circumstances\": 3}"] {
            fs::write(dir.path().join(FILE), rubbish).unwrap();
            let mut cache = Cache::load(Some(dir.path()), on("6.6"));
            assert!(cache.verdicts.is_empty());
            cache.put("x".to_owned(), &Verdict::Silent);
            cache.save(dir.path()).unwrap();
            assert!(Cache::load(Some(dir.path()), on("6.6")).get("x").is_some());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_service_has_its_directory_and_a_user_too() {
        let of = |set: &[(&str, &str)]| {
            directory(|name| {
                let (_, value) = set.iter().find(|(it, _)| *it == name)?;
                Some((*value).into())
            })
        };
        let home = ("HOME", "/home/ann");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[home]), Some("/home/ann/.cache/reeld".into()));
        let place = Some("/var/cache/reeld".into());
        assert_eq!(of(&[("CACHE_DIRECTORY", "/var/cache/reeld:/x")]), place);
    }
}
