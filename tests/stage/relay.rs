//! A bad network for tests: everything between the recorder and the server passes through here.
//!
//! ```text
//! recorder ──signalling──► 127.0.0.1:r (TCP) ──► 127.0.0.1:s ┐
//! recorder ──media───────► 127.0.0.2:m (UDP) ──► 127.0.0.1:m ├ server
//! publisher ─media───────► 127.0.0.2:m (UDP) ──► 127.0.0.1:m │
//! publisher ─signalling────────────────────────► 127.0.0.1:s ┘
//! ```
//! The server says that its media is at 127.0.0.2 (`rtc.node_ip`), where the relay listens on the
//! port that the server has on 127.0.0.1. So publishers come through the relay as well; nothing
//! happens to their datagrams.

pub mod faults;
mod media;
mod signal;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::watch;

use self::faults::Faults;
use self::media::{Network, Tally};
use self::signal::Way;
use super::aside::Aside;

/// Where the server says that its media is.
pub const MEDIA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where the server really is.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub signal: SocketAddr,
    pub media: SocketAddr,
}

/// A running relay; it ends when dropped.
pub struct Relay {
    /// Ends before what it is told by.
    aside: Aside,
    faults: watch::Sender<Faults>,
    way: watch::Sender<Way>,
    victim: Arc<AtomicU32>,
    tally: Arc<Tally>,
}

/// What became of the recorder's datagrams so far, both directions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub held_back: u64,
    pub over_rate: u64,
    pub blacked_out: u64,
    /// Dropped by the relay for want of room: not meant to happen.
    pub overflowed: u64,
}

impl Relay {
    /// Starts a clean one in front of `server`; what it will do comes from `seed`.
    pub fn start(server: Ends, seed: u64) -> Self {
        let (faults, faults_seen) = watch::channel(Faults::default());
        let (way, way_seen) = watch::channel(Way::default());
        let victim = Arc::new(AtomicU32::new(0));
        let tally = Arc::new(Tally::default());
        let network = Network {
            faults: faults_seen,
            victim: victim.clone(),
            tally: tally.clone(),
            seed,
        };
        let front = std::net::UdpSocket::bind((MEDIA, server.media.port()));
        let front = front.expect("the media port is free on 127.0.0.2");
        front.set_nonblocking(true).expect("not blocking");
        let aside = Aside::start(async move |listener| {
            let front = UdpSocket::from_std(front).expect("a UDP socket");
            tokio::select! {
                () = media::relay(Arc::new(front), server.media, network) => {}
                () = signal::relay(listener, server.signal, way_seen) => {}
            }
        });
        Self {
            aside,
            faults,
            way,
            victim,
            tally,
        }
    }

    /// Where the recorder finds the server.
    pub fn url(&self) -> String {
        format!("ws://{}", self.aside.address())
    }

    /// Names the process whose media suffers, before it opens a socket.
    pub fn afflict(&self, pid: u32) {
        self.victim.store(pid, Ordering::Relaxed);
    }

    /// From now on the media suffers `faults`.
    pub fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// From now on nothing happens to the media.
    pub fn clear(&self) {
        self.set(Faults::default());
    }

    /// Resets the signalling connections, and new ones for so long.
    pub fn cut_signalling(&self, refuse_for: Duration) {
        self.way.send_modify(|way| {
            way.cuts += 1;
            way.refused_until = Some(Instant::now() + refuse_for);
        });
    }

    /// Lets signalling connections stand without a byte passing, or go on.
    pub fn hold_signalling(&self, held: bool) {
        self.way.send_modify(|way| way.held = held);
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            passed: read(&self.tally.passed),
            lost: read(&self.tally.lost),
            duplicated: read(&self.tally.duplicated),
            held_back: read(&self.tally.held_back),
            over_rate: read(&self.tally.over_rate),
            blacked_out: read(&self.tally.blacked_out),
            overflowed: read(&self.tally.overflowed),
        }
    }
}
