//! Where recordings ask before they start a decoder and an encoder, and wait while there is no
//! memory for them.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::admission::Admission;
use super::reading::Reading;

/// Who waits to be let in, and as many again on their way. With more, somebody asks again later.
const MOST_WAITING: usize = 64;

/// Whoever can be let in at once is, in less time than this.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Lets recordings in. A clone asks at the same door.
#[derive(Debug, Clone)]
pub struct Door {
    /// None where everybody is let in.
    asks: Option<mpsc::Sender<Ask>>,
}

/// Somebody may decode and encode for as long as this is kept.
#[derive(Debug)]
pub struct Grant {
    _running: Option<watch::Receiver<()>>,
}

/// What somebody who asked is told.
#[derive(Debug)]
pub enum Answer {
    /// He may start.
    Granted(Grant),
    /// There is no memory for him; he is told here when there is. To drop it is to ask no more.
    Wait(oneshot::Receiver<Grant>),
    /// Too many ask: he has to ask again.
    Busy,
}

#[derive(Debug)]
struct Ask {
    cost: u64,
    reply: oneshot::Sender<Grant>,
}

impl Door {
    /// Lets everybody in.
    #[must_use]
    pub const fn open() -> Self {
        Self { asks: None }
    }

    /// Lets in whom there is room for below `most` bytes; `readings` say how much is taken. To be
    /// called where tokio runs.
    #[must_use]
    pub fn keep(most: u64, readings: watch::Receiver<Option<Reading>>) -> Self {
        let (asks, asked) = mpsc::channel(MOST_WAITING);
        tokio::spawn(look_after(asked, readings, Admission::new(most)));
        Self { asks: Some(asks) }
    }

    /// Asks for `cost` bytes (see [`super::cost`]).
    pub async fn ask(&self, cost: u64) -> Answer {
        let Some(asks) = &self.asks else {
            return Answer::Granted(Grant { _running: None });
        };
        let (reply, mut granted) = oneshot::channel();
        match asks.try_send(Ask { cost, reply }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Answer::Busy,
            // Nobody keeps the door any more: the process is about to end.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Answer::Granted(Grant { _running: None });
            }
        }
        match tokio::time::timeout(AT_ONCE, &mut granted).await {
            Ok(Ok(grant)) => Answer::Granted(grant),
            Ok(Err(_)) => Answer::Busy,
            Err(_) => Answer::Wait(granted),
        }
    }
}

async fn look_after(
    mut asks: mpsc::Receiver<Ask>,
    mut readings: watch::Receiver<Option<Reading>>,
    mut admission: Admission,
) {
    let running = watch::Sender::new(());
    let mut waiting: Vec<Ask> = Vec::new();
    loop {
        tokio::select! {
            ask = asks.recv(), if waiting.len() < MOST_WAITING => match ask {
                Some(ask) => waiting.push(ask),
                None => return,
            },
            changed = readings.changed(), if !waiting.is_empty() => if changed.is_err() {
                return;
            },
        }
        let reading = *readings.borrow_and_update();
        // Who came first is let in first; one who fits does not wait for one who does not.
        let mut still = Vec::new();
        for ask in waiting.drain(..).filter(|ask| !ask.reply.is_closed()) {
            let running_now = running.receiver_count();
            if admission.admits(Instant::now(), running_now, reading.as_ref(), ask.cost) {
                let grant = Grant {
                    _running: Some(running.subscribe()),
                };
                // Who is gone takes his grant with him.
                let _ = ask.reply.send(grant);
            } else {
                still.push(ask);
            }
        }
        waiting = still;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn used(mebibytes: u64) -> Reading {
        Reading {
            used: Some(mebibytes * MIB),
            ..Reading::default()
        }
    }

    #[tokio::test]
    async fn who_does_not_fit_waits_until_he_does() {
        let (readings, watched) = watch::channel(Some(used(30)));
        let door = Door::keep(120 * MIB, watched);
        let Answer::Granted(first) = door.ask(60 * MIB).await else {
            panic!("the first one is always let in");
        };
        let Answer::Wait(mut second) = door.ask(60 * MIB).await else {
            panic!("60 and 60 are more than 120");
        };
        // One who fits does not wait behind him.
        assert!(matches!(door.ask(10 * MIB).await, Answer::Granted(_)));
        readings.send_replace(Some(used(91)));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(second.try_recv().is_err());
        drop(first);
        readings.send_replace(Some(used(31)));
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn too_many_are_told_so_and_who_is_gone_is_forgotten() {
        let (readings, watched) = watch::channel(Some(used(119)));
        let door = Door::keep(120 * MIB, watched);
        let Answer::Granted(_first) = door.ask(MIB).await else {
            panic!("the first one is always let in");
        };
        let mut waiting = Vec::new();
        loop {
            // Each of them costs the time in which he could be let in.
            match door.ask(MIB).await {
                Answer::Wait(wait) => waiting.push(wait),
                Answer::Busy => break,
                Answer::Granted(_) => panic!("there is no room"),
            }
        }
        assert_eq!(waiting.len(), 2 * MOST_WAITING);
        waiting.clear();
        readings.send_replace(Some(used(119)));
        while matches!(door.ask(MIB).await, Answer::Busy) {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            Door::open().ask(u64::MAX).await,
            Answer::Granted(_)
        ));
    }
}
