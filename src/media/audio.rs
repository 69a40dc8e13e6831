//! The sound of a graph: Opus or PCM in, AAC or Opus out, never broken.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;

use super::counts::{AudioCounts, Counters};
use super::elements::{aac_encoder, chain, make, set, set_named};
use super::feed::Feed;
use super::fill::Filler;
use super::level::Limits;
use super::line::{Passage, Unit};
use super::mux::Mux;
use super::{Admission, AudioIn, AudioOut, DropReason, MediaError, opus, pcm};
use crate::buffers::{self, Buffer, amount};
use crate::room::{Codec, Kind};

/// Opus at 128 kb/s is 16 kB a second. The silence of a gap that is over enters all at once, and
/// what follows it must find room as well.
const LIMITS: Limits = Limits {
    bytes: 512 * 1024,
    span: Duration::from_secs(20),
};

/// The same twenty seconds, of two channels.
const PCM_LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    span: Duration::from_secs(20),
};

/// Sound that is off by more than this is cut or filled by `audiorate`. Small, so that the
/// drift of a sender's clock is corrected by pieces too short to be heard.
const TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(5);

/// The length of a sample at 48 kHz.
const SAMPLE: Duration = Duration::from_nanos(1_000_000_000 / 48_000);

/// The look-ahead of libopus' encoder, which RTP stamps do not account for (RFC 7845, 4.2 calls
/// it pre-skip): 312 samples at 48 kHz in all applications but the low-delay one.
const OPUS_DELAY: Duration = SAMPLE.saturating_mul(312);

/// The entrance for sound.
#[derive(Debug)]
pub(super) struct AudioTrack {
    from: AudioIn,
    feed: Feed,
    filler: Filler,
    silence: Bytes,
    ended: bool,
    /// What is added to a unit's time on its way into the pipeline.
    shift: Duration,
    /// How much later than its stamp the sound is heard.
    delay: Duration,
    counters: Arc<Counters>,
}

impl AudioTrack {
    pub(super) fn build(
        pipeline: &gst::Pipeline,
        mux: &Mux,
        from: AudioIn,
        to: AudioOut,
        (base, lead): (Duration, Duration),
        counters: &Arc<Counters>,
    ) -> Result<Self, MediaError> {
        let (caps, limits) = entrance(from);
        let feed = Feed::new("audio", Some(&caps), limits)?;
        let (stages, delay) = match (from.codec, to) {
            (Codec::Pcm, AudioOut::Aac { bitrate }) => aac(None, bitrate)?,
            (Codec::Pcm, AudioOut::Opus) => {
                return Err(MediaError::Layout(
                    "sound that is decoded can't be copied as Opus",
                ));
            }
            (_, AudioOut::Opus) => (vec![make("opusparse", "opusparse")?], OPUS_DELAY),
            (_, AudioOut::Aac { bitrate }) => aac(Some(make("opusdec", "opusdec")?), bitrate)?,
        };
        let mut elements = vec![feed.line().element()];
        elements.extend(&stages);
        chain(pipeline, &elements)?;
        if let Some(last) = stages.last() {
            mux.link(Kind::Audio, last, counters)?;
        }
        Ok(Self {
            feed,
            filler: Filler::new(base),
            silence: silence(from),
            from,
            ended: false,
            shift: lead.saturating_sub(delay),
            delay,
            counters: Arc::clone(counters),
        })
    }

    pub(super) fn push(&mut self, at: Duration, data: &Bytes) -> Admission {
        self.counters.audio.received();
        if self.ended {
            return self.refuse(DropReason::NoTrack);
        }
        let Some(length) = self.length(data) else {
            self.counters.dtx.add(1);
            return Admission::Silent;
        };
        if !self.filler.has_place(at, length) {
            return self.refuse(DropReason::Late);
        }
        if let Some(base) = self.filler.lead_in(at) {
            self.silence(base);
        }
        self.fill(at);
        if !self.feed.has_room(at + self.shift) {
            return self.refuse(self.counters.why_full());
        }
        self.filler.taken(at, length);
        self.gather(at, length, data);
        self.counters
            .audio
            .accepted(data.len(), self.feed.waiting());
        Admission::Accepted
    }

    /// Completes the sound up to `to` and hands over what was gathered.
    pub(super) fn advance(&mut self, to: Duration) {
        self.fill(to);
        self.feed.flush();
    }

    /// Whether the graph takes what it is given.
    pub(super) fn passage(&self) -> Passage {
        self.feed.line().passage()
    }

