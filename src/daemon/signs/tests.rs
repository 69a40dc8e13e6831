use super::*;
use crate::health::judge::{Judge, Verdict};
use crate::recorder::summary::Lag;
use crate::room::Source;
use crate::storage::StorageState;

const STEP: Duration = Duration::from_secs(1);

/// A room with one recording, whose parts move unless a test holds one of them.
struct Scene {
    progress: watch::Sender<RoomProgress>,
    storage: watch::Sender<Storage>,
    status: watch::Sender<Arc<Status>>,
    beat: watch::Sender<u64>,
    signs: Signs,
    judge: Judge,
    start: Instant,
    second: u64,
}

impl Scene {
    async fn new() -> Self {
        let (status, told) = watch::channel(Arc::default());
        let (storage, known) = watch::channel(Storage::default());
        let (observed, mut signs) = Signs::new(told, known);
        let (beat, runtime) = watch::channel(0);
        signs.runtime = runtime;
        let (progress, watched) = watch::channel(RoomProgress::default());
        observed.look_at("lobby", watched).await;
        observed.expect(1);
        Self {
            progress,
            storage,
            status,
            beat,
            signs,
            judge: Judge::new(STEP),
            start: Instant::now(),
            second: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.second)
    }

    /// A second passes in which all moves; `change` says what is otherwise.
    fn pass(&mut self, change: impl FnOnce(&mut RoomProgress, &mut Storage)) -> (Verdict, String) {
        self.second += 1;
        let second = self.second;
        let passage = Passage {
            waiting: 100,
            through: second,
        };
        let mut recording = RecordingProgress {
            turns: second,
            passages: [Some(passage), Some(passage)],
            ..RecordingProgress::default()
        };
        recording.disk.written = second * 1000;
        let mut progress = RoomProgress {
            turns: second,
            source_beats: second,
            open: 1,
            recordings: vec![("ann".to_owned(), Source::Camera, recording)],
            ..RoomProgress::default()
        };
        let mut storage = Storage {
            looked: Some(self.now()),
            ..Storage::default()
        };
        change(&mut progress, &mut storage);
        self.progress.send_replace(progress);
        self.storage.send_replace(storage);
        self.status.send_replace(Arc::default());
        self.beat.send_replace(second);
        let seen = self.signs.look(self.now());
        (self.judge.look(self.now(), &seen.signs), seen.says)
    }

    /// What hangs in the second in which something first does, within five minutes.
    fn first(
        &mut self,
        mut change: impl FnMut(&mut RoomProgress, &mut Storage),
    ) -> Option<(u64, Vec<String>)> {
        (0..300).find_map(|second| {
            let (verdict, _) = self.pass(&mut change);
            let wedged = verdict.wedged.into_iter().map(|(of, _)| of).collect();
            let hangs = !verdict.dead.is_empty() || !Vec::is_empty(&wedged);
            hangs.then_some((second, wedged))
        })
    }
}

fn recording(progress: &mut RoomProgress) -> &mut RecordingProgress {
    &mut progress.recordings[0].2
}

fn stuck(through: u64) -> [Option<Passage>; 2] {
    let passage = Passage {
        waiting: 5000,
        through,
    };
    [Some(passage), None]
}

#[tokio::test]
async fn a_room_in_which_all_moves_is_healthy() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.first(|_, _| {}), None);
    assert_eq!(scene.pass(|_, _| {}).1, "1 recording in 1 room");
}

#[tokio::test]
async fn a_graph_that_takes_nothing_hangs() {
    let mut scene = Scene::new().await;
    let hangs = scene.first(|progress, _| recording(progress).passages = stuck(7));
    let of = "the graph with the picture of \"ann\" (camera) in room \"lobby\"";
    assert_eq!(hangs, Some((15, vec![of.to_owned()])));
}

