//! The media connection: str0m for ICE, DTLS, SRTP, RTP and RTCP over our own sockets, and over
//! TCP connections where UDP finds no way.
//!
//! Nothing here waits: [`Peer::tick`] feeds str0m and hands out what it says; the session owns
//! the waiting.

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError};

use super::LiveKitError;
use super::addresses::{self, Rounds};
use super::datagram::Look;
use super::fallback::Fallback;
use super::sdp;
use super::sockets::{Received, Sockets};
use super::stack;
use super::streams::{StreamEvent, Streams};
use crate::room::TrackId;

/// Remote candidates kept while the first offer is still to come.
const EARLY_CANDIDATES: usize = 64;

/// Datagrams taken in one go before signalling and commands get their turn.
const DATAGRAMS_A_TURN: usize = 64;

/// Datagrams this old come from before a stall of ours.
const BEHIND: Duration = Duration::from_millis(100);

/// Larger than any packet that crosses a path without fragmenting; what is longer is refused.
const DATAGRAM: usize = 2048;

/// What the peer has to say.
#[derive(Debug)]
pub enum PeerEvent {
    /// A complete access unit of a track we asked for.
    Media(TrackId, Box<MediaData>),
    /// A path to the server is there and encryption is agreed on. Said again after each time
    /// that the path was looked for anew.
    Up,
    /// We have a new address: a candidate for the server, as a line of SDP.
    Candidate(String),
    /// The address that media came to is not ours any more.
    Moved,
    /// No path to the server is left, or it closed the connection.
    Lost,
}

/// The media connection and what it knows of the tracks.
pub struct Peer {
    rtc: Rtc,
    sockets: Sockets,
    server_is_local: bool,
    rounds: Rounds,
    /// Our address of the path in use.
    path: Option<SocketAddr>,
    streams: Streams,
    /// When the streams are needed.
    fallback: Fallback,
    /// The server's ICE user fragment.
    fragment: Option<String>,
    tracks: HashMap<Mid, TrackId>,
    /// The synchronisation sources that each media line had last.
    sources: HashMap<Mid, BTreeSet<u32>>,
    early: Vec<Candidate>,
    offered: bool,
    deadline: Instant,
    /// The newest time that the media stack was told: it never goes back.
    newest: Instant,
    /// Datagrams of a time gone by are still to be taken, and the time that the last ones took to
    /// come: until then no later time is told.
    made_good: Option<Duration>,
    /// One byte more shows what is longer.
    buffer: Box<[u8; DATAGRAM + 1]>,
    counts: PeerCounts,
}

/// What came in and was of no use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PeerCounts {
    /// Datagrams that are neither STUN, DTLS nor RTP, don't belong to this connection, or are
    /// longer than a packet can be.
    pub foreign_datagrams: u64,
    /// Access units of a media line that no offer names a track for.
    pub unnamed_units: u64,
    /// Messages on data channels, which nobody here wants: they are taken and forgotten.
    pub ignored_messages: u64,
    /// Candidates that could not be read or came in too great a number.
    pub bad_candidates: u64,
}

impl Peer {
    /// Opens sockets and waits for the server's offer. `max_frames` pictures wait for a missing
    /// one at most.
    ///
    /// # Errors
    /// When this machine has no usable address.
    pub fn open(
        server_is_local: bool,
        max_frames: u16,
        now: Instant,
    ) -> Result<Self, LiveKitError> {
        let sockets = Sockets::bind(server_is_local).map_err(LiveKitError::NoSocket)?;
        let mut rtc = stack::configured(max_frames).build(now);
        for address in sockets.addresses() {
            let candidate =
                Candidate::host(address, "udp").map_err(|error| LiveKitError::Peer {
                    doing: "naming our addresses",
                    source: error.into(),
                })?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self {
            rtc,
            sockets,
            server_is_local,
            rounds: Rounds::begin(now),
            path: None,
            streams: Streams::default(),
            fallback: Fallback::default(),
            fragment: None,
            tracks: HashMap::new(),
            sources: HashMap::new(),
            early: Vec::new(),
            offered: false,
            deadline: now,
            newest: now,
            made_good: None,
            buffer: Box::new([0; DATAGRAM + 1]),
            counts: PeerCounts::default(),
        })
    }

