//! What becomes of each datagram on a bad network: a pure decision from a seed.

use std::time::{Duration, Instant};

/// IPv4 and UDP headers: a rate limit counts them.
const HEADERS: usize = 28;
/// What a rate-limited line holds before it drops, as time at that rate.
const RATE_QUEUE: Duration = Duration::from_millis(500);
/// How long a reordered datagram is held back: some packets of video overtake it.
const HELD_BACK: Duration = Duration::from_millis(25);
/// How far behind its first copy the second one comes.
const COPY_AFTER: Duration = Duration::from_millis(5);

/// What a line does to its datagrams; [`Default`] is a clean one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Share of datagrams that vanish, 0 to 1.
    pub loss: f64,
    /// Share of datagrams that come twice, 0 to 1.
    pub duplication: f64,
    /// Share of datagrams that others overtake, 0 to 1.
    pub reorder: f64,
    /// Added to the way of each.
    pub delay: Duration,
    /// Added to or taken off the delay, evenly spread: of itself it reorders.
    pub jitter: Duration,
    /// Bits a second, headers counted; `None` is no limit.
    pub rate: Option<u32>,
    /// Nothing passes.
    pub blackout: bool,
}

/// Why a datagram did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Loss,
    Rate,
    Blackout,
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Dropped(Cause),
    /// It goes on at `at`, and once more at `copy`.
    Passed {
        at: Instant,
        copy: Option<Instant>,
        held_back: bool,
    },
}

/// One direction of one flow.
pub struct Line {
    rng: fastrand::Rng,
    /// When what a rate-limited line holds will have gone.
    busy_until: Option<Instant>,
}

impl Line {
    /// The same seed and the same datagrams have the same fates.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            busy_until: None,
        }
    }

    /// The fate of a datagram of `bytes` that comes at `now`.
    pub fn decide(&mut self, faults: &Faults, bytes: usize, now: Instant) -> Fate {
        // Always as many numbers a datagram: a fault that is switched on changes no other one.
        let [loss, duplication, reorder, jitter] = std::array::from_fn(|_| self.rng.f64());
        if faults.blackout {
            return Fate::Dropped(Cause::Blackout);
        }
        if loss < faults.loss {
            return Fate::Dropped(Cause::Loss);
        }
        let Some(sent) = self.send(faults.rate, bytes, now) else {
            return Fate::Dropped(Cause::Rate);
        };
        let earliest = faults.delay.saturating_sub(faults.jitter);
        let spread = (faults.delay + faults.jitter).saturating_sub(earliest);
        let held_back = reorder < faults.reorder;
        let mut at = sent + earliest + spread.mul_f64(jitter);
        if held_back {
            at += HELD_BACK;
        }
        Fate::Passed {
            at,
            copy: (duplication < faults.duplication).then_some(at + COPY_AFTER),
            held_back,
        }
    }

    /// When a line of that rate has sent it; `None` when its queue is full.
    fn send(&mut self, rate: Option<u32>, bytes: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = rate else {
            self.busy_until = None;
            return Some(now);
        };
        let from = self.busy_until.map_or(now, |until| until.max(now));
        if from - now > RATE_QUEUE {
            return None;
        }
        let bits = u32::try_from((bytes + HEADERS) * 8).expect("a datagram is small");
        let until = from + Duration::from_secs(1) * bits / rate;
        self.busy_until = Some(until);
        Some(until)
    }
}
