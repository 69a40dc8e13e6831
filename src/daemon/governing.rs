//! The governor beside all rooms: what memory, processor and disk say of this box goes in, and what
//! is to be given up comes out.
//!
//! It has a thread of its own: reading what the kernel says takes a while just when memory is short,
//! and everything else must go on meanwhile.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::settings::RoomProgress;
use super::standing::{Place, Standings, Told};
use super::watched::{Rooms, Watched};
use crate::board::Root;
use crate::buffers::Alike;
use crate::config::{self, Config};
use crate::events;
use crate::governor::{
    Alarm, Budget, Change, Door, Load, Orders, Policy, Probe, Reading, Thresholds, Warning,
};
use crate::heap;
use crate::status::{MemoryStatus, Status};

/// Between two looks: memory does not grow by more than a few pictures meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Between two looks that are told in the log: memory, and each kind of buffer.
const TELL: Duration = Duration::from_mins(1);

/// Between two that are told to who asks.
const SHOW: Duration = Duration::from_secs(1);

/// Rooms and stays that the governor has not yet heard of. It listens four times a second.
const NEWS: usize = 64;

/// Something else to look at.
#[derive(Debug)]
enum News {
    /// A room that is to be recorded.
    Room(Told),
    /// A stay in one.
    Stay(Watched),
}

/// The governor's thread, as rooms see it. It ends with the last clone.
#[derive(Debug, Clone)]
pub struct Governing {
    orders: watch::Receiver<Orders>,
    door: Door,
    status: watch::Receiver<Arc<Status>>,
    news: mpsc::Sender<News>,
}

impl Governing {
    /// Starts to govern. To be called where tokio runs.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(config: &Config) -> io::Result<Self> {
        let (news, heard) = mpsc::channel(NEWS);
        let (sender, orders) = watch::channel(Orders::default());
        let (readings, read) = watch::channel(None);
        let (shown, status) = watch::channel(Arc::default());
        let governor = Governor::new(&config.memory, heard, sender, readings, shown);
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
            status,
            news,
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

    /// What is known of all rooms, a second old at most.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Begins to tell of a room that is to be recorded.
    pub async fn enter(&self, room: &str) -> Place {
        let (place, told) = Place::enter(room);
        self.tell(News::Room(told)).await;
        place
    }

    /// Has a stay in a room looked at for as long as it tells of its progress.
    pub async fn look_at(&self, room: &str, progress: watch::Receiver<RoomProgress>) {
        let room = room.to_owned();
        self.tell(News::Stay(Watched { room, progress })).await;
    }

    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_err() {
            tracing::error!(
                message_id = events::DIED,
                "nobody governs any more: memory is not watched, please report this"
            );
        }
    }
}

struct Governor {
    probe: Probe,
    alarm: Alarm,
    policy: Policy,
    rooms: Rooms,
    standings: Standings,
    news: mpsc::Receiver<News>,
    orders: watch::Sender<Orders>,
    readings: watch::Sender<Option<Reading>>,
    shown: watch::Sender<Arc<Status>>,
    began: Instant,
}

impl Governor {
    fn new(
        memory: &config::Memory,
        news: mpsc::Receiver<News>,
        orders: watch::Sender<Orders>,
        readings: watch::Sender<Option<Reading>>,
        shown: watch::Sender<Arc<Status>>,
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
            standings: Standings::default(),
            news,
            orders,
            readings,
            shown,
            began: Instant::now(),
        }
    }

    fn run(mut self) {
        let mut told = Instant::now();
        let mut showed = None;
        while !self.orders.is_closed() {
            self.alarm.wait(LOOK);
            while let Ok(news) = self.news.try_recv() {
                match news {
                    News::Room(told) => self.standings.add(told),
                    News::Stay(watched) => self.rooms.add(watched),
                }
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
            let due = |at: &Instant| now.saturating_duration_since(*at) >= SHOW;
            if showed.as_ref().is_none_or(due) {
                showed = Some(now);
                self.rooms.measure(now);
                let status = self.status(now, &reading, &load);
                self.shown.send_replace(Arc::new(status));
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
                message_id = events::QUALITY_REDUCED,
                level = change.to.as_str(),
                reason = change.cause.as_str(),
                "quality is given up: {change}"
            );
        } else {
            tracing::info!(
                message_id = events::QUALITY_RESTORED,
                level = change.to.as_str(),
                reason = change.cause.as_str(),
                "quality comes back: {change}"
            );
        }
        let change = Some(change);
        self.orders.send_replace(Orders { change });
        // What held larger pictures is free soon, and held for nothing.
        heap::trim();
    }

    fn status(&mut self, now: Instant, reading: &Reading, load: &Load) -> Status {
        let recordings = self.rooms.recordings();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: now.saturating_duration_since(self.began).as_secs(),
            memory: MemoryStatus {
                level: self.policy.level(),
                used_bytes: reading.used,
                budget_bytes: self.policy.budget().bytes(),
                limit_bytes: reading.nearest.map(|nearest| nearest.limit),
                limit_held_bytes: reading.nearest.map(|nearest| nearest.held),
            },
            frames: load.pictures,
            frames_dropped_backpressure: load.dropped,
            bytes_written: self.rooms.totals().written,
            bytes_since_last_flush: self.rooms.bytes_since_last_flush(),
            longest_gap_ms: recordings
                .iter()
                .map(|it| it.longest_gap_ms)
                .max()
                .unwrap_or(0),
            buffers: self.rooms.buffers(),
            rooms: self.standings.list(now, |room| self.rooms.progress(room)),
            recordings,
        }
    }

    /// What somebody wants to see who wonders where memory goes.
    fn tell(&self, reading: &Reading, load: &Load) {
        tracing::info!(
            level = self.policy.level().as_str(),
            memory_bytes = reading.used,
            budget_bytes = self.policy.budget().bytes(),
            frames = load.pictures,
            frames_dropped_backpressure = load.dropped,
            bytes_written = self.rooms.totals().written,
            bytes_since_last_flush = self.rooms.bytes_since_last_flush(),
            "memory"
        );
        tell_buffers(&self.rooms.buffers());
    }
}

fn warn(warning: &Warning) {
    match warning {
        Warning::Dropping { error: true, .. } => {
            tracing::error!(message_id = events::DROPPING, "{warning}");
        }
        Warning::Dropping { .. } => tracing::warn!(message_id = events::DROPPING, "{warning}"),
        Warning::NotOurs { .. } => tracing::warn!("{warning}"),
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
