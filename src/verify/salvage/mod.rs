//! Which parts of a damaged transport stream make a sound one.
//!
//! What a crash leaves ends anywhere: inside a packet, inside a unit, in zeros, in noise, or in
//! what the blocks of the disk held before. What is kept are whole units, and the tables that
//! they need:
//!
//! 1. A packet counts when its stream is declared, it has the form of one, and its counter
//!    follows the packet before.
//! 2. A unit counts when its packets are all there, it begins and ends as it should, it holds
//!    frames, and its time goes on from what is kept already. The first picture is a keyframe.
//! 3. A unit without a declared length (pictures have none) has ended when the next one of its
//!    stream begins; when its last packet is stuffed, which is needed only where a unit ends
//!    (ISO/IEC 13818-1, 2.4.3.5); or when a unit of another stream has begun behind it.
//! 4. Tables count when their checksum is right and a unit follows them.
//!
//! Noise that happens to continue a unit in its last packet can't be told from media.

mod kept;
mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;

use mpeg2ts_reader::packet::Packet;
use mpeg2ts_reader::psi::pat::{PatSection, ProgramDescriptor};
use mpeg2ts_reader::psi::pmt::PmtSection;

use super::analysis::{PACKET, adaptation_fits, codec};
use super::continuity::{Continuity, Step};
use super::finding::Pid;
use super::reader::{self, Packets};
use super::sections::{Assembler, Section};
use super::stream::StreamCodec;
use crate::timebase::Pts;
use kept::Kept;
use line::{Behind, Line, Piece, Whole};

const PAT_PID: Pid = Pid(0);
const NULL_PID: Pid = Pid(0x1fff);
/// Below this stand tables, that of the programs and DVB's.
const FIRST_MEDIA_PID: Pid = Pid(0x20);

/// Packets that one section takes at most: it has up to 4 kB.
const MOST_SECTION_PACKETS: usize = 32;

/// What can be kept of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// The length of the stream as it was read.
    pub bytes: u64,
    /// Byte ranges of whole packets, in order, that touch nowhere. Empty when there is no whole
    /// unit. None when there are so many holes that it is no recording any more.
    pub parts: Option<Vec<Range<u64>>>,
    /// Packets are missing inside of a part, between two units.
    pub jumps: bool,
    /// There is something beside tables and zeros.
    pub media: bool,
    /// PIDs of pictures that are declared and of which none is kept; a sound file declares no
    /// such stream.
    pub absent: Vec<u16>,
    /// How the streams are encoded of which a unit is kept, by PID.
    pub codecs: Vec<StreamCodec>,
}

/// Reads a stream to its end, once and in constant memory.
///
/// # Errors
/// When it can't be read.
pub fn salvage(source: &mut impl Read) -> io::Result<Salvage> {
    let mut survey = Survey::default();
    let (bytes, _) = reader::read(source, false, &mut survey)?;
    Ok(survey.finish(bytes))
}

/// A table's packets since the last section was whole.
#[derive(Debug, Default)]
struct Tables {
    assembler: Assembler,
    packets: Vec<u64>,
}

impl Tables {
    fn reset(&mut self) {
        self.assembler.reset();
        self.packets.clear();
    }
}

#[derive(Debug, Default)]
struct Survey {
    /// The last packet, which is taken when it is known what follows it.
    held: Option<(u64, [u8; PACKET])>,
    continuity: BTreeMap<Pid, Continuity>,
    tables: BTreeMap<Pid, Tables>,
    lines: BTreeMap<Pid, Line>,
    newest: Option<Pts>,
    kept: Kept,
    /// Where a counter first did not follow.
    jump: Option<u64>,
    media: bool,
}

impl Packets for Survey {
    fn packet(&mut self, offset: u64, bytes: &[u8; PACKET]) {
        self.take_held();
        self.held = Some((offset, *bytes));
    }

    fn sync_lost(&mut self, _offset: u64, _skipped_bytes: u64) {
        self.take_held_at_an_end();
        self.continuity.clear();
        self.tables.values_mut().for_each(Tables::reset);
        self.end_all();
    }

    fn truncated(&mut self, _offset: u64, _bytes: usize) {
        // The sync byte is there: the packet before is whole.
        self.take_held();
    }

    fn skipped(&mut self, bytes: &[u8]) {
        self.media |= bytes.iter().any(|&byte| byte != 0);
    }
}

impl Survey {
    fn take_held(&mut self) {
        if let Some((offset, bytes)) = self.held.take() {
            self.take(offset, &bytes);
        }
    }

    /// Where the packets end. No unit ends in a zero (of H.264 and AAC by their syntax), so a
    /// packet that does was cut, and zeros follow the cut.
    fn take_held_at_an_end(&mut self) {
        match self.held {
            Some((_, bytes)) if bytes.last() == Some(&0) => self.held = None,
            _ => self.take_held(),
        }
    }

