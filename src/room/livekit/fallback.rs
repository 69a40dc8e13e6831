//! When media goes over TCP: where UDP found no way for a while.
//!
//! TCP repeats what is lost and lets all that follows wait for it, so it is not offered next to
//! UDP: the server would take whichever answers first.
//!
//! ```text
//!        a path is looked for              none for WAIT
//!  Idle ──────────────────────► Looking ──────────────────► Going: connect to each candidate
//!   ▲                                │                        │
//!   └────────────────────────────────┴────── a path is up ────┘
//! ```

use std::time::{Duration, Instant};

use str0m::Candidate;

/// How long UDP has. Two round trips of the worst networks, with one packet lost.
const WAIT: Duration = Duration::from_secs(2);

/// How long a connection that ended is still held for a path. The server ends all of them a moment
/// before it says that it looks for paths anew, as it does in a resumed session.
const GRACE: Duration = Duration::from_secs(2);

/// Addresses of the server that are tried at most.
const CANDIDATES: usize = 8;

/// What is known of the server's TCP addresses, and whether they are needed.
#[derive(Debug, Default)]
pub struct Fallback {
    candidates: Vec<Offered>,
    state: State,
    /// Our ends of connections that are over, and when they are no path any more.
    over: Vec<(Instant, Candidate)>,
    /// UDP failed before on this network: it gets no second chance before TCP is tried.
    needed: bool,
}

#[derive(Debug)]
struct Offered {
    candidate: Candidate,
    tried: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Looking {
        until: Instant,
    },
    Going,
}

impl Fallback {
    /// The server can be reached at a TCP address; false when there are too many. The newest
    /// candidate of an address counts.
    #[must_use]
    pub fn offered(&mut self, candidate: Candidate) -> bool {
        let address = candidate.addr();
        let same = |offered: &&mut Offered| offered.candidate.addr() == address;
        if let Some(known) = self.candidates.iter_mut().find(same) {
            known.candidate = candidate;
            return true;
        }
        let fits = self.candidates.len() < CANDIDATES;
        if fits {
            let tried = false;
            self.candidates.push(Offered { candidate, tried });
        }
        fits
    }

    /// A path is being looked for.
    pub fn look(&mut self, now: Instant) {
        if self.state == State::Idle {
            let wait = if self.needed { Duration::ZERO } else { WAIT };
            self.state = State::Looking { until: now + wait };
        }
    }

    /// A path is there.
    pub fn up(&mut self) {
        self.needed = self.state == State::Going;
        self.state = State::Idle;
    }

    /// A connection is over.
    pub fn over(&mut self, local: Candidate, now: Instant) {
        self.over.push((now + GRACE, local));
    }

    /// The ends that are no path any more.
    pub fn lost(&mut self, now: Instant) -> Vec<Candidate> {
        let lost = self.over.extract_if(.., |(until, _)| now >= *until);
        lost.map(|(_, local)| local).collect()
    }

    /// All paths are to be looked for anew: the server has other credentials. Gives the ends of
    /// connections that are over.
    pub fn restart(&mut self) -> Vec<Candidate> {
        self.state = State::Idle;
        for offered in &mut self.candidates {
            offered.tried = false;
        }
        self.over.drain(..).map(|(_, local)| local).collect()
    }

    /// When [`Self::take`] or [`Self::lost`] is due; `None` while nothing is.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let looking = match self.state {
            State::Looking { until } => Some(until),
            State::Idle | State::Going => None,
        };
        let over = self.over.iter().map(|(until, _)| *until);
        over.chain(looking).min()
    }

    /// The addresses to connect to now.
    pub fn take(&mut self, now: Instant) -> Vec<Candidate> {
        match self.state {
            State::Looking { until } if now >= until => self.state = State::Going,
            State::Going => {}
            State::Looking { .. } | State::Idle => return Vec::new(),
        }
        let untried = self.candidates.iter_mut().filter(|offered| !offered.tried);
        untried
            .map(|offered| {
                offered.tried = true;
                offered.candidate.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn candidate(port: u16) -> Candidate {
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        Candidate::host(address, "tcp").unwrap()
    }

    #[test]
    fn udp_has_its_time_and_then_every_address_is_tried_once() {
        let now = Instant::now();
        let mut fallback = Fallback::default();
        assert!(fallback.offered(candidate(1)));
        assert_eq!(fallback.due(), None);
        fallback.look(now);
        fallback.look(now + WAIT / 2);
        assert_eq!(fallback.due(), Some(now + WAIT));
        assert_eq!(fallback.take(now + WAIT / 2), []);
        assert_eq!(fallback.take(now + WAIT), [candidate(1)]);
        // One that is told late goes at once.
        assert!(fallback.offered(candidate(2)) && fallback.offered(candidate(1)));
        assert_eq!(fallback.take(now + WAIT), [candidate(2)]);
        assert_eq!(fallback.take(now + WAIT), []);
        assert_eq!(fallback.due(), None);
    }

    #[test]
    fn a_path_over_udp_leaves_tcp_alone() {
        let now = Instant::now();
        let mut fallback = Fallback::default();
        assert!(fallback.offered(candidate(1)));
        fallback.look(now);
        fallback.up();
        assert_eq!(fallback.due(), None);
        assert_eq!(fallback.take(now + 2 * WAIT), []);
    }

    #[test]
    fn what_helped_is_tried_at_once_the_next_time() {
        let now = Instant::now();
        let mut fallback = Fallback::default();
        assert!(fallback.offered(candidate(1)));
        fallback.look(now);
        assert_eq!(fallback.take(now + WAIT).len(), 1);
        fallback.up();
        assert_eq!(fallback.restart(), []);
        fallback.look(now + 2 * WAIT);
        assert_eq!(fallback.take(now + 2 * WAIT), [candidate(1)]);
    }

    #[test]
    fn a_connection_that_ends_is_a_path_until_the_server_had_time_to_ask_for_others() {
        let now = Instant::now();
        let mut fallback = Fallback::default();
        fallback.over(candidate(1), now);
        fallback.over(candidate(2), now + GRACE / 2);
        assert_eq!(fallback.due(), Some(now + GRACE));
        assert_eq!(fallback.lost(now), []);
        assert_eq!(fallback.lost(now + GRACE), [candidate(1)]);
        assert_eq!(fallback.restart(), [candidate(2)]);
        assert_eq!(fallback.due(), None);
    }

    #[test]
    fn a_server_of_countless_addresses_is_not_believed() {
        let mut fallback = Fallback::default();
        let taken = (1..1000).filter(|port| fallback.offered(candidate(*port)));
        assert_eq!(taken.count(), CANDIDATES);
    }
}
