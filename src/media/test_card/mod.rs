//! A synthetic source: pictures and sound with known content, encoded as WebRTC would send
//! them. For the demo and the tests.

pub mod picture;
pub mod sound;

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};

use super::MediaError;
use super::elements::{chain, failed, make, set, set_named};
use super::feed::clock_time;
use crate::room::{AccessUnit, Codec, Kind};
use picture::Painter;

/// How long an encoder may take for one picture or packet.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// The video of a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardVideo {
    /// Any video codec that an encoder is installed for.
    pub codec: Codec,
    /// Pixels, a multiple of eight.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Pictures a second.
    pub fps: u16,
    /// Bits a second.
    pub bitrate: u32,
    /// Time between keyframes.
    pub keyframe_interval: Duration,
}

impl Default for CardVideo {
    fn default() -> Self {
        Self {
            codec: Codec::H264,
            width: 1280,
            height: 720,
            fps: 30,
            bitrate: 2_000_000,
            keyframe_interval: Duration::from_secs(2),
        }
    }
}

/// Makes access units of known content with exact times. Encodes on the calling thread and
/// encoders' own: not for async workers.
#[derive(Debug)]
pub struct TestCard {
    video: Option<VideoSource>,
    audio: Option<AudioSource>,
}

impl TestCard {
    /// A card with picture, sound or both.
    ///
    /// # Errors
    /// An encoder is not installed or does not start.
    pub fn new(video: Option<CardVideo>, audio: bool) -> Result<Self, MediaError> {
        super::init()?;
        Ok(Self {
            video: video.map(VideoSource::new).transpose()?,
            audio: audio.then(AudioSource::new).transpose()?,
        })
    }

    /// The units captured before `until` and not yet delivered, by time; video first where two
    /// have the same.
    ///
    /// # Errors
    /// An encoder fails.
    pub fn next_units(&mut self, until: Duration) -> Result<Vec<(Kind, AccessUnit)>, MediaError> {
        let mut units = Vec::new();
        if let Some(video) = &mut self.video {
            while video.next_at() < until {
                units.push((Kind::Video, video.next()?));
            }
        }
        if let Some(audio) = &mut self.audio {
            while audio.next_at() < until {
                units.push((Kind::Audio, audio.next()?));
            }
        }
        units.sort_by_key(|(_, unit)| unit.at);
        Ok(units)
    }

    /// Makes the next picture a keyframe, as a publisher does that gets a PLI.
    pub fn request_keyframe(&mut self) {
        if let Some(video) = &mut self.video {
            video.encoder.request_keyframe();
        }
    }
}

#[derive(Debug)]
struct VideoSource {
    painter: Painter,
    encoder: Encoder,
    fps: u16,
    next: u32,
}

impl VideoSource {
    fn new(card: CardVideo) -> Result<Self, MediaError> {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", i32::from(card.width & !7))
            .field("height", i32::from(card.height & !1))
            .field("framerate", gst::Fraction::new(i32::from(card.fps), 1))
            .build();
        Ok(Self {
            painter: Painter::new(card.width, card.height, u32::from(card.fps)),
            encoder: Encoder::new(&caps, &video_encoder(&card)?)?,
            fps: card.fps.max(1),
            next: 0,
        })
    }

    fn next_at(&self) -> Duration {
        Duration::from_secs(1) * self.next / u32::from(self.fps)
    }

    fn next(&mut self) -> Result<AccessUnit, MediaError> {
        let at = self.next_at();
        let picture = self.painter.paint(self.next);
        let unit = self.encoder.encode(at, picture)?;
        self.next += 1;
        Ok(unit)
    }
}

#[derive(Debug)]
struct AudioSource {
    encoder: Encoder,
    next: u64,
}

impl AudioSource {
    fn new() -> Result<Self, MediaError> {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", 48_000_i32)
            .field("channels", 1_i32)
            .build();
        Ok(Self {
            encoder: Encoder::new(&caps, &[make("opusenc", "opusenc")?])?,
            next: 0,
        })
    }

    fn next_at(&self) -> Duration {
        Duration::from_nanos(self.next * 1_000_000_000 / u64::from(sound::RATE))
    }

    fn next(&mut self) -> Result<AccessUnit, MediaError> {
        let at = self.next_at();
        let mut unit = self.encoder.encode(at, sound::packet(self.next))?;
        unit.keyframe = true;
        self.next += u64::from(sound::PACKET);
        Ok(unit)
    }
}

