//! Any damage is survived and reported.

use proptest::prelude::*;

use super::packets_for_tests::{AUDIO, PMT_PID, VIDEO};
use super::tests::{media, problems, report};
use super::*;

/// Whatever was damaged, the reader reaches the end and reports it in bounded lists.
fn check_any(bytes: &[u8]) {
    let report = report(bytes);
    assert_eq!(report.bytes, bytes.len() as u64);
    assert!(report.packets <= report.bytes / 188);
    for group in report.problems.groups() {
        assert!(group.first.len() <= KEPT_OF_EACH_KIND);
        assert!(group.count >= group.first.len() as u64);
    }
    let mut text = Vec::new();
    let mut printer = render::Printer::new(Format::Human, &mut text);
    printer.print(&Report::File(report)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_reported(bytes in prop::collection::vec(any::<u8>(), 1..2_000)) {
        check_any(&bytes);
        prop_assert!(!problems(&bytes).is_empty());
    }

    #[test]
    fn noise_in_packets_is_reported(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 184), 1..20),
        pid in prop::sample::select(vec![0, PMT_PID, VIDEO, AUDIO]),
    ) {
        let mut bytes = media(0).bytes;
        for packet in packets {
            let [high, low] = pid.to_be_bytes();
            bytes.extend([0x47, high | packet[1] & 0xc0, low, packet[0]]);
            bytes.extend(packet);
        }
        check_any(&bytes);
    }

    #[test]
    fn damage_anywhere_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
        dropped in any::<prop::sample::Index>(),
    ) {
        let mut bytes = media((1 << 33) - 90_000).bytes;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let from = dropped.index(bytes.len());
        bytes.drain(from..(from + 77).min(bytes.len()));
        bytes.truncate(cut.index(bytes.len()) + 1);
        check_any(&bytes);
    }

    #[test]
    fn a_lost_packet_is_noticed(lost in 6..200_usize) {
        // From the sixth on, each has one before it in its stream, and one behind it.
        let good = media(0).bytes;
        let bytes = [&good[..188 * lost], &good[188 * (lost + 1)..]].concat();
        let found = problems(&bytes);
        prop_assert!(matches!(found[..], [Problem::Continuity { .. }]), "{:?}", found);
    }
}
