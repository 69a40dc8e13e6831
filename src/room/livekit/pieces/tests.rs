use proptest::prelude::*;

use super::*;

const MOST: usize = 1_000;

fn id() -> TrackId {
    TrackId::new("TR_1")
}

fn piece(start: Instant, rtp: u32, data: &[u8]) -> Piece {
    Piece {
        rtp,
        arrival: start + Duration::from_millis(rtp.into()),
        report: None,
        keyframe: false,
        contiguous: true,
        begins: true,
        data: bytes::Bytes::copy_from_slice(data),
    }
}

fn behind_a_gap(piece: Piece) -> Piece {
    Piece {
        contiguous: false,
        ..piece
    }
}

fn whole(joined: Option<Joined>) -> Option<(u32, Vec<u8>)> {
    match joined {
        Some(Joined::Whole(picture)) => Some((picture.rtp, picture.data.to_vec())),
        Some(Joined::Torn) => Some((0, Vec::new())),
        None => None,
    }
}

#[test]
fn pieces_of_one_time_are_one_picture() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    let first = behind_a_gap(piece(now, 10, b"a"));
    assert_eq!(pieces.take(&id(), first), None);
    let mut second = piece(now, 10, b"b");
    second.keyframe = true;
    assert_eq!(pieces.take(&id(), second), None);
    assert_eq!(pieces.take(&id(), piece(now, 10, b"c")), None);
    let Some(Joined::Whole(picture)) = pieces.take(&id(), piece(now, 20, b"d")) else {
        panic!("no picture");
    };
    assert_eq!((picture.rtp, &*picture.data), (10, &b"abc"[..]));
    // Of any piece: the slice of a keyframe need not be in the first.
    assert!(picture.keyframe && !picture.contiguous);
    assert_eq!(picture.arrival, now + Duration::from_millis(10));
    assert_eq!(whole(pieces.finish(&id())), Some((20, b"d".to_vec())));
    assert_eq!(pieces.finish(&id()), None);
}

#[test]
fn a_picture_with_a_hole_is_left_out() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    pieces.take(&id(), piece(now, 10, b"a"));
    pieces.take(&id(), behind_a_gap(piece(now, 10, b"c")));
    let ended = pieces.take(&id(), piece(now, 20, b"d"));
    assert_eq!(ended, Some(Joined::Torn));
}

#[test]
fn a_picture_without_its_beginning_is_left_out() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    let mut end = behind_a_gap(piece(now, 10, b"b"));
    end.begins = false;
    pieces.take(&id(), end);
    assert_eq!(pieces.take(&id(), piece(now, 20, b"c")), Some(Joined::Torn));
}

#[test]
fn a_picture_with_a_gap_behind_it_may_lack_its_end() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    pieces.take(&id(), piece(now, 10, b"a"));
    let ended = pieces.take(&id(), behind_a_gap(piece(now, 20, b"c")));
    assert_eq!(ended, Some(Joined::Torn));
    let ended = pieces.take(&id(), piece(now, 30, b"d"));
    assert_eq!(whole(ended), Some((20, b"c".to_vec())));
}

#[test]
fn a_picture_behind_which_nothing_comes_is_given_out_and_what_comes_after_all_is_not() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    assert_eq!(pieces.deadline(), None);
    pieces.take(&id(), piece(now, 10, b"a"));
    let due = pieces.deadline().unwrap();
    let before = due.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(pieces.expire(before), []);
    let expired = pieces.expire(due).pop().map(|(_, joined)| joined);
    assert_eq!(whole(expired), Some((10, b"a".to_vec())));
    assert_eq!(pieces.deadline(), None);
    let late = pieces.take(&id(), piece(now, 10, b"b"));
    assert_eq!(late, Some(Joined::Torn));
    assert_eq!(pieces.take(&id(), piece(now, 20, b"c")), None);
}

#[test]
fn of_a_picture_without_end_a_bounded_part_is_kept() {
    let now = Instant::now();
    let mut pieces = Pieces::new(MOST);
    for _ in 0..1_000 {
        pieces.take(&id(), piece(now, 10, &[7; 300]));
    }
    let Some((_, data)) = whole(pieces.finish(&id())) else {
        panic!("no picture");
    };
    assert!(
        data.len() > MOST && data.len() <= MOST + 300,
        "{}",
        data.len()
    );
}

proptest! {
    /// However pictures are cut and whatever is lost, what is given out is whole and in order.
    #[test]
    fn nothing_is_given_out_that_lacks_a_piece(
        pictures in prop::collection::vec(prop::collection::vec(0..10_u8, 1..5), 1..40),
    ) {
        let now = Instant::now();
        let mut pieces = Pieces::new(MOST);
        let (mut given, mut complete) = (Vec::new(), Vec::new());
        let mut keep = |joined: Option<Joined>| {
            if let Some(Joined::Whole(picture)) = joined {
                given.push((picture.rtp, picture.data.to_vec()));
            }
        };
        let mut contiguous = true;
        for (number, chances) in (1_u32..).zip(&pictures) {
            for (index, chance) in (0_u8..).zip(chances) {
                if *chance == 0 {
                    contiguous = false;
                    continue;
                }
                let piece = Piece { contiguous, begins: index == 0, ..piece(now, number, &[index]) };
                contiguous = true;
                keep(pieces.take(&id(), piece));
            }
            if !chances.contains(&0) {
                complete.push((number, (0..).take(chances.len()).collect::<Vec<u8>>()));
            }
        }
        // Behind the last picture nothing shows whether its end was lost.
        if contiguous {
            keep(pieces.finish(&id()));
        }
        prop_assert!(given.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert!(given.iter().all(|picture| complete.contains(picture)), "{given:?}");
        let lost = pictures.iter().flatten().filter(|chance| **chance == 0).count();
        // Each loss takes the picture that it is of, and one before it at most.
        prop_assert!(given.len() + 2 * lost >= pictures.len(), "{given:?}");
    }
}
