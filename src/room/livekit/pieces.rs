//! Pictures that come in pieces, put together.
//!
//! Of H.265 the media stack gives a piece for each NAL unit that was sent in fragments: it takes
//! such a unit's end for the picture's (str0m 0.25, `H265Depacketizer::is_partition_tail`), and a
//! picture may consist of many. Pieces of one RTP time are one picture (RFC 7798, 4.1).
//!
//! ```text
//!              same time
//!               ┌────┐
//!  piece ──► waiting ┘──another time, the stream's end, or none for a second──► whole
//!                                                                          └──► torn
//! ```
//!
//! Nothing says which piece is the last one, so a picture waits until the next one begins: that
//! is one picture's time. One with a gap behind it may lack its end and is left out; what follows
//! the gap can't be decoded anyway before the next keyframe. Pure: `now` is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::room::TrackId;
use crate::room::timeline::SenderReport;

/// A picture behind which nothing came for so long is taken for whole. Most packets that are lost
/// have been sent again by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the media stack gave, or several pieces joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The stamp of its packets.
    pub rtp: u32,
    /// When the first of them came.
    pub arrival: Instant,
    /// The stream's last report of its sender's clock.
    pub report: Option<SenderReport>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Whether no packet is missing in front of it.
    pub contiguous: bool,
    /// Whether a picture may begin with it.
    pub begins: bool,
    /// The encoded bytes.
    pub data: Bytes,
}

/// What became of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It is whole, for all that can be known.
    Whole(Piece),
    /// A piece of it is missing: it is left out.
    Torn,
}

/// The pictures of all tracks that are not known to be whole yet: one a track.
#[derive(Debug)]
pub struct Pieces {
    /// Bytes of a picture of which no more is kept.
    most_bytes: usize,
    streams: BTreeMap<TrackId, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    waiting: Option<Waiting>,
    /// The stamp of the last picture that was given out.
    last: Option<u32>,
}

#[derive(Debug)]
struct Waiting {
    first: Piece,
    /// The bytes behind those of the first piece.
    rest: Vec<u8>,
    /// When the newest piece came.
    newest: Instant,
    torn: bool,
}

impl Pieces {
    /// Keeps no more of a picture once it has more than `most_bytes`: it is too large then,
    /// whatever else belongs to it.
    pub const fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            streams: BTreeMap::new(),
        }
    }

    /// Takes the next piece of a track; gives the picture before if this one begins another.
    pub fn take(&mut self, id: &TrackId, piece: Piece) -> Option<Joined> {
        let stream = self.streams.entry(id.clone()).or_default();
        match &mut stream.waiting {
            Some(waiting) if waiting.first.rtp == piece.rtp => {
                waiting.add(&piece, self.most_bytes);
                None
            }
            // The picture that it belongs to is gone.
            None if stream.last == Some(piece.rtp) => Some(Joined::Torn),
            _ => stream.begin(piece),
        }
    }

    /// No more of a track's stream comes: gives the picture that waits.
    pub fn finish(&mut self, id: &TrackId) -> Option<Joined> {
        self.streams.remove(id)?.end()
    }

    /// When [`Self::expire`] has something to give.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.streams.values().filter_map(|s| s.waiting.as_ref());
        waiting.map(Waiting::deadline).min()
    }

    /// Gives the pictures behind which nothing has come for long.
    pub fn expire(&mut self, now: Instant) -> Vec<(TrackId, Joined)> {
        let due = self.streams.iter_mut().filter_map(|(id, stream)| {
            let waiting = stream.waiting.as_ref()?;
            let ended = (waiting.deadline() <= now).then(|| stream.end())??;
            Some((id.clone(), ended))
        });
        due.collect()
    }
}

impl Stream {
    fn begin(&mut self, piece: Piece) -> Option<Joined> {
        if let Some(waiting) = &mut self.waiting {
            // What is missing in between may be its end.
            waiting.torn |= !piece.contiguous;
        }
        let ended = self.end();
        self.waiting = Some(Waiting {
            newest: piece.arrival,
            torn: !piece.begins,
            first: piece,
            rest: Vec::new(),
        });
        ended
    }

    fn end(&mut self) -> Option<Joined> {
        let waiting = self.waiting.take()?;
        self.last = Some(waiting.first.rtp);
        Some(waiting.join())
    }
}

impl Waiting {
    fn add(&mut self, piece: &Piece, most_bytes: usize) {
        self.torn |= !piece.contiguous;
        self.newest = self.newest.max(piece.arrival);
        self.first.keyframe |= piece.keyframe;
        self.first.report = piece.report.or(self.first.report);
        if self.first.data.len() + self.rest.len() <= most_bytes {
            self.rest.extend_from_slice(&piece.data);
        }
    }

    fn deadline(&self) -> Instant {
        self.newest + PATIENCE
    }

    fn join(self) -> Joined {
        let Self {
            mut first,
            rest,
            torn,
            ..
        } = self;
        if torn {
            return Joined::Torn;
        }
        if !rest.is_empty() {
            first.data = [&first.data, rest.as_slice()].concat().into();
        }
        Joined::Whole(first)
    }
}

#[cfg(test)]
mod tests;
