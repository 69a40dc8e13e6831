//! The card itself: what it logs, and that its faults arrive.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::stage::card::image::{Keep, Replay, SECTOR, repair};
use super::stage::card::log::{Change, Entry, Log};
use super::stage::card::{Card, Fault, Mounted};

fn card() -> Option<Card> {
    Card::insert(16 << 20)
        .inspect_err(|reason| println!("skipped: {reason}"))
        .ok()
}

#[test]
fn what_was_synced_survives_and_what_was_not_does_not() {
    let Some(card) = card() else {
        return;
    };
    let (synced, unsynced) = (card.path().join("synced"), card.path().join("unsynced"));
    fs::write(&unsynced, [1; 10_000]).unwrap();
    let before = card.position();
    let mut file = File::create(&synced).unwrap();
    file.write_all(&[2; 10_000]).unwrap();
    file.sync_all().unwrap();
    let after = card.position();
    drop(file);
    let log = card.eject();
    assert!(!log.flushes(before).is_empty(), "an fsync is a flush");

    let image = tempfile::NamedTempFile::new().unwrap();
    let mut replay = Replay::new(&log);
    for (position, there) in [(before, false), (after, true)] {
        replay.cut(position, Keep::None, image.path()).unwrap();
        repair(image.path()).unwrap();
        let cut = Mounted::new(image.path()).unwrap();
        let found = fs::read(cut.path().join("synced")).ok();
        assert_eq!(found, there.then(|| vec![2; 10_000]), "at {position}");
        // Its size came with the journal, its content had not been asked for.
        let found = fs::read(cut.path().join("unsynced")).unwrap_or_default();
        assert!(found.iter().all(|byte| *byte == 0), "at {position}");
    }
}

#[test]
fn a_stall_delays_a_sync_and_faults_fail_it() {
    let Some(card) = card() else {
        return;
    };
    let sync = |name: &str| {
        let mut file = File::create(card.path().join(name))?;
        file.write_all(&[3; 10_000])?;
        file.sync_all()
    };
    let stall = Duration::from_millis(300);
    card.stall(stall);
    let began = Instant::now();
    sync("stalled").unwrap();
    assert!(began.elapsed() >= stall, "{:?}", began.elapsed());

    card.fail(Fault::Writes);
    assert_eq!(sync("failed").unwrap_err().raw_os_error(), Some(5));
}

#[test]
fn a_card_leaves_nothing_behind() {
    let Some(card) = card() else {
        return;
    };
    let place = card.path().to_owned();
    let open = File::create(place.join("open")).unwrap();
    card.fail(Fault::Pulled);
    assert!(open.sync_all().is_err());
    drop((open, card));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(place.to_str().unwrap()), "{mounts}");
}

/// Sectors of a card for [`Replay`] alone.
const SECTORS: usize = 20;

/// Of so many sectors, from one on, filled with a byte; or a flush.
fn change() -> impl Strategy<Value = Change> {
    let write = (0..SECTORS, 1..5_usize, 1..=u8::MAX).prop_map(|(sector, sectors, byte)| {
        let sectors = sectors.min(SECTORS - sector);
        Change::Write {
            offset: sector * SECTOR,
            bytes: vec![byte; sectors * SECTOR],
        }
    });
    prop_oneof![3 => write, 1 => Just(Change::Flush)]
}

/// What each sector may hold after the first `position` changes: in front what was flushed last.
fn possible(log: &Log, position: usize) -> Vec<Vec<u8>> {
    let mut sectors = vec![vec![0]; SECTORS];
    for entry in &log.entries[..position] {
        match &entry.change {
            Change::Write { offset, bytes } => {
                let first = offset / SECTOR;
                for sector in &mut sectors[first..first + bytes.len() / SECTOR] {
                    sector.push(bytes[0]);
                }
            }
            Change::Flush => {
                for sector in &mut sectors {
                    sector.drain(..sector.len() - 1);
                }
            }
        }
    }
    sectors
}

proptest! {
    #[test]
    fn a_cut_keeps_what_was_flushed_and_no_more_than_was_written(
        changes in prop::collection::vec(change(), 1..30),
        seed: u64,
    ) {
        let at = Instant::now();
        let entries: Vec<_> = changes.into_iter().map(|change| Entry { at, change }).collect();
        let log = Log { blank: vec![0; SECTORS * SECTOR], entries };
        let image = tempfile::NamedTempFile::new().unwrap();
        let mut replay = Replay::new(&log);
        for position in 0..=log.entries.len() {
            let possible = possible(&log, position);
            replay.cut(position, Keep::None, image.path()).unwrap();
            let found = fs::read(image.path()).unwrap();
            for (sector, possible) in found.chunks(SECTOR).zip(&possible) {
                prop_assert_eq!(sector, [possible[0]; SECTOR]);
            }
            replay.cut(position, Keep::Half(seed), image.path()).unwrap();
            let found = fs::read(image.path()).unwrap();
            for (sector, possible) in found.chunks(SECTOR).zip(&possible) {
                prop_assert!(possible.iter().any(|byte| sector == [*byte; SECTOR]));
            }
        }
    }
}

#[test]
fn what_was_not_flushed_is_kept_now_and_then_and_in_part() {
    let whole = vec![1; 8 * SECTOR];
    let change = Change::Write {
        offset: 0,
        bytes: whole.clone(),
    };
    let entry = Entry {
        at: Instant::now(),
        change,
    };
    let log = Log {
        blank: vec![0; whole.len()],
        entries: vec![entry],
    };
    let image = tempfile::NamedTempFile::new().unwrap();
    let mut kept = [0; 3];
    for seed in 0..30 {
        let mut replay = Replay::new(&log);
        replay.cut(1, Keep::Half(seed), image.path()).unwrap();
        let found = fs::read(image.path()).unwrap();
        kept[usize::from(found.contains(&1)) + usize::from(found == whole)] += 1;
    }
    assert!(
        kept.iter().all(|times| *times > 3),
        "none, part, all: {kept:?}"
    );
}
