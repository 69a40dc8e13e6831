//! An image that is mounted, by way of a loop device.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A mounted image. Unmounted when dropped; its loop device goes with the mount.
pub struct Mounted(TempDir);

impl Mounted {
    /// Mounts the ext4 in `image`.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn new(image: &Path) -> Result<Self, String> {
        let place = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop"]);
        super::run(mount.arg(image).arg(place.path()))?;
        Ok(Self(place))
    }

    /// Where.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.path()) {
            eprintln!("{error}");
        }
    }
}

/// Unmounts, lazily while something is still open there.
pub(super) fn unmount(place: &Path) -> Result<(), String> {
    if super::run(Command::new("umount").arg(place)).is_ok() {
        return Ok(());
    }
    super::run(Command::new("umount").arg("--lazy").arg(place))
}
