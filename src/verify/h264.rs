//! Looks through an H.264 byte stream for what an access unit consists of
//! (ITU-T H.264, Annex B and 7.4.1).

use crate::bitstream::sps::{self, Picture};

const SLICE: std::ops::RangeInclusive<u8> = 1..=5;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// Longer than any parameter set without scaling lists; size and profile stand at its front.
const MOST_SPS_BYTES: usize = 512;

/// What was seen of one access unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of NAL unit types, read by name"
)]
pub(super) struct Unit {
    /// The first NAL unit is a delimiter.
    pub(super) delimiter_first: bool,
    /// There is a slice of a picture.
    pub(super) picture: bool,
    /// It is an IDR picture.
    pub(super) keyframe: bool,
    /// SPS and PPS come before the first slice.
    pub(super) parameter_sets: bool,
    sps: bool,
    pps: bool,
    any: bool,
}

impl Unit {
    fn add(&mut self, nal_type: u8) {
        self.delimiter_first |= nal_type == DELIMITER && !self.any;
        self.any = true;
        match nal_type {
            SPS => self.sps = true,
            PPS => self.pps = true,
            _ if SLICE.contains(&nal_type) => {
                if !self.picture {
                    self.parameter_sets = self.sps && self.pps;
                }
                self.picture = true;
                self.keyframe |= nal_type == IDR;
            }
            _ => {}
        }
    }
}

/// Takes the payload of a PES packet in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    unit: Unit,
    zeros: u8,
    header_is_next: bool,
    /// The parameter set being read.
    sps: Option<Vec<u8>>,
    picture: Option<Picture>,
}

impl Scanner {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.header_is_next {
                self.header_is_next = false;
                let nal_type = byte & 0x1f;
                self.unit.add(nal_type);
                self.sps = (nal_type == SPS).then(Vec::new);
            } else if byte == 1 && self.zeros >= 2 {
                self.header_is_next = true;
                self.end_of_nal();
            }
            self.zeros = if byte == 0 {
                self.zeros.saturating_add(1)
            } else {
                0
            };
            if let Some(sps) = &mut self.sps
                && sps.len() < MOST_SPS_BYTES
            {
                sps.push(byte);
            }
        }
    }

    /// What the unit was, and a new picture format if it brought one.
    pub(super) fn end_of_unit(&mut self) -> (Unit, Option<Picture>) {
        self.end_of_nal();
        self.header_is_next = false;
        self.zeros = 0;
        (std::mem::take(&mut self.unit), self.picture.take())
    }

    fn end_of_nal(&mut self) {
        if let Some(sps) = self.sps.take() {
            self.picture = sps::parse(&sps).or(self.picture);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::{delta, keyframe};

    fn scan(bytes: &[u8], piece: usize) -> (Unit, Option<Picture>) {
        let mut scanner = Scanner::default();
        for piece in bytes.chunks(piece) {
            scanner.push(piece);
        }
        scanner.end_of_unit()
    }

    #[test]
    fn a_unit_is_the_same_in_whatever_pieces_it_comes() {
        for piece in [1, 2, 3, 5, 184, 10_000] {
            let (unit, picture) = scan(&keyframe(), piece);
            assert!(unit.delimiter_first && unit.picture && unit.keyframe && unit.parameter_sets);
            let picture = picture.unwrap();
            assert_eq!((picture.width, picture.height), (1280, 720));
            let (unit, picture) = scan(&delta(), piece);
            assert!(unit.delimiter_first && unit.picture && !unit.keyframe);
            assert_eq!(picture, None);
        }
    }

    #[test]
    fn parameter_sets_count_only_before_the_picture() {
        let late = [0, 0, 1, 5, 0x88, 0, 0, 1, 7, 0, 0, 1, 8];
        let (unit, _) = scan(&late, 4);
        assert!(unit.keyframe && !unit.parameter_sets && !unit.delimiter_first);
    }
}
