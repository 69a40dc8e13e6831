//! Boxes with hardware codecs: programs that run here find stand-ins under the vendors' names.
//! `tests/vendors` says what `STAND_INS` may hold.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A box: what its GStreamer finds, and what its elements have told.
pub struct Vendors {
    dir: TempDir,
    stand_ins: String,
}

impl Vendors {
    /// A box with these stand-ins, such as `"nvv4l2h264enc:fail@100 nvvidconv"`.
    ///
    /// # Panics
    /// The plugin is not built, or the temporary directory cannot be written.
    pub fn new(stand_ins: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // A directory of its own: cargo keeps another copy beside it, under a name of its own.
        let plugins = dir.path().join("plugins");
        fs::create_dir(&plugins).unwrap();
        symlink(plugin(), plugins.join("libvendors.so")).unwrap();
        // What GStreamer knows of the other plugins: scanning them takes a second.
        if let Some(known) = users_registry().filter(|known| known.exists()) {
            fs::copy(known, dir.path().join("registry.bin")).unwrap();
        }
        Self {
            dir,
            stand_ins: stand_ins.to_owned(),
        }
    }

    /// Lets a program run on this box. Its registry of plugins is the box's own.
    pub fn host<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let dir = self.dir.path();
        command
            .env("GST_PLUGIN_PATH", dir.join("plugins"))
            .env("GST_REGISTRY", dir.join("registry.bin"))
            .env("STAND_INS", &self.stand_ins)
            .env("STAND_INS_LOG", self.log())
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("facts")
    }

    /// Other stand-ins from now on; the registry stays.
    pub fn refit(&mut self, stand_ins: &str) {
        stand_ins.clone_into(&mut self.stand_ins);
    }

    /// What the elements of a name told, in all processes: without the name and the process.
    ///
    /// # Panics
    /// A line is not one of a stand-in.
    pub fn facts(&self, name: &str) -> Vec<String> {
        let Ok(text) = fs::read_to_string(self.log()) else {
            return Vec::new();
        };
        text.lines()
            .map(|line| line.splitn(3, ' ').collect::<Vec<_>>())
            .filter(|words| words[0] == name)
            .map(|words| words[2].to_owned())
            .collect()
    }
}

fn users_registry() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let file = format!("gstreamer-1.0/registry.{}.bin", std::env::consts::ARCH);
    cache.or(home).map(|cache| cache.join(file))
}

/// The plugin; `cargo test` without `--test` builds it, as all examples.
fn plugin() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_reeld")).parent().unwrap();
    let plugin = built.join("examples/libvendors.so");
    let written = |file: &Path| fs::metadata(file).and_then(|file| file.modified()).ok();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors");
    let sources = fs::read_dir(sources).unwrap();
    let newest = sources
        .filter_map(|file| written(&file.unwrap().path()))
        .max();
    assert!(
        written(&plugin) >= newest,
        "{} is missing or old: cargo build --release --example vendors",
        plugin.display()
    );
    plugin
}