#[tokio::test]
async fn a_muted_track_and_a_room_that_is_waited_for_hang_nowhere() {
    let mut scene = Scene::new().await;
    // Nothing comes: nothing waits, nothing moves.
    let muted = |progress: &mut RoomProgress, _: &mut Storage| {
        let silent = Passage {
            waiting: 0,
            through: 7,
        };
        recording(progress).passages = [Some(silent), None];
        recording(progress).disk.written = 7;
    };
    assert_eq!(scene.first(muted), None);
    // Not joined yet: the server is away.
    let away = |progress: &mut RoomProgress, _: &mut Storage| {
        progress.recordings.clear();
        progress.open = 0;
        progress.source_beats = 0;
    };
    assert_eq!(scene.first(away), None);
    let (_, says) = scene.pass(away);
    assert_eq!(says, "0 recordings in 0 of 1 room: waiting for 1");
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_no_reason_to_start_anew_and_is_said() {
    for state in [
        StorageState::Low { free: 1, floor: 2 },
        StorageState::Missing,
        StorageState::ReadOnly,
    ] {
        let mut scene = Scene::new().await;
        let full = |progress: &mut RoomProgress, storage: &mut Storage| {
            storage.state = state.clone();
            let recording = recording(progress);
            recording.turns = 7;
            recording.passages = stuck(7);
            recording.disk.written = 7;
            recording.lag.disk = Duration::from_secs(100);
        };
        assert_eq!(scene.first(full), None, "{state}");
        let (_, says) = scene.pass(full);
        assert!(says.ends_with(&state.to_string()), "{says}");
    }
    // One that does not even answer.
    let mut scene = Scene::new().await;
    let start = scene.start;
    let hangs = scene.first(|progress, storage| {
        storage.looked = Some(start);
        recording(progress).passages = stuck(7);
    });
    assert_eq!(hangs, None);
}

#[tokio::test]
async fn a_writer_that_writes_nothing_for_a_minute_hangs_and_its_graph_is_not_blamed() {
    let mut scene = Scene::new().await;
    let hangs = scene.first(|progress, _| {
        let recording = recording(progress);
        recording.passages = stuck(7);
        recording.disk.written = 7;
        recording.lag = Lag {
            disk: Duration::from_secs(10),
            ..Lag::default()
        };
    });
    let of = "the writer of \"ann\" (camera) in room \"lobby\"";
    assert_eq!(hangs, Some((60, vec![of.to_owned()])));
}

#[tokio::test]
async fn loops_that_do_not_turn_hang() {
    type Change = fn(&mut RoomProgress, &mut Storage);
    let cases: [(Change, &str); 3] = [
        (|it, _| it.turns = 7, "the task of room \"lobby\""),
        (|it, _| it.source_beats = 7, "the session in room \"lobby\""),
        (
            |it, _| recording(it).turns = 7,
            "the recording of \"ann\" (camera) in room \"lobby\"",
        ),
    ];
    for (change, of) in cases {
        let hangs = Scene::new().await.first(change);
        assert_eq!(hangs.map(|(_, wedged)| wedged), Some(vec![of.to_owned()]));
    }
    // A session that leaves turns no more.
    let mut scene = Scene::new().await;
    let leaves = |it: &mut RoomProgress, _: &mut Storage| {
        it.source_beats = 7;
        it.stopping = true;
    };
    assert_eq!(scene.first(leaves), None);
}

#[tokio::test]
async fn a_governor_that_is_gone_is_a_dead_end() {
    let mut scene = Scene::new().await;
    scene.pass(|_, _| {});
    let (gone, _) = watch::channel(Arc::default());
    scene.signs.status = gone.subscribe();
    drop(gone);
    let (verdict, _) = scene.pass(|_, _| {});
    assert_eq!(verdict.dead, ["the governor"]);
}

#[tokio::test]
async fn rooms_that_were_left_are_forgotten() {
    let mut scene = Scene::new().await;
    scene.pass(|_, _| {});
    scene.progress = watch::channel(RoomProgress::default()).0;
    let (_, says) = scene.pass(|_, _| {});
    assert_eq!(says, "0 recordings in 0 of 1 room: waiting for 1");
}
