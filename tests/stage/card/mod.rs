//! A memory card in a test's hand: a real ext4, mounted, of which every block that the kernel
//! writes and every flush passes through the test.
//!
//! ```text
//!  reeld ──► ext4 ──► loop device ──► FUSE ──► device: log, faults ──► memory
//! ```
//!
//! The one file of the FUSE mount is not cached by the kernel (`FOPEN_DIRECT_IO`), so a write to
//! the block device is a `FUSE_WRITE`, and its flush (`REQ_FLUSH`) an `fsync` of the file, which
//! makes ext4 see a disk with a write cache. The device holds the image in memory: it must never
//! touch the file system on top of it, which would wait for itself.

mod device;
pub mod image;
pub mod log;
mod mounted;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fuser::BackgroundSession;
use tempfile::TempDir;

pub use device::Fault;
pub use log::Log;
pub use mounted::Mounted;

use device::Device;

/// Where the FUSE mount is, below the directory of a card.
const SLOT: &str = "slot";
/// How long the kernel may take to let go of the image.
const RELEASE: Duration = Duration::from_secs(10);

/// A card in its slot. Taken out when dropped, however a test ends.
pub struct Card {
    /// What it was when it was put in.
    blank: Vec<u8>,
    device: Device,
    /// Unmounted before the image that it lies on.
    mounted: Option<Mounted>,
    session: Option<BackgroundSession>,
    dir: TempDir,
}

impl Card {
    /// A blank card of so many bytes, formatted and mounted.
    ///
    /// # Errors
    /// Why this machine can't: for a test that is skipped.
    pub fn insert(bytes: u64) -> Result<Self, String> {
        let dir = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        Self::holding(formatted(&dir.path().join("blank"), bytes)?)
    }

    /// One on which there is something already: an ext4.
    ///
    /// # Errors
    /// Why this machine can't.
    pub fn holding(blank: Vec<u8>) -> Result<Self, String> {
        let dir = TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let device = Device::new(blank.clone());
        let slot = dir.path().join(SLOT);
        fs::create_dir(&slot).map_err(|error| format!("{}: {error}", slot.display()))?;
        let session = fuser::spawn_mount(device.file_system(), &slot, &fuser::Config::default())
            .map_err(|error| format!("no FUSE file system can be mounted: {error}"))?;
        let mut card = Self {
            blank,
            device,
            mounted: None,
            session: Some(session),
            dir,
        };
        card.mounted = Some(Mounted::new(&card.image())?);
        Ok(card)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        let mounted = self.mounted.as_ref().expect("mounted until it is dropped");
        mounted.path()
    }

    /// How many writes and flushes there have been.
    pub fn position(&self) -> usize {
        self.device.position()
    }

    /// The next write takes that long, and all that comes behind it waits.
    pub fn stall(&self, length: Duration) {
        self.device.set(|faults| faults.stall = Some(length));
    }

    /// From now on something fails, until [`Self::heal`].
    pub fn fail(&self, fault: Fault) {
        self.device.set(|faults| faults.fault = Some(fault));
    }

    /// Ends whatever is wrong with the device. ext4 may have given up by then.
    pub fn heal(&self) {
        self.device.heal();
    }

    /// Takes the right to write from it, as ext4 does by itself after an error.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn read_only(&self) -> Result<(), String> {
        self.remount("ro")
    }

    /// Gives that back.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn writable(&self) -> Result<(), String> {
        self.remount("rw")
    }

    fn remount(&self, option: &str) -> Result<(), String> {
        let option = format!("remount,{option}");
        run(Command::new("mount").args(["-o", &option]).arg(self.path()))
    }

    /// Pulls it out, whoever uses it: where it was mounted there is an empty directory.
    ///
    /// # Errors
    /// What umount(8) said.
    pub fn pull(&mut self) -> Result<(), String> {
        self.fail(Fault::Pulled);
        self.place().detach()
    }

    /// Unmounts it, as an operator would: not while anything is open on it.
    ///
    /// # Errors
    /// What umount(8) said.
    pub fn unmount(&mut self) -> Result<(), String> {
        self.place().unmount()
    }

    /// Pulls it out if it still is in, and puts it in again: sound, and mounted anew, where it was.
    ///
    /// # Errors
    /// What mount(8) said.
    pub fn reinsert(&mut self) -> Result<(), String> {
        self.place().detach()?;
        self.device.reinsert();
        let image = self.image();
        self.place().mount(&image)
    }

    fn place(&mut self) -> &mut Mounted {
        self.mounted.as_mut().expect("in until it is dropped")
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join(SLOT).join(self.device.name())
    }

    /// Unmounts it in order. Returns all that was written; what unmounting wrote is not part.
    pub fn eject(mut self) -> Log {
        let entries = self.device.take_log();
        self.release();
        Log {
            blank: std::mem::take(&mut self.blank),
            entries,
        }
    }

    /// Lets go of mounts and of the device. Never panics: it runs while tests fail.
    fn release(&mut self) {
        self.device.heal();
        drop(self.mounted.take());
        let Some(session) = self.session.take() else {
            return;
        };
        let slot = self.dir.path().join(SLOT);
        if let Err(error) = mounted::unmount(&slot) {
            eprintln!("{error}");
        }
        // It ends when the kernel has no use for the image any more; a process that still has a
        // file open on the card keeps it.
        let deadline = Instant::now() + RELEASE;
        while !session.guard.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !session.guard.is_finished() {
            eprintln!("{}: still in use", slot.display());
        } else if let Err(error) = session.join() {
            eprintln!("{}: {error}", slot.display());
        }
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.release();
    }
}

/// An ext4 as it comes from a shop, with blocks of the size that cards have.
fn formatted(file: &Path, bytes: u64) -> Result<Vec<u8>, String> {
    let named = |error| format!("{}: {error}", file.display());
    let image = fs::File::create(file).map_err(named)?;
    image.set_len(bytes).map_err(named)?;
    // What it leaves for later it would write behind our backs while a test runs.
    let options = "lazy_itable_init=0,lazy_journal_init=0";
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-b", "4096", "-m", "0", "-E", options])
        .arg(file))?;
    let blank = fs::read(file).map_err(named)?;
    fs::remove_file(file).map_err(named)?;
    Ok(blank)
}

/// Runs a command that must succeed, and gives what it said otherwise.
fn run(command: &mut Command) -> Result<(), String> {
    run_to(command, &[0])
}

/// The same of a command that may end with any of `codes`.
fn run_to(command: &mut Command, codes: &[i32]) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name} can't be run: {error}"))?;
    if output
        .status
        .code()
        .is_some_and(|code| codes.contains(&code))
    {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{name}: {}: {}", output.status, said.trim()))
}
