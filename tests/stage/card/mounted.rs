//! An image that is mounted, by way of a loop device.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A place with an image mounted on it. Unmounted when dropped; its loop device goes with the
/// mount.
pub struct Mounted {
    place: TempDir,
    mounted: bool,
}

impl Mounted {
    /// Mounts the ext4 in `image`.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn new(image: &Path) -> Result<Self, String> {
        let place = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let mut mounted = Self {
            place,
            mounted: false,
        };
        mounted.mount(image)?;
        Ok(mounted)
    }

    /// Mounts it at the same place.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn mount(&mut self, image: &Path) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop"]);
        super::run(mount.arg(image).arg(self.path()))?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts it, as an operator would: not while anything is open there.
    ///
    /// # Errors
    /// What umount(8) said.
    pub fn unmount(&mut self) -> Result<(), String> {
        super::run(Command::new("umount").arg(self.path()))?;
        self.mounted = false;
        Ok(())
    }

    /// Unmounts it, lazily while something is still open there.
    ///
    /// # Errors
    /// What umount(8) said.
    pub fn detach(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.mounted) {
            unmount(self.path())
        } else {
            Ok(())
        }
    }

    /// Where.
    pub fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
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
