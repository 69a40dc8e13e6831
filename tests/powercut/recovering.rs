//! Power cuts in the middle of `reeld recover`, after a power cut in the middle of a recording:
//! the next recovery leaves the same files as one that was not disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::judge::recover;
use super::stage::card::image::{Keep, Replay, repair};
use super::stage::card::{Card, Log, Mounted};
use super::stage::reeld::files;
use super::victim::relative;

/// How many flushes of each recovery are cut short, and how many other moments.
const FLUSHES: usize = 12;
const OTHERS: usize = 6;

/// Every file on a card, by its path.
type Contents = BTreeMap<PathBuf, Vec<u8>>;

fn contents(root: &Path) -> Contents {
    let found = files(root).into_iter();
    let found = found.map(|file| (relative(&file, root), fs::read(&file).unwrap()));
    found.collect()
}

/// Recovers what is in `image`. Returns what is on the card then, and what it was told.
fn undisturbed(image: &Path) -> (Contents, Log) {
    let card = Card::holding(fs::read(image).unwrap()).expect("a card, as before");
    recover(card.path()).unwrap();
    let contents = contents(card.path());
    (contents, card.eject())
}

#[test]
fn a_recovery_that_a_power_cut_ends_is_finished_by_the_next_one() {
    let Some(recorded) = super::record(12, &[]) else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(2);
    let mut first_cuts = random.choose_multiple(recorded.log.flushes(recorded.begin), 4);
    first_cuts.sort_unstable();
    let image = NamedTempFile::new().unwrap();
    let mut recording = Replay::new(&recorded.log);
    let mut cuts = 0;
    for first in first_cuts {
        recording
            .cut(first, Keep::Half(first as u64), image.path())
            .unwrap();
        repair(image.path()).unwrap();
        let (wanted, log) = undisturbed(image.path());
        let mut seconds = random.choose_multiple(log.flushes(0), FLUSHES);
        seconds.extend(random.choose_multiple(0..log.entries.len(), OTHERS));
        seconds.sort_unstable();
        let mut recovery = Replay::new(&log);
        for second in seconds {
            for keep in [Keep::None, Keep::Half(second as u64)] {
                recovery.cut(second, keep, image.path()).unwrap();
                repair(image.path()).unwrap();
                let card = Mounted::new(image.path()).unwrap();
                recover(card.path()).unwrap();
                let found = contents(card.path());
                assert_same(&found, &wanted, &format!("{first}, {second}, {keep:?}"));
                cuts += 1;
            }
        }
    }
    println!("{cuts} recoveries were cut");
    assert!(cuts > 20, "{cuts}");
}

fn assert_same(found: &Contents, wanted: &Contents, name: &str) {
    let names = |contents: &Contents| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(wanted), "{name}");
    for (path, bytes) in wanted {
        let path_name = path.display();
        assert!(
            found[path] == *bytes,
            "{name}: {path_name} differs:\n{}\n{}",
            text(&found[path]),
            text(bytes)
        );
    }
}

/// The first of it, where it is text.
fn text(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap_or("(not text)");
    text.chars().take(4_000).collect()
}
