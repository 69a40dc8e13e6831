//! Packets on a stream: each with its length before it (RFC 4571, as RFC 6544 asks for ICE).

use bytes::{Buf, BytesMut};

/// The length before a packet, in bytes.
const HEADER: usize = 2;

/// What is kept of the stream before the packets in it are taken, in bytes.
const INBOX: usize = 16 * 1024;

/// What waits to be sent, in bytes. We send feedback and keep-alives, some packets a second: more
/// means a connection that takes nothing.
const OUTBOX: usize = 32 * 1024;

/// What came, cut into packets.
#[derive(Debug)]
pub struct Inbox {
    bytes: BytesMut,
    /// The largest packet that is handed out, in bytes.
    largest: usize,
    /// What is left of a packet that is too large.
    skip: usize,
    oversized: u64,
}

impl Inbox {
    /// An empty one, for packets of up to `largest` bytes.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self {
            bytes: BytesMut::with_capacity(INBOX),
            largest: largest.min(INBOX - HEADER),
            skip: 0,
            oversized: 0,
        }
    }

    /// How many bytes [`Self::feed`] takes now. Never nothing while no packet is ready.
    #[must_use]
    pub fn room(&self) -> usize {
        INBOX - self.bytes.len()
    }

    /// Takes what came; more than there is room for would be lost.
    pub fn feed(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(self.room());
        self.bytes
            .extend_from_slice(bytes.get(..fits).unwrap_or_default());
        self.settle();
    }

    /// Whether [`Self::take`] has a packet.
    #[must_use]
    pub fn has_packet(&self) -> bool {
        self.head()
            .is_some_and(|len| self.bytes.len() >= HEADER + len)
    }

    /// Takes one packet.
    pub fn take(&mut self) -> Option<BytesMut> {
        let len = self.head().filter(|_| self.has_packet())?;
        self.bytes.advance(HEADER);
        let packet = self.bytes.split_to(len);
        self.settle();
        Some(packet)
    }

    /// Packets left out because they were too large, so far.
    #[must_use]
    pub const fn oversized(&self) -> u64 {
        self.oversized
    }

    /// The length that stands at the front.
    fn head(&self) -> Option<usize> {
        let header = self.bytes.first_chunk::<HEADER>()?;
        Some(u16::from_be_bytes(*header).into())
    }

    /// Passes over packets that are too large, as far as they are here.
    fn settle(&mut self) {
        loop {
            let passed = self.skip.min(self.bytes.len());
            self.bytes.advance(passed);
            self.skip -= passed;
            match self.head() {
                Some(len) if self.skip == 0 && len > self.largest => {
                    self.skip = HEADER + len;
                    self.oversized += 1;
                }
                _ => return,
            }
        }
    }
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: BytesMut,
}

impl Outbox {
    /// Adds a packet as a whole; false when there is no room for it.
    #[must_use]
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let Ok(len) = u16::try_from(packet.len()) else {
            return false;
        };
        if self.bytes.len() + HEADER + packet.len() > OUTBOX {
            return false;
        }
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(packet);
        true
    }

    /// What is to be sent next; empty when there is nothing.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes
    }

    /// So many of the pending bytes were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes.advance(bytes.min(self.bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGEST: usize = 2048;

    /// Feeds a stream in pieces of these sizes, over and over; the packets that come of it.
    fn packets(inbox: &mut Inbox, mut stream: &[u8], pieces: &[usize]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut pieces = pieces.iter().cycle();
        while !stream.is_empty() {
            let len = (*pieces.next().unwrap())
                .min(stream.len())
                .min(inbox.room());
            let (piece, rest) = stream.split_at(len);
            inbox.feed(piece);
            stream = rest;
            packets.extend(std::iter::from_fn(|| inbox.take()).map(|packet| packet.to_vec()));
            assert!(inbox.room() > 0);
        }
        packets
    }

    proptest! {
        #[test]
        fn what_was_sent_comes_out_however_it_was_cut(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4000), 0..8),
            pieces in prop::collection::vec(1usize..5000, 1..9),
        ) {
            let mut outbox = Outbox::default();
            for packet in &sent {
                prop_assert!(outbox.push(packet));
            }
            let mut inbox = Inbox::new(LARGEST);
            let came = packets(&mut inbox, outbox.pending(), &pieces);
            let (fit, large): (Vec<_>, Vec<_>) =
                sent.into_iter().partition(|packet| packet.len() <= LARGEST);
            prop_assert_eq!(came, fit);
            prop_assert_eq!(inbox.oversized(), u64::try_from(large.len()).unwrap());
        }

        #[test]
        fn any_stream_is_taken_to_its_end(
            stream in prop::collection::vec(any::<u8>(), 0..100_000),
            pieces in prop::collection::vec(1usize..20_000, 1..9),
        ) {
            let mut inbox = Inbox::new(LARGEST);
            let came = packets(&mut inbox, &stream, &pieces);
            prop_assert!(came.iter().all(|packet| packet.len() <= LARGEST));
        }
    }

    #[test]
    fn what_is_not_taken_is_not_kept_without_end() {
        let mut outbox = Outbox::default();
        let taken = (0..1000).filter(|_| outbox.push(&[7; 100])).count();
        assert_eq!(taken, OUTBOX / 102);
        // A packet that was begun is sent to its end, and there is room again.
        outbox.sent(150);
        assert!(outbox.push(&[7; 100]));
        assert_eq!(outbox.pending().len(), taken * 102 - 150 + 102);
        assert!(!outbox.push(&vec![0; 70_000]));
    }
}
