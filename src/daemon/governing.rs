//! The governor beside all rooms: what memory, processor and disk say of this box goes in, and what
//! is to be given up comes out.
//!
//! It has a thread of its own: reading what the kernel says takes a while just when memory is short,
//! and everything else must go on meanwhile.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::settings::RoomProgress;
use crate::buffers::{self, Alike};
use crate::config::Config;
use crate::governor::{Load, Orders};
use crate::recorder::DropReason;

/// Between two looks: memory does not grow by more than a few pictures meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Between two lines in the log about each kind of buffer.
const TELL_BUFFERS: Duration = Duration::from_mins(1);

/// Stays in rooms that the governor has not yet heard of. It listens four times a second.
const NEW_ROOMS: usize = 64;

/// The governor's thread, as rooms see it. It ends with the last clone.
#[derive(Debug, Clone)]
pub struct Governing {
    orders: watch::Receiver<Orders>,
    rooms: mpsc::Sender<watch::Receiver<RoomProgress>>,
}

impl Governing {
    /// Starts to govern.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(config: &Config) -> io::Result<Self> {
        let (rooms, new_rooms) = mpsc::channel(NEW_ROOMS);
        let (sender, orders) = watch::channel(Orders::default());
        let governor = Governor::new(config, new_rooms, sender);
        thread::Builder::new()
            .name("reeld-governor".to_owned())
            .spawn(move || governor.run())?;
        Ok(Self { orders, rooms })
    }

    /// What is to be given up.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.clone()
    }

    /// Has a room looked at for as long as it tells of its progress.
    pub async fn look_at(&self, room: watch::Receiver<RoomProgress>) {
        if self.rooms.send(room).await.is_err() {
            tracing::error!("nobody governs any more: memory is not watched, please report this");
        }
    }
}

struct Governor {
    rooms: Rooms,
    new_rooms: mpsc::Receiver<watch::Receiver<RoomProgress>>,
    orders: watch::Sender<Orders>,
}

impl Governor {
    fn new(
        _config: &Config,
        new_rooms: mpsc::Receiver<watch::Receiver<RoomProgress>>,
        orders: watch::Sender<Orders>,
    ) -> Self {
        Self {
            rooms: Rooms::default(),
            new_rooms,
            orders,
        }
    }

    fn run(mut self) {
        let mut told = Instant::now();
        while !self.orders.is_closed() {
            thread::sleep(LOOK);
            while let Ok(room) = self.new_rooms.try_recv() {
                self.rooms.rooms.push(room);
            }
            let now = Instant::now();
            let _load = self.rooms.look();
            if now.saturating_duration_since(told) >= TELL_BUFFERS {
                told = now;
                tell_buffers(&self.rooms.buffers());
            }
        }
    }
}

/// What the rooms have come to.
#[derive(Debug, Default)]
struct Rooms {
    rooms: Vec<watch::Receiver<RoomProgress>>,
    /// Pictures that came, and those of them that were lost here, of what is recorded now.
    seen: (u64, u64),
    /// The same of everything that was ever recorded.
    ever: (u64, u64),
}

impl Rooms {
    fn look(&mut self) -> Load {
        // Its sender is gone when nobody is in the room any more.
        self.rooms.retain(|room| room.has_changed().is_ok());
        let mut load = Load::default();
        let mut seen = (0, 0);
        for room in &self.rooms {
            for (_, _, recording) in &room.borrow().recordings {
                load.encoder_lag = load.encoder_lag.max(recording.lag.encoder);
                load.disk_lag = load.disk_lag.max(recording.lag.disk);
                let video = &recording.tally.video;
                seen.0 += video.received;
                let dropped = |reason| video.dropped.of(reason);
                seen.1 += dropped(DropReason::Backpressure)
                    + dropped(DropReason::QueueFull)
                    + dropped(DropReason::Disk);
            }
        }
        // Recordings end and take their counts with them.
        self.ever.0 += seen.0.saturating_sub(self.seen.0);
        self.ever.1 += seen.1.saturating_sub(self.seen.1);
        self.seen = seen;
        (load.pictures, load.dropped) = self.ever;
        load
    }

    fn buffers(&self) -> Vec<Alike> {
        let mut found = Vec::new();
        for room in &self.rooms {
            let room = room.borrow();
            found.extend_from_slice(&room.buffers);
            for (_, _, recording) in &room.recordings {
                found.extend_from_slice(&recording.buffers);
            }
        }
        buffers::alike(&found)
    }
}

fn tell_buffers(buffers: &[Alike]) {
    for Alike { count, fullest } in buffers {
        tracing::info!(
            name = fullest.name,
            unit = fullest.unit.as_str(),
            depth = fullest.depth,
            high_water = fullest.high_water,
            limit = fullest.limit,
            dropped = fullest.dropped,
            count,
            "buffer stats"
        );
    }
}
