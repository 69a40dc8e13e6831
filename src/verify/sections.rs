//! Puts the sections of a table together from the packets of its PID
//! (ISO/IEC 13818-1, 2.4.4).

use mpeg2ts_reader::mpegts_crc;

/// Bytes before the length is known: table id and section length.
const HEADER: usize = 3;
/// Bytes from the start of a section to its body: the header and the table's own five bytes.
const BODY: usize = 8;
/// Bytes of the checksum at the end.
const CRC: usize = 4;
/// Fills the rest of a packet behind the last section.
const STUFFING: u8 = 0xff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Crc,
    Malformed,
}

/// A section that is whole and whose checksum is right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section(Vec<u8>);

impl Section {
    fn checked(bytes: Vec<u8>) -> Result<Self, Fault> {
        if bytes.len() < BODY + CRC {
            Err(Fault::Malformed)
        } else if mpegts_crc::sum32(&bytes) == 0 {
            Ok(Self(bytes))
        } else {
            Err(Fault::Crc)
        }
    }

    pub(super) fn table_id(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whether it is valid now, and not only announced (`current_next_indicator`).
    pub(super) fn is_current(&self) -> bool {
        self.0.get(5).is_some_and(|flags| flags & 1 == 1)
    }

    /// What stands between the section's header and its checksum.
    pub(super) fn body(&self) -> &[u8] {
        self.0.get(BODY..self.0.len() - CRC).unwrap_or_default()
    }
}

/// The packets of one PID become sections. Holds one section (at most 4 kB) and one packet.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    buffer: Vec<u8>,
    collecting: bool,
}

impl Assembler {
    /// Forgets a section of which packets were lost.
    pub(super) fn reset(&mut self) {
        self.buffer.clear();
        self.collecting = false;
    }

    /// Takes a packet's payload; `starts` is its `payload_unit_start_indicator`.
    pub(super) fn push(&mut self, starts: bool, payload: &[u8]) -> Vec<Result<Section, Fault>> {
        let mut found = Vec::new();
        if !starts {
            self.extend(payload, &mut found);
            return found;
        }
        let Some((&pointer, rest)) = payload.split_first() else {
            return found;
        };
        let Some((before, after)) = rest.split_at_checked(usize::from(pointer)) else {
            self.reset();
            return vec![Err(Fault::Malformed)];
        };
        self.extend(before, &mut found);
        if !self.buffer.is_empty() {
            found.push(Err(Fault::Malformed));
        }
        self.buffer.clear();
        self.collecting = true;
        self.extend(after, &mut found);
        found
    }

    fn extend(&mut self, bytes: &[u8], found: &mut Vec<Result<Section, Fault>>) {
        if !self.collecting {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.buffer.as_slice() {
                [STUFFING, ..] => return self.reset(),
                [_, high, low, ..] => {
                    let length = HEADER + usize::from(u16::from_be_bytes([high & 0x0f, *low]));
                    if self.buffer.len() < length {
                        return;
                    }
                    found.push(Section::checked(self.buffer.drain(..length).collect()));
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::section;

    fn bodies(found: Vec<Result<Section, Fault>>) -> Vec<Result<Vec<u8>, Fault>> {
        found
            .into_iter()
            .map(|section| section.map(|section| section.body().to_vec()))
            .collect()
    }

    #[test]
    fn a_section_may_span_packets_and_share_them() {
        let long = section(2, &[7; 300]);
        let short = section(2, &[9; 10]);
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(true, &[&[0], &long[..183]].concat()), []);
        let rest = &long[183..];
        let second = [
            &[u8::try_from(rest.len()).unwrap()],
            rest,
            &short,
            &[0xff; 20],
        ]
        .concat();
        assert_eq!(
            bodies(assembler.push(true, &second)),
            [Ok(vec![7; 300]), Ok(vec![9; 10])]
        );
        assert_eq!(
            assembler.push(false, &[0; 184]),
            [],
            "stuffing ends the sections"
        );
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let mut bytes = [&[0], &section(2, &[7; 30])[..]].concat();
        bytes[12] ^= 0x10;
        assert_eq!(Assembler::default().push(true, &bytes), [Err(Fault::Crc)]);
    }

    #[test]
    fn a_pointer_beyond_the_packet_and_a_section_cut_short_are_found() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(true, &[200; 184]), [Err(Fault::Malformed)]);
        let long = section(2, &[7; 300]);
        assert_eq!(assembler.push(true, &[&[0], &long[..183]].concat()), []);
        let next = [&[0], &section(2, &[9; 10])[..]].concat();
        assert_eq!(
            bodies(assembler.push(true, &next)),
            [Err(Fault::Malformed), Ok(vec![9; 10])]
        );
    }
}
