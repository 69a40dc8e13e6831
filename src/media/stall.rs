//! Whether an element that is given pictures has stopped giving any.

use std::time::{Duration, Instant};

/// For how long at least nothing came.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How many pictures went in, or had no place to, meanwhile.
const PICTURES: u64 = 10;

/// Watches one element by its counters.
#[derive(Debug, Default)]
pub(super) struct Stall {
    progress: Option<Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    since: Instant,
    given: u64,
    offered: u64,
}

impl Stall {
    /// For how long nothing has come though pictures were offered; `held` while it is not the
    /// element that holds things up.
    pub(super) fn look(
        &mut self,
        now: Instant,
        offered: u64,
        given: u64,
        held: bool,
    ) -> Option<Duration> {
        let progress = match self.progress {
            Some(progress) if progress.given == given && !held => progress,
            _ => {
                self.progress = Some(Progress {
                    since: now,
                    given,
                    offered,
                });
                return None;
            }
        };
        let waited = now.saturating_duration_since(progress.since);
        let stalled = waited >= PATIENCE && offered - progress.offered >= PICTURES;
        stalled.then_some(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten looks a second, three pictures in between; the element gives `given` of a picture's
    /// number. Gives the look at which it is found stalled.
    fn found(given: impl Fn(u64) -> u64, offered: impl Fn(u64) -> u64, held: bool) -> Option<u64> {
        let mut stall = Stall::default();
        let start = Instant::now();
        (0..100).find(|look| {
            let now = start + Duration::from_millis(look * 100);
            let found = stall.look(now, offered(*look), given(*look), held);
            found.is_some()
        })
    }

    #[test]
    fn only_what_is_given_pictures_and_gives_none_has_stalled() {
        let steady = |look| look * 3;
        assert_eq!(found(steady, steady, false), None);
        assert_eq!(found(|look| steady(look.min(20)), steady, false), Some(35));
        // The output blocks.
        assert_eq!(found(|look| steady(look.min(20)), steady, true), None);
        // Nobody sends anything: the last two stay inside.
        let paused = |look: u64| steady(look.min(20));
        assert_eq!(
            found(|look| paused(look).saturating_sub(2), paused, false),
            None
        );
        // Slow, but at it.
        assert_eq!(found(|look| look / 12, steady, false), None);
    }
}
