//! One elementary stream of a damaged file: which of its units are whole.

use std::ops::Range;

use super::super::analysis::PACKET;
use super::super::clock::Stamp;
use super::super::framer::{Framer, Syntax};
use super::super::pes::{Event, Reader};
use super::super::scanner::Scanner;
use super::super::stream::StreamCodec;
use crate::bitstream::Coding;
use crate::timebase::{Pts, TICKS_PER_SECOND};

/// Stretches of packets of one unit, with those of other streams between. Muxers write a unit in
/// one go, or a few.
const MOST_RUNS: usize = 1_024;

/// Behind a loss a unit may be so much later or earlier than what was kept last. Beyond that it
/// is another recording's: file systems can show what was in a block before.
const FARTHEST: i64 = 60 * TICKS_PER_SECOND.cast_signed();

/// A unit that is whole.
#[derive(Debug)]
pub(super) struct Whole {
    /// Its packets.
    pub(super) runs: Vec<Range<u64>>,
    pub(super) decoded: Pts,
}

/// What comes behind a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The next unit of the stream, and nothing is missing in between.
    Next,
    /// A packet that is not the next one of the stream.
    Jump,
    /// Something that is no packets, a loss that is declared, or the end of the file.
    Nothing,
}

#[derive(Debug)]
enum Content {
    Pictures(Coding, Scanner),
    Sound(Syntax, Framer),
    Other,
}

impl Content {
    fn of(codec: StreamCodec) -> Self {
        let sound = |syntax| Self::Sound(syntax, Framer::new(syntax));
        match (codec, codec.coding()) {
            (_, Some(coding)) => Self::Pictures(coding, Scanner::new(coding)),
            (StreamCodec::Aac, None) => sound(Syntax::Adts),
            (StreamCodec::Opus, None) => sound(Syntax::Opus),
            _ => Self::Other,
        }
    }

    /// Forgets what came before.
    fn begin(&mut self) {
        *self = match self {
            Self::Pictures(coding, _) => Self::Pictures(*coding, Scanner::new(*coding)),
            Self::Sound(syntax, _) => Self::Sound(*syntax, Framer::new(*syntax)),
            Self::Other => Self::Other,
        };
    }

    /// False for what is no frame.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let mut good = true;
        match self {
            Self::Pictures(_, scanner) => scanner.push(bytes),
            Self::Sound(_, framer) => framer.push(bytes, |frame| good &= frame.is_some()),
            Self::Other => {}
        }
        good
    }

    /// Whether what came is a unit, and one that decoding can start with.
    fn end(&mut self) -> (bool, bool) {
        match self {
            Self::Pictures(_, scanner) => {
                let (unit, _) = scanner.end_of_unit();
                let good = unit.picture && unit.delimiter_first;
                (
                    good && (!unit.keyframe || unit.parameter_sets),
                    unit.keyframe,
                )
            }
            Self::Sound(_, framer) => (framer.is_between_frames(), true),
            Self::Other => (true, true),
        }
    }
}

/// A unit of which not all is known.
#[derive(Debug, Default)]
struct Unit {
    runs: Vec<Range<u64>>,
    stamp: Option<Stamp>,
    /// Something in it can't be.
    bad: bool,
    /// Its last packet so far holds less than it could: a muxer does that at the end of a unit.
    stuffed: bool,
    /// A unit of another stream has begun since. A muxer that writes unit by unit had ended
    /// this one.
    followed: bool,
}

impl Unit {
    fn add(&mut self, offset: u64) {
        let packet = offset..offset + PACKET as u64;
        let runs = self.runs.len();
        match self.runs.last_mut() {
            Some(run) if run.end == packet.start => run.end = packet.end,
            _ if runs == MOST_RUNS => self.bad = true,
            _ => self.runs.push(packet),
        }
    }
}

/// A packet of the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) offset: u64,
    pub(super) payload: &'a [u8],
    /// It has less payload than it could.
    pub(super) stuffed: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    codec: StreamCodec,
    content: Content,
    reader: Reader,
    unit: Option<Unit>,
    /// When the unit that was kept last is decoded.
    last: Option<Pts>,
    /// Something was lost since then.
    lost: bool,
}

impl Line {
    pub(super) fn new(codec: StreamCodec) -> Self {
        Self {
            codec,
            content: Content::of(codec),
            reader: Reader::default(),
            unit: None,
            last: None,
            lost: false,
        }
    }

    pub(super) const fn codec(&self) -> StreamCodec {
        self.codec
    }

    /// Whether a unit of it is kept.
    pub(super) const fn has_units(&self) -> bool {
        self.last.is_some()
    }

    /// A unit begins with the next packet. The one before is to be ended first.
    pub(super) fn begin(&mut self) {
        self.unit = Some(Unit::default());
        self.content.begin();
        self.reader.start();
    }

    /// Takes a packet.
    pub(super) fn push(&mut self, piece: Piece<'_>) {
        let (Some(unit), content) = (&mut self.unit, &mut self.content) else {
            return;
        };
        unit.add(piece.offset);
        unit.stuffed = piece.stuffed;
        self.reader.push(piece.payload, |event| match event {
            Event::Start { stamp } => unit.stamp = stamp,
            Event::Data(bytes) => unit.bad |= !content.push(bytes),
            Event::End { .. } => {}
            Event::BadHeader => unit.bad = true,
        });
    }

    /// Takes a packet that repeats the one before.
    pub(super) fn repeated(&mut self, offset: u64) {
        if let Some(unit) = &mut self.unit {
            unit.add(offset);
        }
    }

    /// A unit of another stream begins.
    pub(super) fn follow(&mut self) {
        if let Some(unit) = &mut self.unit {
            unit.followed = true;
        }
    }

    /// Ends the unit in progress; gives it when it is whole. `newest` is when what was kept last
    /// of any stream is decoded.
    pub(super) fn end(&mut self, behind: Behind, newest: Option<Pts>) -> Option<Whole> {
        let unit = self.unit.take();
        let whole = unit.and_then(|unit| self.judge(unit, behind, newest));
        match &whole {
            Some(whole) => {
                self.last = Some(whole.decoded);
                self.lost = false;
            }
            // A unit less is a loss for those behind it.
            None => self.lost = true,
        }
        self.lost |= behind != Behind::Next;
        self.reader.packets_lost();
        whole
    }

    fn judge(&mut self, unit: Unit, behind: Behind, newest: Option<Pts>) -> Option<Whole> {
        let ended = self.reader.is_complete().unwrap_or(match behind {
            Behind::Next => true,
            Behind::Jump => unit.stuffed,
            Behind::Nothing => unit.stuffed || unit.followed,
        });
        let (good, starts) = self.content.end();
        let stamp = unit.stamp?;
        let decodable = starts || self.last.is_some();
        let whole = ended && good && !unit.bad && decodable && self.fits(stamp, newest);
        whole.then_some(Whole {
            runs: unit.runs,
            decoded: stamp.dts,
        })
    }

    fn fits(&self, stamp: Stamp, newest: Option<Pts>) -> bool {
        let goes_on = self.last.is_none_or(|it| stamp.dts.ticks_since(it) >= 0);
        let near = |it| stamp.dts.ticks_since(it).abs() <= FARTHEST;
        let is_ours = !self.lost || newest.is_none_or(near);
        goes_on && is_ours && stamp.pts.ticks_since(stamp.dts) >= 0
    }
}
