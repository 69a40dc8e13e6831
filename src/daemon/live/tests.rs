//! One recording as its room sees it.

use super::*;
use crate::recorder::recording::INBOX;
use crate::room::{Codec, EventReceiver, test_track};

fn camera() -> Track {
    test_track::track("V", Source::Camera, Codec::H264)
}

const DAY: Turnover = Turnover {
    after: Duration::from_hours(24),
    bytes: Some(1_000),
};

fn running(number: u64) -> (Running, EventReceiver, watch::Sender<RecordingProgress>) {
    let (inbox, receiver) = EventSender::bounded(INBOX);
    let (sender, progress) = watch::channel(RecordingProgress::default());
    let running = Running {
        number,
        inbox,
        progress,
        since: Instant::now(),
    };
    (running, receiver, sender)
}

fn live() -> (Live, EventReceiver) {
    let (running, receiver, _) = running(1);
    (
        Live::new("lobby", camera(), State::Recording(running)),
        receiver,
    )
}

fn written(progress: &watch::Sender<RecordingProgress>, bytes: u64) {
    progress.send_modify(|progress| progress.disk.written = bytes);
}

#[tokio::test]
async fn a_long_recording_is_succeeded_once_the_next_one_writes() {
    let (first, mut inbox, progress) = running(1);
    let start = first.since;
    let mut live = Live::new("lobby", camera(), State::Recording(first));
    let due = |live: &Live, now| live.due(now, true, DAY);
    assert_eq!(due(&live, start + DAY.after / 2), Due::Nothing);
    assert_eq!(due(&live, start + DAY.after), Due::Succeed);
    written(&progress, 1_000);
    assert_eq!(due(&live, start), Due::Succeed);

    let (next, mut next_inbox, next_progress) = running(2);
    live.succeed(next, None);
    assert_eq!(due(&live, start + DAY.after), Due::Nothing);
    assert!(live.tell(RoomEvent::Resumed));
    written(&next_progress, 1);
    assert_eq!(due(&live, start + DAY.after), Due::HandOver);
    live.hand_over();
    // Both were told of what happened; only the new one is left, and is the only one.
    assert_eq!(inbox.recv().await, Some(RoomEvent::Resumed));
    assert_eq!(inbox.recv().await, None);
    let added = RoomEvent::TrackAdded(camera());
    assert_eq!(next_inbox.recv().await, Some(added));
    assert_eq!(next_inbox.recv().await, Some(RoomEvent::Resumed));
    live.ended(1, start);
    assert!(matches!(&live.state, State::Recording(it) if it.number == 2));
    assert_eq!(due(&live, start + DAY.after / 2), Due::Nothing);
}

#[test]
fn a_successor_that_fails_leaves_the_recording_alone() {
    let (mut live, _inbox) = live();
    let start = Instant::now();
    let late = start + DAY.after * 2;
    let (next, ..) = running(2);
    live.succeed(next, None);
    live.ended(2, late);
    assert!(matches!(&live.state, State::Recording(it) if it.number == 1));
    assert_eq!(live.due(late, true, DAY), Due::Nothing);
    assert_eq!(live.due(late + NEXT_TRY, true, DAY), Due::Succeed);
    // And the other way round it takes over at once.
    let (next, ..) = running(3);
    live.succeed(next, None);
    live.ended(1, late);
    assert!(matches!(&live.state, State::Recording(it) if it.number == 3));
}

#[tokio::test]
async fn nothing_starts_while_the_storage_takes_nothing() {
    let (mut live, mut inbox) = live();
    let now = Instant::now();
    assert!(live.suspend());
    assert_eq!(inbox.recv().await, None);
    live.ended(1, now);
    assert!(matches!(live.state, State::Suspended));
    assert_eq!(live.due(now, false, DAY), Due::Nothing);
    assert_eq!(live.due(now, true, DAY), Due::Start);

    let (next, ..) = running(2);
    live.start(next, None);
    live.ended(2, now);
    assert!(matches!(live.state, State::Failed { .. }));
    let later = now + LONGEST_RETRY;
    assert_eq!(live.due(now, true, DAY), Due::Nothing);
    assert_eq!(live.due(later, false, DAY), Due::Nothing);
    assert_eq!(live.due(later, true, DAY), Due::Start);
}

#[tokio::test]
async fn a_recording_that_hangs_is_given_up_and_waited_for_by_nobody() {
    let (mut live, mut hung) = live();
    let unit = AccessUnit {
        at: Duration::ZERO,
        keyframe: true,
        contiguous: true,
        data: vec![0; 100_000].into(),
    };
    for _ in 0..1_000 {
        assert!(live.offer(TrackId::new("V"), unit.clone()));
    }
    // What is said of tracks gets through for long after units do not.
    let muted = || RoomEvent::TrackMuted {
        id: TrackId::new("V"),
        muted: true,
    };
    let told = (0..1_000).take_while(|_| live.tell(muted())).count();
    assert!((32..INBOX.events).contains(&told), "{told}");
    assert!(matches!(live.state, State::Failed { .. }));
    assert!(!live.offer(TrackId::new("V"), unit));

    let (mut units, mut dropped) = (0, 0);
    while let Some(event) = hung.recv().await {
        match event {
            RoomEvent::Media { .. } => units += 1,
            RoomEvent::UnitsDropped { units, .. } => dropped += units,
            _ => {}
        }
    }
    assert_eq!(
        (units, dropped),
        (INBOX.bytes as u64 / 100_000, 1_000 - units)
    );
}

#[tokio::test]
async fn a_recording_that_starts_late_is_told_how_things_stand() {
    let (mut live, mut inbox) = live();
    let id = TrackId::new("V");
    live.mute(id.clone(), true);
    live.pause(id.clone(), true);
    let cause = Interruption::Migration;
    live.introduce(Some(cause));
    live.mute(id.clone(), false);
    live.pause(id.clone(), false);
    live.introduce(None);
    let muted = |muted| RoomEvent::TrackMuted {
        id: id.clone(),
        muted,
    };
    let paused = |paused| RoomEvent::TrackPaused {
        id: id.clone(),
        paused,
    };
    let added = |muted| RoomEvent::TrackAdded(Track { muted, ..camera() });
    let interrupted = RoomEvent::Interrupted { cause };
    let late = [added(true), paused(true), interrupted];
    let later = [muted(false), paused(false), added(false)];
    for expected in [muted(true), paused(true)]
        .into_iter()
        .chain(late)
        .chain(later)
    {
        assert_eq!(inbox.recv().await, Some(expected));
    }
    drop(live);
    assert_eq!(inbox.recv().await, None);
}
