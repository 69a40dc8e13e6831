//! Cuts the power at many moments of a recording, and judges what is on the card.

use std::fmt;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::MOST_LOST;
use super::stage::card::image::{Keep, Replay};
use super::victim::Recorded;

/// How long a recorder may take to write what a stall has held up.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How many cards are decoded.
const DECODED: usize = 4;

/// When the power goes.
pub struct Cuts {
    /// On the log, ascending.
    positions: Vec<usize>,
    /// Of so many positions one is decoded, which takes long.
    decode_each: usize,
}

impl Cuts {
    /// Just before so many flushes, when most is at stake, at so many other moments, and when the
    /// recorder has ended.
    pub fn chosen(recorded: &Recorded, flushes: usize, others: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let at_flushes = random.choose_multiple(recorded.log.flushes(recorded.begin), flushes);
        let entries = recorded.begin..recorded.log.entries.len();
        let mut positions: Vec<_> = random.choose_multiple(entries, others);
        positions.extend(at_flushes);
        positions.push(recorded.log.entries.len());
        positions.sort_unstable();
        positions.dedup();
        let decode_each = positions.len().div_ceil(DECODED);
        Self {
            positions,
            decode_each,
        }
    }
}

/// What the cuts cost.
#[derive(Default)]
pub struct Toll {
    losses: Vec<Duration>,
    /// Everything that must not be, in words.
    pub violations: Vec<String>,
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut losses = self.losses.clone();
        losses.sort_unstable();
        let at = |part: usize| losses.get((losses.len().max(1) - 1) * part / 100);
        writeln!(
            f,
            "{} cuts, lost: least {:?}, median {:?}, 90 % {:?}, most {:?}; {} violations",
            losses.len(),
            at(0).unwrap_or(&Duration::ZERO),
            at(50).unwrap_or(&Duration::ZERO),
            at(90).unwrap_or(&Duration::ZERO),
            at(100).unwrap_or(&Duration::ZERO),
            self.violations.len(),
        )?;
        self.violations
            .iter()
            .take(20)
            .try_for_each(|violation| writeln!(f, "  {violation}"))
    }
}

impl Recorded {
    /// Cuts the power at each of the positions, with and without part of the card's cache.
    pub fn cut(&self, cuts: &Cuts) -> Toll {
        let dir = TempDir::new().unwrap();
        let image = dir.path().join("image");
        let mut replay = Replay::new(&self.log);
        let mut toll = Toll::default();
        for (number, &position) in cuts.positions.iter().enumerate() {
            let length = self.length_at(position);
            for keep in [Keep::None, Keep::Half(position as u64)] {
                replay.cut(position, keep, &image).unwrap();
                let name = format!("at {position} ({length:.3?} recorded, {keep:?})");
                let decode = number % cuts.decode_each == 0 && matches!(keep, Keep::Half(_));
                match self.judge(&image, position, decode) {
                    Ok(kept) => {
                        let most = self.most_lost_at(position);
                        toll.judge(&name, length.saturating_sub(kept), most);
                    }
                    Err(reason) => toll.violations.push(format!("{name}: {reason}")),
                }
            }
        }
        toll
    }

    /// How much had been recorded when the power went.
    fn length_at(&self, position: usize) -> Duration {
        self.moment_of(position)
            .saturating_duration_since(self.started)
    }

    fn moment_of(&self, position: usize) -> Instant {
        self.log.until(position).unwrap_or(self.ended)
    }

    /// What the card has not taken can't be on it.
    fn most_lost_at(&self, position: usize) -> Duration {
        let moment = self.moment_of(position);
        match &self.stall {
            Some(stall) if stall.start <= moment && moment <= stall.end + CATCH_UP => {
                MOST_LOST + (stall.end - stall.start)
            }
            _ => MOST_LOST,
        }
    }
}

impl Toll {
    fn judge(&mut self, name: &str, lost: Duration, most: Duration) {
        self.losses.push(lost);
        if lost > most {
            self.violations.push(format!("{name}: lost {lost:.3?}"));
        }
    }
}
