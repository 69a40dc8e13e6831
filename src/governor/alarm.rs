//! The kernel's word that memory is short, at once: a trigger of pressure stall information
//! (`Documentation/accounting/psi.rst`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Tasks waited for memory 150 ms of 2 s. Without `CAP_SYS_RESOURCE` the window has to be a
/// multiple of 2 s.
const TRIGGER: &[u8] = b"some 150000 2000000\0";

/// Rings when memory is short, at most once in 2 s.
#[derive(Debug)]
pub struct Alarm(Option<File>);

impl Alarm {
    /// One that never rings.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Sets the trigger on a report of pressure on memory.
    ///
    /// # Errors
    /// When it is not allowed (before Linux 6.4 without `CAP_SYS_RESOURCE`; a report that is not
    /// ours to write), or the report is none.
    pub(super) fn set(report: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(report)?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        file.write_all(TRIGGER)?;
        Ok(Self(Some(file)))
    }

    /// Waits so long, or until memory is short.
    pub fn wait(&mut self, longest: Duration) {
        let Some(report) = &self.0 else {
            return thread::sleep(longest);
        };
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        let mut waited = [PollFd::new(report.as_fd(), PollFlags::POLLPRI)];
        let rang = poll(&mut waited, timeout);
        let happened = waited.first().and_then(PollFd::revents);
        let useless = |flags: PollFlags| flags.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL);
        // An error means that the group is gone, and would be reported for ever.
        if rang.is_err() || happened.is_some_and(useless) {
            self.0 = None;
            thread::sleep(longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const WAIT: Duration = Duration::from_millis(300);

    #[test]
    fn what_is_no_report_has_no_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("memory.pressure");
        let error = Alarm::set(&absent).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(Alarm::set(folder.path()).is_err());
    }

    #[test]
    fn nothing_is_waited_for_longer_than_told_nor_again_and_again() {
        let real = Alarm::set(Path::new("/proc/pressure/memory"));
        if real.is_err() {
            eprintln!("SKIP: no trigger of pressure is allowed here");
        }
        for mut alarm in [Alarm::none()].into_iter().chain(real) {
            let started = Instant::now();
            for _ in 0..5 {
                alarm.wait(WAIT);
            }
            let waited = started.elapsed();
            // Memory may be short in the middle of one.
            assert!(waited >= WAIT * 4 && waited < WAIT * 10, "{waited:?}");
        }
    }
}
