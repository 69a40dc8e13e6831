//! What an Opus packet says of itself (RFC 6716, section 3): how long it is, and how to make
//! one of silence.

use std::time::Duration;

/// The longest packet allowed (RFC 6716, 3.4, rule 5).
const MAX_PACKET: Duration = Duration::from_millis(120);

/// The length of a packet of [`silence`].
pub(super) const SILENCE: Duration = Duration::from_millis(20);

/// A packet of 20 ms that decodes to silence: one CELT full-band frame whose first symbol is the
/// silence flag (RFC 6716, 4.3).
pub(super) const fn silence(stereo: bool) -> [u8; 3] {
    [if stereo { 0xfc } else { 0xf8 }, 0xff, 0xfe]
}

/// Whether a packet only says that nothing is being sent: WebRTC takes payloads of at most two
/// bytes for that (`OpusFrame::IsDtxPacket`), RFC 6716 3.1 allows such frames of no bytes.
pub(super) const fn is_dtx(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// How much sound a packet holds, from its first one or two bytes; none when it is malformed.
pub(super) fn duration(packet: &[u8]) -> Option<Duration> {
    let (&toc, rest) = packet.split_first()?;
    let frame = frame_duration(toc >> 3);
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*rest.first()? & 0x3f),
    };
    let whole = frame * frames;
    (frames > 0 && whole <= MAX_PACKET).then_some(whole)
}

/// The length of a frame by its configuration number (RFC 6716, table 2).
fn frame_duration(config: u8) -> Duration {
    const SILK: [u64; 4] = [10_000, 20_000, 40_000, 60_000];
    const HYBRID: [u64; 2] = [10_000, 20_000];
    const CELT: [u64; 4] = [2_500, 5_000, 10_000, 20_000];
    let of = |micros: &[u64], at: u8| micros.get(usize::from(at)).copied().unwrap_or(20_000);
    Duration::from_micros(match config {
        0..=11 => of(&SILK, config % 4),
        12..=15 => of(&HYBRID, config % 2),
        _ => of(&CELT, config % 4),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_follow_the_table_of_configurations() {
        let ms = |config: u8, code: u8| duration(&[config << 3 | code, 0]).map(|d| d.as_micros());
        assert_eq!(ms(0, 0), Some(10_000));
        assert_eq!(ms(3, 0), Some(60_000));
        assert_eq!(ms(3, 1), Some(120_000));
        assert_eq!(ms(9, 0), Some(20_000));
        assert_eq!(ms(13, 2), Some(40_000));
        assert_eq!(ms(16, 0), Some(2_500));
        assert_eq!(ms(31, 0), Some(20_000));
        assert_eq!(
            duration(&[31 << 3 | 3, 3, 0]),
            Some(Duration::from_millis(60))
        );
        assert_eq!(duration(&[31 << 3 | 3, 0]), None, "no frames");
        assert_eq!(duration(&[3 << 3 | 3, 3]), None, "180 ms");
        assert_eq!(duration(&[31 << 3 | 3]), None, "cut short");
        assert_eq!(duration(&[]), None);
    }

    #[test]
    fn silence_is_twenty_milliseconds_and_not_taken_for_dtx() {
        for stereo in [false, true] {
            assert_eq!(duration(&silence(stereo)), Some(SILENCE));
            assert!(!is_dtx(&silence(stereo)));
            assert_eq!(silence(stereo)[0] & 4 != 0, stereo);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_sane_duration_or_none(packet in prop::collection::vec(any::<u8>(), 0..8)) {
            if let Some(length) = duration(&packet) {
                prop_assert!(length >= Duration::from_micros(2_500) && length <= MAX_PACKET);
            }
        }
    }
}
