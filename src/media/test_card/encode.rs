//! The encoders behind a test card.

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};

use super::CardVideo;
use crate::media::MediaError;
use crate::media::copied::Copied;
use crate::media::elements::{chain, failed, make, require, set, set_named};
use crate::media::line::clock_time;
use crate::room::{AccessUnit, Codec};

/// How long an encoder may take for one picture or packet.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// The elements that encode a card's pictures as WebRTC would: no B-frames, no look-ahead.
pub(super) fn video_encoder(card: &CardVideo) -> Result<Vec<gst::Element>, MediaError> {
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
        Codec::H265 | Codec::Opus | Codec::I420 | Codec::Pcm => {
            return Err(MediaError::Layout("a card is not encoded as H.265 or Opus"));
        }
    };
    let package = match card.codec {
        Codec::H264 => "gstreamer1.0-plugins-ugly",
        Codec::Av1 => "gstreamer1.0-plugins-bad",
        _ => "gstreamer1.0-plugins-good",
    };
    require(factory, package)?;
    let encoder = make(factory, factory)?;
    for (property, value) in settings {
        set_named(&encoder, property, value)?;
    }
    Ok(vec![encoder])
}

/// An encoder that gives one unit for each picture or packet.
#[derive(Debug)]
pub(super) struct Encoder {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
}

impl Encoder {
    pub(super) fn new(caps: &gst::Caps, stages: &[gst::Element]) -> Result<Self, MediaError> {
        let pipeline = gst::Pipeline::new();
        pipeline.use_clock(None::<&gst::Clock>);
        let src = make("appsrc", "card")?;
        set(&src, "caps", caps.clone())?;
        set(&src, "format", gst::Format::Time)?;
        let sink = make("appsink", "units")?;
        set(&sink, "sync", false)?;
        set(&sink, "async", false)?;
        if stages.iter().any(|stage| stage.name() == "x264enc") {
            set(&sink, "caps", Copied::H264.caps())?;
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

    pub(super) fn encode(&self, at: Duration, raw: Vec<u8>) -> Result<AccessUnit, MediaError> {
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
            data: bytes::Bytes::copy_from_slice(data.as_slice()),
        })
    }

    pub(super) fn request_keyframe(&self) {
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
