//! Takes the PES packets of one PID apart (ISO/IEC 13818-1, 2.4.3.6).

use mpeg2ts_reader::pes::{PesContents, PesHeader, PesLength, PtsDts, Timestamp, TimestampError};

use super::clock::Stamp;
use crate::timebase::Pts;

/// Start code, stream id, length; then flags and the length of the optional fields.
const FIXED: usize = 9;

/// What comes out, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A packet begins.
    Start { stamp: Option<Stamp> },
    /// Some of its payload.
    Data(&'a [u8]),
    /// It is over. Where it had a length and did not keep to it, both.
    End {
        wrong_length: Option<(usize, usize)>,
    },
    /// The header is no header; what follows up to the next start is skipped.
    BadHeader,
}

#[derive(Debug, Default)]
enum State {
    /// Between packets, or behind one that is not looked at.
    #[default]
    Outside,
    /// The header so far: at most [`FIXED`] + 255 bytes and one transport packet.
    Header(Vec<u8>),
    Payload {
        declared: Option<usize>,
        found: usize,
    },
}

#[derive(Debug, Default)]
pub(super) struct Reader {
    state: State,
}

impl Reader {
    /// A packet begins with what is pushed next (`payload_unit_start_indicator`). The one before
    /// is to be ended first.
    pub(super) fn start(&mut self) {
        self.state = State::Header(Vec::new());
    }

    /// Takes a transport packet's payload.
    pub(super) fn push(&mut self, payload: &[u8], mut event: impl FnMut(Event<'_>)) {
        match &mut self.state {
            State::Outside => {}
            State::Header(header) => {
                header.extend_from_slice(payload);
                if let Some(needed) = header_length(header) {
                    let header = std::mem::take(header);
                    self.state = begin(&header, needed, &mut event);
                }
            }
            State::Payload { found, .. } => {
                *found += payload.len();
                event(Event::Data(payload));
            }
        }
    }

    /// Whether the packet in progress has all the bytes that its header promises; none where the
    /// header promises nothing. False where there is no packet, or not even a header.
    pub(super) fn is_complete(&self) -> Option<bool> {
        match self.state {
            State::Payload { declared, found } => declared.map(|declared| declared == found),
            State::Outside | State::Header(_) => Some(false),
        }
    }

    /// Packets are missing: what is in progress is not ended but dropped.
    pub(super) fn packets_lost(&mut self) {
        self.state = State::Outside;
    }

    /// Nothing more belongs to the packet in progress.
    pub(super) fn end(&mut self, mut event: impl FnMut(Event<'_>)) {
        match std::mem::take(&mut self.state) {
            State::Outside => {}
            State::Header(_) => event(Event::BadHeader),
            State::Payload { declared, found } => event(Event::End {
                wrong_length: declared.filter(|&it| it != found).map(|it| (it, found)),
            }),
        }
    }
}

/// How long the header is, once that can be told and so much is there. A length that is too
/// short to be one is left to the parser.
fn header_length(header: &[u8]) -> Option<usize> {
    match header.first_chunk::<FIXED>() {
        Some([0, 0, 1, _, _, _, _, _, optional]) => {
            Some(FIXED + usize::from(*optional)).filter(|&needed| header.len() >= needed)
        }
        Some(_) => Some(0),
        None => None,
    }
}

fn begin(bytes: &[u8], needed: usize, event: &mut impl FnMut(Event<'_>)) -> State {
    let bad = |event: &mut dyn FnMut(Event<'_>)| {
        event(Event::BadHeader);
        State::Outside
    };
    let (Some(header), Some(payload)) = (PesHeader::from_bytes(bytes), bytes.get(needed..)) else {
        return bad(event);
    };
    let contents = match header.contents() {
        PesContents::Parsed(Some(contents)) => contents,
        PesContents::Parsed(None) => return bad(event),
        // Padding and the like.
        PesContents::Payload(_) => return State::Outside,
    };
    let stamp = match contents.pts_dts() {
        Ok(PtsDts::PtsOnly(pts)) => stamp(pts, None),
        Ok(PtsDts::Both { pts, dts }) => stamp(pts, Some(dts)),
        Ok(PtsDts::None) | Err(mpeg2ts_reader::pes::PesError::FieldNotPresent) => Ok(None),
        Ok(PtsDts::Invalid) | Err(_) => return bad(event),
    };
    let declared = match header.pes_packet_length() {
        PesLength::Unbounded => None,
        // The length counts from behind itself, six bytes into the packet.
        PesLength::Bounded(length) => match usize::from(length.get()).checked_sub(needed - 6) {
            Some(length) => Some(length),
            None => return bad(event),
        },
    };
    let Ok(stamp) = stamp else {
        return bad(event);
    };
    event(Event::Start { stamp });
    event(Event::Data(payload));
    State::Payload {
        declared,
        found: payload.len(),
    }
}

fn stamp(
    pts: Result<Timestamp, TimestampError>,
    dts: Option<Result<Timestamp, TimestampError>>,
) -> Result<Option<Stamp>, TimestampError> {
    let pts = pts?;
    let dts = dts.unwrap_or(Ok(pts))?;
    let ticks = |stamp: Timestamp| Pts::from_ticks(stamp.value());
    Ok(Some(Stamp {
        pts: ticks(pts),
        dts: ticks(dts),
    }))
}
