//! The media connection: str0m for ICE, DTLS, SRTP, RTP and RTCP over our own sockets.
//!
//! Nothing here waits: [`Peer::receive`] and [`Peer::tick`] feed str0m and hand out what it
//! says; the session owns the waiting.

use std::collections::HashMap;
use std::time::Instant;

use str0m::change::SdpOffer;
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError};

use super::LiveKitError;
use super::datagram::Look;
use super::sdp;
use super::sockets::{Received, Sockets};
use super::stack;
use crate::room::TrackId;

/// Remote candidates kept while the first offer is still to come.
const EARLY_CANDIDATES: usize = 64;

/// Datagrams taken in one go before signalling and commands get their turn.
const DATAGRAMS_A_TURN: usize = 64;

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
    /// No path to the server is left, or it closed the connection.
    Lost,
}

/// The media connection and what it knows of the tracks.
pub struct Peer {
    rtc: Rtc,
    sockets: Sockets,
    tracks: HashMap<Mid, TrackId>,
    early: Vec<Candidate>,
    offered: bool,
    deadline: Instant,
    /// The newest time that the media stack was told: it never goes back.
    newest: Instant,
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
            tracks: HashMap::new(),
            early: Vec::new(),
            offered: false,
            deadline: now,
            newest: now,
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
    ) -> Result<String, LiveKitError> {
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| LiveKitError::Protocol {
            what: "offer",
            reason: error.to_string(),
        })?;
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
        self.offered = true;
        for candidate in self.early.drain(..) {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(answer.to_sdp_string())
    }

    /// Takes a candidate of the server, as it stands in a trickle message.
    pub fn add_candidate(&mut self, candidate: &str) {
        match Candidate::from_sdp_string(candidate) {
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

    /// Waits until [`Self::receive`] has something to take; it does so at [`Self::deadline`]
    /// as well.
    pub async fn readable(&self) {
        self.sockets.readable().await;
    }

    /// When [`Self::receive`] and then [`Self::tick`] are due. The media stack's own deadlines
    /// wait for the next look at the sockets, some milliseconds off, while there is one to come.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.sockets.look_at().unwrap_or(self.deadline)
    }

    /// What was of no use so far.
    #[must_use]
    pub const fn counts(&self) -> PeerCounts {
        self.counts
    }

    /// Packets that could not be sent so far.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.sockets.unsent()
    }

    /// Takes the datagrams that wait, up to a fixed number.
    ///
    /// # Errors
    /// When the media stack can't go on.
    pub fn receive(&mut self, look: Look, events: &mut Vec<PeerEvent>) -> Result<(), LiveKitError> {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some(received) = self.sockets.receive(look, self.buffer.as_mut_slice()) else {
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
        Ok(())
    }

    /// Lets time pass for the media stack.
    ///
    /// # Errors
    /// When the media stack can't go on.
    pub fn tick(&mut self, now: Instant, events: &mut Vec<PeerEvent>) -> Result<(), LiveKitError> {
        self.newest = self.newest.max(now);
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
                    return Ok(());
                }
                Output::Transmit(packet) => {
                    self.sockets
                        .send(packet.source, packet.destination, &packet.contents);
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
                Output::Event(
                    Event::Connected
                    | Event::IceConnectionStateChange(
                        IceConnectionState::Connected | IceConnectionState::Completed,
                    ),
                ) if self.rtc.is_connected() => events.push(PeerEvent::Up),
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
            proto: Protocol::Udp,
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
