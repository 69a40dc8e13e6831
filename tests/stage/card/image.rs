//! What is on a card when the power goes: every flushed write, and of the others what the card's
//! cache happened to have put away.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::log::{Change, Log};

/// The least that a card writes at once, in bytes.
pub const SECTOR: usize = 512;
/// A piece that is left out of a sparse file when it is empty.
const BLOCK: usize = 4096;

/// What is kept of the writes that were not flushed.
#[derive(Debug, Clone, Copy)]
pub enum Keep {
    /// Nothing.
    None,
    /// A third of the writes whole, a third not at all, of a third any of their sectors: chosen
    /// by this seed.
    Half(u64),
}

/// Makes the images of ever later cuts.
pub struct Replay<'a> {
    log: &'a Log,
    /// The card with every write up to the last flush.
    durable: Vec<u8>,
    applied: usize,
}

impl<'a> Replay<'a> {
    pub fn new(log: &'a Log) -> Self {
        Self {
            log,
            durable: log.blank.clone(),
            applied: 0,
        }
    }

    /// Writes into `file` what is on the card when the power goes after `position` requests.
    ///
    /// # Panics
    /// When an earlier position was asked for before.
    pub fn cut(&mut self, position: usize, keep: Keep, file: &Path) -> io::Result<()> {
        assert!(self.applied <= position, "back to {position}");
        self.flush_up_to(position);
        let image = File::create(file)?;
        image.set_len(self.durable.len() as u64)?;
        for (number, block) in self.durable.chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                image.write_all_at(block, (number * BLOCK) as u64)?;
            }
        }
        let Keep::Half(seed) = keep else {
            return Ok(());
        };
        let mut random = fastrand::Rng::with_seed(seed);
        for entry in &self.log.entries[self.applied..position] {
            if let Change::Write { offset, bytes } = &entry.change {
                keep_some(&image, *offset, bytes, &mut random)?;
            }
        }
        Ok(())
    }

    /// Applies everything up to the last flush before `position`.
    fn flush_up_to(&mut self, position: usize) {
        let ahead = &self.log.entries[self.applied..position];
        let last = ahead
            .iter()
            .rposition(|entry| matches!(entry.change, Change::Flush));
        let Some(last) = last else {
            return;
        };
        for entry in &ahead[..=last] {
            if let Change::Write { offset, bytes } = &entry.change {
                self.durable[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
        self.applied += last + 1;
    }
}

fn keep_some(
    image: &File,
    offset: usize,
    bytes: &[u8],
    random: &mut fastrand::Rng,
) -> io::Result<()> {
    let fate = random.u8(0..3);
    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
        if fate == 0 || fate == 1 && random.bool() {
            image.write_all_at(sector, (offset + number * SECTOR) as u64)?;
        }
    }
    Ok(())
}

/// Replays the journal, as a mount does, and has the rest checked.
///
/// # Errors
/// What e2fsck found.
pub fn repair(file: &Path) -> Result<(), String> {
    let e2fsck = || Command::new("e2fsck");
    // 1: that something was repaired, which is what it is for.
    let replay = ["-E", "journal_only", "-y"];
    super::run_to(e2fsck().args(replay).arg(file), &[0, 1])?;
    super::run(e2fsck().args(["-f", "-n"]).arg(file))
}
