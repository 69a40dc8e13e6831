//! Recordings that have become so long, or so large, that another one takes over.

use reeld::daemon::settings::{RoomSettings, Turnover};

use crate::files::Recording;
use crate::script::{Played, Room, ms};
use crate::steady::steady;
use crate::{output, whole};

/// Every recording, oldest first. Together they have every picture, and each begins before the
/// one in front of it ends.
fn recordings_without_a_hole(played: &Played) -> Vec<Recording> {
    let mut recordings = Vec::new();
    let mut folders: Vec<_> = played.summaries.iter().map(|it| it.dir.clone()).collect();
    folders.sort();
    for folder in folders {
        recordings.push(Recording::read(&folder.unwrap()));
    }
    for pair in recordings.windows(2) {
        let (before, next) = (&pair[0].manifest, &pair[1].manifest);
        let apart = next.started - before.started;
        assert!(
            apart.unsigned_abs() <= before.totals.duration,
            "{apart} after one of {:?}",
            before.totals.duration
        );
        assert!(next.findings.gaps.is_empty(), "{:?}", next.findings.gaps);
    }
    let pictures: u64 = recordings.iter().map(Recording::pictures).sum();
    assert!(pictures >= played.sent("V"), "{pictures} pictures");
    recordings
}

#[test]
fn who_stays_long_is_recorded_in_pieces_without_a_hole() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(RoomSettings {
            turnover: Turnover {
                after: ms(2_000),
                bytes: None,
            },
            ..whole(&output)
        });
        room.play(ms(7_000));
        let played = room.close();
        let recordings = recordings_without_a_hole(&played);
        assert!((3..=4).contains(&recordings.len()), "{}", recordings.len());
        let longest = recordings.iter().map(|it| it.manifest.totals.duration);
        assert!(longest.max().unwrap() < ms(4_000));
    });
}

#[test]
fn what_becomes_large_is_recorded_in_pieces_without_a_hole() {
    steady(|| {
        let output = output();
        let most = 100_000;
        let mut room = Room::open_with_ann(RoomSettings {
            turnover: Turnover {
                after: ms(60_000),
                bytes: Some(most),
            },
            ..whole(&output)
        });
        room.play(ms(6_000));
        let played = room.close();
        let recordings = recordings_without_a_hole(&played);
        assert!(recordings.len() >= 2, "{}", recordings.len());
        let (_, full) = recordings.split_last().unwrap();
        assert!(full.iter().all(|it| it.manifest.totals.bytes >= most));
    });
}
