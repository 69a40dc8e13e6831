//! A memory card with the image on it, and what a laptop has put into its first partition.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::manual;

/// Where `scripts/appliance` puts what is booted.
pub fn prepared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/appliance")
        .join(path)
}

/// Where the image's first partition begins.
const SETTINGS_AT: &str = "@@1M";

/// What is left for the data: enough for minutes, little enough to be filled in a second.
const DATA: u64 = 400 << 20;

/// A flashed card.
pub struct Card {
    pub file: PathBuf,
}

impl Card {
    /// Flashes the image.
    pub fn flash(folder: &Path) -> Self {
        let image = prepared("reeld-arm64.img");
        let file = folder.join("card.img");
        // As the manual has it.
        let dd = manual::on_the_laptop("dd ");
        let dd = dd
            .replace("target/image/reeld-arm64.img", image.to_str().unwrap())
            .replace("/dev/sdX", file.to_str().unwrap());
        let done = Command::new("sh").args(["-c", &dd]).output().expect("sh");
        assert!(done.status.success(), "{dd}: {done:?}");
        let card = OpenOptions::new().write(true).open(&file).unwrap();
        let flashed = card.metadata().unwrap().len();
        card.set_len(flashed + DATA).unwrap();
        Self { file }
    }

    /// Puts a file into the partition of the settings.
    pub fn put(&self, name: &str, content: &str) {
        let from = self.file.with_file_name("put");
        fs::write(&from, content).unwrap();
        let mut image = self.file.clone().into_os_string();
        image.push(SETTINGS_AT);
        let done = Command::new("mcopy")
            .args(["-o", "-i"])
            .arg(image)
            .arg(from)
            .arg(format!("::{name}"))
            .status()
            .expect("mcopy");
        assert!(done.success(), "{name} did not get onto the card");
    }

    /// Where the last partition begins, in bytes.
    pub fn last_partition(&self) -> u64 {
        let told = Command::new("partx")
            .args(["--noheadings", "--output", "START", "--nr", "-1:-1"])
            .arg(&self.file)
            .output()
            .expect("partx");
        let sectors = String::from_utf8_lossy(&told.stdout);
        sectors.trim().parse::<u64>().expect("a sector") * 512
    }
}