    /// Takes the server's offer and gives our answer.
    ///
    /// # Errors
    /// When the offer can't be read or accepted.
    pub fn answer(
        &mut self,
        sdp: &str,
        named: &HashMap<String, String>,
        now: Instant,
    ) -> Result<String, LiveKitError> {
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| LiveKitError::Protocol {
            what: "offer",
            reason: error.to_string(),
        })?;
        self.forget_used_lines(sdp);
        let answer =
            self.rtc
                .sdp_api()
                .accept_offer(offer)
                .map_err(|source| LiveKitError::Peer {
                    doing: "accepting the server's offer",
                    source,
                })?;
        self.tracks = sdp::tracks_by_media_line(sdp, named)
            .into_iter()
            .map(|(mid, track)| (Mid::from(mid.as_str()), track))
            .collect();
        self.look_for_paths(sdp::ice_fragment(sdp), now);
        self.offered = true;
        for candidate in self.early.drain(..) {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(answer.to_sdp_string())
    }

    /// Forgets what came on media lines that the offer gives to another stream: the server uses
    /// the line of a track that has ended for the next one of its kind. The reorder buffer of
    /// str0m 0.25 belongs to the line, and to it packets whose numbers are below those of the
    /// stream before, as half of all are, would come too late for ever.
    fn forget_used_lines(&mut self, sdp: &str) {
        for (mid, sources) in sdp::sources_by_media_line(sdp) {
            let mid = Mid::from(mid.as_str());
            let before = self.sources.get(&mid);
            if before.is_some_and(|before| *before != sources) {
                self.rtc.direct_api().remove_media(mid);
            }
            self.sources.insert(mid, sources);
        }
    }

    /// A TCP connection is the server's by the fragment that was first said on it: with another
    /// one, it takes other connections.
    fn look_for_paths(&mut self, fragment: Option<&str>, now: Instant) {
        if self.fragment.as_deref() == fragment && self.offered {
            return;
        }
        self.fragment = fragment.map(str::to_owned);
        let mut ends = self.streams.close();
        ends.extend(self.fallback.restart());
        for local in ends {
            self.rtc.direct_api().invalidate_candidate(&local);
        }
        self.fallback.look(now);
    }

