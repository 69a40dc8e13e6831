//! The UDP sockets of one peer: one for each address that the server could reach us by.
//!
//! A socket a address, not one for all: ICE wants to know on which address a packet came in,
//! and a wildcard socket doesn't say.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::task::{Context, Poll};
use std::time::Instant;

use str0m::net::Protocol;
use tokio::io::Interest;

use super::addresses::{self, Change};
use super::datagram::{self, Look};
use super::traffic::Traffic;

/// The bound sockets.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<Bound>,
    /// Packets that the kernel had no room to send; ICE, DTLS and RTCP all repeat themselves.
    unsent: u64,
}

/// One socket, not blocking.
#[derive(Debug)]
struct Bound {
    address: SocketAddr,
    socket: UdpSocket,
    /// While little comes, a datagram wakes us; while media flows, it is looked for from time to
    /// time ([`Traffic`]): a watched socket wakes tokio's reactor for each, asked for or not.
    /// A second handle of the same socket, which the reactor knows.
    watch: Option<tokio::net::UdpSocket>,
    traffic: Traffic,
}

/// What became of sockets when addresses changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// New ones.
    pub opened: Vec<SocketAddr>,
    /// Those of addresses that are gone.
    pub closed: Vec<SocketAddr>,
}

/// One datagram's way: where it came from and which of our addresses it reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How it came.
    pub proto: Protocol,
    /// Bytes in the buffer.
    pub len: usize,
    /// The sender.
    pub source: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
    /// When it came.
    pub arrival: Instant,
}

impl Sockets {
    /// Binds a socket on each usable address of this machine.
    ///
    /// # Errors
    /// When there is no usable address, or none can be bound.
    pub fn bind(server_is_local: bool) -> io::Result<Self> {
        let mut bound = Vec::new();
        let mut failure = None;
        for address in addresses::present(server_is_local)? {
            match Bound::bind(address) {
                Ok(socket) => bound.push(socket),
                Err(error) => {
                    tracing::debug!(%address, %error, "address left out");
                    failure = Some(error);
                }
            }
        }
        if bound.is_empty() {
            return Err(failure.unwrap_or_else(|| {
                io::Error::new(io::ErrorKind::AddrNotAvailable, "no usable interface is up")
            }));
        }
        Ok(Self { bound, unsent: 0 })
    }

    /// Binds sockets on addresses that are new and drops those of addresses that are gone.
    pub fn follow(&mut self, present: &BTreeSet<IpAddr>) -> Moved {
        let before = self.bound.iter().map(|bound| bound.address.ip()).collect();
        let change = Change::between(&before, present);
        let mut moved = Moved::default();
        self.bound.retain(|bound| {
            let gone = change.removed.contains(&bound.address.ip());
            if gone {
                moved.closed.push(bound.address);
            }
            !gone
        });
        for address in change.added {
            match Bound::bind(address) {
                Ok(bound) => {
                    moved.opened.push(bound.address);
                    self.bound.push(bound);
                }
                // An IPv6 address can't be bound before the system has made sure of it: the
                // next round tries again.
                Err(error) => tracing::debug!(%address, %error, "address left out"),
            }
        }
        moved
    }

    /// Our addresses.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.bound.iter().map(|bound| bound.address)
    }

    /// Ready when a datagram, or a socket's error, can be taken by [`Self::receive`] from a
    /// socket that is watched.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.bound.iter().any(|bound| bound.is_ready(cx)) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// When the sockets that are not watched are to be looked at; `None` when all are watched.
    #[must_use]
    pub fn look_at(&self) -> Option<Instant> {
        self.bound
            .iter()
            .filter_map(|bound| bound.traffic.look_at())
            .min()
    }

    /// Takes one datagram if there is one. Errors of a single socket (an ICMP answer to an
    /// earlier packet) concern one path only and are ICE's business: they are passed over.
    pub fn receive(&mut self, look: Look, buffer: &mut [u8]) -> Option<Received> {
        self.bound
            .iter_mut()
            .find_map(|bound| bound.receive(look, buffer))
    }

    /// Sends from the socket bound to `local`; a packet that can't be sent now is counted lost.
    pub fn send(&mut self, local: SocketAddr, to: SocketAddr, packet: &[u8]) {
        let Some(bound) = self.bound.iter().find(|bound| bound.address == local) else {
            return;
        };
        if bound.socket.send_to(packet, to).is_err() {
            self.unsent += 1;
        }
    }

    /// Packets lost on the way out.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }
}

impl Bound {
    fn bind(address: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        datagram::prepare(&socket);
        let mut bound = Self {
            address: socket.local_addr()?,
            socket,
            watch: None,
            traffic: Traffic::default(),
        };
        bound.watch()?;
        Ok(bound)
    }

