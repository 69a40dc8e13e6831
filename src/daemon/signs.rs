//! What the watchdog's thread looks at: everything that moves as long as all is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::settings::RoomProgress;
use super::watched::Watched;
use crate::governor::Level;
use crate::health::judge::Sign;
use crate::health::vigil::Seen;
use crate::media::Passage;
use crate::recorder::summary::RecordingProgress;
use crate::status::Status;
use crate::storage::Storage;

/// How long a loop may take for a turn. They turn each second at least.
const LOOP: Duration = Duration::from_secs(12);

/// How long media may wait in front of a graph: an encoder that hangs is replaced sooner.
const GRAPH: Duration = Duration::from_secs(15);

/// How long bytes may wait for the disk, and a recording's task for a file or a graph. A card that
/// takes nothing for half a minute exists, and a new start does not mend it.
const DISK: Duration = Duration::from_mins(1);

/// A graph is not to blame for what waits in front of it while bytes behind it have waited for the
/// disk for so long.
const BEHIND: Duration = Duration::from_secs(2);

/// What the storage said longer ago than this is not known any more: the disk hangs.
const STALE: Duration = Duration::from_secs(8);

/// Between two turns of the runtime.
const BEAT: Duration = Duration::from_millis(500);

/// Stays in rooms that the thread has not yet heard of. It listens once a second.
const NEW_ROOMS: usize = 64;

/// Where rooms say that they are to be looked at.
#[derive(Debug, Clone)]
pub struct Observed {
    rooms: mpsc::Sender<Watched>,
    expected: watch::Sender<usize>,
}

impl Observed {
    /// Has a room looked at for as long as it tells of its progress.
    pub async fn look_at(&self, room: &str, progress: watch::Receiver<RoomProgress>) {
        let watched = Watched {
            room: room.to_owned(),
            progress,
        };
        if self.rooms.send(watched).await.is_err() {
            tracing::error!(
                message_id = crate::events::DIED,
                room,
                "nobody looks after rooms any more, please report this"
            );
        }
    }

    /// So many rooms are to be recorded.
    pub fn expect(&self, rooms: usize) {
        self.expected.send_replace(rooms);
    }
}

/// Looks at all that moves.
#[derive(Debug)]
pub struct Signs {
    new: mpsc::Receiver<Watched>,
    rooms: Vec<Watched>,
    expected: watch::Receiver<usize>,
    runtime: watch::Receiver<u64>,
    status: watch::Receiver<Arc<Status>>,
    status_turns: u64,
    storage: watch::Receiver<Storage>,
}

impl Signs {
    /// Begins, where tokio runs.
    #[must_use]
    pub fn new(
        status: watch::Receiver<Arc<Status>>,
        storage: watch::Receiver<Storage>,
    ) -> (Observed, Self) {
        let (rooms, new) = mpsc::channel(NEW_ROOMS);
        let (expected, told) = watch::channel(0);
        let (beat, runtime) = watch::channel(0);
        tokio::spawn(turn(beat));
        let signs = Self {
            new,
            rooms: Vec::new(),
            expected: told,
            runtime,
            status,
            status_turns: 0,
            storage,
        };
        (Observed { rooms, expected }, signs)
    }

    /// Everything that moves, and how things stand.
    pub fn look(&mut self, now: Instant) -> Seen {
        while let Ok(room) = self.new.try_recv() {
            self.rooms.push(room);
        }
        // Its sender is gone when nobody is in the room any more.
        self.rooms.retain(|it| it.progress.has_changed().is_ok());
        let storage = self.storage.borrow().clone();
        let takes = takes(&storage, now);
        let mut signs = vec![self.runtime(), self.governor()];
        let mut sum = Sum::default();
        for Watched { room, progress } in &self.rooms {
            let progress = progress.borrow();
            sum.add(&progress);
            of_room(room, &progress, takes, &mut signs);
        }
        let level = self.status.borrow().memory.level;
        Seen {
            signs,
            says: sum.says(*self.expected.borrow(), level, &storage),
        }
    }

