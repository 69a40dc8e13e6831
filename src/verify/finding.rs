//! What a check can find, each with its place, kept in bounded lists.

use std::fmt;
use std::mem::discriminant;

use serde::Serialize;

use crate::timebase::duration_of_ticks;

/// How many findings of one kind are kept; the rest are only counted, so that a file of noise
/// cannot fill the memory.
pub const KEPT_OF_EACH_KIND: usize = 20;

/// The number that says which stream a transport packet belongs to (13 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pid(pub u16);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// The two tables of ISO/IEC 13818-1, 2.4.4 that lead to the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Program association table: where the program maps are.
    Pat,
    /// Program map table: which streams there are.
    Pmt,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pat => "PAT",
            Self::Pmt => "PMT",
        })
    }
}

/// What makes a file unsound. In JSON the variant is the field `kind`, in `snake_case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Problem {
    /// The file is empty.
    NoPackets,
    /// A packet does not begin with 0x47.
    SyncLost {
        /// Bytes until packets begin again, or until the end.
        skipped_bytes: u64,
    },
    /// The file ends inside a packet.
    Truncated {
        /// Bytes of the last packet that are there.
        bytes: usize,
    },
    /// The multiplexer or the line marked the packet as damaged.
    TransportError,
    /// The packet is encrypted: nothing in it can be checked.
    Scrambled,
    /// The adaptation field does not fit into its packet.
    BadAdaptationField,
    /// Packets are missing, or one came twice with different content.
    Continuity {
        /// The counter that should have come.
        expected: u8,
        /// The counter that came.
        found: u8,
    },
    /// The checksum of a table is wrong.
    TableCrc {
        /// Which table.
        table: Table,
    },
    /// A table is cut off or makes no sense.
    BadTable {
        /// Which table.
        table: Table,
    },
    /// No program association table.
    NoPat,
    /// No program map table.
    NoPmt,
    /// Media comes before the tables that say what it is.
    MediaBeforeTables,
    /// The header of a PES packet makes no sense.
    BadPesHeader,
    /// A PES packet is longer or shorter than its header says.
    PesLength {
        /// Bytes of payload that the header promises.
        declared: usize,
        /// Bytes of payload that came.
        found: usize,
    },
    /// A picture, or the first sound, has no PTS.
    NoTimestamp,
    /// The decoding time is earlier than that of the unit before.
    DtsBack {
        /// How much earlier, in ticks of 90 kHz.
        by_ticks: i64,
    },
    /// A unit would be shown before it is decoded.
    PtsBeforeDts {
        /// How much before, in ticks of 90 kHz.
        by_ticks: i64,
    },
    /// The first picture cannot be decoded by itself.
    NoKeyframeAtStart,
    /// A keyframe without SPS and PPS, in H.265 also VPS, in front of it in the same access unit.
    NoParameterSets,
    /// An access unit of H.264 or H.265 does not begin with an access unit delimiter, which a
    /// transport stream demands (ISO/IEC 13818-1, 2.14.1 and 2.17.1).
    NoDelimiter,
    /// An access unit of H.264 or H.265 without any slice.
    NoPicture,
    /// What should be an audio frame is none.
    BadAudioFrame,
    /// A video stream that is declared has no frames.
    NoFrames,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPackets => f.write_str("no packets: the file is empty"),
            Self::SyncLost { skipped_bytes } => {
                write!(f, "no packet begins here, {skipped_bytes} bytes skipped")
            }
            Self::Truncated { bytes } => {
                write!(
                    f,
                    "the file ends inside a packet, after {bytes} bytes of 188"
                )
            }
            Self::TransportError => f.write_str("packet is marked as damaged"),
            Self::Scrambled => f.write_str("packet is encrypted"),
            Self::BadAdaptationField => f.write_str("adaptation field is malformed"),
            Self::Continuity { expected, found } => {
                write!(f, "continuity counter is {found}, not {expected}")
            }
            Self::TableCrc { table } => write!(f, "{table} has a wrong checksum"),
            Self::BadTable { table } => write!(f, "{table} is malformed"),
            Self::NoPat => f.write_str("no program association table (PAT)"),
            Self::NoPmt => f.write_str("no program map table (PMT)"),
            Self::MediaBeforeTables => f.write_str("media before PAT and PMT"),
            Self::BadPesHeader => f.write_str("PES header is malformed"),
            Self::PesLength { declared, found } => {
                write!(f, "PES packet has {found} bytes, not {declared}")
            }
            Self::NoTimestamp => f.write_str("PES packet without PTS"),
            Self::DtsBack { by_ticks } => write!(f, "DTS goes back by {}", Ms(*by_ticks)),
            Self::PtsBeforeDts { by_ticks } => {
                write!(f, "PTS is {} before DTS", Ms(*by_ticks))
            }
            Self::NoKeyframeAtStart => f.write_str("does not start with a keyframe"),
            Self::NoParameterSets => f.write_str("keyframe without its parameter sets"),
            Self::NoDelimiter => f.write_str("access unit without delimiter (AUD) in front"),
            Self::NoPicture => f.write_str("access unit without a picture"),
            Self::BadAudioFrame => f.write_str("no audio frame begins here"),
            Self::NoFrames => f.write_str("the video stream has no frames"),
        }
    }
}

