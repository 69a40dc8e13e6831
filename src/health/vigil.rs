//! The thread that looks at all signs, and tells systemd what it sees.
//!
//! It is the only one that tells systemd anything, so that messages come in order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Health;
use super::judge::{Judge, Sign, Verdict};
use super::notify::{self, Message};
use crate::events;

/// Between two looks at most; three of them fit into the watchdog's time.
const LOOK: Duration = Duration::from_secs(1);

/// Between two complaints about the same.
const COMPLAIN: Duration = Duration::from_mins(1);

/// What ending may take from here on, said again and again while it lasts.
const MORE_TIME: Duration = Duration::from_secs(10);

/// What ending may take in all: what is not sealed by then is left to the next start.
const LONGEST_END: Duration = Duration::from_mins(1);

/// Turns of the program that the thread has not yet heard of: there are no more than these.
const TURNS: usize = 16;

/// A turn of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It records from now on.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It has done so.
    Reloaded,
    /// It ends.
    Stopping,
    /// It has ended.
    Over,
}

/// What there is to be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What is to move.
    pub signs: Vec<Sign>,
    /// How things stand, in a line.
    pub says: String,
}

/// The thread, as the rest of the program sees it. It ends with it.
#[derive(Debug)]
pub struct Vigil {
    turns: SyncSender<Turn>,
    health: watch::Receiver<Arc<Health>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Vigil {
    /// Begins to look; `look` is asked once a second.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(look: impl FnMut(Instant) -> Seen + Send + 'static) -> io::Result<Self> {
        let (turns, told) = sync_channel(TURNS);
        let (health, seen) = watch::channel(Arc::default());
        let watchdog = notify::watchdog();
        let step = watchdog.map_or(LOOK, |limit| LOOK.min(limit / 4));
        let watch = Watch::new(step, watchdog.is_some());
        let thread = thread::Builder::new()
            .name("reeld-health".to_owned())
            .spawn(move || run(watch, step, &told, look, &health))?;
        Ok(Self {
            turns,
            health: seen,
            thread: Some(thread),
        })
    }

    /// Tells of a turn. Never waits.
    pub fn tell(&self, turn: Turn) {
        if let Err(TrySendError::Full(turn) | TrySendError::Disconnected(turn)) =
            self.turns.try_send(turn)
        {
            tracing::error!(?turn, "systemd can't be told, please report this");
        }
    }

    /// What is known, a second old at most.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Arc<Health>> {
        self.health.clone()
    }
}

/// What was told before goes out before the program ends.
impl Drop for Vigil {
    fn drop(&mut self) {
        self.tell(Turn::Over);
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(
                message_id = events::DIED,
                "the thread that looks after all others died, please report this"
            );
        }
    }
}

fn run(
    mut watch: Watch,
    step: Duration,
    told: &Receiver<Turn>,
    mut look: impl FnMut(Instant) -> Seen,
    health: &watch::Sender<Arc<Health>>,
) {
    let mut next = Instant::now();
    loop {
        let wait = next.saturating_duration_since(Instant::now());
        match told.recv_timeout(wait) {
            Ok(Turn::Over) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(turn) => say(watch.turn(&turn, Instant::now())),
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                next = now + step;
                let (messages, found) = watch.look(now, look(now));
                say(messages);
                health.send_replace(Arc::new(found));
            }
        }
    }
}

/// What systemd is to hear, and when.
#[derive(Debug)]
struct Watch {
    judge: Judge,
    /// systemd waits for us.
    feeds: bool,
    said: String,
    complained: Option<Instant>,
    stopping: Option<Instant>,
}

impl Watch {
    /// `step` lies between two looks.
    fn new(step: Duration, feeds: bool) -> Self {
        Self {
            judge: Judge::new(step),
            feeds,
            said: String::new(),
            complained: None,
            stopping: None,
        }
    }

    fn turn(&mut self, turn: &Turn, now: Instant) -> Option<Message> {
        match turn {
            Turn::Ready | Turn::Reloaded => Some(Message::Ready),
            Turn::Reloading => Some(Message::Reloading),
            Turn::Stopping => {
                self.stopping = Some(now);
                Some(Message::Stopping)
            }
            Turn::Over => None,
        }
    }

    fn look(&mut self, now: Instant, seen: Seen) -> (Vec<Message>, Health) {
        let verdict = self.judge.look(now, &seen.signs);
        let mut messages = Vec::new();
        let healthy = verdict.is_healthy();
        if healthy {
            self.complained = None;
            messages.extend(self.feeds.then_some(Message::Alive));
        } else {
            self.complain(now, &verdict);
            let dead_end = self.feeds && !verdict.dead.is_empty();
            messages.extend(dead_end.then_some(Message::DeadEnd));
        }
        let hangs = verdict.wedged.iter().map(|(of, _)| of.clone());
        let wedged: Vec<String> = hangs.chain(verdict.dead.iter().cloned()).collect();
        let says = if healthy {
            seen.says
        } else {
            format!("{} hangs; {}", wedged.join(", "), seen.says)
        };
        if self.said != says {
            self.said.clone_from(&says);
            messages.push(Message::Status(says.clone()));
        }
        let ends_for = |since| now.saturating_duration_since(since) < LONGEST_END;
        let needs_time = self.stopping.is_some_and(ends_for);
        messages.extend(needs_time.then_some(Message::NeedsTime(MORE_TIME)));
        let health = Health {
            healthy,
            says,
            wedged,
        };
        (messages, health)
    }

    /// Logs what hangs, and what comes of it, once a minute.
    fn complain(&mut self, now: Instant, verdict: &Verdict) {
        let recent = |at: Instant| now.saturating_duration_since(at) < COMPLAIN;
        if self.complained.is_some_and(recent) {
            return;
        }
        self.complained = Some(now);
        let next = if self.feeds {
            "the watchdog is not fed until it goes on: systemd starts reeld anew"
        } else {
            "no watchdog waits for us: restart reeld if it does not go on"
        };
        for (of, waited) in &verdict.wedged {
            let seconds = waited.as_secs();
            tracing::error!(
                message_id = events::WEDGED,
                reason = of,
                "{of} hangs for {seconds} s; {next}"
            );
        }
        for of in &verdict.dead {
            tracing::error!(
                message_id = events::DIED,
                reason = of,
                "{of} is gone; reeld has to be started anew, please report this"
            );
        }
    }
}

fn say(messages: impl IntoIterator<Item = Message>) {
    for message in messages {
        if let Err(error) = notify::tell(&message) {
            tracing::debug!(?message, %error, "systemd was not told");
        }
    }
}

#[cfg(test)]
mod tests;
