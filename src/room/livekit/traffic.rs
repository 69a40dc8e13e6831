//! How a socket is waited for: by being woken, or by looking from time to time.
//!
//! Media of one participant is some 300 datagrams a second in 50 to 150 bursts. Being woken for
//! each burst, and waking all that comes after, costs more than taking what is there some thirty
//! times a second. The kernel stamps each datagram, so waiting moves nothing on the timeline. The
//! more comes, the shorter the wait: what the kernel holds for us is bounded.
//!
//! ```text
//!            BUSY datagrams within WINDOW
//!  watched ────────────────────────────────► looked at each 2 to 30 ms
//!          ◄────────────────────────────────
//!                none for QUIET
//! ```

use std::time::{Duration, Instant};

/// The longest time between two looks, taken while few datagrams come.
const LONGEST: Duration = Duration::from_millis(30);

/// The shortest one: below it, being woken is no dearer.
const SHORTEST: Duration = Duration::from_millis(2);

/// As many datagrams at one look are enough. The kernel keeps about 180 of full size for us where
/// nobody raised `net.core.rmem_max`, and a keyframe comes faster than what went before.
const ENOUGH: u32 = 24;

/// As many datagrams within [`WINDOW`] are media.
const BUSY: u32 = 40;

/// How long datagrams are counted for.
const WINDOW: Duration = Duration::from_millis(500);

/// Without a datagram for this long a socket is watched again. Sound in silence (DTX) still
/// comes each 400 ms.
const QUIET: Duration = Duration::from_secs(1);

/// What came on one socket.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Datagrams since the beginning of the window.
    window: Option<(Instant, u32)>,
    newest: Option<Instant>,
    /// Datagrams since the last look but one.
    at_this_look: u32,
    interval: Option<Duration>,
    look_at: Option<Instant>,
}

impl Traffic {
    /// A datagram was taken.
    pub fn came(&mut self, now: Instant) {
        self.newest = Some(now);
        self.at_this_look += 1;
        self.window = match self.window {
            Some((start, count)) if now.duration_since(start) < WINDOW => Some((start, count + 1)),
            _ => Some((now, 1)),
        };
    }

    /// When to look next; `None` while the socket is watched.
    #[must_use]
    pub const fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether it is time to look.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.look_at.is_none_or(|at| now >= at)
    }

    /// Nothing more is there: when to look next, or `None` to be woken.
    pub fn rest(&mut self, now: Instant) -> Option<Instant> {
        let came = std::mem::take(&mut self.at_this_look);
        let busy = self.window.is_some_and(|(_, count)| count >= BUSY);
        let quiet = self
            .newest
            .is_none_or(|newest| now.duration_since(newest) >= QUIET);
        self.interval = match self.interval {
            _ if quiet => None,
            None if busy => Some(SHORTEST),
            Some(_) if came >= 2 * ENOUGH => Some(SHORTEST),
            Some(interval) if came >= ENOUGH => Some((interval / 2).max(SHORTEST)),
            Some(interval) if came < ENOUGH / 2 => Some((interval + SHORTEST).min(LONGEST)),
            same => same,
        };
        self.look_at = self.interval.map(|interval| now + interval);
        self.look_at
    }

    /// Goes on looking although it was quiet.
    pub fn keep_looking(&mut self, now: Instant) {
        self.interval = Some(LONGEST);
        self.look_at = Some(now + LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Datagrams at a steady rate for two seconds, looked at when due or woken for; gives the
    /// time of the end and the most that came at one look of the second half.
    fn steady(traffic: &mut Traffic, from: Instant, a_second: u32) -> (Instant, u32) {
        let every = Duration::from_secs(1) / a_second;
        let (mut now, mut waiting, mut most) = (from, 0, 0);
        for n in 0..2 * a_second {
            now += every;
            waiting += 1;
            if traffic.is_due(now) {
                (0..waiting).for_each(|_| traffic.came(now));
                traffic.rest(now);
                if n > a_second {
                    most = most.max(waiting);
                }
                waiting = 0;
            }
        }
        (now, most)
    }

    #[test]
    fn media_is_looked_for_and_little_else_is() {
        let mut traffic = Traffic::default();
        let (now, _) = steady(&mut traffic, Instant::now(), 3);
        assert_eq!(traffic.look_at(), None);
        let (now, most) = steady(&mut traffic, now, 300);
        assert!(traffic.look_at().is_some());
        assert!((8..=10).contains(&most), "{most}");

        // Less and less, but not quiet: it stays.
        let (now, _) = steady(&mut traffic, now, 3);
        assert!(traffic.look_at().is_some());
        assert_eq!(traffic.rest(now + QUIET), None);
        assert!(traffic.is_due(now + QUIET));
    }

    #[test]
    fn the_more_comes_the_sooner_it_is_looked_at() {
        for rate in [1_000, 3_000, 10_000] {
            let (_, most) = steady(&mut Traffic::default(), Instant::now(), rate);
            assert!(most < 2 * ENOUGH, "{most} at {rate} a second");
        }
    }

    #[test]
    fn a_burst_shortens_the_wait_at_once() {
        let mut traffic = Traffic::default();
        let (now, _) = steady(&mut traffic, Instant::now(), 300);
        (0..200).for_each(|_| traffic.came(now));
        assert_eq!(traffic.rest(now), Some(now + SHORTEST));
    }
}