/// What is worth knowing but leaves a file sound. In JSON the variant is the field `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// A stream other than video is declared and has no frames.
    NoFrames,
    /// A stream that no table declares.
    Undeclared,
    /// The last unit is incomplete: the file was cut.
    LastUnitCut,
    /// The random access indicator and the content do not agree.
    RandomAccess {
        /// Whether the unit is a keyframe.
        keyframe: bool,
    },
    /// No frame for more than two seconds.
    Gap {
        /// From one frame's start to the next one's, in ticks of 90 kHz.
        ticks: i64,
        /// When it begins, counted from the first time stamp of the file.
        at_ticks: i64,
    },
    /// No clock reference.
    NoPcr,
    /// The clock reference goes back.
    PcrBack {
        /// How far, in ticks of 90 kHz.
        by_ticks: i64,
    },
    /// Two clock references are more than 100 ms apart (ISO/IEC 13818-1, 2.7.2).
    PcrGap {
        /// How far apart, in ticks of 90 kHz.
        ticks: i64,
    },
    /// Audio and video start more than a second apart.
    StartsApart {
        /// Positive when audio starts later.
        ticks: i64,
    },
    /// Audio and video end more than a second apart.
    EndsApart {
        /// Positive when audio ends later.
        ticks: i64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrames => f.write_str("the stream has no frames"),
            Self::Undeclared => f.write_str("no table declares this stream"),
            Self::LastUnitCut => f.write_str("the last unit is cut off"),
            Self::RandomAccess { keyframe: true } => {
                f.write_str("keyframe without random access indicator")
            }
            Self::RandomAccess { keyframe: false } => {
                f.write_str("random access indicator without a keyframe")
            }
            Self::Gap { ticks, at_ticks } => {
                write!(
                    f,
                    "no frame for {}, {} after the start",
                    Ms(*ticks),
                    Ms(*at_ticks)
                )
            }
            Self::NoPcr => f.write_str("no clock reference (PCR)"),
            Self::PcrBack { by_ticks } => write!(f, "PCR goes back by {}", Ms(*by_ticks)),
            Self::PcrGap { ticks } => write!(f, "no PCR for {}", Ms(*ticks)),
            Self::StartsApart { ticks } => {
                write!(
                    f,
                    "audio and video start {} apart",
                    Ms(ticks.saturating_abs())
                )
            }
            Self::EndsApart { ticks } => {
                write!(
                    f,
                    "audio and video end {} apart",
                    Ms(ticks.saturating_abs())
                )
            }
        }
    }
}

/// Ticks of 90 kHz shown as milliseconds, rounded up so that nothing shows as nothing.
struct Ms(i64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ms",
            duration_of_ticks(self.0.saturating_add(89)).as_millis()
        )
    }
}

/// A finding and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Located<K> {
    /// Byte offset in the file of the packet concerned; none for what is missing altogether.
    pub offset: Option<u64>,
    /// The stream concerned, if it is one.
    pub pid: Option<Pid>,
    /// What it is.
    #[serde(flatten)]
    pub what: K,
}

impl<K: fmt::Display> fmt::Display for Located<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.offset, self.pid) {
            (Some(offset), Some(pid)) => write!(f, "byte {offset}, PID {pid}: {}", self.what),
            (Some(offset), None) => write!(f, "byte {offset}: {}", self.what),
            (None, Some(pid)) => write!(f, "PID {pid}: {}", self.what),
            (None, None) => self.what.fmt(f),
        }
    }
}

/// All findings of one kind: how many, and the first [`KEPT_OF_EACH_KIND`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group<K> {
    /// How many there were.
    pub count: u64,
    /// The first of them, in the order of the file.
    pub first: Vec<Located<K>>,
}

/// Findings grouped by kind, in the order in which the kinds came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings<K>(Vec<Group<K>>);

impl<K> Default for Findings<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Findings<K> {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kinds that were found.
    pub fn groups(&self) -> impl Iterator<Item = &Group<K>> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, offset: Option<u64>, pid: Option<Pid>, what: K) {
        let found = Located { offset, pid, what };
        let same = |group: &&mut Group<K>| {
            group
                .first
                .first()
                .is_some_and(|known| discriminant(&known.what) == discriminant(&found.what))
        };
        match self.0.iter_mut().find(same) {
            Some(group) => {
                group.count += 1;
                if group.first.len() < KEPT_OF_EACH_KIND {
                    group.first.push(found);
                }
            }
            None => self.0.push(Group {
                count: 1,
                first: vec![found],
            }),
        }
    }
}

/// Where the checks of one file write what they find.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) problems: Findings<Problem>,
    pub(super) warnings: Findings<Warning>,
}

impl Notes {
    pub(super) fn problem(&mut self, offset: u64, pid: Pid, what: Problem) {
        self.problems.add(Some(offset), Some(pid), what);
    }

    pub(super) fn warning(&mut self, offset: u64, pid: Pid, what: Warning) {
        self.warnings.add(Some(offset), Some(pid), what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_keeps_its_first_findings_and_counts_the_rest() {
        let mut findings = Findings::default();
        for offset in 0..100 {
            let found = Problem::Continuity {
                expected: 1,
                found: 2,
            };
            findings.add(Some(offset), Some(Pid(0x41)), found);
        }
        findings.add(None, None, Problem::NoPat);
        let groups: Vec<_> = findings.groups().collect();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].count, 100);
        assert_eq!(groups[0].first.len(), KEPT_OF_EACH_KIND);
        assert_eq!(
            groups[0].first[19].to_string(),
            "byte 19, PID 0x0041: continuity counter is 2, not 1"
        );
        assert_eq!(
            groups[1].first[0].to_string(),
            "no program association table (PAT)"
        );
    }

    #[test]
    fn a_finding_is_flat_in_json() {
        let found = Located {
            offset: Some(188),
            pid: Some(Pid(256)),
            what: Problem::DtsBack { by_ticks: 90 },
        };
        assert_eq!(
            serde_json::to_value(found).unwrap(),
            serde_json::json!({"offset": 188, "pid": 256, "kind": "dts_back", "by_ticks": 90})
        );
    }
}
