//! Where the files of a box are read from: `/`, or a directory with the files of another one.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most that is read of one file, in bytes: all that is read here is short, but for the mount
/// table of a machine with many containers.
const MOST: u64 = 1 << 20;

/// The top of a box's files.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// This box.
    #[must_use]
    pub fn here() -> Self {
        Self(PathBuf::from("/"))
    }

    /// The files below `path`, as if it were `/`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where the file that is called `path` on the box can be opened.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The name on the box of a file at `path` here: the other way round.
    #[must_use]
    pub fn name(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.0)
            .map_or_else(|_| path.to_owned(), |below| Path::new("/").join(below))
    }

    /// What is in a file, at most a mebibyte of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(path))?
            .take(MOST)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The text of a file without white space around it; none when it can't be read or is empty.
    #[must_use]
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = self.read(path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A number that stands alone in a file.
    #[must_use]
    pub fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// The strings of a file, each of which ends with a NUL.
    #[must_use]
    pub fn strings(&self, path: impl AsRef<Path>) -> Vec<String> {
        let bytes = self.read(path).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .map(|part| String::from_utf8_lossy(part).trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Whether there is anything of that name.
    #[must_use]
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The names in a directory, sorted; none when it can't be read.
    #[must_use]
    pub fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_root_is_read_as_if_it_were_the_top() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path());
        fs::create_dir(folder.path().join("proc")).unwrap();
        fs::write(folder.path().join("proc/two"), b"one\0two words\0\0").unwrap();
        fs::write(folder.path().join("proc/number"), " 42\n").unwrap();
        fs::write(folder.path().join("proc/empty"), "\n").unwrap();
        assert_eq!(root.strings("/proc/two"), ["one", "two words"]);
        assert_eq!(root.number("proc/number"), Some(42));
        assert_eq!(root.number("/proc/two"), None);
        assert_eq!(root.text("/proc/empty"), None);
        assert_eq!(root.text("/proc/absent"), None);
        assert_eq!(root.list("/proc"), ["empty", "number", "two"]);
        assert!(root.list("/sys").is_empty() && root.has("/proc") && !root.has("/sys"));
        let path = root.path("/proc/two");
        assert_eq!(root.name(&path), Path::new("/proc/two"));
    }

    #[test]
    fn no_file_is_read_without_an_end() {
        assert_eq!(
            Root::here().read("/dev/zero").unwrap().len(),
            usize::try_from(MOST).unwrap()
        );
    }
}
