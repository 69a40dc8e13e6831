//! One elementary stream: its access units, their order and what they consist of.

use std::fmt;

use serde::{Serialize, Serializer};

use super::clock::{Clock, Span};
use super::finding::{Notes, Pid, Problem, Warning};
use super::framer::{Framer, Sound, Syntax};
use super::pes::{Event, Reader};
use super::scanner::{Scanner, Unit};
use crate::bitstream::{Coding, Picture};
use crate::timebase::{Pts, TICKS_PER_SECOND, duration_of_ticks};

/// No frame for longer than this is worth a warning: two seconds, in ticks.
const LONG_GAP: i64 = 2 * TICKS_PER_SECOND.cast_signed();

/// How a stream is encoded, by its program map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamCodec {
    /// H.264, stream type 0x1b.
    H264,
    /// H.265, stream type 0x24.
    H265,
    /// AAC in ADTS, stream type 0x0f.
    Aac,
    /// Opus, stream type 6 with the registration `Opus`.
    Opus,
    /// Anything else: frames are PES packets, their content is not looked at.
    Other {
        /// Its stream type.
        stream_type: u8,
    },
}

impl StreamCodec {
    /// How its pictures are coded; none for anything but video.
    pub(super) const fn coding(self) -> Option<Coding> {
        match self {
            Self::H264 => Some(Coding::H264),
            Self::H265 => Some(Coding::H265),
            Self::Aac | Self::Opus | Self::Other { .. } => None,
        }
    }
}

impl fmt::Display for StreamCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264 => f.write_str("h264"),
            Self::H265 => f.write_str("h265"),
            Self::Aac => f.write_str("aac"),
            Self::Opus => f.write_str("opus"),
            Self::Other { stream_type } => write!(f, "type {stream_type:#04x}"),
        }
    }
}

impl Serialize for StreamCodec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was found in one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    /// The stream's number.
    pub pid: Pid,
    /// `h264`, `h265`, `aac`, `opus`, or `type 0x..` with the stream type of anything else.
    pub codec: StreamCodec,
    /// Format of the pictures, from the last parameter set.
    pub picture: Option<Picture>,
    /// Format of the sound, from the first frame.
    pub sound: Option<Sound>,
    /// Pictures, frames of sound, or PES packets of anything else.
    pub frames: u64,
    /// Pictures at which decoding can start; none for what is no picture.
    pub keyframes: Option<u64>,
    /// Payload, packet headers left out.
    pub bytes: u64,
    /// From the start of the first frame to the end of the last, in milliseconds.
    pub duration_ms: u64,
    /// Payload by duration, in bits a second.
    pub bits_per_second: u64,
    /// The longest time from one frame's start to the next one's, in milliseconds.
    pub longest_gap_ms: u64,
    /// The first PTS, in ticks of 90 kHz, as it stands in the file.
    pub first_pts: Option<Pts>,
    /// The last PTS, in ticks of 90 kHz, as it stands in the file.
    pub last_pts: Option<Pts>,
    /// Where the frames lie on the file's clock.
    #[serde(skip)]
    pub(super) span: Option<Span>,
}

/// What the checks of all streams of a file share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) notes: Notes,
    /// The first stamp of the file, from which all times count.
    pub(super) base: Option<Pts>,
}

/// A transport packet of the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) offset: u64,
    /// `payload_unit_start_indicator`
    pub(super) starts: bool,
    pub(super) random_access: bool,
    pub(super) payload: &'a [u8],
}

#[derive(Debug)]
enum Content {
    Pictures {
        scanner: Scanner,
        format: Option<Picture>,
        keyframes: u64,
        units: u64,
    },
    Sound {
        framer: Framer,
        format: Option<Sound>,
    },
    Other,
}

#[derive(Debug)]
pub(super) struct Stream {
    reader: Reader,
    units: Units,
}

/// The access units; apart from the reader, which hands them over piece by piece.
#[derive(Debug)]
struct Units {
    pid: Pid,
    codec: StreamCodec,
    content: Content,
    clock: Clock,
    frames: u64,
    bytes: u64,
    /// Where the unit in progress begins, and whether it says that decoding can start there.
    offset: u64,
    random_access: bool,
    /// Whether the file ends here: what is incomplete was cut, and is not wrong.
    at_end: bool,
}

