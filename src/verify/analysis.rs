//! Follows the packets of one file: tables lead to streams, streams to their checks.

use std::collections::BTreeMap;

use mpeg2ts_reader::StreamType;
use mpeg2ts_reader::descriptor::{Descriptor, DescriptorError};
use mpeg2ts_reader::packet::Packet;
use mpeg2ts_reader::psi::pat::{PatSection, ProgramDescriptor};
use mpeg2ts_reader::psi::pmt::{PmtSection, StreamInfo};
use serde::Serialize;

use super::continuity::{Continuity, Step};
use super::finding::{Findings, Pid, Problem, Table, Warning};
use super::pcr::References;
use super::reader::Packets;
use super::sections::{Assembler, Fault, Section};
use super::stream::{Piece, Shared, Stream, StreamCodec, StreamReport};
use crate::timebase::{Pts, TICKS_PER_SECOND, duration_of_ticks};

/// Bytes of a transport packet.
pub(super) const PACKET: usize = 188;

const PAT_PID: Pid = Pid(0);
const NULL_PID: Pid = Pid(0x1fff);
/// Below this stand tables and DVB service information, which are nobody's media.
const FIRST_MEDIA_PID: Pid = Pid(0x20);
/// Audio and video further apart than this are worth a warning: one second, in ticks.
const FAR_APART: i64 = TICKS_PER_SECOND.cast_signed();

/// How audio lies against video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AudioVideo {
    /// Milliseconds by which the first sound is later than the first picture.
    pub starts_ms: i64,
    /// Milliseconds by which the end of the last sound is later than that of the last picture.
    pub ends_ms: i64,
}

/// What was found in the packets of a file.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) packets: u64,
    pub(super) streams: Vec<StreamReport>,
    pub(super) audio_video: Option<AudioVideo>,
    pub(super) problems: Findings<Problem>,
    pub(super) warnings: Findings<Warning>,
}

impl Analysis {
    /// From the first frame of any stream to the end of the last, in milliseconds.
    pub(super) fn duration_ms(&self) -> u64 {
        let spans = || self.streams.iter().filter_map(|stream| stream.span);
        let start = spans().map(|span| span.start).min().unwrap_or(0);
        let end = spans().map(|span| span.end).max().unwrap_or(0);
        u64::try_from(duration_of_ticks(end - start).as_millis()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug, Default)]
pub(super) struct Analyzer {
    packets: u64,
    shared: Shared,
    continuity: BTreeMap<Pid, Continuity>,
    pat: Assembler,
    pat_seen: bool,
    maps: BTreeMap<Pid, Assembler>,
    map_seen: bool,
    references: BTreeMap<Pid, References>,
    streams: BTreeMap<Pid, Stream>,
    /// PIDs that carried something before a table named them, or without one; first offsets.
    strangers: BTreeMap<Pid, u64>,
}

impl Packets for Analyzer {
    fn sync_lost(&mut self, offset: u64, skipped_bytes: u64) {
        let problem = Problem::SyncLost { skipped_bytes };
        self.shared.notes.problems.add(Some(offset), None, problem);
    }

    fn truncated(&mut self, offset: u64, bytes: usize) {
        self.shared
            .notes
            .problems
            .add(Some(offset), None, Problem::Truncated { bytes });
    }

