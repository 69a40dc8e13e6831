//! How the media stack is set up: what it is offered, and how long it waits for what is lost.
//!
//! A packet that is missing is asked for again (NACK) and comes by a stream of its own (RTX). A
//! picture that is not whole, or of which one before it is missing, waits for that until
//! - the packet has been asked for in vain several times, and three round trips more have passed;
//! - or so many whole pictures stand behind a gap (`jitter.max_frames`);
//! - or 4096 packets wait (str0m's `MAX_BUFFERED_PACKETS`), the bound of all that a track can
//!   hold, 5 MB in packets of the usual size.
//!
//! Then it is given up, and what follows says that it does not join on.

use std::time::Duration;

use str0m::{Rtc, RtcConfig};

/// Sound that waits this long for a lost packet goes on without it: it must be shorter than
/// the time after which a recording fills silence in.
const AUDIO_REORDER: Duration = Duration::from_millis(300);

/// Packets of sound that wait for a missing one at most: 300 ms in packets of 20 ms. With DTX
/// they are fewer, and the time decides.
const AUDIO_PACKETS: usize = 15;

/// The media stack, of which `max_frames` pictures wait for a missing one at most.
///
/// Of the codecs only those that can be recorded are accepted. RED is not: a server unwraps it
/// for who does not take it. H.264 comes in packetization modes 0 and 1, constrained baseline,
/// baseline, main and high; H.265 in the main profile.
pub fn configured(max_frames: u16) -> RtcConfig {
    Rtc::builder()
        .clear_codecs()
        .enable_opus(true, false)
        .enable_h264(true)
        .enable_h265(true)
        .enable_vp8(true)
        .enable_vp9(true)
        .enable_av1(true)
        // str0m's documentation says packets; what it counts are pictures that could be taken
        // out (`DepacketizingBuffer::pop_frame`, `segments`).
        .set_reordering_size_video(usize::from(max_frames))
        .set_reordering_size_audio(AUDIO_PACKETS)
        .set_reordering_timeout_audio(Some(AUDIO_REORDER))
}

#[cfg(test)]
mod tests;
