//! Cuts a file into packets, in constant memory, and finds them again where they were lost.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::analysis::{Analyzer, PACKET};

const SYNC: u8 = 0x47;
/// A quarter of a megabyte, in whole packets.
const WINDOW: usize = PACKET * 1400;

/// Reads `source` to its end. Gives the number of bytes and, where asked for, their SHA-256 in
/// lower-case hexadecimal.
pub(super) fn read(
    source: &mut impl Read,
    with_digest: bool,
    analyzer: &mut Analyzer,
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
        let used = cutter.cut(view, at_end, analyzer);
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
    fn cut(&mut self, view: &[u8], at_end: bool, analyzer: &mut Analyzer) -> usize {
        let mut rest = view;
        loop {
            let skip = match rest.first_chunk::<PACKET>() {
                Some(packet) if self.is_packet(rest) => {
                    self.found(analyzer);
                    analyzer.packet(self.offset, packet);
                    PACKET
                }
                // The byte that would prove it is not read yet.
                Some(_) if self.lost_at.is_some() && rest.len() == PACKET && !at_end => break,
                Some(_) => self.skip(rest),
                None if !at_end || rest.is_empty() => break,
                None => {
                    self.end_of_file(rest, analyzer);
                    rest.len()
                }
            };
            self.offset += skip as u64;
            rest = rest.get(skip..).unwrap_or_default();
        }
        if at_end {
            self.found(analyzer);
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
    fn skip(&mut self, rest: &[u8]) -> usize {
        self.lost_at.get_or_insert(self.offset);
        let next = rest.iter().skip(1).position(|&byte| byte == SYNC);
        next.map_or(rest.len(), |position| position + 1)
    }

    fn found(&mut self, analyzer: &mut Analyzer) {
        if let Some(from) = self.lost_at.take() {
            analyzer.sync_lost(from, self.offset - from);
        }
    }

    fn end_of_file(&mut self, rest: &[u8], analyzer: &mut Analyzer) {
        if self.lost_at.is_none() && rest.first() == Some(&SYNC) {
            analyzer.truncated(self.offset, rest.len());
        } else {
            self.lost_at.get_or_insert(self.offset);
        }
    }
}