    fn packet(&mut self, offset: u64, bytes: &[u8; PACKET]) {
        let Some(packet) = Packet::try_new(bytes) else {
            return;
        };
        self.packets += 1;
        let pid = Pid(packet.pid().into());
        if pid == NULL_PID {
            return;
        }
        let damage = if packet.transport_error_indicator() {
            Some(Problem::TransportError)
        } else if !adaptation_fits(bytes) {
            Some(Problem::BadAdaptationField)
        } else {
            None
        };
        if let Some(damage) = damage {
            // Nothing in it can be relied on, its counter neither.
            self.shared.notes.problem(offset, pid, damage);
            self.continuity.remove(&pid);
            return self.packets_lost(pid);
        }
        let field = Field::of(&packet);
        if self.is_repeated(offset, pid, &packet, field.declared_break) {
            return;
        }
        if let (Some(references), Some(pcr)) = (self.references.get_mut(&pid), field.pcr) {
            let notes = &mut self.shared.notes;
            references.push(offset, pid, pcr, field.declared_break, notes);
        }
        let Some(payload) = packet.payload() else {
            return;
        };
        if packet.transport_scrambling_control().is_scrambled() {
            return self.shared.notes.problem(offset, pid, Problem::Scrambled);
        }
        let starts = packet.payload_unit_start_indicator();
        let random_access = field.random_access;
        self.payload(
            pid,
            Piece {
                offset,
                starts,
                random_access,
                payload,
            },
        );
    }
}

impl Analyzer {
    /// Follows the counter; whether the packet is to be skipped because it comes once more.
    fn is_repeated(
        &mut self,
        offset: u64,
        pid: Pid,
        packet: &Packet<'_>,
        declared_break: bool,
    ) -> bool {
        let counter = packet.continuity_counter().count();
        let continuity = self.continuity.entry(pid).or_default();
        match continuity.step(counter, packet.payload(), declared_break) {
            Step::Next => false,
            Step::Repeat => true,
            Step::Jump { expected, found } => {
                let jump = Problem::Continuity { expected, found };
                self.shared.notes.problem(offset, pid, jump);
                self.packets_lost(pid);
                false
            }
        }
    }

    fn payload(&mut self, pid: Pid, piece: Piece<'_>) {
        if pid == PAT_PID {
            for section in self.pat.push(piece.starts, piece.payload) {
                self.pat_section(piece.offset, section);
            }
        } else if let Some(map) = self.maps.get_mut(&pid) {
            for section in map.push(piece.starts, piece.payload) {
                self.map_section(piece.offset, pid, section);
            }
        } else if let Some(stream) = self.streams.get_mut(&pid) {
            stream.packet(piece, &mut self.shared);
        } else if pid >= FIRST_MEDIA_PID {
            self.strangers.entry(pid).or_insert(piece.offset);
        }
    }

    fn packets_lost(&mut self, pid: Pid) {
        if pid == PAT_PID {
            self.pat.reset();
        } else if let Some(map) = self.maps.get_mut(&pid) {
            map.reset();
        } else if let Some(stream) = self.streams.get_mut(&pid) {
            stream.packets_lost(&mut self.shared);
        }
    }

    fn pat_section(&mut self, offset: u64, section: Result<Section, Fault>) {
        let table = Table::Pat;
        let section = match section {
            Ok(section) if section.table_id() == Some(0) && section.body().len() % 4 == 0 => {
                section
            }
            Err(Fault::Crc) => {
                return self
                    .shared
                    .notes
                    .problem(offset, PAT_PID, Problem::TableCrc { table });
            }
            Ok(_) | Err(Fault::Malformed) => {
                return self
                    .shared
                    .notes
                    .problem(offset, PAT_PID, Problem::BadTable { table });
            }
        };
        if !section.is_current() {
            return;
        }
        self.pat_seen = true;
        for program in PatSection::new(section.body()).programs() {
            if let ProgramDescriptor::Program { pid, .. } = program {
                self.maps.entry(Pid(pid.into())).or_default();
            }
        }
    }