    /// What waits to be decoded, or for the mux.
    pub(super) fn buffer(&self, counts: &AudioCounts) -> Buffer {
        Buffer {
            name: "sound-entrance",
            unit: buffers::Unit::Bytes,
            depth: amount(self.feed.waiting()),
            high_water: counts.queue_high_water,
            limit: amount(LIMITS.bytes),
            dropped: counts.dropped.of(DropReason::QueueFull)
                + counts.dropped.of(DropReason::OutputBlocked),
        }
    }

    /// Takes no more units; silence goes on until the graph is finished, because the mux and
    /// the players' clock run on the sound.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Completes the sound up to `end` and ends it. What an encoder still holds is pushed out
    /// by silence.
    pub(super) fn finish(&mut self, end: Duration) {
        while let Some(at) = self.filler.due_at_end(end + self.delay) {
            if !self.feed.has_room(at + self.shift) {
                break;
            }
            self.silence(at);
        }
        self.feed.flush();
        self.feed.line().end();
    }

    /// How long a packet is; none of one that only says that nothing is being sent.
    fn length(&self, data: &[u8]) -> Option<Duration> {
        match self.from.codec {
            Codec::Pcm => pcm::duration(self.from.stereo, data),
            _ if opus::is_dtx(data) => None,
            // A packet that does not say how long it is gets the usual length; the decoder copes.
            _ => Some(opus::duration(data).unwrap_or(opus::SILENCE)),
        }
    }

    fn fill(&mut self, until: Duration) {
        while let Some(at) = self.filler.due(until) {
            // What finds no room now is due again later.
            if !self.feed.has_room(at + self.shift) {
                return;
            }
            self.silence(at);
        }
    }

    fn silence(&mut self, at: Duration) {
        self.filler.filled();
        let silence = self.silence.clone();
        self.gather(at, opus::SILENCE, &silence);
        self.counters.silence.add(1);
    }

    fn gather(&mut self, at: Duration, length: Duration, data: &Bytes) {
        self.feed.gather(Unit {
            at: at + self.shift,
            length: Some(length),
            keyframe: true,
            data: data.clone(),
        });
    }

    fn refuse(&self, reason: DropReason) -> Admission {
        self.counters.audio.dropped(reason);
        Admission::Dropped(reason)
    }
}

/// What goes in, and how much of it may wait.
fn entrance(from: AudioIn) -> (gst::Caps, Limits) {
    let channels = if from.stereo { 2_i32 } else { 1_i32 };
    if from.codec == Codec::Pcm {
        let mut caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("channels", channels)
            .field("rate", pcm::RATE.cast_signed());
        if from.stereo {
            // Left and right: encoders ask for it of more than one channel.
            caps = caps.field("channel-mask", gst::Bitmask::new(0b11));
        }
        return (caps.build(), PCM_LIMITS);
    }
    let caps = gst::Caps::builder("audio/x-opus")
        .field("channel-mapping-family", 0_i32)
        .field("channels", channels)
        .field("rate", 48_000_i32);
    (caps.build(), LIMITS)
}

fn silence(like: AudioIn) -> Bytes {
    match like.codec {
        Codec::Pcm => pcm::silence(like.stereo),
        _ => Bytes::copy_from_slice(&opus::silence(like.stereo)),
    }
}

/// Encodes to AAC-LC what `decoder` gives, or what needs none; with how much that delays the sound.
fn aac(
    decoder: Option<gst::Element>,
    bitrate: u32,
) -> Result<(Vec<gst::Element>, Duration), MediaError> {
    let decoding = if decoder.is_some() {
        OPUS_DELAY
    } else {
        Duration::ZERO
    };
    let rate = make("audiorate", "audiorate")?;
    set(&rate, "tolerance", TOLERANCE.nseconds())?;
    // Otherwise it would fill from time zero to the first unit: a day of silence.
    set(&rate, "skip-to-first", true)?;
    let name = aac_encoder()?;
    let encoder = make(name, name)?;
    set_named(&encoder, "bitrate", &bitrate.to_string())?;
    let parser = make("aacparse", "aacparse")?;
    let mut stages: Vec<_> = decoder.into_iter().chain([rate]).collect();
    if name == "avenc_aac" {
        stages.push(make("audioconvert", "audioconvert")?);
    }
    stages.extend([encoder, parser]);
    Ok((stages, decoding + encoder_delay(name)))
}

/// How much later than its stamp the sound of an AAC encoder is heard, beyond what Opus adds.
fn encoder_delay(name: &str) -> Duration {
    let samples = match name {
        // Measured: a beep encoded by opusenc and voaacenc is late by 312 + 1600 samples.
        "voaacenc" => 1600,
        // What libfdk-aac reports as nDelay for AAC-LC.
        "fdkaacenc" => 2048,
        // FFmpeg's initial_padding: one frame.
        _ => 1024,
    };
    SAMPLE * samples
}
