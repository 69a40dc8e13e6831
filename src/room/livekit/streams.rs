//! The TCP connections of one peer: one to each address of the server that is tried.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use str0m::Candidate;
use str0m::net::{Protocol, TcpType};
use tokio::net::TcpStream;

use super::framing::{Inbox, Outbox};
use super::sockets::Received;

/// How long connecting may take: a lost SYN is repeated after 1 and 3 s.
const CONNECT: Duration = Duration::from_secs(5);

/// Taken from a connection at once, in bytes.
const CHUNK: usize = 4096;

/// What became of a connection.
#[derive(Debug)]
pub enum StreamEvent {
    /// It is open, from our address to the server's.
    Open(Candidate, Box<Candidate>),
    /// It is over; it was from this address of ours.
    Over(Candidate),
}

/// The connections, at most as many as were asked for.
#[derive(Default)]
pub struct Streams {
    connecting: Vec<Connecting>,
    open: Vec<Stream>,
    news: VecDeque<StreamEvent>,
    /// Packets for which there was no room, or no connection any more.
    unsent: u64,
    /// Packets too large, of connections that are over.
    oversized: u64,
}

/// One on its way.
struct Connecting {
    remote: Candidate,
    attempt: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

struct Stream {
    local: Candidate,
    remote: SocketAddr,
    socket: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
}

impl Streams {
    /// Begins to connect to `remote`.
    pub fn connect(&mut self, remote: Candidate) {
        let address = remote.addr();
        let attempt = Box::pin(async move {
            let socket = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await??;
            // Feedback must not wait for an acknowledgement.
            socket.set_nodelay(true)?;
            Ok(socket)
        });
        self.connecting.push(Connecting { remote, attempt });
    }

    /// Ready when [`Self::next_event`], [`Self::flush`] or [`Self::receive`] has something to do.
    pub fn poll_ready(&mut self, largest: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_connecting(largest, cx);
        if !self.news.is_empty() || self.open.iter().any(|stream| stream.is_ready(cx)) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_connecting(&mut self, largest: usize, cx: &mut Context<'_>) {
        let Self {
            connecting,
            open,
            news,
            ..
        } = self;
        connecting.retain_mut(|one| {
            let Poll::Ready(done) = one.attempt.as_mut().poll(cx) else {
                return true;
            };
            let server = one.remote.addr();
            match done.and_then(|socket| Stream::new(socket, server, largest)) {
                Ok(stream) => {
                    tracing::info!(%server, "media may go over TCP");
                    let remote = Box::new(one.remote.clone());
                    news.push_back(StreamEvent::Open(stream.local.clone(), remote));
                    open.push(stream);
                }
                Err(error) => tracing::info!(%server, %error, "no connection over TCP"),
            }
            false
        });
    }

    /// What became of connections.
    pub fn next_event(&mut self) -> Option<StreamEvent> {
        self.news.pop_front()
    }

    /// Sends what waits to be sent, as far as it is taken.
    pub fn flush(&mut self) {
        self.each(Stream::flush);
    }

    /// Takes one packet if there is one.
    pub fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Received> {
        let mut received = None;
        self.each(|stream| {
            if received.is_none() {
                received = stream.receive(now, buffer)?;
            }
            Ok(())
        });
        received
    }

    /// Sends over the connection between these two; a packet that finds none, or no room, is
    /// counted lost.
    pub fn send(&mut self, local: SocketAddr, to: SocketAddr, packet: &[u8]) {
        let found = self
            .open
            .iter_mut()
            .find(|stream| stream.local.addr() == local && stream.remote == to);
        let taken = found.is_some_and(|stream| stream.outbox.push(packet));
        if !taken {
            self.unsent += 1;
        }
    }

    /// Ends all connections; gives our addresses of those that were open.
    pub fn close(&mut self) -> Vec<Candidate> {
        self.connecting.clear();
        self.news.clear();
        let open = std::mem::take(&mut self.open);
        self.oversized += open
            .iter()
            .map(|stream| stream.inbox.oversized())
            .sum::<u64>();
        open.into_iter().map(|stream| stream.local).collect()
    }

    /// Packets lost on the way out.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Packets left out because they were too large.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        let open = self.open.iter().map(|stream| stream.inbox.oversized());
        self.oversized + open.sum::<u64>()
    }

    /// Does something with each connection; those that fail are over.
    fn each(&mut self, mut act: impl FnMut(&mut Stream) -> io::Result<()>) {
        let Self {
            open,
            news,
            oversized,
            ..
        } = self;
        open.retain_mut(|stream| match act(stream) {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(server = %stream.remote, %error, "a TCP connection for media ended");
                *oversized += stream.inbox.oversized();
                news.push_back(StreamEvent::Over(stream.local.clone()));
                false
            }
        });
    }
}

impl Stream {
    fn new(socket: TcpStream, remote: SocketAddr, largest: usize) -> io::Result<Self> {
        let local = Candidate::builder()
            .tcp()
            .host(socket.local_addr()?)
            .tcptype(TcpType::Active)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            local,
            remote,
            socket,
            inbox: Inbox::new(largest),
            outbox: Outbox::default(),
        })
    }

    fn is_ready(&self, cx: &mut Context<'_>) -> bool {
        // Both are asked: each registers the waker for its own direction.
        let writes =
            !self.outbox.pending().is_empty() && self.socket.poll_write_ready(cx).is_ready();
        writes || self.inbox.has_packet() || self.socket.poll_read_ready(cx).is_ready()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.pending().is_empty() {
            match self.socket.try_write(self.outbox.pending()) {
                Ok(len) => self.outbox.sent(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(packet) = self.inbox.take() {
                // The inbox hands out nothing larger than the buffer.
                let Some(place) = buffer.get_mut(..packet.len()) else {
                    continue;
                };
                place.copy_from_slice(&packet);
                return Ok(Some(Received {
                    proto: Protocol::Tcp,
                    len: packet.len(),
                    source: self.remote,
                    local: self.local.addr(),
                    arrival: now,
                }));
            }
            let room = self.inbox.room().min(CHUNK);
            let place = chunk.get_mut(..room).unwrap_or_default();
            match self.socket.try_read(place) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.inbox.feed(chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
