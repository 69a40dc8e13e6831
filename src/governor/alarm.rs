//! The kernel's word that memory is short, at once: a trigger of pressure stall information
//! (`Documentation/accounting/psi.rst`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};

/// Tasks waited for memory 150 ms of 2 s. Without `CAP_SYS_RESOURCE` the window has to be a
/// multiple of 2 s.
const TRIGGER: &[u8] = b"some 150000 2000000\0";

/// Fires when memory is short, at most once in 2 s.
#[derive(Debug)]
pub struct Alarm(AsyncFd<File>);

impl Alarm {
    /// Sets the trigger on a report of pressure on memory. To be called in a runtime.
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
        file.write_all(TRIGGER)?;
        register(file).map(Self)
    }

    /// Waits until memory is short. May be dropped and called again.
    ///
    /// # Errors
    /// When the group is gone: no alarm comes any more.
    pub async fn fired(&mut self) -> io::Result<()> {
        let mut ready = self.0.ready(Interest::PRIORITY | Interest::ERROR).await?;
        if ready.ready().is_error() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the control group whose pressure was watched is gone",
            ));
        }
        ready.clear_ready_matching(Ready::PRIORITY);
        Ok(())
    }
}

/// tokio 1.54 wants `unsafe` for this, because an object may lie about its descriptor. A [`File`]
/// that nobody else has does not: it keeps the one that it was opened with until it is dropped.
#[expect(
    deprecated,
    reason = "sound with a File; can go once tokio takes owners of descriptors without unsafe"
)]
fn register(file: File) -> io::Result<AsyncFd<File>> {
    AsyncFd::with_interest(file, Interest::PRIORITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_report_has_no_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("memory.pressure");
        assert_eq!(
            Alarm::set(&absent).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        // epoll refuses plain files.
        std::fs::write(&absent, "").unwrap();
        assert!(Alarm::set(&absent).is_err());
    }

    #[tokio::test]
    async fn where_it_is_allowed_it_waits() {
        let Ok(mut alarm) = Alarm::set(Path::new("/proc/pressure/memory")) else {
            eprintln!("SKIP: no trigger of pressure is allowed here");
            return;
        };
        let wait = std::time::Duration::from_millis(300);
        // Calm or not: it is no error, and it does not fire again and again.
        let mut fired = 0;
        while let Ok(result) = tokio::time::timeout(wait, alarm.fired()).await {
            result.unwrap();
            fired += 1;
            assert!(fired < 3, "more often than each 2 s");
        }
    }
}
