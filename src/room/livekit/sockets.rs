//! The UDP sockets of one peer: one for each address that the server could reach us by.
//!
//! A socket a address, not one for all: ICE wants to know on which address a packet came in,
//! and a wildcard socket doesn't say.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use tokio::net::UdpSocket;

/// The bound sockets.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<(SocketAddr, UdpSocket)>,
    /// Packets that the kernel had no room to send; ICE, DTLS and RTCP all repeat themselves.
    unsent: u64,
}

/// One datagram's way: where it came from and which of our addresses it reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes in the buffer.
    pub len: usize,
    /// The sender.
    pub source: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
}

/// Whether an interface's address may become a candidate.
///
/// Loopback only when the server is on this machine: elsewhere nobody can reach it. IPv6
/// link-local addresses need a zone, which candidates don't carry.
#[must_use]
pub fn usable(address: IpAddr, server_is_local: bool) -> bool {
    match address {
        _ if address.is_loopback() => server_is_local,
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

impl Sockets {
    /// Binds a socket on each usable address of this machine.
    ///
    /// # Errors
    /// When there is no usable address, or none can be bound.
    pub async fn bind(server_is_local: bool) -> io::Result<Self> {
        let mut bound = Vec::new();
        let mut failure = None;
        for interface in if_addrs::get_if_addrs()? {
            let address = interface.ip();
            if !usable(address, server_is_local) {
                continue;
            }
            match UdpSocket::bind((address, 0)).await {
                Ok(socket) => bound.push((socket.local_addr()?, socket)),
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

    /// Our addresses.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.bound.iter().map(|(address, _)| *address)
    }

    /// Waits until a datagram, or a socket's error, can be taken by [`Self::receive`].
    pub async fn readable(&self) {
        poll_fn(|cx| {
            let ready = self
                .bound
                .iter()
                .any(|(_, socket)| socket.poll_recv_ready(cx).is_ready());
            if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Takes one datagram if there is one. Errors of a single socket (an ICMP answer to an
    /// earlier packet) concern one path only and are ICE's business: they are passed over.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<Received> {
        self.bound.iter().find_map(|(local, socket)| {
            let (len, source) = socket.try_recv_from(buffer).ok()?;
            Some(Received {
                len,
                source,
                local: *local,
            })
        })
    }

    /// Sends from the socket bound to `local`; a packet that can't be sent now is counted lost.
    pub fn send(&mut self, local: SocketAddr, to: SocketAddr, packet: &[u8]) {
        let Some((_, socket)) = self.bound.iter().find(|(address, _)| *address == local) else {
            return;
        };
        if socket.try_send_to(packet, to).is_err() {
            self.unsent += 1;
        }
    }

    /// Packets lost on the way out.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_offered_to_a_server_on_this_machine_only() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(usable(loopback, true));
        assert!(!usable(loopback, false));
        assert!(usable(IpAddr::from([192, 168, 1, 7]), false));
        assert!(!usable(IpAddr::from([169, 254, 3, 4]), false));
        assert!(!usable("fe80::1".parse().unwrap(), false));
        assert!(usable("2001:db8::1".parse().unwrap(), false));
    }

    #[tokio::test]
    async fn a_datagram_names_the_address_it_reached() {
        let sockets = Sockets::bind(true).await.unwrap();
        let loopback = sockets.addresses().find(|a| a.ip().is_loopback()).unwrap();
        let sender = UdpSocket::bind((loopback.ip(), 0)).await.unwrap();
        sender.send_to(b"hello", loopback).await.unwrap();

        sockets.readable().await;
        let mut buffer = [0; 16];
        let received = sockets.receive(&mut buffer).unwrap();
        assert_eq!(received.len, 5);
        assert_eq!(received.local, loopback);
        assert_eq!(received.source, sender.local_addr().unwrap());
        assert_eq!(sockets.receive(&mut buffer), None);
    }
}
