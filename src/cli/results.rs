//! What a command prints as its result, kept apart from what libraries print.
//!
//! Vendors' codecs write to the standard output of whoever uses them ("Opening in BLOCKING MODE"),
//! and would break the JSON that a program reads there.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;

use nix::unistd::dup2_stdout;

/// The standard output, as the program was started with it.
#[derive(Debug)]
pub(super) struct Results(File);

impl Results {
    /// Takes the standard output for results: whoever else writes there writes to the standard
    /// error from now on.
    ///
    /// # Errors
    /// When the operating system gives no descriptor.
    pub(super) fn claim() -> io::Result<Self> {
        // Not inherited by processes that we start.
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        dup2_stdout(io::stderr())?;
        Ok(Self(own.into()))
    }
}

impl Write for Results {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