    fn runtime(&self) -> Sign {
        Sign {
            of: "the runtime".to_owned(),
            moves: Some(*self.runtime.borrow()),
            owes: true,
            patience: LOOP,
        }
    }

    /// It tells of itself each second.
    fn governor(&mut self) -> Sign {
        let changed = self.status.has_changed();
        if changed.as_ref().is_ok_and(|changed| *changed) {
            self.status.mark_unchanged();
            self.status_turns = self.status_turns.wrapping_add(1);
        }
        Sign {
            of: "the governor".to_owned(),
            moves: changed.ok().map(|_| self.status_turns),
            owes: true,
            patience: LOOP,
        }
    }
}

/// Turns for as long as somebody looks.
async fn turn(beat: watch::Sender<u64>) {
    let mut tick = tokio::time::interval(BEAT);
    while !beat.is_closed() {
        tick.tick().await;
        beat.send_modify(|turns| *turns = turns.wrapping_add(1));
    }
}

/// Whether the disk is known to take what it is given.
fn takes(storage: &Storage, now: Instant) -> bool {
    let recent = |looked: Instant| now.saturating_duration_since(looked) < STALE;
    storage.state.may_record() && storage.looked.is_some_and(recent)
}

fn of_room(room: &str, progress: &RoomProgress, takes: bool, signs: &mut Vec<Sign>) {
    signs.push(Sign {
        of: format!("the task of room {room:?}"),
        moves: Some(progress.turns),
        owes: true,
        patience: LOOP,
    });
    signs.push(Sign {
        of: format!("the session in room {room:?}"),
        moves: Some(progress.source_beats),
        // Before it has joined it waits for the server, with deadlines.
        owes: progress.source_beats > 0 && !progress.stopping,
        patience: LOOP,
    });
    for (participant, source, recording) in &progress.recordings {
        let whose = format!("of {participant:?} ({source}) in room {room:?}");
        of_recording(&whose, recording, takes, signs);
    }
}

fn of_recording(whose: &str, recording: &RecordingProgress, takes: bool, signs: &mut Vec<Sign>) {
    signs.push(Sign {
        of: format!("the recording {whose}"),
        moves: Some(recording.turns),
        owes: takes,
        patience: DISK,
    });
    signs.push(Sign {
        of: format!("the writer {whose}"),
        moves: Some(recording.disk.written),
        owes: takes && recording.lag.disk > Duration::ZERO,
        patience: DISK,
    });
    for (kind, passage) in ["picture", "sound"].into_iter().zip(recording.passages) {
        let Some(Passage { waiting, through }) = passage else {
            continue;
        };
        let free = takes && recording.lag.disk < BEHIND;
        signs.push(Sign {
            of: format!("the graph with the {kind} {whose}"),
            moves: Some(through),
            owes: free && waiting > 0,
            patience: GRAPH,
        });
    }
}

/// What all rooms come to.
#[derive(Debug, Default)]
struct Sum {
    joined: usize,
    recordings: usize,
    sealing: usize,
}

impl Sum {
    fn add(&mut self, progress: &RoomProgress) {
        self.joined += usize::from(progress.source_beats > 0);
        self.recordings += progress.recordings.len();
        self.sealing += progress.open.saturating_sub(progress.recordings.len());
    }

    /// For people who look at the unit: what is as usual is left out.
    fn says(&self, expected: usize, level: Level, storage: &Storage) -> String {
        let of = |count: usize, one: &str| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {one}{plural}")
        };
        let rooms = of(expected, "room");
        let places = match expected.saturating_sub(self.joined) {
            0 => format!("in {rooms}"),
            away => format!("in {} of {rooms}: waiting for {away}", self.joined),
        };
        let recording = format!("{} {places}", of(self.recordings, "recording"));
        let sealing =
            (self.sealing > 0).then(|| format!("{} being sealed", of(self.sealing, "recording")));
        let quality =
            (level != Level::default()).then(|| format!("quality is at {}", level.as_str()));
        let disk = (!storage.state.may_record()).then(|| storage.state.to_string());
        let unusual = [sealing, quality, disk].into_iter().flatten();
        std::iter::once(recording)
            .chain(unusual)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[cfg(test)]
mod tests;