impl Stream {
    pub(super) fn new(pid: Pid, codec: StreamCodec) -> Self {
        let pictures = |coding| Content::Pictures {
            scanner: Scanner::new(coding),
            format: None,
            keyframes: 0,
            units: 0,
        };
        let sound = |syntax| Content::Sound {
            framer: Framer::new(syntax),
            format: None,
        };
        let content = match codec {
            StreamCodec::H264 => pictures(Coding::H264),
            StreamCodec::H265 => pictures(Coding::H265),
            StreamCodec::Aac => sound(Syntax::Adts),
            StreamCodec::Opus => sound(Syntax::Opus),
            StreamCodec::Other { .. } => Content::Other,
        };
        let units = Units {
            pid,
            codec,
            content,
            clock: Clock::default(),
            frames: 0,
            bytes: 0,
            offset: 0,
            random_access: false,
            at_end: false,
        };
        Self {
            reader: Reader::default(),
            units,
        }
    }

    pub(super) fn packet(&mut self, piece: Piece<'_>, shared: &mut Shared) {
        if piece.starts {
            self.reader.end(|event| self.units.event(&event, shared));
            self.units.offset = piece.offset;
            self.units.random_access = piece.random_access;
            self.reader.start();
        }
        self.reader
            .push(piece.payload, |event| self.units.event(&event, shared));
    }

    /// Packets are missing: nothing is said about the unit they belong to.
    pub(super) fn packets_lost(&mut self, shared: &mut Shared) {
        self.reader.packets_lost();
        match &mut self.units.content {
            Content::Pictures { scanner, units, .. } => {
                let (unit, _) = scanner.end_of_unit();
                *units += u64::from(unit != Unit::default());
                if unit.picture {
                    self.units.frame(None, shared);
                }
            }
            Content::Sound { framer, .. } => framer.packets_lost(),
            Content::Other => {}
        }
    }

    pub(super) fn finish(mut self, shared: &mut Shared) -> StreamReport {
        self.units.at_end = true;
        self.reader.end(|event| self.units.event(&event, shared));
        self.units.report(shared)
    }
}

impl Units {
    fn event(&mut self, event: &Event<'_>, shared: &mut Shared) {
        match *event {
            Event::Start { stamp: Some(stamp) } => {
                let base = *shared.base.get_or_insert(stamp.dts);
                let order = self.clock.stamp(base, stamp);
                if let Some(by_ticks) = order.dts_back {
                    self.problem(Problem::DtsBack { by_ticks }, shared);
                }
                if let Some(by_ticks) = order.pts_before_dts {
                    self.problem(Problem::PtsBeforeDts { by_ticks }, shared);
                }
                self.unit_starts();
            }
            Event::Start { stamp: None } => {
                // Sound goes on from the frame before (2.4.3.7); a picture cannot.
                let is_sound = matches!(self.content, Content::Sound { .. });
                if !is_sound || !self.clock.has_started() {
                    self.problem(Problem::NoTimestamp, shared);
                    self.clock.no_stamp();
                }
                self.unit_starts();
            }
            Event::Data(bytes) => self.data(bytes, shared),
            Event::End { wrong_length } => {
                match wrong_length {
                    Some((declared, found)) if self.at_end && found < declared => {
                        self.warning(Warning::LastUnitCut, shared);
                    }
                    Some((declared, found)) => {
                        self.problem(Problem::PesLength { declared, found }, shared);
                    }
                    None => {}
                }
                self.unit_ends(shared);
            }
            Event::BadHeader if self.at_end => self.warning(Warning::LastUnitCut, shared),
            Event::BadHeader => self.problem(Problem::BadPesHeader, shared),
        }
    }

    fn unit_starts(&mut self) {
        if let Content::Sound { framer, .. } = &mut self.content {
            framer.unit_starts();
        }
    }

