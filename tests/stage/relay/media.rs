//! The relay's UDP half: a task and a socket of its own for each client's flow.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use super::super::process;
use super::faults::{Cause, Fate, Faults, Line};

/// Clients' sockets at most; each participant has a few.
const FLOWS: usize = 512;
/// Datagrams that wait for their flow's task, and that a flow holds back, at most.
const WAITING: usize = 4096;
const DATAGRAM: usize = 2048;

/// What the relay did to the recorder's datagrams, both directions together.
#[derive(Debug, Default)]
pub struct Tally {
    pub passed: AtomicU64,
    pub lost: AtomicU64,
    pub duplicated: AtomicU64,
    pub held_back: AtomicU64,
    pub over_rate: AtomicU64,
    pub blacked_out: AtomicU64,
    /// Dropped because a queue or a socket of the relay itself was full.
    pub overflowed: AtomicU64,
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What all flows share.
#[derive(Clone)]
pub struct Network {
    pub faults: watch::Receiver<Faults>,
    /// The process whose flows suffer; 0 while there is none.
    pub victim: Arc<AtomicU32>,
    pub tally: Arc<Tally>,
    pub seed: u64,
}

/// Takes what comes in on `front` and gives each source a flow to `server`.
pub async fn relay(front: Arc<UdpSocket>, server: SocketAddr, network: Network) {
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = [0; DATAGRAM];
    front.writable().await.expect("a UDP socket");
    loop {
        // An unconnected socket reports no errors of single datagrams.
        let (len, client) = front
            .recv_from(&mut buffer)
            .await
            .expect("the front socket");
        if !flows.contains_key(&client) && flows.len() < FLOWS {
            let (sender, datagrams) = mpsc::channel(WAITING);
            let flow = Flow::open(&front, client, server, &network, flows.len()).await;
            tokio::spawn(flow.run(datagrams));
            flows.insert(client, sender);
        }
        let taken = flows
            .get(&client)
            .map(|flow| flow.try_send(buffer[..len].to_vec()));
        if !matches!(taken, Some(Ok(()))) {
            one_more(&network.tally.overflowed);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    ToServer,
    ToClient,
}

/// A datagram under way: when it is due, in which order it came, where it goes.
type Pending = (Instant, u64, Direction, Vec<u8>);

/// One client's socket and the server.
struct Flow {
    front: Arc<UdpSocket>,
    client: SocketAddr,
    back: UdpSocket,
    /// Nothing happens to flows of others than the recorder.
    suffers: bool,
    network: Network,
    to_server: Line,
    to_client: Line,
    pending: BinaryHeap<Reverse<Pending>>,
    taken: u64,
}

impl Flow {
    async fn open(
        front: &Arc<UdpSocket>,
        client: SocketAddr,
        server: SocketAddr,
        network: &Network,
        number: usize,
    ) -> Self {
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free UDP port");
        back.connect(server).await.expect("loopback is routed");
        // Until the runtime has seen it writable, trying to send says that it is full.
        back.writable().await.expect("a UDP socket");
        let victim = network.victim.load(Ordering::Relaxed);
        let seed = network
            .seed
            .wrapping_add(2 * u64::try_from(number).expect("few flows"));
        Self {
            front: front.clone(),
            client,
            back,
            suffers: victim != 0 && process::has_udp_port(victim, client.port()),
            network: network.clone(),
            to_server: Line::new(seed),
            to_client: Line::new(seed.wrapping_add(1)),
            pending: BinaryHeap::new(),
            taken: 0,
        }
    }

    async fn run(mut self, mut datagrams: mpsc::Receiver<Vec<u8>>) {
        let mut buffer = [0; DATAGRAM];
        loop {
            let due = self.pending.peek().map(|Reverse((at, ..))| *at);
            let timer = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                datagram = datagrams.recv() => match datagram {
                    Some(datagram) => self.take(Direction::ToServer, datagram),
                    None => return,
                },
                // An error says that the server is gone for now: no datagram, and no end.
                received = self.back.recv(&mut buffer) => if let Ok(len) = received {
                    self.take(Direction::ToClient, buffer[..len].to_vec());
                },
                () = timer, if due.is_some() => self.send_due(Instant::now()),
            }
        }
    }

    fn take(&mut self, direction: Direction, datagram: Vec<u8>) {
        if !self.suffers {
            self.send(direction, &datagram);
            return;
        }
        let now = Instant::now();
        let line = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let faults = *self.network.faults.borrow();
        let tally = self.network.tally.clone();
        match line.decide(&faults, datagram.len(), now) {
            Fate::Dropped(Cause::Loss) => one_more(&tally.lost),
            Fate::Dropped(Cause::Rate) => one_more(&tally.over_rate),
            Fate::Dropped(Cause::Blackout) => one_more(&tally.blacked_out),
            Fate::Passed {
                at,
                copy,
                held_back,
            } => {
                one_more(&tally.passed);
                if held_back {
                    one_more(&tally.held_back);
                }
                if let Some(copy) = copy {
                    one_more(&tally.duplicated);
                    self.hold(copy, direction, datagram.clone());
                }
                if at <= now {
                    self.send(direction, &datagram);
                } else {
                    self.hold(at, direction, datagram);
                }
            }
        }
    }

    fn hold(&mut self, at: Instant, direction: Direction, datagram: Vec<u8>) {
        if self.pending.len() >= WAITING {
            one_more(&self.network.tally.overflowed);
            return;
        }
        self.taken += 1;
        self.pending
            .push(Reverse((at, self.taken, direction, datagram)));
    }

    fn send_due(&mut self, now: Instant) {
        while let Some(Reverse((at, ..))) = self.pending.peek()
            && *at <= now
            && let Some(Reverse((_, _, direction, datagram))) = self.pending.pop()
        {
            self.send(direction, &datagram);
        }
    }

    fn send(&self, direction: Direction, datagram: &[u8]) {
        let sent = match direction {
            Direction::ToServer => self.back.try_send(datagram),
            Direction::ToClient => self.front.try_send_to(datagram, self.client),
        };
        // A server that is away refuses; that is its fault, and not counted as the relay's.
        if sent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
            one_more(&self.network.tally.overflowed);
        }
    }
}
