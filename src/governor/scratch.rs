//! Small files of the kernel, read again and again into one buffer.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The most that is read of one file, in bytes: `memory.stat` has about 1 500.
const MOST: u64 = 64 << 10;

/// The buffer.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    /// A file's text, up to what is no UTF-8; none when it can't be read. It is opened each time:
    /// one that is held open outlives its group, and says nothing from then on.
    pub(super) fn text(&mut self, path: &Path) -> Option<&str> {
        self.0.clear();
        let file = File::open(path).ok()?;
        file.take(MOST).read_to_end(&mut self.0).ok()?;
        match std::str::from_utf8(&self.0) {
            Ok(text) => Some(text),
            Err(error) => std::str::from_utf8(self.0.get(..error.valid_up_to())?).ok(),
        }
    }

    /// A number that stands alone; "max", which is none, as well.
    pub(super) fn number(&mut self, path: &Path) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }
}

/// What stands behind `key` in lines of words: `memory.stat`, `memory.events`,
/// `memory.oom_control`, `/proc/self/status` and `/proc/meminfo` (with a colon).
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == key)
            .then(|| words.next()?.parse().ok())
            .flatten()
    })
}

/// The same of files that count in KiB, in bytes.
pub(super) fn kibibytes(text: &str, key: &str) -> Option<u64> {
    keyed(text, key)?.checked_mul(1024)
}
