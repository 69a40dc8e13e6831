//! Taking a datagram together with the time at which the kernel received it.
//!
//! A datagram may wait for us for some milliseconds; what is told to the sender of jitter and
//! what is put on the timeline must not. `socket(7)`, `SO_TIMESTAMPNS`: the stamp is taken by the
//! real-time clock when the packet arrives.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::sockopt::{RcvBuf, ReceiveTimestampns};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, cmsg_space, recvmsg, setsockopt,
};
use nix::sys::time::TimeSpec;

/// Room in the kernel for a burst: a keyframe of 300 packets takes twice its size there. The
/// kernel gives less when `net.core.rmem_max` says so.
const BURST: usize = 1024 * 1024;

/// An older stamp means that the real-time clock was set, not that a packet waited so long: while
/// this process is stopped, packets wait as well.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Two clocks that were read within this time were read together.
const SAME_MOMENT: Duration = Duration::from_micros(100);

/// How often they are read for that.
const READINGS: usize = 3;

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// By the clock that never jumps.
    pub now: Instant,
    /// By the clock of the kernel's stamps.
    wall: SystemTime,
}

impl Look {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        let read = || {
            let before = Instant::now();
            let wall = SystemTime::now();
            let now = Instant::now();
            (now - before, Self::at(now, wall))
        };
        // Who is interrupted between the two has read two moments.
        let mut readings = std::iter::repeat_with(read).take(READINGS);
        let together = readings.find(|(apart, _)| *apart < SAME_MOMENT);
        together.map_or_else(|| read().1, |(_, look)| look)
    }

    /// A moment by both clocks.
    #[must_use]
    pub const fn at(now: Instant, wall: SystemTime) -> Self {
        Self { now, wall }
    }

    /// When a packet stamped `stamp` arrived: not after this moment, and at most a minute ago.
    #[must_use]
    pub fn arrival(&self, stamp: SystemTime) -> Instant {
        let waited = self.wall.duration_since(stamp).unwrap_or_default();
        if waited > LONGEST_WAIT {
            return self.now;
        }
        self.now.checked_sub(waited).unwrap_or(self.now)
    }
}

/// Asks for stamps and for room. Without either, `socket` works: packets then arrive when they
/// are looked at.
pub fn prepare(socket: &UdpSocket) {
    if let Err(error) = setsockopt(socket, ReceiveTimestampns, &true) {
        tracing::debug!(%error, "no receive times from the kernel");
    }
    if let Err(error) = setsockopt(socket, RcvBuf, &BURST) {
        tracing::debug!(%error, "no larger receive buffer");
    }
}

/// Takes one datagram from a socket that does not block: its length, its sender, its arrival.
///
/// # Errors
/// `WouldBlock` when there is none; others as `recvmsg(2)` says.
pub fn receive(
    socket: &impl AsFd,
    look: Look,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Instant)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = [0; cmsg_space::<TimeSpec>()];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_fd().as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let source = message.address.as_ref().and_then(socket_address);
    let source = source.ok_or(io::ErrorKind::AddrNotAvailable)?;
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(UNIX_EPOCH + Duration::from(stamp)),
        _ => None,
    });
    let arrival = stamp.map_or(look.now, |stamp| look.arrival(stamp));
    Ok((message.bytes, source, arrival))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_how_long_a_packet_waited() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let look = Look::at(now, wall);
        let waited = Duration::from_millis(25);
        assert_eq!(look.arrival(wall - waited) + waited, now);
        // Stamped after the look began, or by a clock that was set since.
        assert_eq!(look.arrival(wall + waited), now);
        assert_eq!(look.arrival(wall - Duration::from_hours(1)), now);
    }

    #[test]
    fn a_datagram_arrived_before_it_was_taken() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        prepare(&socket);
        let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let sent = Instant::now();
        sender
            .send_to(b"hello", socket.local_addr().unwrap())
            .unwrap();
        let mut buffer = [0; 16];
        // The loopback delivers within the call.
        let (length, source, _) = receive(&socket, Look::now(), &mut buffer).unwrap();
        assert_eq!((length, source), (5, sender.local_addr().unwrap()));

        let wait = Duration::from_millis(30);
        let inexact = Duration::from_millis(5);
        // The kernel begins to stamp some time after the first socket asks for it.
        let stamped = (0..20).any(|_| {
            sender
                .send_to(b"again", socket.local_addr().unwrap())
                .unwrap();
            std::thread::sleep(wait);
            let look = Look::now();
            let (_, _, arrival) = receive(&socket, look, &mut buffer).unwrap();
            assert!(arrival + inexact >= sent && arrival <= look.now);
            arrival + wait <= look.now + inexact
        });
        assert!(stamped);
        let look = Look::now();
        let none = receive(&socket, look, &mut buffer).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
    }
}