    /// Takes a candidate of the server, as it stands in a trickle message.
    pub fn add_candidate(&mut self, candidate: &str) {
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) if candidate.proto() == Protocol::Tcp => {
                if !self.fallback.offered(candidate) {
                    self.counts.bad_candidates += 1;
                }
            }
            Ok(candidate) if self.offered => self.rtc.add_remote_candidate(candidate),
            Ok(candidate) if self.early.len() < EARLY_CANDIDATES => self.early.push(candidate),
            Ok(_) => self.counts.bad_candidates += 1,
            Err(error) => {
                self.counts.bad_candidates += 1;
                tracing::debug!(%error, "candidate left out");
            }
        }
    }

    /// Asks for a keyframe of `track`; without a media line for it there is nobody to ask.
    pub fn request_keyframe(&mut self, track: &TrackId) {
        let mids: Vec<Mid> = self
            .tracks
            .iter()
            .filter(|(_, t)| *t == track)
            .map(|(m, _)| *m)
            .collect();
        for mid in mids {
            let Some(mut writer) = self.rtc.writer(mid) else {
                continue;
            };
            // It fails while no packet of the track has come: then a keyframe is on its way.
            if let Err(error) = writer.request_keyframe(None, KeyframeRequestKind::Pli) {
                tracing::debug!(track = track.as_str(), %error, "keyframe not asked for");
            }
        }
    }

    /// Waits until [`Self::tick`] has something to take; it does so at [`Self::deadline`] as well.
    pub async fn readable(&mut self) {
        poll_fn(|cx| match self.sockets.poll_ready(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.streams.poll_ready(DATAGRAM, cx),
        })
        .await;
    }

    /// When [`Self::tick`] is due though nothing is readable. The media stack's own deadlines wait
    /// for the next look at the sockets, some milliseconds off, while there is one to come.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let next = self.sockets.look_at().unwrap_or(self.deadline);
        let next = next.min(self.rounds.next());
        self.fallback.due().map_or(next, |due| next.min(due))
    }

    /// What was of no use so far.
    #[must_use]
    pub const fn counts(&self) -> PeerCounts {
        self.counts
    }

    /// Packets that could not be sent so far.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.sockets.unsent() + self.streams.unsent()
    }

    /// How much time the packets of the last turn took to come, while packets from before a stall
    /// of ours are still to be taken.
    #[must_use]
    pub const fn made_good(&self) -> Option<Duration> {
        self.made_good
    }

    /// Packets too large to be taken so far.
    #[must_use]
    pub fn oversized(&self) -> u64 {
        self.streams.oversized()
    }

    /// Takes the packets that wait, up to a fixed number, and what became of TCP connections.
    fn receive(&mut self, look: Look, events: &mut Vec<PeerEvent>) -> Result<(), LiveKitError> {
        let mut more = true;
        let before = self.newest;
        for _ in 0..DATAGRAMS_A_TURN {
            let buffer = self.buffer.as_mut_slice();
            let received = self.sockets.receive(look, buffer);
            let Some(received) = received.or_else(|| self.streams.receive(look.now, buffer)) else {
                more = false;
                break;
            };
            let packet = self.buffer.get(..received.len).unwrap_or_default();
            self.newest = self.newest.max(received.arrival);
            if received.len > DATAGRAM || !feed(&mut self.rtc, self.newest, &received, packet)? {
                self.counts.foreign_datagrams += 1;
                continue;
            }
            self.drain(events)?;
        }
        let behind = more && look.now.saturating_duration_since(self.newest) > BEHIND;
        self.made_good = behind.then(|| self.newest.saturating_duration_since(before));
        self.streams.flush();
        while let Some(event) = self.streams.next_event() {
            self.take_stream(event, look.now);
        }
        Ok(())
    }

    /// Media that went over TCP is not looked after here: its connection ends by itself.
    fn follow_addresses(&mut self, events: &mut Vec<PeerEvent>) {
        let present = match addresses::present(self.server_is_local) {
            Ok(present) => present,
            Err(error) => {
                tracing::debug!(%error, "this machine's addresses are not known");
                return;
            }
        };
        let moved = self.sockets.follow(&present);
        for address in moved.closed {
            tracing::info!(%address, "an address of this machine is gone");
            if let Ok(candidate) = Candidate::host(address, Protocol::Udp) {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
            if self.path == Some(address) {
                self.path = None;
                events.push(PeerEvent::Moved);
            }
        }
        for address in moved.opened {
            tracing::info!(%address, "a new address of this machine");
            if let Ok(candidate) = Candidate::host(address, Protocol::Udp)
                && let Some(candidate) = self.rtc.add_local_candidate(candidate)
            {
                events.push(PeerEvent::Candidate(candidate.to_sdp_string()));
            }
        }
    }

    fn take_stream(&mut self, event: StreamEvent, now: Instant) {
        match event {
            StreamEvent::Open(local, remote) => {
                self.rtc.add_local_candidate(local);
                self.rtc.add_remote_candidate(*remote);
            }
            StreamEvent::Over(local) => self.fallback.over(local, now),
        }
    }

    /// Takes the packets that wait, and lets time pass for the media stack once none of a time
    /// gone by is left.
    ///
    /// # Errors
    /// When the media stack can't go on.
    pub fn tick(&mut self, look: Look, events: &mut Vec<PeerEvent>) -> Result<(), LiveKitError> {
        self.receive(look, events)?;
        if self.made_good.is_some() {
            return Ok(());
        }
        let now = look.now;
        self.newest = self.newest.max(now);
        if self.rounds.due(now) {
            self.follow_addresses(events);
        }
        for candidate in self.fallback.take(now) {
            self.streams.connect(candidate);
        }
        for local in self.fallback.lost(now) {
            self.rtc.direct_api().invalidate_candidate(&local);
        }
        self.rtc
            .handle_input(Input::Timeout(self.newest))
            .map_err(|source| LiveKitError::Peer {
                doing: "keeping time",
                source,
            })?;
        self.drain(events)
    }

    fn drain(&mut self, events: &mut Vec<PeerEvent>) -> Result<(), LiveKitError> {
        let failed = |source| LiveKitError::Peer {
            doing: "reading from it",
            source,
        };
        loop {
            match self.rtc.poll_output().map_err(failed)? {
                Output::Timeout(at) => {
                    self.deadline = at;
                    self.streams.flush();
                    return Ok(());
                }
                Output::Transmit(packet) => {
                    let (from, to) = (packet.source, packet.destination);
                    // All but STUN goes over the path in use (RFC 7983: it begins with 0 to 3).
                    if packet.contents.first().is_some_and(|first| *first > 3) {
                        self.path = Some(from);
                    }
                    match packet.proto {
                        Protocol::Udp => self.sockets.send(from, to, &packet.contents),
                        _ => self.streams.send(from, to, &packet.contents),
                    }
                }
                Output::Event(Event::MediaData(data)) => match self.tracks.get(&data.mid) {
                    Some(track) => events.push(PeerEvent::Media(track.clone(), Box::new(data))),
                    None => self.counts.unnamed_units += 1,
                },
                Output::Event(Event::ChannelData(_)) => self.counts.ignored_messages += 1,
                Output::Event(
                    Event::IceConnectionStateChange(IceConnectionState::Disconnected)
                    | Event::Closed,
                ) => events.push(PeerEvent::Lost),
                Output::Event(event) if is_up(&event) => {
                    self.fallback.up();
                    if self.rtc.is_connected() {
                        events.push(PeerEvent::Up);
                    }
                }
                Output::Event(event) => tracing::trace!(?event, "peer"),
            }
        }
    }

    /// Says goodbye on the media path; what can't be sent now stays unsent.
    pub fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "the media connection was closed without a word");
            return;
        }
        let mut events = Vec::new();
        if let Err(error) = self.drain(&mut events) {
            tracing::debug!(%error, "the media connection did not close cleanly");
        }
    }
}

/// Whether an event says that a path was found, or that encryption is agreed on over it.
const fn is_up(event: &Event) -> bool {
    use IceConnectionState::{Completed, Connected};
    matches!(
        event,
        Event::Connected | Event::IceConnectionStateChange(Connected | Completed)
    )
}

/// Feeds one datagram; false when it is none of ours.
fn feed(
    rtc: &mut Rtc,
    now: Instant,
    received: &Received,
    packet: &[u8],
) -> Result<bool, LiveKitError> {
    let Ok(contents) = packet.try_into() else {
        return Ok(false);
    };
    let input = Input::Receive(
        now,
        Receive {
            proto: received.proto,
            source: received.source,
            destination: received.local,
            contents,
        },
    );
    if !rtc.accepts(&input) {
        return Ok(false);
    }
    match rtc.handle_input(input) {
        Ok(()) => Ok(true),
        // A datagram that can't be read says something of its sender, not of our connection.
        Err(RtcError::Net(_) | RtcError::Rtp(_) | RtcError::Packet(..)) => Ok(false),
        Err(source) => Err(LiveKitError::Peer {
            doing: "taking a packet",
            source,
        }),
    }
}