    fn data(&mut self, bytes: &[u8], shared: &mut Shared) {
        self.bytes += bytes.len() as u64;
        let mut frames = Vec::new();
        match &mut self.content {
            Content::Pictures { scanner, .. } => scanner.push(bytes),
            Content::Sound { framer, format } => framer.push(bytes, |frame| {
                *format = format.or(frame.map(|frame| frame.sound));
                frames.push(frame);
            }),
            Content::Other => {}
        }
        for frame in frames {
            match frame {
                Some(frame) => self.frame(Some(frame.ticks), shared),
                None => self.problem(Problem::BadAudioFrame, shared),
            }
        }
    }

    fn unit_ends(&mut self, shared: &mut Shared) {
        match &mut self.content {
            Content::Pictures {
                scanner, format, ..
            } => {
                let (unit, picture) = scanner.end_of_unit();
                *format = picture.or(*format);
                self.picture(unit, shared);
            }
            Content::Sound { .. } => {}
            Content::Other => self.frame(None, shared),
        }
    }

    fn picture(&mut self, unit: Unit, shared: &mut Shared) {
        let Content::Pictures {
            keyframes, units, ..
        } = &mut self.content
        else {
            return;
        };
        let is_first = *units == 0;
        *units += 1;
        *keyframes += u64::from(unit.keyframe);
        if is_first && !unit.keyframe {
            self.problem(Problem::NoKeyframeAtStart, shared);
        }
        if !unit.picture {
            return if self.at_end {
                self.warning(Warning::LastUnitCut, shared);
            } else {
                self.problem(Problem::NoPicture, shared);
            };
        }
        if !unit.delimiter_first {
            self.problem(Problem::NoDelimiter, shared);
        }
        if unit.keyframe && !unit.parameter_sets {
            self.problem(Problem::NoParameterSets, shared);
        }
        if unit.keyframe != self.random_access {
            self.warning(
                Warning::RandomAccess {
                    keyframe: unit.keyframe,
                },
                shared,
            );
        }
        self.frame(None, shared);
    }

    fn frame(&mut self, ticks: Option<i64>, shared: &mut Shared) {
        self.frames += 1;
        if let Some(gap) = self.clock.frame(ticks).filter(|gap| gap.ticks > LONG_GAP) {
            self.warning(
                Warning::Gap {
                    ticks: gap.ticks,
                    at_ticks: gap.at,
                },
                shared,
            );
        }
    }

    fn problem(&self, what: Problem, shared: &mut Shared) {
        shared.notes.problem(self.offset, self.pid, what);
    }

    fn warning(&self, what: Warning, shared: &mut Shared) {
        shared.notes.warning(self.offset, self.pid, what);
    }

    fn report(self, shared: &mut Shared) -> StreamReport {
        if self.frames == 0 {
            let notes = &mut shared.notes;
            match self.codec.coding() {
                Some(_) => notes.problems.add(None, Some(self.pid), Problem::NoFrames),
                None => notes.warnings.add(None, Some(self.pid), Warning::NoFrames),
            }
        }
        let ms = |ticks| u64::try_from(duration_of_ticks(ticks).as_millis()).unwrap_or(u64::MAX);
        let span = self.clock.span();
        let duration_ms = span.map_or(0, |span| ms(span.end - span.start));
        let (picture, sound, keyframes) = match self.content {
            Content::Pictures {
                format, keyframes, ..
            } => (format, None, Some(keyframes)),
            Content::Sound { format, .. } => (None, format, None),
            Content::Other => (None, None, None),
        };
        StreamReport {
            pid: self.pid,
            codec: self.codec,
            picture,
            sound,
            frames: self.frames,
            keyframes,
            bytes: self.bytes,
            duration_ms,
            bits_per_second: bits_per_second(self.bytes, duration_ms),
            longest_gap_ms: self.clock.longest_gap().map_or(0, |gap| ms(gap.ticks)),
            first_pts: span.map(|span| span.first_pts),
            last_pts: span.map(|span| span.last_pts),
            span,
        }
    }
}

/// Zero for what has no length in time.
pub(super) fn bits_per_second(bytes: u64, duration_ms: u64) -> u64 {
    bytes
        .saturating_mul(8_000)
        .checked_div(duration_ms)
        .unwrap_or(0)
}
