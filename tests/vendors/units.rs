//! Units of H.264 in Annex B: what they hold, and taking parameters out.

const SLICE_IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// The NAL units of an access unit, each with its start code.
fn nals(unit: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = unit
        .windows(3)
        .enumerate()
        .filter(|(_, bytes)| *bytes == [0, 0, 1])
        .map(|(at, _)| at)
        // A start code of four bytes begins one earlier.
        .map(|at| at - usize::from(at > 0 && unit.get(at - 1) == Some(&0)))
        .collect();
    starts.push(unit.len());
    starts
        .iter()
        .zip(starts.iter().skip(1))
        .filter_map(|(from, to)| unit.get(*from..*to))
        .collect()
}

fn kind(nal: &[u8]) -> u8 {
    let header = nal
        .iter()
        .position(|byte| *byte == 1)
        .map_or(0, |at| at + 1);
    nal.get(header).map_or(0, |byte| byte & 0x1f)
}

pub fn is_idr(unit: &[u8]) -> bool {
    nals(unit).iter().any(|nal| kind(nal) == SLICE_IDR)
}

pub fn without_parameters(unit: &[u8]) -> Vec<u8> {
    nals(unit)
        .into_iter()
        .filter(|nal| !matches!(kind(nal), SPS | PPS))
        .flatten()
        .copied()
        .collect()
}

/// So many bytes that mean nothing, and in which no decoder finds a start code.
pub fn junk(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0x80 | state.to_be_bytes()[0]
    };
    (0..bytes).map(next).collect()
}
