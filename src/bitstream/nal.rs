//! NAL units in a byte stream (ITU-T H.264 and H.265, Annex B).

use super::picture::Coding;

/// In front of each NAL unit; another zero may stand before it.
const START: [u8; 3] = [0, 0, 1];

/// What a NAL unit is, as far as anybody here asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Access unit delimiter.
    Delimiter,
    /// Video parameter set, of H.265 only.
    Vps,
    /// Sequence parameter set.
    Sps,
    /// Picture parameter set.
    Pps,
    /// Pixels of a picture.
    Slice {
        /// Of one that can be decoded by itself.
        keyframe: bool,
    },
    /// Anything else.
    Other,
}

impl Part {
    /// Tells by the first byte of a NAL unit's header (H.264, table 7-1; H.265, table 7-1).
    #[must_use]
    pub const fn of(coding: Coding, header: u8) -> Self {
        match coding {
            Coding::H264 => match header & 0x1f {
                1..=4 => Self::Slice { keyframe: false },
                5 => Self::Slice { keyframe: true },
                7 => Self::Sps,
                8 => Self::Pps,
                9 => Self::Delimiter,
                _ => Self::Other,
            },
            Coding::H265 => match header >> 1 & 0x3f {
                0..=9 => Self::Slice { keyframe: false },
                // BLA, IDR and CRA, by whatever may follow them.
                16..=21 => Self::Slice { keyframe: true },
                32 => Self::Vps,
                33 => Self::Sps,
                34 => Self::Pps,
                35 => Self::Delimiter,
                _ => Self::Other,
            },
        }
    }
}

/// The NAL units of a stream, each from its header to the end of the whole stream: where one
/// ends, its own bits say.
pub fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let at = rest.windows(START.len()).position(|bytes| bytes == START)?;
        rest = rest.get(at + START.len()..)?;
        Some(rest)
    })
}

/// The bytes of a NAL unit without the emulation prevention bytes (the 3 of 00 00 03; 7.4.1 of
/// H.264, 7.4.2.1 of H.265).
pub(super) fn payload(nal: &[u8]) -> impl Iterator<Item = u8> {
    let mut zeros = 0_u8;
    nal.iter().copied().filter(move |&byte| {
        let prevents = zeros >= 2 && byte == 3;
        zeros = if byte == 0 {
            zeros.saturating_add(1)
        } else {
            0
        };
        !prevents
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_bytes_are_left_out() {
        let nal = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3];
        let read: Vec<u8> = payload(&nal).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0, 3, 0, 3]);
    }

    #[test]
    fn units_are_found_behind_start_codes_of_both_lengths() {
        let stream = [9, 0, 0, 0, 1, 0x46, 1, 0, 0, 1, 0x40, 0, 0, 1];
        let first: Vec<_> = units(&stream).map(|unit| unit.first().copied()).collect();
        assert_eq!(first, [Some(0x46), Some(0x40), None]);
    }
}
