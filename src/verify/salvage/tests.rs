//! Damage to a stream of known units.
#![allow(
    clippy::single_range_in_vec_init,
    reason = "lists of ranges, not of numbers"
)]

use proptest::prelude::*;

use super::*;
use crate::verify::packets_for_tests::*;
use crate::verify::tests::report;

/// What is left of a file, with the counters that no longer follow declared.
fn kept(bytes: &[u8], salvage: &Salvage) -> Vec<u8> {
    let parts = salvage.parts.iter().flatten();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    parts
        .flat_map(|part| bytes[at(part.start)..at(part.end)].iter().copied())
        .collect()
}

fn run(bytes: &[u8]) -> Salvage {
    salvage(&mut &bytes[..]).unwrap()
}

/// A stream, and where each unit of it ends: at its start and in the order of the units.
struct Stream {
    bytes: Vec<u8>,
    /// (PID, end) of each unit.
    units: Vec<(u16, usize)>,
}

/// Sizes of units around those that fill their packets, and larger ones.
fn stream(sizes: &[u16]) -> Stream {
    let mut builder = Builder::new();
    let mut units = Vec::new();
    for (n, &size) in (0_u64..).zip(sizes) {
        let ticks = 90_000 + n * 3_000;
        let mut unit = if n % 10 == 0 { keyframe() } else { delta() };
        if n % 10 != 0 {
            unit.resize(unit.len() + usize::from(size), 0xa5);
        }
        builder.video(ticks, &unit);
        units.push((VIDEO, builder.bytes.len()));
        builder.audio(ticks);
        units.push((AUDIO, builder.bytes.len()));
        if n % 4 == 3 {
            builder.tables(&[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])]);
        }
    }
    let bytes = builder.bytes;
    Stream { bytes, units }
}

impl Stream {
    /// The end of the last unit that is whole in a prefix and is known to be.
    fn whole_before(&self, cut: usize) -> usize {
        let whole = |&&(_, end): &&(u16, usize)| end <= cut;
        let last = self.units.iter().rev().find(whole);
        let (pid, end) = last.copied().unwrap_or_default();
        let last_packet: Option<&[u8; PACKET]> = self.bytes[..end].last_chunk();
        if pid == VIDEO && !last_packet.is_some_and(is_stuffed) {
            // Nothing says that it ended but what follows: the packet that begins the sound.
            let before = |&&(_, other): &&(u16, usize)| other < end;
            if cut < end + PACKET {
                return self.units.iter().rev().find(before).map_or(0, |it| it.1);
            }
        }
        end
    }
}

