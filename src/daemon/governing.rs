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
use crate::board::Root;
use crate::buffers::{self, Alike};
use crate::config::{self, Config};
use crate::governor::{
    Alarm, Budget, Change, Door, Load, Orders, Policy, Probe, Reading, Thresholds, Warning,
};
use crate::heap;
use crate::recorder::DropReason;
use crate::recorder::summary::RecordingProgress;

/// Between two looks: memory does not grow by more than a few pictures meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Between two looks that are told in the log: memory, and each kind of buffer.
const TELL: Duration = Duration::from_mins(1);

/// Stays in rooms that the governor has not yet heard of. It listens four times a second.
const NEW_ROOMS: usize = 64;

/// The governor's thread, as rooms see it. It ends with the last clone.
#[derive(Debug, Clone)]
pub struct Governing {
    orders: watch::Receiver<Orders>,
    door: Door,
    rooms: mpsc::Sender<watch::Receiver<RoomProgress>>,
}

impl Governing {
    /// Starts to govern. To be called where tokio runs.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(config: &Config) -> io::Result<Self> {
        let (rooms, new_rooms) = mpsc::channel(NEW_ROOMS);
        let (sender, orders) = watch::channel(Orders::default());
        let (readings, read) = watch::channel(None);
        let governor = Governor::new(&config.memory, new_rooms, sender, readings);
        let most = governor
            .policy
            .budget()
            .percent(config.memory.upper.percent());
        let door = Door::keep(most, read);
        thread::Builder::new()
            .name("reeld-governor".to_owned())
            .spawn(move || governor.run())?;
        Ok(Self {
            orders,
            door,
            rooms,
        })
    }

    /// What is to be given up.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.clone()
    }

    /// Where recordings ask before they encode.
    #[must_use]
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// Has a room looked at for as long as it tells of its progress.
    pub async fn look_at(&self, room: watch::Receiver<RoomProgress>) {
        if self.rooms.send(room).await.is_err() {
            tracing::error!("nobody governs any more: memory is not watched, please report this");
        }
    }
}

struct Governor {
    probe: Probe,
    alarm: Alarm,
    policy: Policy,
    rooms: Rooms,
    new_rooms: mpsc::Receiver<watch::Receiver<RoomProgress>>,
    orders: watch::Sender<Orders>,
    readings: watch::Sender<Option<Reading>>,
}

impl Governor {
    fn new(
        memory: &config::Memory,
        new_rooms: mpsc::Receiver<watch::Receiver<RoomProgress>>,
        orders: watch::Sender<Orders>,
        readings: watch::Sender<Option<Reading>>,
    ) -> Self {
        let mut probe = Probe::new(Root::here());
        let facts = probe.facts();
        let budget = Budget::of(memory.budget, facts.limit);
        // What is missing is no reason to warn each time: `reeld doctor` says what to do.
        tracing::info!("{facts}; the budget is {budget}");
        Self {
            // Where the kernel rings nobody, four looks a second have to do.
            alarm: probe.alarm().unwrap_or(Alarm::none()),
            probe,
            policy: Policy::new(Thresholds::of(memory), budget, Instant::now()),
            rooms: Rooms::default(),
            new_rooms,
            orders,
            readings,
        }
    }

    fn run(mut self) {
        let mut told = Instant::now();
        while !self.orders.is_closed() {
            self.alarm.wait(LOOK);
            while let Ok(room) = self.new_rooms.try_recv() {
                self.rooms.watched.push(room);
            }
            let load = self.rooms.look();
            let reading = self.probe.read();
            self.readings.send_replace(Some(reading));
            let now = Instant::now();
            if let Some(change) = self.policy.step(now, &reading, &load) {
                self.order(change);
            }
            if let Some(warning) = self.policy.take_warning() {
                warn(&warning);
            }
            if now.saturating_duration_since(told) >= TELL {
                told = now;
                self.tell(&reading, &load);
            }
        }
    }

    fn order(&self, change: Change) {
        if change.to > change.from {
            tracing::warn!(
                level = change.to.as_str(),
                cause = change.cause.as_str(),
                "quality is given up: {change}"
            );
        } else {
            tracing::info!(
                level = change.to.as_str(),
                cause = change.cause.as_str(),
                "quality comes back: {change}"
            );
        }
        let change = Some(change);
        self.orders.send_replace(Orders { change });
        // What held larger pictures is free soon, and held for nothing.
        heap::trim();
    }

    /// What somebody wants to see who wonders where memory goes.
    fn tell(&self, reading: &Reading, load: &Load) {
        tracing::info!(
            level = self.policy.level().as_str(),
            memory_bytes = reading.used,
            budget_bytes = self.policy.budget().bytes(),
            frames = load.pictures,
            frames_dropped_backpressure = load.dropped,
            bytes_written = self.rooms.bytes_written(),
            bytes_since_last_flush = self.rooms.bytes_since_last_flush(),
            "memory"
        );
        tell_buffers(&self.rooms.buffers());
    }
}

fn warn(warning: &Warning) {
    match warning {
        Warning::Dropping { error: true, .. } => tracing::error!("{warning}"),
        Warning::Dropping { .. } | Warning::NotOurs { .. } => tracing::warn!("{warning}"),
    }
}

/// What the rooms have come to.
#[derive(Debug, Default)]
struct Rooms {
    watched: Vec<watch::Receiver<RoomProgress>>,
    /// Pictures that came, and those of them that were lost here, of what is recorded now.
    seen: (u64, u64),
    /// The same of everything that was ever recorded.
    ever: (u64, u64),
}

impl Rooms {
    fn look(&mut self) -> Load {
        // Its sender is gone when nobody is in the room any more.
        self.watched.retain(|room| room.has_changed().is_ok());
        let mut load = Load::default();
        let mut seen = (0, 0);
        for room in &self.watched {
            for (_, _, recording) in &room.borrow().recordings {
                load.encoder_lag = load.encoder_lag.max(recording.lag.encoder);
                load.disk_lag = load.disk_lag.max(recording.lag.disk);
                let video = &recording.tally.video;
                seen.0 += video.received - video.dropped.of(DropReason::Governor);
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

    /// Bytes that reached the files of what is recorded now.
    fn bytes_written(&self) -> u64 {
        self.sum(|recording| recording.disk.written)
    }

    /// Those of them that a power cut would cost.
    fn bytes_since_last_flush(&self) -> u64 {
        self.sum(|recording| recording.disk.written.saturating_sub(recording.disk.synced))
    }

    fn sum(&self, of: impl Fn(&RecordingProgress) -> u64) -> u64 {
        let sum = |room: &watch::Receiver<RoomProgress>| -> u64 {
            let room = room.borrow();
            room.recordings.iter().map(|(_, _, it)| of(it)).sum()
        };
        self.watched.iter().map(sum).sum()
    }

    fn buffers(&self) -> Vec<Alike> {
        let mut found = Vec::new();
        for room in &self.watched {
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
