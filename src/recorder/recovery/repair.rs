//! Repairs one segment.
//!
//! In the usual case the file is cut where its last whole unit ends, synced, and renamed: no
//! byte of it moves. Only a file with a hole in the middle is written again without it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use mpeg2ts_reader::packet::Packet;
use sha2::{Digest, Sha256};

use super::super::error::RecorderError;
use super::super::names::{SegmentIndex, to_hex};
use super::super::pts_scan::{PACKET, PtsScan};
use super::disk::{Pace, Reader, RepairDisk};
use super::program;
use super::rebuild::Content;
use super::table::{damaged_name, rewritten_name};
use crate::verify::{self, Continuity, Salvage, Step, StreamCodec};

/// A read or a write at a time: whole packets, a quarter of a megabyte.
const PIECE: usize = PACKET * 1_400;

/// Packets of it are stuffing; their counters say nothing.
const NULL_PID: u16 = 0x1fff;

/// What is done with the file of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing was recorded: removed.
    Remove,
    /// Nothing in it can be decoded: renamed, for experts.
    SetAside,
    /// Sealed with its first so many bytes.
    Cut(u64),
    /// Sealed with these parts of it.
    Rewrite(Vec<Range<u64>>),
}

impl Action {
    pub(super) fn of(salvage: &Salvage) -> Self {
        match salvage.parts.as_deref() {
            None => Self::SetAside,
            Some([]) if salvage.media => Self::SetAside,
            Some([]) => Self::Remove,
            Some([part]) if part.start == 0 && !salvage.jumps && salvage.absent.is_empty() => {
                Self::Cut(part.end)
            }
            Some(parts) => Self::Rewrite(parts.to_vec()),
        }
    }

    /// Bytes of the file that are kept.
    pub(super) fn kept(&self) -> u64 {
        match self {
            Self::Remove | Self::SetAside => 0,
            Self::Cut(bytes) => *bytes,
            Self::Rewrite(parts) => parts.iter().map(|part| part.end - part.start).sum(),
        }
    }
}

/// Works on the files of one folder.
pub(super) struct Repair<'a, D: RepairDisk> {
    pub(super) disk: &'a mut D,
    pub(super) folder: &'a Path,
    pub(super) pace: Pace,
}