#[test]
fn a_sound_file_is_kept_whole() {
    for length in [1, 10, 95] {
        let bytes = stream(&vec![300; length]).bytes;
        let found = run(&bytes);
        let expected = 0..stream(&vec![300; length]).units.last().unwrap().1 as u64;
        assert_eq!(found.parts.as_deref(), Some(&[expected][..]));
        assert!(found.media && !found.jumps);
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    let tables = Builder::new().bytes;
    let zeros = vec![0; 10_000];
    for (bytes, media) in [
        (vec![], false),
        (zeros.clone(), false),
        (tables.clone(), false),
        ([tables.clone(), zeros].concat(), false),
        (vec![0x33; 10_000], true),
        ([tables, vec![0x33; 400]].concat(), true),
    ] {
        let found = run(&bytes);
        assert_eq!(found.parts.as_deref(), Some(&[][..]));
        assert_eq!(found.media, media, "{} bytes", bytes.len());
    }
}

#[test]
fn what_was_in_the_blocks_before_is_not_ours() {
    let mut old = Builder::new();
    old.media(90_000 * 4_000, 300);
    for shift in [0, 1, 100] {
        let ours = stream(&[300; 20]);
        let bytes = [&ours.bytes, &vec![0; shift][..], &old.bytes].concat();
        let found = run(&bytes);
        let end = ours.units.last().unwrap().1 as u64;
        assert_eq!(found.parts.as_deref(), Some(&[0..end][..]), "shift {shift}");
    }
}

#[test]
fn a_hole_costs_the_units_it_touches() {
    let good = stream(&[300; 30]);
    let (_, from) = good.units[19];
    let (_, to) = good.units[21];
    for (hole, filling) in [
        (vec![], "removed"),
        (vec![0; to - from], "zeros"),
        (vec![0x33; to - from + 5], "noise of another length"),
    ] {
        // In the middle of a picture, up to the middle of the sound behind it.
        let bytes = [&good.bytes[..from + 60], &hole, &good.bytes[to - 60..]].concat();
        let found = run(&bytes);
        let parts = found.parts.clone().unwrap();
        let after = bytes.len() - (good.bytes.len() - to);
        assert_eq!(parts[0], 0..from as u64, "{filling}");
        // Where nothing is between, the broken packet takes in the beginning of the next unit.
        let next = if hole.is_empty() { 4 * PACKET } else { 0 };
        assert_eq!(parts[1].start, (after + next) as u64, "{filling}");
        assert_eq!(parts.len(), 2, "{filling}: {parts:?}");
    }
    // Whole units removed, between others: nothing to cut, but the counters jump.
    let bytes = [&good.bytes[..from], &good.bytes[to..]].concat();
    let found = run(&bytes);
    assert!(found.jumps);
    assert_eq!(found.parts.unwrap().len(), 1);
}

#[test]
fn pictures_begin_with_a_keyframe_and_media_with_tables() {
    let good = stream(&[300; 30]);
    let (_, from) = good.units[3];
    let found = run(&good.bytes[from..]);
    let kept = kept(&good.bytes[from..], &found);
    let report = report(&kept);
    // The rest of the jumps are for whoever writes the file.
    let only_jumps = |group: &crate::verify::Group<_>| {
        matches!(
            group.first[0].what,
            crate::verify::Problem::Continuity { .. }
        )
    };
    assert!(
        report.problems.groups().all(only_jumps),
        "{:?}",
        report.problems
    );
    assert_eq!(report.streams[0].frames, 20);
}

proptest! {
    #[test]
    fn any_prefix_with_any_tail_holds_all_whole_units(
        sizes in prop::collection::vec(0..700_u16, 1..40),
        cut in any::<prop::sample::Index>(),
        tail in prop_oneof![
            Just(Vec::new()),
            (1..3_000_usize).prop_map(|length| vec![0; length]),
            prop::collection::vec(any::<u8>(), 1..3_000),
            // Sync bytes at the right places.
            prop::collection::vec(any::<u8>(), 1..3_000).prop_map(|mut noise| {
                noise.iter_mut().step_by(PACKET).for_each(|byte| *byte = 0x47);
                noise
            }),
        ],
    ) {
        let good = stream(&sizes);
        let cut = cut.index(good.bytes.len() + 1);
        let bytes = [&good.bytes[..cut], &tail].concat();
        let found = run(&bytes);
        let whole = good.whole_before(cut) as u64;
        let parts = found.parts.clone().unwrap();
        prop_assert!(parts.len() <= 1, "{:?}", parts);
        let end = parts.first().map_or(0, |part| part.end);
        prop_assert!(end >= whole, "{} kept of {}", end, whole);
        if tail.iter().all(|&byte| byte == 0) {
            prop_assert_eq!(end, whole);
        }
        // Noise can complete the packet of the cut, and no more.
        prop_assert!(end <= cut.next_multiple_of(PACKET) as u64);
        prop_assert!(!found.jumps);
        if end > 0 {
            let report = report(&kept(&bytes, &found));
            prop_assert!(report.sound, "{:?}", report.problems);
        }
    }

    #[test]
    fn any_damage_leaves_sound_parts(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
        dropped in prop::collection::vec((any::<prop::sample::Index>(), 1..600_usize), 0..4),
    ) {
        let mut bytes = stream(&[300; 60]).bytes;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, length) in dropped {
            let from = at.index(bytes.len());
            bytes.drain(from..(from + length).min(bytes.len()));
        }
        let found = run(&bytes);
        let parts = found.parts.clone().unwrap();
        prop_assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start));
        for part in &parts {
            prop_assert_eq!((part.end - part.start) % PACKET as u64, 0);
            let end = usize::try_from(part.end).unwrap();
            prop_assert!(end <= bytes.len());
        }
    }
}
