//! Looks through a byte stream of H.264 or H.265 for what an access unit consists of
//! (Annex B and 7.4.1 of H.264, 7.4.2 of H.265).

use crate::bitstream::nal::Part;
use crate::bitstream::{Coding, Picture};

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
    /// It can be decoded by itself: IDR, in H.265 any IRAP picture.
    pub(super) keyframe: bool,
    /// SPS and PPS, in H.265 also VPS, come before the first slice.
    pub(super) parameter_sets: bool,
    vps: bool,
    sps: bool,
    pps: bool,
    any: bool,
}

impl Unit {
    fn add(&mut self, part: Part, coding: Coding) {
        self.delimiter_first |= part == Part::Delimiter && !self.any;
        self.any = true;
        match part {
            Part::Vps => self.vps = true,
            Part::Sps => self.sps = true,
            Part::Pps => self.pps = true,
            Part::Slice { keyframe } => {
                if !self.picture {
                    let vps = self.vps || coding == Coding::H264;
                    self.parameter_sets = vps && self.sps && self.pps;
                }
                self.picture = true;
                self.keyframe |= keyframe;
            }
            Part::Delimiter | Part::Other => {}
        }
    }
}

/// Takes the payload of a PES packet in pieces of any size.
#[derive(Debug)]
pub(super) struct Scanner {
    coding: Coding,
    unit: Unit,
    zeros: u8,
    header_is_next: bool,
    /// The parameter set being read.
    sps: Option<Vec<u8>>,
    picture: Option<Picture>,
}

impl Scanner {
    pub(super) fn new(coding: Coding) -> Self {
        Self {
            coding,
            unit: Unit::default(),
            zeros: 0,
            header_is_next: false,
            sps: None,
            picture: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.header_is_next {
                self.header_is_next = false;
                let part = Part::of(self.coding, byte);
                self.unit.add(part, self.coding);
                self.sps = (part == Part::Sps).then(Vec::new);
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
            self.picture = Picture::read(self.coding, &sps).or(self.picture);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::packets_for_tests::{delta, h265_delta, h265_keyframe, keyframe};

    fn scan(coding: Coding, bytes: &[u8], piece: usize) -> (Unit, Option<Picture>) {
        let mut scanner = Scanner::new(coding);
        for piece in bytes.chunks(piece) {
            scanner.push(piece);
        }
        scanner.end_of_unit()
    }

    #[test]
    fn a_unit_is_the_same_in_whatever_pieces_it_comes() {
        let streams = [
            (Coding::H264, keyframe(), delta()),
            (Coding::H265, h265_keyframe(), h265_delta()),
        ];
        for (coding, keyframe, delta) in streams {
            for piece in [1, 2, 3, 5, 184, 10_000] {
                let (unit, picture) = scan(coding, &keyframe, piece);
                assert!(unit.delimiter_first && unit.picture, "{unit:?}");
                assert!(unit.keyframe && unit.parameter_sets, "{unit:?}");
                let picture = picture.unwrap();
                assert_eq!((picture.width, picture.height), (1280, 720));
                let (unit, picture) = scan(coding, &delta, piece);
                assert!(unit.delimiter_first && unit.picture && !unit.keyframe);
                assert_eq!(picture, None);
            }
        }
    }

    #[test]
    fn parameter_sets_count_only_before_the_picture() {
        let late = [0, 0, 1, 5, 0x88, 0, 0, 1, 7, 0, 0, 1, 8];
        let (unit, _) = scan(Coding::H264, &late, 4);
        assert!(unit.keyframe && !unit.parameter_sets && !unit.delimiter_first);
        // Of H.265 the VPS is one of them.
        let without = [0, 0, 1, 0x42, 1, 0, 0, 1, 0x44, 1, 0, 0, 1, 0x26, 1];
        let (unit, _) = scan(Coding::H265, &without, 4);
        assert!(unit.keyframe && !unit.parameter_sets);
        let with = [&[0, 0, 1, 0x40, 1], &without[..]].concat();
        assert!(scan(Coding::H265, &with, 4).0.parameter_sets);
    }
}
