//! Cuts a file into packets, in constant memory, and finds them again where they were lost.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::analysis::PACKET;

const SYNC: u8 = 0x47;
/// A quarter of a megabyte, in whole packets.
const WINDOW: usize = PACKET * 1400;

/// What is told of a file's packets, in their order.
pub(super) trait Packets {
    /// The next packet: it begins with the sync byte.
    fn packet(&mut self, offset: u64, bytes: &[u8; PACKET]);
    /// A stretch of the file that is no packets; told when packets begin again, or at the end.
    fn sync_lost(&mut self, offset: u64, skipped_bytes: u64);
    /// The file ends inside a packet.
    fn truncated(&mut self, offset: u64, bytes: usize);
    /// What stands in such a stretch, piece by piece.
    fn skipped(&mut self, _bytes: &[u8]) {}
}

/// Reads `source` to its end. Gives the number of bytes and, where asked for, their SHA-256 in
/// lower-case hexadecimal.
pub(super) fn read(
    source: &mut impl Read,
    with_digest: bool,
    packets: &mut impl Packets,
) -> io::Result<(u64, Option<String>)> {
    let mut digest = with_digest.then(Sha256::new);
    let mut window = vec![0; WINDOW];
    let mut cutter = Cutter::default();
    let mut held = 0;
    while let Some(free) = window.get_mut(held..) {
        let read = read_some(source, free)?;
        if let (Some(digest), Some(new)) = (&mut digest, free.get(..read)) {
            digest.update(new);
        }
        held += read;
        let at_end = read == 0;
        let view = window.get(..held).unwrap_or_default();
        let used = cutter.cut(view, at_end, packets);
        window.copy_within(used..held, 0);
        held -= used;
        if at_end {
            break;
        }
    }
    Ok((cutter.offset, digest.map(|digest| hex(&digest.finalize()))))
}

fn read_some(source: &mut impl Read, free: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(free) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Where in the file we stand, and since where there were no packets.
#[derive(Debug, Default)]
struct Cutter {
    offset: u64,
    lost_at: Option<u64>,
}

impl Cutter {
    /// Takes as many bytes off the front of `view` as can be judged, and says how many.
    /// Leaves less than two packets, and nothing when the file ends here.
    fn cut(&mut self, view: &[u8], at_end: bool, packets: &mut impl Packets) -> usize {
        let mut rest = view;
        loop {
            let skip = match rest.first_chunk::<PACKET>() {
                Some(packet) if self.is_packet(rest) => {
                    self.found(packets);
                    packets.packet(self.offset, packet);
                    PACKET
                }
                // The byte that would prove it is not read yet.
                Some(_) if self.lost_at.is_some() && rest.len() == PACKET && !at_end => break,
                Some(_) => self.skip(rest, packets),
                None if !at_end || rest.is_empty() => break,
                None => {
                    self.end_of_file(rest, packets);
                    rest.len()
                }
            };
            self.offset += skip as u64;
            rest = rest.get(skip..).unwrap_or_default();
        }
        if at_end {
            self.found(packets);
        }
        view.len() - rest.len()
    }

    /// In step, a packet is what begins with the sync byte. Out of step that may be chance, so
    /// the next one has to follow, or the end of the file.
    fn is_packet(&self, rest: &[u8]) -> bool {
        let follows = || rest.get(PACKET).is_none_or(|&byte| byte == SYNC);
        rest.first() == Some(&SYNC) && (self.lost_at.is_none() || follows())
    }

    /// Goes on to the next sync byte.
    fn skip(&mut self, rest: &[u8], packets: &mut impl Packets) -> usize {
        self.lost_at.get_or_insert(self.offset);
        let next = rest.iter().skip(1).position(|&byte| byte == SYNC);
        let skip = next.map_or(rest.len(), |position| position + 1);
        packets.skipped(rest.get(..skip).unwrap_or_default());
        skip
    }

    fn found(&mut self, packets: &mut impl Packets) {
        if let Some(from) = self.lost_at.take() {
            packets.sync_lost(from, self.offset - from);
        }
    }

    fn end_of_file(&mut self, rest: &[u8], packets: &mut impl Packets) {
        if self.lost_at.is_none() && rest.first() == Some(&SYNC) {
            packets.truncated(self.offset, rest.len());
        } else {
            packets.skipped(rest);
            self.lost_at.get_or_insert(self.offset);
        }
    }
}