    fn map_section(&mut self, offset: u64, pid: Pid, section: Result<Section, Fault>) {
        let table = Table::Pmt;
        let section = match section {
            Ok(section) if section.table_id() == Some(2) => section,
            // Another table may share the PID.
            Ok(_) => return,
            Err(Fault::Crc) => {
                return self
                    .shared
                    .notes
                    .problem(offset, pid, Problem::TableCrc { table });
            }
            Err(Fault::Malformed) => {
                return self
                    .shared
                    .notes
                    .problem(offset, pid, Problem::BadTable { table });
            }
        };
        if !section.is_current() {
            return;
        }
        let Ok(map) = PmtSection::from_bytes(section.body()) else {
            return self
                .shared
                .notes
                .problem(offset, pid, Problem::BadTable { table });
        };
        self.map_seen = true;
        let pcr_pid = Pid(map.pcr_pid().into());
        if pcr_pid != NULL_PID {
            self.references.entry(pcr_pid).or_default();
        }
        for info in map.streams() {
            let pid = Pid(info.elementary_pid().into());
            self.streams
                .entry(pid)
                .or_insert_with(|| Stream::new(pid, codec(&info)));
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(mut self) -> Analysis {
        self.check_tables();
        let streams: Vec<_> = std::mem::take(&mut self.streams)
            .into_values()
            .map(|stream| stream.finish(&mut self.shared))
            .collect();
        for (&pid, references) in &self.references {
            if !references.any() {
                self.shared
                    .notes
                    .warnings
                    .add(None, Some(pid), Warning::NoPcr);
            }
        }
        let audio_video = self.check_ends(&streams);
        Analysis {
            packets: self.packets,
            streams,
            audio_video,
            problems: self.shared.notes.problems,
            warnings: self.shared.notes.warnings,
        }
    }

    fn check_tables(&mut self) {
        let notes = &mut self.shared.notes;
        if self.packets == 0 {
            // Where there is noise, that was said already.
            if notes.problems.is_empty() {
                notes.problems.add(None, None, Problem::NoPackets);
            }
        } else if !self.pat_seen {
            notes.problems.add(None, None, Problem::NoPat);
        } else if !self.map_seen {
            notes.problems.add(None, None, Problem::NoPmt);
        }
        for (&pid, &offset) in &self.strangers {
            if self.streams.contains_key(&pid) {
                notes.problem(offset, pid, Problem::MediaBeforeTables);
            } else if self.map_seen && !self.maps.contains_key(&pid) {
                notes.warning(offset, pid, Warning::Undeclared);
            }
        }
    }

    fn check_ends(&mut self, streams: &[StreamReport]) -> Option<AudioVideo> {
        let span = |wanted: fn(StreamCodec) -> bool| {
            streams
                .iter()
                .filter(|stream| wanted(stream.codec))
                .find_map(|stream| stream.span)
        };
        let video = span(|codec| codec.coding().is_some())?;
        let audio = span(|codec| matches!(codec, StreamCodec::Aac | StreamCodec::Opus))?;
        let (starts, ends) = (audio.start - video.start, audio.end - video.end);
        let warnings = &mut self.shared.notes.warnings;
        if starts.abs() > FAR_APART {
            warnings.add(None, None, Warning::StartsApart { ticks: starts });
        }
        if ends.abs() > FAR_APART {
            warnings.add(None, None, Warning::EndsApart { ticks: ends });
        }
        Some(AudioVideo {
            starts_ms: starts / 90,
            ends_ms: ends / 90,
        })
    }
}

/// What a packet's adaptation field says; all of it absent where there is none.
#[derive(Debug, Default)]
struct Field {
    declared_break: bool,
    random_access: bool,
    pcr: Option<Pts>,
}

impl Field {
    fn of(packet: &Packet<'_>) -> Self {
        packet
            .adaptation_field()
            .map_or_else(Self::default, |field| Self {
                declared_break: field.discontinuity_indicator(),
                random_access: field.random_access_indicator(),
                pcr: field.pcr().ok().map(|pcr| Pts::from_ticks(pcr.base())),
            })
    }
}

/// Whether the adaptation field leaves room for what the packet says it has
/// (ISO/IEC 13818-1, 2.4.3.5).
pub(super) fn adaptation_fits(packet: &[u8; PACKET]) -> bool {
    let [_, _, _, flags, length, ..] = *packet;
    match flags >> 4 & 3 {
        0 => false,
        1 => true,
        2 => length == 183,
        _ => length <= 182,
    }
}

pub(super) fn codec(info: &StreamInfo<'_>) -> StreamCodec {
    match info.stream_type() {
        StreamType::H264 => StreamCodec::H264,
        StreamType::H265 => StreamCodec::H265,
        StreamType::ADTS => StreamCodec::Aac,
        StreamType::H222_0_PES_PRIVATE_DATA if is_opus(info) => StreamCodec::Opus,
        other => StreamCodec::Other {
            stream_type: other.into(),
        },
    }
}

fn is_opus(info: &StreamInfo<'_>) -> bool {
    info.descriptors::<Registration>()
        .any(|found| matches!(found, Ok(Registration(true))))
}

/// A descriptor, and whether it registers the format `Opus` (tag 5).
struct Registration(bool);

impl<'a> Descriptor<'a> for Registration {
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DescriptorError> {
        Ok(Self(matches!(bytes, [5, _, b'O', b'p', b'u', b's', ..])))
    }
}