/// The elements that encode a card's pictures as WebRTC would: no B-frames, no look-ahead.
fn video_encoder(card: &CardVideo) -> Result<Vec<gst::Element>, MediaError> {
    let frames = (card.keyframe_interval.as_millis() * u128::from(card.fps) / 1000).max(1);
    let frames = frames.to_string();
    let kbits = (card.bitrate / 1000).to_string();
    let bits = card.bitrate.to_string();
    let (factory, settings): (_, &[(&'static str, &str)]) = match card.codec {
        Codec::H264 => (
            "x264enc",
            &[
                ("speed-preset", "ultrafast"),
                ("tune", "zerolatency"),
                ("threads", "1"),
                ("bitrate", &kbits),
                ("key-int-max", &frames),
            ],
        ),
        Codec::Vp8 | Codec::Vp9 => (
            if card.codec == Codec::Vp8 {
                "vp8enc"
            } else {
                "vp9enc"
            },
            &[
                ("deadline", "1"),
                ("cpu-used", "8"),
                ("lag-in-frames", "0"),
                ("end-usage", "cbr"),
                ("target-bitrate", &bits),
                ("keyframe-max-dist", &frames),
            ],
        ),
        Codec::Av1 => (
            "av1enc",
            &[
                ("usage-profile", "realtime"),
                ("cpu-used", "8"),
                ("lag-in-frames", "0"),
                ("target-bitrate", &kbits),
                ("keyframe-max-dist", &frames),
            ],
        ),
        Codec::Opus => return Err(MediaError::Layout("Opus is no video codec")),
    };
    let encoder = make(factory, factory)?;
    for (property, value) in settings {
        set_named(&encoder, property, value)?;
    }
    Ok(vec![encoder])
}

/// An encoder that gives one unit for each picture or packet.
#[derive(Debug)]
struct Encoder {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
}

impl Encoder {
    fn new(caps: &gst::Caps, stages: &[gst::Element]) -> Result<Self, MediaError> {
        let pipeline = gst::Pipeline::new();
        pipeline.use_clock(None::<&gst::Clock>);
        let src = make("appsrc", "card")?;
        set(&src, "caps", caps.clone())?;
        set(&src, "format", gst::Format::Time)?;
        let sink = make("appsink", "units")?;
        set(&sink, "sync", false)?;
        set(&sink, "async", false)?;
        if stages.iter().any(|stage| stage.name() == "x264enc") {
            set(&sink, "caps", super::video::h264_caps())?;
        }
        let mut elements = vec![&src];
        elements.extend(stages);
        elements.push(&sink);
        chain(&pipeline, &elements)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| failed("test card", "starting"))?;
        let src = src
            .downcast()
            .map_err(|_| failed("test card", "creation"))?;
        let sink = sink
            .downcast()
            .map_err(|_| failed("test card", "creation"))?;
        Ok(Self {
            pipeline,
            src,
            sink,
        })
    }

    fn encode(&self, at: Duration, raw: Vec<u8>) -> Result<AccessUnit, MediaError> {
        let mut buffer = gst::Buffer::from_mut_slice(raw);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(at));
        }
        self.src
            .push_buffer(buffer)
            .map_err(|_| failed("test card", "encoding"))?;
        let sample = self
            .sink
            .try_pull_sample(PATIENCE)
            .ok_or_else(|| failed("test card", "encoding"))?;
        let unit = sample
            .buffer()
            .ok_or_else(|| failed("test card", "encoding"))?;
        let data = unit
            .map_readable()
            .map_err(|_| failed("test card", "encoding"))?;
        Ok(AccessUnit {
            at,
            keyframe: !unit.flags().contains(gst::BufferFlags::DELTA_UNIT),
            contiguous: true,
            data: data.as_slice().into(),
        })
    }

    fn request_keyframe(&self) {
        // As gst_video_event_new_upstream_force_key_unit builds it.
        let request = gst::Structure::builder("GstForceKeyUnit")
            .field("running-time", u64::MAX)
            .field("all-headers", true)
            .field("count", 0_u32)
            .build();
        self.sink
            .send_event(gst::event::CustomUpstream::new(request));
    }
}

impl Drop for Encoder {
    /// Waits for the encoder's thread, which at most encodes one more picture.
    fn drop(&mut self) {
        if self.pipeline.set_state(gst::State::Null).is_err() {
            tracing::warn!("test card: the encoder did not stop cleanly");
        }
    }
}
