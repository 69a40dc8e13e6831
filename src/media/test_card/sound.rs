//! The sound of the test card: a beep of 1 kHz at the start of each second, almost silence
//! otherwise. Pure.

use std::f64::consts::TAU;

/// Samples a second.
pub const RATE: u32 = 48_000;

/// Samples of one packet of 20 ms.
pub const PACKET: u32 = RATE / 50;

const TONE: u32 = 1_000;
const LOUD: f64 = 12_000.0;
/// Not quite silent, so that encoders do not switch to discontinuous transmission.
const QUIET: f64 = 60.0;
/// Samples of a beep: 100 ms.
const BEEP: u32 = RATE / 10;

/// The sample at this place since the start.
#[must_use]
pub fn sample(index: u64) -> i16 {
    // Below 48000, so nothing is cut off.
    let place = u32::try_from(index % u64::from(RATE)).unwrap_or(0);
    let amplitude = if place < BEEP { LOUD } else { QUIET };
    let turns = f64::from(TONE) * f64::from(place) / f64::from(RATE);
    #[expect(clippy::cast_possible_truncation, reason = "amplitudes fit 16 bits")]
    let sample = (amplitude * (TAU * turns).sin()).round() as i16;
    sample
}

/// A packet's worth of samples from `index` on, as 16-bit little-endian.
#[must_use]
pub fn packet(index: u64) -> Vec<u8> {
    (index..index + u64::from(PACKET))
        .flat_map(|index| sample(index).to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_begins_with_a_beep_of_a_tenth() {
        let peak = |from: u64, to: u64| (from..to).map(|i| sample(i).abs()).max();
        assert_eq!(peak(0, 4_800), Some(12_000));
        assert_eq!(peak(4_800, 48_000), Some(60));
        assert_eq!(peak(48_000, 52_800), Some(12_000));
        assert_eq!(packet(48_000).len(), 1920);
    }
}
