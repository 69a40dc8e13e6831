//! Senders and the writer on real threads.

use super::*;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

type Queue = Handover<(), (), &'static str>;

const ONE: SegmentIndex = SegmentIndex(1);
const TWO: SegmentIndex = SegmentIndex(2);
/// Longer than any test waits: reaching it is a failure.
const LONG: Duration = Duration::from_mins(1);

fn at_once() -> Wake {
    Wake {
        at: Some(Instant::now()),
        age: Duration::ZERO,
        bytes: 1,
    }
}

fn queue_with_one() -> Arc<Queue> {
    let queue = Arc::new(Queue::new(2 * PIECE));
    queue.open(ONE, ()).unwrap();
    queue
}

/// Sends from another thread; the receiver gets the result when the sender was let go.
fn send_from_thread(queue: &Arc<Queue>, bytes: usize) -> mpsc::Receiver<Result<(), Closed>> {
    let (tx, rx) = mpsc::sync_channel(1);
    let queue = Arc::clone(queue);
    thread::spawn(move || tx.send(queue.send(ONE, &vec![7; bytes])));
    rx
}

fn wait_for_a_waiting_sender(queue: &Queue) {
    while queue.stats().waits == 0 {
        thread::yield_now();
    }
}

#[test]
fn small_chunks_are_gathered_in_order_by_segment() {
    let queue = queue_with_one();
    queue.open(TWO, ()).unwrap();
    queue.send(ONE, b"ab").unwrap();
    queue.send(ONE, b"cd").unwrap();
    queue.send(TWO, b"ef").unwrap();
    assert!(queue.close(ONE, ()));
    let batch = queue.take(at_once());
    let seen: Vec<_> = batch
        .items
        .iter()
        .map(|item| match item {
            Item::Open(segment, ()) => format!("open {segment}"),
            Item::Data(chunk) => format!(
                "{} to {}",
                String::from_utf8_lossy(&chunk.bytes),
                chunk.segment
            ),
            Item::Close(segment, ()) => format!("close {segment}"),
        })
        .collect();
    let expected = [
        "open 00001",
        "open 00002",
        "abcd to 00001",
        "ef to 00002",
        "close 00001",
    ];
    assert_eq!(seen, expected);
    assert_eq!(queue.stats().depth, 6);
    queue.release(6);
    assert_eq!((queue.stats().depth, queue.stats().high_water), (0, 6));
}

#[test]
fn a_full_queue_holds_its_sender_until_bytes_are_written_and_never_grows() {
    let queue = queue_with_one();
    queue.take(at_once());
    let sent = send_from_thread(&queue, 5 * PIECE);
    let mut received = 0;
    while received < 5 * PIECE {
        wait_for_a_waiting_sender(&queue);
        let wake = Wake {
            at: None,
            age: LONG,
            bytes: PIECE,
        };
        for item in queue.take(wake).items {
            let Item::Data(chunk) = item else {
                panic!("{item:?}")
            };
            received += chunk.bytes.len();
            queue.release(chunk.bytes.len());
        }
    }
    assert_eq!(sent.recv_timeout(LONG).unwrap(), Ok(()));
    assert_eq!(queue.stats().high_water, 2 * PIECE);
}

#[test]
fn whatever_ends_the_segment_frees_a_waiting_sender() {
    let ends: [fn(&Queue); 3] = [
        |queue| assert!(queue.close(ONE, ())),
        Handover::finish,
        |queue| queue.refuse(ONE),
    ];
    for end in ends {
        let queue = queue_with_one();
        let sent = send_from_thread(&queue, 3 * PIECE);
        wait_for_a_waiting_sender(&queue);
        end(&queue);
        assert_eq!(sent.recv_timeout(LONG).unwrap(), Err(Closed));
        assert_eq!(queue.send(ONE, b"x"), Err(Closed));
    }
}

#[test]
fn a_refused_segment_can_still_be_closed_once() {
    let queue = queue_with_one();
    queue.refuse(ONE);
    assert!(queue.close(ONE, ()));
    assert!(!queue.close(ONE, ()));
    assert_eq!(queue.take(at_once()).items.len(), 2);
}

#[test]
fn unfinished_segments_are_limited() {
    let queue = Queue::new(0);
    for n in 0..8 {
        queue.open(SegmentIndex(n), ()).unwrap();
    }
    // Closing is not enough: the writer must have dealt with it.
    queue.close(SegmentIndex(0), ());
    assert_eq!(
        queue.open(SegmentIndex(8), ()),
        Err(OpenRefused::TooMany(8))
    );
    queue.done_with_one();
    assert_eq!(queue.open(SegmentIndex(8), ()), Ok(()));
    queue.finish();
    assert_eq!(queue.open(SegmentIndex(9), ()), Err(OpenRefused::Ended));
}

#[test]
fn the_writer_sleeps_until_age_bytes_or_a_message() {
    let queue = queue_with_one();
    queue.take(at_once());
    queue.send(ONE, b"abc").unwrap();
    let age = Duration::from_millis(50);
    let before = Instant::now();
    let batch = queue.take(Wake {
        at: None,
        age,
        bytes: 4,
    });
    assert_eq!(batch.items.len(), 1);
    assert!(before.elapsed() > age / 2);

    queue.send(ONE, b"abcd").unwrap();
    let batch = queue.take(Wake {
        at: None,
        age: LONG,
        bytes: 4,
    });
    assert_eq!(batch.items.len(), 1);

    queue.describe("old");
    queue.describe("new");
    let batch = queue.take(Wake {
        at: None,
        age: LONG,
        bytes: 4,
    });
    assert_eq!(batch.description, Some("new"));
    assert!(batch.items.is_empty() && !batch.finishing);

    queue.finish();
    assert!(
        queue
            .take(Wake {
                at: None,
                age: LONG,
                bytes: 4
            })
            .finishing
    );
}
