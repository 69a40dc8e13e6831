//! Two media stacks and a wire between them that loses what it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use str0m::change::SdpOffer;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaData, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::configured;

const FRAME_TICKS: u32 = 3_000;
const WIRE: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_millis(5);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The RTP time of a packet with a picture in it, sent first or once more; nothing for RTCP.
fn rtp_time(packet: &[u8]) -> Option<u32> {
    let rtp = (128..192).contains(packet.first()?) && !(64..96).contains(&(packet[1] & 0x7f));
    let time = packet.get(4..8).filter(|_| rtp)?;
    Some(u32::from_be_bytes(time.try_into().unwrap()))
}

/// A sender, a receiver and the wire. The sender is 0, the receiver 1.
struct Pair {
    ends: [Rtc; 2],
    addresses: [SocketAddr; 2],
    wire: VecDeque<(Instant, usize, Vec<u8>)>,
    now: Instant,
    mid: Mid,
    got: Vec<(Instant, MediaData)>,
    sent: Vec<Instant>,
    /// Of this picture, which of its packets are lost; counted from 0, repeated ones included.
    lossy: (u32, fn(usize) -> bool),
    of_lossy: usize,
}

impl Pair {
    fn connected(max_frames: u16, lossy: (u32, fn(usize) -> bool)) -> Self {
        let now = Instant::now();
        let mut ends = [30, max_frames].map(|frames| configured(frames).build(now));
        let addresses = ["10.0.0.1:1000", "10.0.0.2:2000"].map(|text| text.parse().unwrap());
        for (end, address) in ends.iter_mut().zip(addresses) {
            end.add_local_candidate(Candidate::host(address, "udp").unwrap());
        }
        let [sender, receiver] = &mut ends;
        let mut change = sender.sdp_api();
        let mid = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let answer = receiver.sdp_api().accept_offer(offer).unwrap();
        sender.sdp_api().accept_answer(pending, answer).unwrap();
        let mut pair = Self {
            ends,
            addresses,
            wire: VecDeque::new(),
            now,
            mid,
            got: Vec::new(),
            sent: Vec::new(),
            lossy,
            of_lossy: 0,
        };
        while !pair.ends.iter().all(Rtc::is_connected) {
            pair.step();
            assert!(pair.now - now < ms(10_000), "no connection");
        }
        pair
    }

    fn step(&mut self) {
        self.now += STEP;
        while self.wire.front().is_some_and(|(due, ..)| *due <= self.now) {
            let (_, to, packet) = self.wire.pop_front().unwrap();
            let receive = Receive {
                proto: Protocol::Udp,
                source: self.addresses[1 - to],
                destination: self.addresses[to],
                contents: packet.as_slice().try_into().unwrap(),
            };
            let input = Input::Receive(self.now, receive);
            self.ends[to].handle_input(input).unwrap();
            self.drain(to);
        }
        for end in 0..2 {
            self.ends[end]
                .handle_input(Input::Timeout(self.now))
                .unwrap();
            self.drain(end);
        }
    }

    fn drain(&mut self, end: usize) {
        loop {
            match self.ends[end].poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(packet) if end == 0 && self.loses(&packet.contents) => {}
                Output::Transmit(packet) => {
                    let due = self.now + WIRE;
                    self.wire
                        .push_back((due, 1 - end, packet.contents.to_vec()));
                }
                Output::Event(Event::MediaData(data)) => self.got.push((self.now, data)),
                Output::Event(_) => {}
            }
        }
    }

    fn loses(&mut self, packet: &[u8]) -> bool {
        if rtp_time(packet) != Some(self.lossy.0 * FRAME_TICKS) {
            return false;
        }
        self.of_lossy += 1;
        (self.lossy.1)(self.of_lossy - 1)
    }

    /// Sends so many pictures of 3000 bytes, 30 a second, and waits for the last ones.
    fn play(&mut self, frames: u32) {
        for number in 0..frames {
            let mut picture = Vec::new();
            if number == 0 {
                picture.extend([
                    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0, 0, 0, 1, 0x68, 0xce,
                ]);
            }
            picture.extend([0, 0, 0, 1, if number == 0 { 0x65 } else { 0x61 }]);
            picture.extend([0xab; 3_000]);
            let writer = self.ends[0].writer(self.mid).unwrap();
            let h264 = writer
                .payload_params()
                .find(|params| params.spec().codec == Codec::H264);
            let pt = h264.unwrap().pt();
            let time = MediaTime::new(u64::from(number * FRAME_TICKS), Frequency::NINETY_KHZ);
            writer.write(pt, self.now, time, picture).unwrap();
            self.sent.push(self.now);
            for _ in 0..[7, 7, 6][number as usize % 3] {
                self.step();
            }
        }
        for _ in 0..400 {
            self.step();
        }
    }

    /// The number, contiguity and way of each picture that came.
    fn came(&self) -> Vec<(u32, bool, Duration)> {
        let came = self.got.iter().map(|(at, data)| {
            let number = u32::try_from(data.time.numer()).unwrap() / FRAME_TICKS;
            (number, data.contiguous, *at - self.sent[number as usize])
        });
        came.collect()
    }
}

