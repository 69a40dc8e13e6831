//! Sound that is not encoded: 16 bits a sample, 48 kHz, channels interleaved.

use std::time::Duration;

use bytes::Bytes;

use super::opus::SILENCE;

/// Samples a second.
pub(super) const RATE: u32 = 48_000;

/// Bytes of a sample of one channel.
const SAMPLE_BYTES: usize = 2;

/// As long as a packet of Opus that is silent, so that both fill the same holes.
pub(super) fn silence(stereo: bool) -> Bytes {
    let samples = SILENCE.as_millis() as usize * RATE as usize / 1_000;
    Bytes::from(vec![0; samples * bytes_of_all(stereo)])
}

/// How much sound there is; none where it is not whole samples, or nothing.
pub(super) fn duration(stereo: bool, data: &[u8]) -> Option<Duration> {
    let bytes = bytes_of_all(stereo);
    let samples = u64::try_from(data.len() / bytes).ok()?;
    let whole = samples > 0 && data.len().is_multiple_of(bytes);
    whole.then(|| Duration::from_nanos(samples * 1_000_000_000 / u64::from(RATE)))
}

const fn bytes_of_all(stereo: bool) -> usize {
    if stereo {
        2 * SAMPLE_BYTES
    } else {
        SAMPLE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_as_long_as_its_samples() {
        let ten = Some(Duration::from_millis(10));
        assert_eq!(duration(false, &[0; 960]), ten);
        assert_eq!(duration(true, &[0; 1920]), ten);
        for odd in [&[][..], &[0; 3], &[0; 1922]] {
            assert_eq!(duration(true, odd), None);
        }
        for stereo in [false, true] {
            assert_eq!(duration(stereo, &silence(stereo)), Some(SILENCE));
        }
    }
}
