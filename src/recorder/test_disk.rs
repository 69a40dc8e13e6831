//! A disk for tests: the real one, with a log of what is done and a failure on request.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use super::disk::{Disk, LocalDisk};

/// Does what the real disk does, until the call that was chosen to fail.
pub struct TestDisk {
    real: LocalDisk,
    log: Log,
    fail: Option<Fault>,
    gate: Gate,
    death: Option<Death>,
}

/// The end of the process at a call: neither it nor any later one does anything, but that an
/// append may leave half of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// Calls that are still done.
    pub after: usize,
    pub half: bool,
}

/// Every call on media files, in order: "create 00000.recording.ts", "write 188" …
pub type Log = Arc<Mutex<Vec<String>>>;

/// The first call whose line in the log starts with `call` fails with `errno`; [`PANIC`] takes
/// the thread with it.
#[derive(Clone, Copy)]
pub struct Fault {
    pub call: &'static str,
    pub errno: i32,
}

pub const PANIC: i32 = -1;

/// Makes a disk hang: every call waits until it is let go.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn hang(&self, hangs: bool) {
        *self.0.0.lock().unwrap() = hangs;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let hangs = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(hangs, |hangs| *hangs).unwrap());
    }
}

impl TestDisk {
    pub fn new(fail: Option<Fault>) -> (Self, Log) {
        let log = Log::default();
        let disk = Self {
            real: LocalDisk,
            log: Arc::clone(&log),
            fail,
            gate: Gate::default(),
            death: None,
        };
        (disk, log)
    }

    pub fn dying(death: Death) -> (Self, Log) {
        let (disk, log) = Self::new(None);
        let death = Some(death);
        (Self { death, ..disk }, log)
    }

    pub fn with_gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    fn call(&mut self, line: String) -> io::Result<()> {
        self.gate.pass();
        if let Some(death) = &mut self.death {
            if death.after == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            death.after -= 1;
        }
        let fault = self.fail.take_if(|fault| line.starts_with(fault.call));
        self.log.lock().unwrap().push(line);
        match fault {
            Some(fault) if fault.errno == PANIC => panic!("asked for by the test"),
            Some(fault) => Err(io::Error::from_raw_os_error(fault.errno)),
            None => Ok(()),
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Disk for TestDisk {
    type File = (File, String);

    fn create_new(&mut self, path: &Path) -> io::Result<Self::File> {
        self.call(format!("create {}", name(path)))?;
        Ok((self.real.create_new(path)?, name(path)))
    }

    fn create_or_empty(&mut self, path: &Path) -> io::Result<Self::File> {
        self.call(format!("empty {}", name(path)))?;
        Ok((self.real.create_or_empty(path)?, name(path)))
    }

    fn append(&mut self, (file, name): &mut Self::File, bytes: &[u8]) -> io::Result<()> {
        let dies = self.death.take_if(|death| death.after == 0 && death.half);
        if dies.is_some() {
            self.real.append(file, &bytes[..bytes.len() / 2])?;
            self.death = Some(Death {
                after: 0,
                half: false,
            });
        }
        self.call(format!("write {name}"))?;
        self.real.append(file, bytes)
    }

    fn sync(&mut self, (file, name): &mut Self::File) -> io::Result<()> {
        self.call(format!("sync {name}"))?;
        self.real.sync(file)
    }

    fn start_write_back(
        &mut self,
        (file, name): &mut Self::File,
        range: &Range<u64>,
    ) -> io::Result<()> {
        self.call(format!("write_back {name}"))?;
        self.real.start_write_back(file, range)
    }

    fn forget(&mut self, (file, _): &mut Self::File, range: &Range<u64>) {
        self.real.forget(file, range);
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(format!("rename {} {}", name(from), name(to)))?;
        self.real.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.call(format!("remove {}", name(path)))?;
        self.real.remove(path)
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.call("sync_dir".to_owned())?;
        self.real.sync_dir(path)
    }
}
