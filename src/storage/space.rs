//! What the file system says of itself.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::state::{Look, Trouble};
use crate::recorder::recording::one_line;
use crate::recorder::{self, RecorderError};

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// What we may still write; what is set aside for root is not in it.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl Space {
    /// Of the file system with `path`.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn of(path: &Path) -> Result<Self, RecorderError> {
        ask(path).map(|(space, _)| space)
    }
}

/// The room, and whether nothing can be written.
fn ask(path: &Path) -> Result<(Space, bool), RecorderError> {
    let answer =
        statvfs(path).map_err(|error| RecorderError::from_io("statvfs", path, error.into()))?;
    // On 32-bit machines they are narrower.
    #[allow(clippy::useless_conversion)]
    let (unit, available, all): (u64, u64, u64) = (
        answer.fragment_size().into(),
        answer.blocks_available().into(),
        answer.blocks().into(),
    );
    let space = Space {
        free: available.saturating_mul(unit),
        total: all.saturating_mul(unit),
    };
    Ok((space, answer.flags().contains(FsFlags::ST_RDONLY)))
}

/// Looks at the file system with the output directory; with `probe` a file is written and removed
/// again.
pub(super) fn look(output: &Path, probe: bool) -> Result<Look, Trouble> {
    let (space, read_only) = ask(output).map_err(|error| trouble(&error))?;
    if read_only {
        return Err(Trouble::ReadOnly);
    }
    if !probe {
        return Ok(Look { space, full: false });
    }
    match recorder::probe(output) {
        Ok(()) => Ok(Look { space, full: false }),
        Err(RecorderError::DiskFull { .. }) => Ok(Look { space, full: true }),
        Err(error) => Err(trouble(&error)),
    }
}

fn trouble(error: &RecorderError) -> Trouble {
    match error {
        RecorderError::Missing { .. } | RecorderError::NotADirectory { .. } => Trouble::Missing,
        RecorderError::NotWritable { source, .. }
            if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem =>
        {
            Trouble::ReadOnly
        }
        error => Trouble::Failing(one_line(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_asked() {
        let output = tempfile::tempdir().unwrap();
        let space = Space::of(output.path()).unwrap();
        assert!(space.free <= space.total && space.total > 0);
        for probe in [false, true] {
            let look = look(output.path(), probe).unwrap();
            assert_eq!((look.full, look.space.total), (false, space.total));
        }
        assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
        let absent = output.path().join("absent");
        assert_eq!(look(&absent, true), Err(Trouble::Missing));
        assert!(!absent.exists(), "a card's directory is not made up");
    }
}