    fn watch(&mut self) -> io::Result<()> {
        self.watch = Some(tokio::net::UdpSocket::from_std(self.socket.try_clone()?)?);
        Ok(())
    }

    fn is_ready(&self, cx: &mut Context<'_>) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.poll_recv_ready(cx).is_ready())
    }

    fn receive(&mut self, look: Look, buffer: &mut [u8]) -> Option<Received> {
        let mut take = || datagram::receive(&self.socket, look, buffer);
        let taken = match &self.watch {
            Some(watch) => watch.try_io(Interest::READABLE, take),
            None if self.traffic.is_due(look.now) => take(),
            None => return None,
        };
        let Ok((len, source, arrival)) = taken else {
            self.rest(look.now);
            return None;
        };
        self.traffic.came(look.now);
        Some(Received {
            proto: Protocol::Udp,
            len,
            source,
            local: self.address,
            arrival,
        })
    }

    /// Nothing more to take: decides how the next datagram is waited for.
    fn rest(&mut self, now: Instant) {
        let watched = self.traffic.rest(now).is_none();
        if !watched {
            self.watch = None;
        } else if self.watch.is_none()
            && let Err(error) = self.watch()
        {
            // The reactor has no room: looking from time to time works as well.
            tracing::debug!(%error, "a socket can't be watched");
            self.traffic.keep_looking(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn loopback(sockets: &Sockets) -> SocketAddr {
        sockets.addresses().find(|a| a.ip().is_loopback()).unwrap()
    }

    #[tokio::test]
    async fn a_datagram_names_the_address_it_reached() {
        let mut sockets = Sockets::bind(true).unwrap();
        let loopback = loopback(&sockets);
        let sender = UdpSocket::bind((loopback.ip(), 0)).unwrap();
        sender.send_to(b"hello", loopback).unwrap();

        poll_fn(|cx| sockets.poll_ready(cx)).await;
        let mut buffer = [0; 16];
        let look = Look::now();
        let received = sockets.receive(look, &mut buffer).unwrap();
        assert_eq!(received.len, 5);
        assert_eq!(received.local, loopback);
        assert_eq!(received.source, sender.local_addr().unwrap());
        assert_eq!(sockets.receive(look, &mut buffer), None);
    }

    #[tokio::test]
    async fn sockets_come_and_go_with_their_addresses() {
        let mut sockets = Sockets::bind(true).unwrap();
        let before: BTreeSet<IpAddr> = sockets.addresses().map(|a| a.ip()).collect();
        // All of 127/8 is this machine's.
        let new = IpAddr::from([127, 9, 9, 9]);
        let mut now = before.clone();
        now.insert(new);
        let moved = sockets.follow(&now);
        assert_eq!(
            moved.opened.iter().map(SocketAddr::ip).collect::<Vec<_>>(),
            [new]
        );
        assert_eq!(moved.closed, []);
        assert_eq!(sockets.follow(&now), Moved::default());

        let gone = sockets.follow(&BTreeSet::from([new])).closed;
        assert_eq!(
            gone.iter().map(SocketAddr::ip).collect::<BTreeSet<_>>(),
            before
        );
        assert_eq!(sockets.addresses().count(), 1);
    }

    #[tokio::test]
    async fn a_busy_socket_is_looked_at_and_a_quiet_one_watched_again() {
        let mut sockets = Sockets::bind(true).unwrap();
        let loopback = loopback(&sockets);
        let sender = UdpSocket::bind((loopback.ip(), 0)).unwrap();
        let mut buffer = [0; 16];
        let mut take_all = |sockets: &mut Sockets, now| {
            let look = Look::at(now, SystemTime::now());
            std::iter::from_fn(|| sockets.receive(look, &mut buffer)).count()
        };
        for _ in 0..100 {
            sender.send_to(b"media", loopback).unwrap();
        }
        poll_fn(|cx| sockets.poll_ready(cx)).await;
        assert_eq!(take_all(&mut sockets, Instant::now()), 100);

        let mut now = sockets.look_at().expect("the busy one is not watched");
        sender.send_to(b"more", loopback).unwrap();
        assert_eq!(take_all(&mut sockets, now), 1);

        now += Duration::from_secs(5);
        assert_eq!(take_all(&mut sockets, now), 0);
        assert_eq!(sockets.look_at(), None);
        sender.send_to(b"again", loopback).unwrap();
        poll_fn(|cx| sockets.poll_ready(cx)).await;
        assert_eq!(take_all(&mut sockets, now), 1);
    }
}
