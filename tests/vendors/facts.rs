//! What a test can read afterwards: one line a fact, appended to the file that `STAND_INS_LOG`
//! names. Each begins with the element's name and the process; then one of
//!
//! ```text
//! set NAME=VALUE             a property that was set; extra-controls one by one
//! warning TEXT               a setting that the element ignored
//! caps in CAPS / caps out CAPS
//! size WIDTHxHEIGHT          of an encoder's pictures, at the start and when it changes
//! request event|signal|property served|ignored
//! refused TEXT               why it did not start
//! fault TEXT                 what it does wrong now
//! pictures in=N out=N        when it stops
//! ```

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::process;

const VARIABLE: &str = "STAND_INS_LOG";

/// Where an element tells its facts.
#[derive(Debug)]
pub struct Facts {
    name: &'static str,
    file: Option<OsString>,
}

impl Facts {
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            file: env::var_os(VARIABLE),
        }
    }

    pub fn tell(&self, fact: &str) {
        if let Err(error) = self.append(fact) {
            eprintln!("{VARIABLE}: {error}");
        }
    }

    /// One write: processes and threads share the file.
    fn append(&self, fact: &str) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let line = format!("{} {} {fact}\n", self.name, process::id());
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)?
            .write_all(line.as_bytes())
    }
}