impl<D: RepairDisk> Repair<'_, D> {
    /// Finds out what can be kept of a file.
    pub(super) fn survey(&mut self, name: &str) -> Result<Salvage, RecorderError> {
        let path = self.folder.join(name);
        let mut file = self.open(name)?;
        let mut reader = Reader::new(self.disk, &mut file, self.pace, 0..u64::MAX);
        verify::salvage(&mut reader).map_err(|error| RecorderError::from_io("read", &path, error))
    }

    /// Seals, sets aside or removes an open segment; what it holds if it is sealed.
    pub(super) fn act(
        &mut self,
        action: &Action,
        (from, to): (SegmentIndex, SegmentIndex),
        salvage: &Salvage,
    ) -> Result<Option<Content>, RecorderError> {
        let open = from.open_name();
        match action {
            Action::Remove => self.remove(&open)?,
            Action::SetAside => self.rename(&open, &damaged_name(to))?,
            Action::Cut(bytes) => {
                if *bytes < salvage.bytes {
                    let path = self.folder.join(&open);
                    self.disk
                        .truncate(&path, *bytes)
                        .map_err(|error| RecorderError::from_io("truncate", &path, error))?;
                }
                return self.seal(&open, to, &salvage.codecs).map(Some);
            }
            Action::Rewrite(parts) => {
                self.rewrite(from, parts, &salvage.absent)?;
                return self.seal(&open, to, &salvage.codecs).map(Some);
            }
        }
        Ok(None)
    }

    /// Syncs, measures and renames a file of which every byte is kept. What can't be read back
    /// is not sealed.
    fn seal(
        &mut self,
        open: &str,
        to: SegmentIndex,
        codecs: &[StreamCodec],
    ) -> Result<Content, RecorderError> {
        let mut file = self.open(open)?;
        self.disk
            .sync(&mut file)
            .map_err(|error| self.failed("fdatasync", open, error))?;
        drop(file);
        let content = self.measure(open, codecs)?;
        self.rename(open, &to.final_name())?;
        Ok(content)
    }

    /// What a file holds, all of it.
    pub(super) fn measure(
        &mut self,
        name: &str,
        codecs: &[StreamCodec],
    ) -> Result<Content, RecorderError> {
        let mut hash = Sha256::new();
        let mut scan = PtsScan::default();
        let mut bytes = 0;
        let mut file = self.open(name)?;
        self.each_piece(name, &mut file, 0..u64::MAX, |_, piece| {
            hash.update(piece);
            scan.add(piece);
            bytes += piece.len() as u64;
            Ok(())
        })?;
        Ok(Content {
            bytes,
            sha256: to_hex(&hash.finalize()),
            scanned: scan.result(),
            codecs: codecs.to_vec(),
        })
    }

    /// Puts a file in the place of the open segment that has the sound parts of it alone.
    fn rewrite(
        &mut self,
        index: SegmentIndex,
        parts: &[Range<u64>],
        absent: &[u16],
    ) -> Result<(), RecorderError> {
        let (open, beside) = (index.open_name(), rewritten_name(index));
        let path = self.folder.join(&beside);
        let failed = |action, error| RecorderError::from_io(action, &path, error);
        let mut to = self
            .disk
            .create_or_empty(&path)
            .map_err(|error| failed("create", error))?;
        let mut from = self.open(&open)?;
        let mut sound = Sound::without(absent);
        for part in parts {
            self.each_piece(&open, &mut from, part.clone(), |disk, piece| {
                disk.append(&mut to, &sound.make(piece))
                    .map_err(|error| failed("write", error))
            })?;
        }
        self.disk
            .sync(&mut to)
            .map_err(|error| failed("fdatasync", error))?;
        // Not to the final name: there would be two files of one segment for a moment.
        self.rename(&beside, &open)
    }

    fn each_piece(
        &mut self,
        name: &str,
        file: &mut D::File,
        part: Range<u64>,
        mut take: impl FnMut(&mut D, &[u8]) -> Result<(), RecorderError>,
    ) -> Result<(), RecorderError> {
        let mut at = part.start;
        let mut piece = Vec::with_capacity(PIECE);
        while at < part.end {
            piece.clear();
            let mut reader = Reader::new(self.disk, file, self.pace, at..part.end);
            reader
                .by_ref()
                .take(PIECE as u64)
                .read_to_end(&mut piece)
                .map_err(|error| RecorderError::from_io("read", &self.folder.join(name), error))?;
            drop(reader);
            if piece.is_empty() {
                break;
            }
            take(self.disk, &piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), RecorderError> {
        let path = self.folder.join(name);
        self.disk
            .remove(&path)
            .map_err(|error| RecorderError::from_io("remove", &path, error))?;
        self.sync_folder()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), RecorderError> {
        self.disk
            .rename(&self.folder.join(from), &self.folder.join(to))
            .map_err(|error| self.failed("rename", from, error))?;
        self.sync_folder()
    }

    pub(super) fn sync_folder(&mut self) -> Result<(), RecorderError> {
        self.disk
            .sync_dir(self.folder)
            .map_err(|error| RecorderError::from_io("fsync", self.folder, error))
    }

    fn open(&mut self, name: &str) -> Result<D::File, RecorderError> {
        let path = self.folder.join(name);
        self.disk
            .open(&path)
            .map_err(|error| RecorderError::from_io("open", &path, error))
    }

    fn failed(&self, action: &'static str, name: &str, error: std::io::Error) -> RecorderError {
        RecorderError::from_io(action, &self.folder.join(name), error)
    }
}

/// Makes a sound stream of sound parts.
#[derive(Debug, Default)]
struct Sound {
    counters: BTreeMap<u16, Continuity>,
    absent: Vec<u16>,
}

impl Sound {
    /// Of a file of which these streams have nothing left.
    fn without(absent: &[u16]) -> Self {
        Self {
            counters: BTreeMap::new(),
            absent: absent.to_vec(),
        }
    }

    /// Takes streams out of the program map that have nothing left, and puts in front of each
    /// packet whose counter does not follow one that says so, without payload
    /// (`discontinuity_indicator`, ISO/IEC 13818-1, 2.4.3.5): players then know that something
    /// is missing, and where.
    fn make(&mut self, packets: &[u8]) -> Vec<u8> {
        let mut made = Vec::with_capacity(packets.len() + PACKET);
        for bytes in packets.as_chunks::<PACKET>().0 {
            if let Some(packet) = Packet::try_new(bytes) {
                made.extend(self.declare_jump(&packet).into_iter().flatten());
            }
            let changed = (!self.absent.is_empty()).then(|| program::without(bytes, &self.absent));
            made.extend_from_slice(&changed.flatten().unwrap_or(*bytes));
        }
        made
    }

    fn declare_jump(&mut self, packet: &Packet<'_>) -> Option<[u8; PACKET]> {
        let pid: u16 = packet.pid().into();
        let field = packet.adaptation_field();
        let is_declared = field.is_some_and(|field| field.discontinuity_indicator());
        let counter = packet.continuity_counter().count();
        let followed = self.counters.entry(pid).or_default();
        let step = followed.step(counter, packet.payload(), is_declared);
        // The counter stands still in packets without payload.
        let moves = u8::from(packet.payload().is_some());
        let jumps = pid != NULL_PID && matches!(step, Step::Jump { .. });
        jumps.then(|| declaration(pid, counter.wrapping_sub(moves) & 0x0f))
    }
}

fn declaration(pid: u16, counter: u8) -> [u8; PACKET] {
    /// An adaptation field and nothing else.
    const FIELD_ONLY: u8 = 0x20;
    const DISCONTINUITY: u8 = 0x80;
    const LENGTH: u8 = 183;
    let [high, low] = pid.to_be_bytes();
    let head = [0x47, high, low, FIELD_ONLY | counter, LENGTH, DISCONTINUITY];
    let mut packet = [0xff; PACKET];
    for (byte, of_head) in packet.iter_mut().zip(head) {
        *byte = of_head;
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::Builder;
    use proptest::prelude::*;

    fn salvage(bytes: &[u8]) -> Salvage {
        verify::salvage(&mut &bytes[..]).unwrap()
    }

    proptest! {
        /// Else a recovery that died in between would take more out than one that did not.
        #[test]
        fn what_was_written_again_is_kept_whole(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
            dropped in prop::collection::vec((any::<prop::sample::Index>(), 1..600_usize), 0..4),
        ) {
            let mut builder = Builder::new();
            builder.media(0, 60);
            let mut bytes = builder.bytes;
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            for (at, length) in dropped {
                let from = at.index(bytes.len());
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            let found = salvage(&bytes);
            let mut sound = Sound::without(&found.absent);
            let mut rewritten = Vec::new();
            for part in found.parts.iter().flatten() {
                let [from, to] = [part.start, part.end].map(|at| usize::try_from(at).unwrap());
                rewritten.extend(sound.make(&bytes[from..to]));
            }
            let expected = match rewritten.len() {
                0 => Action::Remove,
                length => Action::Cut(length as u64),
            };
            prop_assert_eq!(Action::of(&salvage(&rewritten)), expected);
        }
    }
}