    fn take(&mut self, offset: u64, bytes: &[u8; PACKET]) {
        let Some(packet) = Packet::try_new(bytes) else {
            return;
        };
        let pid = Pid(packet.pid().into());
        if pid == NULL_PID {
            return self.kept.accompany(range(offset));
        }
        let is_table = pid < FIRST_MEDIA_PID || self.tables.contains_key(&pid);
        self.media |= !is_table;
        if packet.transport_error_indicator()
            || packet.transport_scrambling_control().is_scrambled()
            || !adaptation_fits(bytes)
            || !(is_table || self.lines.contains_key(&pid))
        {
            return;
        }
        let field = packet.adaptation_field();
        let declared_break = field.is_some_and(|field| field.discontinuity_indicator());
        let counter = packet.continuity_counter().count();
        let continuity = self.continuity.entry(pid).or_default();
        let step = continuity.step(counter, packet.payload(), declared_break);
        if let Step::Jump { .. } = step {
            self.jump.get_or_insert(offset);
        }
        if declared_break {
            self.lose(pid, Behind::Nothing);
        } else if matches!(step, Step::Jump { .. }) {
            self.lose(pid, Behind::Jump);
        }
        let starts = packet.payload_unit_start_indicator();
        match packet.payload() {
            None => self.kept.accompany(range(offset)),
            Some(payload) if is_table => self.table(pid, offset, starts, payload),
            Some(payload) => {
                let piece = Piece {
                    offset,
                    payload,
                    stuffed: is_stuffed(bytes),
                };
                self.media_packet(pid, piece, starts, step == Step::Repeat);
            }
        }
    }

    fn media_packet(&mut self, pid: Pid, piece: Piece<'_>, starts: bool, repeats: bool) {
        if starts && !repeats {
            self.end_unit(pid, Behind::Next);
            for (&other, line) in &mut self.lines {
                if other != pid {
                    line.follow();
                }
            }
        }
        let Some(line) = self.lines.get_mut(&pid) else {
            return;
        };
        if repeats {
            return line.repeated(piece.offset);
        }
        if starts {
            line.begin();
        }
        line.push(piece);
    }

    /// Packets of `pid` are missing.
    fn lose(&mut self, pid: Pid, behind: Behind) {
        if let Some(tables) = self.tables.get_mut(&pid) {
            tables.reset();
        }
        self.end_unit(pid, behind);
    }

    fn end_unit(&mut self, pid: Pid, behind: Behind) {
        let newest = self.newest;
        let line = self.lines.get_mut(&pid);
        if let Some(whole) = line.and_then(|line| line.end(behind, newest)) {
            self.keep(whole);
        }
    }

    fn end_all(&mut self) {
        let pids: Vec<_> = self.lines.keys().copied().collect();
        for pid in pids {
            self.end_unit(pid, Behind::Nothing);
        }
    }

    fn keep(&mut self, Whole { runs, decoded }: Whole) {
        let later = |newest| decoded.ticks_since(newest) >= 0;
        if self.newest.is_none_or(later) {
            self.newest = Some(decoded);
        }
        self.kept.keep(runs);
    }

    fn table(&mut self, pid: Pid, offset: u64, starts: bool, payload: &[u8]) {
        let tables = self.tables.entry(pid).or_default();
        tables.packets.push(offset);
        let found = tables.assembler.push(starts, payload);
        if found.is_empty() {
            if tables.packets.len() == MOST_SECTION_PACKETS {
                tables.reset();
            }
            return;
        }
        let packets = std::mem::take(&mut tables.packets);
        let Ok(sections) = found.into_iter().collect::<Result<Vec<_>, _>>() else {
            return;
        };
        for packet in packets {
            self.kept.accompany(range(packet));
        }
        for section in sections.iter().filter(|section| section.is_current()) {
            self.follow_table(pid, section);
        }
    }

    /// Learns the streams.
    fn follow_table(&mut self, pid: Pid, section: &Section) {
        match (pid, section.table_id()) {
            (PAT_PID, Some(0)) if section.body().len().is_multiple_of(4) => {
                for program in PatSection::new(section.body()).programs() {
                    if let ProgramDescriptor::Program { pid, .. } = program {
                        self.tables.entry(Pid(pid.into())).or_default();
                    }
                }
            }
            (_, Some(2)) if pid >= FIRST_MEDIA_PID => {
                let map = PmtSection::from_bytes(section.body());
                for info in map.iter().flat_map(PmtSection::streams) {
                    let pid = Pid(info.elementary_pid().into());
                    self.lines
                        .entry(pid)
                        .or_insert_with(|| Line::new(codec(&info)));
                }
            }
            _ => {}
        }
    }

    fn finish(mut self, bytes: u64) -> Salvage {
        self.take_held_at_an_end();
        self.end_all();
        let parts = self.kept.finish();
        let end = parts.iter().flatten().map(|part| part.end).max();
        let inside = |jump| end.is_some_and(|end| jump < end);
        let recorded = self.lines.values().filter(|line| line.has_units());
        let codecs = recorded.map(Line::codec).collect();
        let lacks = |line: &Line| line.codec().coding().is_some() && !line.has_units();
        let absent = self.lines.iter().filter(|(_, line)| lacks(line));
        let absent = absent.map(|(pid, _)| pid.0).collect();
        Salvage {
            bytes,
            absent,
            codecs,
            parts,
            jumps: self.jump.is_some_and(inside),
            media: self.media,
        }
    }
}

fn range(offset: u64) -> Range<u64> {
    offset..offset + PACKET as u64
}

/// Whether there are stuffing bytes behind what the adaptation field says that it holds
/// (ISO/IEC 13818-1, 2.4.3.4); its length is right.
fn is_stuffed(packet: &[u8; PACKET]) -> bool {
    let [_, _, _, control, length, flags, rest @ ..] = packet;
    if control & 0x20 == 0 {
        return false;
    }
    if *length == 0 {
        return true;
    }
    let bit = |bit: u8| usize::from(flags >> bit & 1);
    // Clock reference, original clock reference, splice countdown.
    let mut used = 6 * bit(4) + 6 * bit(3) + bit(2);
    for extra in [1, 0] {
        // Private data and the extension begin with their length.
        if bit(extra) == 1 {
            used += 1 + rest.get(used).copied().map_or(0, usize::from);
        }
    }
    usize::from(*length) > 1 + used || *flags == 0
}
