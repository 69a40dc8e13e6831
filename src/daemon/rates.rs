//! How fast recordings grow; pure.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::room::Source;

/// How far it is looked back: bytes reach files in pieces of up to a second.
const WINDOW: Duration = Duration::from_secs(5);

/// Room, participant and what is recorded of them.
pub(super) type Key = (String, String, Source);

/// What each recording had written lately.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<Key, VecDeque<(Instant, u64)>>);

impl Rates {
    pub(super) fn key(room: &str, participant: &str, source: Source) -> Key {
        (room.to_owned(), participant.to_owned(), source)
    }

    /// Takes what all of them have written; who is not named is forgotten.
    pub(super) fn take(&mut self, now: Instant, written: Vec<(Key, u64)>) {
        let mut before = std::mem::take(&mut self.0);
        for (key, bytes) in written {
            let mut samples = before.remove(&key).unwrap_or_default();
            // A successor begins at nothing.
            if samples.back().is_some_and(|(_, last)| *last > bytes) {
                samples.clear();
            }
            samples.push_back((now, bytes));
            let old = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) > WINDOW;
            while samples.front().is_some_and(old) {
                samples.pop_front();
            }
            self.0.insert(key, samples);
        }
    }

    /// In bits per second; zero where that is not known yet.
    pub(super) fn of(&self, room: &str, participant: &str, source: Source) -> u64 {
        let samples = self.0.get(&Self::key(room, participant, source));
        let ends = samples.and_then(|it| Some((it.front()?, it.back()?)));
        let Some(((since, first), (now, last))) = ends else {
            return 0;
        };
        let micros = now.saturating_duration_since(*since).as_micros();
        let bits = u128::from(last - first) * 8 * 1_000_000;
        let rate = bits.checked_div(micros).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut rates = Rates::default();
        let key = || Rates::key("lobby", "ann", Source::Camera);
        let mut rate = |second: u64, bytes: u64| {
            rates.take(start + Duration::from_secs(second), vec![(key(), bytes)]);
            rates.of("lobby", "ann", Source::Camera)
        };
        assert_eq!(rate(0, 1_000), 0, "not known yet");
        assert_eq!(rate(1, 126_000), 1_000_000);
        for second in 2..20 {
            rate(second, 126_000 + second * 250_000);
        }
        assert_eq!(rate(20, 126_000 + 20 * 250_000), 2_000_000);
        assert_eq!(rate(21, 5), 0, "a successor");
        rates.take(start, Vec::new());
        assert_eq!(rates.of("lobby", "ann", Source::Camera), 0);
        assert!(rates.0.is_empty());
    }
}
