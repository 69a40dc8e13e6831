//! A synthetic source: pictures and sound with known content, encoded as WebRTC would send
//! them. For the demo and the tests.

mod encode;
pub mod picture;
pub mod sound;

use std::time::Duration;

use gstreamer as gst;

use super::MediaError;
use super::elements::make;
use crate::room::{AccessUnit, Codec, Kind};
use encode::{Encoder, video_encoder};
use picture::Painter;

/// The video of a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardVideo {
    /// Any video codec but H.265 that an encoder is installed for.
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