/// Plays through a loss in picture 30 that nothing makes good; how long picture 31 was held.
fn held_behind_a_loss(max_frames: u16, lost: fn(usize) -> bool) -> Duration {
    let mut pair = Pair::connected(max_frames, (30, lost));
    pair.play(90);
    let came = pair.came();
    let numbers: Vec<u32> = came.iter().map(|(number, ..)| *number).collect();
    let all_but_one: Vec<u32> = (0..90).filter(|number| *number != 30).collect();
    assert_eq!(numbers, all_but_one);
    for (number, contiguous, _) in &came {
        assert!(*number == 0 || *contiguous == (*number != 31), "{number}");
    }
    let (.., held) = came[30];
    println!("{max_frames} pictures at most: held for {held:?}");
    held
}

#[test]
fn a_packet_that_comes_when_asked_for_again_is_no_loss() {
    let mut pair = Pair::connected(30, (30, |packet| packet == 1));
    pair.play(90);
    let came = pair.came();
    let numbers: Vec<u32> = came.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (0..90).collect::<Vec<_>>());
    assert!(came.iter().skip(1).all(|(_, contiguous, _)| *contiguous));
    assert!(pair.of_lossy > 3, "it was sent again");
}

#[test]
fn a_picture_of_which_a_packet_never_comes_is_given_up() {
    assert!(held_behind_a_loss(30, |packet| packet >= 1) < ms(1_500));
}

#[test]
fn so_many_pictures_wait_for_one_that_never_comes() {
    let [few, many] = [5, 300].map(|most| held_behind_a_loss(most, |_| true));
    // Five pictures take 167 ms, and the way 20.
    assert!(few <= ms(200), "{few:?}");
    assert!(few < many && many < ms(1_500), "{few:?}, {many:?}");
}

#[test]
fn what_never_becomes_whole_holds_up_nothing_for_ever() {
    // The last packet of each picture but the last ones is lost: none can be taken out.
    let mut pair = Pair::connected(30, (0, |_| false));
    pair.play(1);
    let before = pair.got.len();
    assert_eq!(before, 1);
    pair.lossy = (1, |packet| packet >= 1);
    pair.play(60);
    assert!(pair.got.len() > 30, "{}", pair.got.len());
}

/// As LiveKit's server offers it (`codecs.go` of livekit/protocol): by the profile alone.
#[test]
fn h265_is_taken_by_its_profile() {
    let mut codecs = Rtc::builder().clear_codecs();
    let format = FormatParams {
        profile_id: Some(1),
        ..FormatParams::default()
    };
    codecs.codec_config().add_config(
        126.into(),
        Some(127.into()),
        Codec::H265,
        Frequency::NINETY_KHZ,
        None,
        format,
    );
    let mut sender = codecs.build(Instant::now());
    let mut change = sender.sdp_api();
    change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    let offer = change.apply().unwrap().0;
    let answer = answer_to(offer);
    assert!(answer.contains("a=rtpmap:126 H265/90000"), "{answer}");
    assert!(answer.contains("a=fmtp:126 profile-id=1\r\n"), "{answer}");
    assert!(answer.contains("a=fmtp:127 apt=126\r\n"), "{answer}");
}

/// What a browser or LiveKit's server offers of sound, with RED in front.
fn offer_with_red() -> SdpOffer {
    let mut sender = Rtc::builder()
        .clear_codecs()
        .enable_opus(true, true)
        .enable_h264(true)
        .build(Instant::now());
    let mut change = sender.sdp_api();
    change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
    change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    change.apply().unwrap().0
}

fn answer_to(offer: SdpOffer) -> String {
    let mut receiver = configured(30).build(Instant::now());
    let answer = receiver.sdp_api().accept_offer(offer).unwrap();
    answer.to_sdp_string()
}

#[test]
fn redundant_sound_is_not_taken() {
    let offer = offer_with_red();
    assert!(offer.to_sdp_string().contains("red/48000"));
    let answer = answer_to(offer);
    assert!(answer.contains("opus/48000/2"), "{answer}");
    assert!(!answer.contains("red/48000"), "{answer}");
}

#[test]
fn the_profiles_that_browsers_send_are_taken_in_both_modes() {
    let answer = answer_to(offer_with_red());
    for profile in ["42001f", "42e01f", "4d001f"] {
        for mode in 0..=1 {
            let taken = answer.lines().any(|line| {
                line.contains(&format!("packetization-mode={mode}"))
                    && line.contains(&format!("profile-level-id={profile}"))
            });
            assert!(taken, "{profile} in mode {mode}: {answer}");
        }
    }
    assert!(answer.contains("profile-level-id=64001f"), "{answer}");
}

proptest! {
    /// Candidates come as text in JSON from the server.
    #[test]
    fn any_candidate_is_read_or_refused(
        text in "(\\{\"candidate\":\")?(candidate:)?[ -~]{0,60}( udp 1 ::1 9 typ host)?(\"\\})?",
    ) {
        use super::super::signalling::CandidateInit;
        if let Ok(init) = serde_json::from_str::<CandidateInit>(&text) {
            let _ = Candidate::from_sdp_string(&init.candidate);
        }
        let _ = Candidate::from_sdp_string(&text);
    }
}
