//! Video that TS players cannot take is decoded and encoded again.
//!
//! ```text
//!  feed ─► decoder ─► places ─► queue ─► videoconvert ─► videoscale ─► x264enc ─► appsink ─► line ─► h264parse …
//!          (feed's thread)               (queue's thread)                                      (line's thread)
//! ```
//!
//! The line is the bounded queue of encoded units before the mux: it blocks the encoder, never
//! the decoder. A decoded picture that finds no place before the encoder is dropped.
//!
//! A gap must not overtake pictures that are still being decoded or encoded, and neither decoder
//! nor encoder passes events on while no pictures come. So a mark goes the pictures' way around
//! them, and where it leaves the queue all pictures before it have been encoded.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::MediaError;
use super::copied::Copied;
use super::counts::Counters;
use super::elements::{chain, decoder, failed, make, pad, set, set_named};
use super::graph::GraphSettings;
use super::level::Limits;
use super::limit::Places;
use super::line::{Line, Unit};
use crate::room::Codec;

/// What comes out.
pub(super) const OUTPUT: Copied = Copied::H264;

/// What may wait between encoder and mux.
pub(super) const ENCODED: Limits = Limits {
    bytes: 2 * 1024 * 1024,
    span: Duration::from_secs(2),
};

/// The name of the mark, and of its field: a time in ns.
const MARK: &str = "reeld-mark";
const UNTIL: &str = "until";

/// Pictures a second that the encoder is told of; WebRTC does not say.
const NOMINAL_RATE: u32 = 30;

/// The caps of units that are to be decoded.
pub(super) fn caps(codec: Codec) -> gst::Caps {
    let name = match codec {
        Codec::Vp9 => "video/x-vp9",
        Codec::Av1 => "video/x-av1",
        _ => "video/x-vp8",
    };
    let mut caps = gst::Caps::builder(name).field(
        "framerate",
        gst::Fraction::new(NOMINAL_RATE.cast_signed(), 1),
    );
    if codec == Codec::Av1 {
        caps = caps
            .field("stream-format", "obu-stream")
            .field("alignment", "tu");
    }
    caps.build()
}

/// A mark that says, where it arrives, that nothing comes before `until`.
pub(super) fn mark(until: Duration) -> gst::Event {
    let mark = gst::Structure::builder(MARK)
        .field(UNTIL, u64::try_from(until.as_nanos()).unwrap_or(u64::MAX))
        .build();
    gst::event::CustomDownstream::new(mark)
}

fn read_mark(event: &gst::EventRef) -> Option<Duration> {
    let mark = event.structure().filter(|mark| mark.name() == MARK)?;
    mark.get(UNTIL).ok().map(Duration::from_nanos)
}

/// Links the decoding and encoding stages between the feed and the line.
pub(super) fn build(
    pipeline: &gst::Pipeline,
    codec: Codec,
    settings: &GraphSettings,
    feed: &Line,
    line: &Line,
    counters: &Arc<Counters>,
) -> Result<(), MediaError> {
    let decoder = decoder(codec).and_then(|name| make(name, "decoder"))?;
    one_thread(&decoder)?;
    let queue = make("queue", "pictures")?;
    // The places are the limit; the queue's own, which would block, lie beyond.
    set(&queue, "max-size-buffers", 8_u32)?;
    set(&queue, "max-size-bytes", 0_u32)?;
    set(&queue, "max-size-time", 0_u64)?;
    let convert = make("videoconvert", "videoconvert")?;
    let scale = make("videoscale", "videoscale")?;
    let raw = make("capsfilter", "raw-caps")?;
    keep_even(&convert, &raw)?;
    let encoder = encoder(settings)?;
    let sink = sink(line, counters)?;
    let mut stages = vec![feed.element()];
    let parser = (codec == Codec::Av1)
        .then(|| make("av1parse", "av1parse"))
        .transpose()?;
    stages.extend(parser.as_ref());
    stages.extend([&decoder, &queue, &convert, &scale, &raw, &encoder, &sink]);
    chain(pipeline, &stages)?;
    limit(&queue, settings, feed, line, counters)?;
    carry_marks(&pad(feed.element(), "src")?, &pad(&queue, "sink")?);
    Ok(())
}

/// Pictures of 720p decode in 2 ms: more threads only cost memory.
fn one_thread(decoder: &gst::Element) -> Result<(), MediaError> {
    if decoder.find_property("threads").is_some() {
        set_named(decoder, "threads", "1")?;
    }
    Ok(())
}

/// Keeps the encoder's input at I420 of an even size: H.264 in 4:2:0 has no other, a shared
/// window may have any.
fn keep_even(first: &gst::Element, filter: &gst::Element) -> Result<(), MediaError> {
    set(filter, "caps", raw_caps(None))?;
    let filter = filter.downgrade();
    let even = move |_: &gst::Pad, info: &mut gst::PadProbeInfo<'_>| {
        let size = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(caps) => {
                let size = caps.caps().structure(0)?;
                Some((size.get("width").ok()?, size.get("height").ok()?))
            }
            _ => None,
        });
        if let (Some(size), Some(filter)) = (size, filter.upgrade()) {
            filter.set_property("caps", raw_caps(Some(size)));
        }
        gst::PadProbeReturn::Ok
    };
    pad(first, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, even);
    Ok(())
}

fn raw_caps(size: Option<(i32, i32)>) -> gst::Caps {
    let mut caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    if let Some((width, height)) = size {
        caps = caps
            .field("width", width.max(16) & !1)
            .field("height", height.max(16) & !1);
    }
    caps.build()
}

fn encoder(settings: &GraphSettings) -> Result<gst::Element, MediaError> {
    let encoder = make("x264enc", "x264enc")?;
    // Half the time of superfast. The preset leaves deblocking out, which costs a tenth and is
    // seen most.
    set_named(&encoder, "speed-preset", "ultrafast")?;
    set(&encoder, "option-string", "deblock=0,0")?;
    set_named(&encoder, "tune", "zerolatency")?;
    set(&encoder, "threads", 1_u32)?;
    set(&encoder, "bframes", 0_u32)?;
    set(&encoder, "ref", 1_u32)?;
    set(&encoder, "rc-lookahead", 0_i32)?;
    set(&encoder, "bitrate", (settings.video_bitrate / 1000).max(1))?;
    let pictures = settings.keyframe_interval.as_millis() * u128::from(NOMINAL_RATE) / 1000;
    let pictures = u32::try_from(pictures).unwrap_or(u32::MAX);
    set(&encoder, "key-int-max", pictures.clamp(1, 1 << 24))?;
    Ok(encoder)
}

/// Counts pictures, and drops those that find no place before the encoder.
fn limit(
    queue: &gst::Element,
    settings: &GraphSettings,
    feed: &Line,
    line: &Line,
    counters: &Arc<Counters>,
) -> Result<(), MediaError> {
    let places = Arc::new(Places::new(settings.in_flight.pictures()));
    let entrance = Arc::clone(&places);
    let (counters, line) = (Arc::clone(counters), line.clone());
    let received = Arc::clone(feed.progress());
    pad(queue, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        counters.decoded.add(1);
        let at = info.buffer().and_then(|picture| picture.pts());
        let at = at.map_or(Duration::MAX, Duration::from);
        if entrance.take(at, || received.told()) {
            return gst::PadProbeReturn::Ok;
        }
        if counters.output_blocks() {
            counters.over_limit_blocked.add(1);
        } else {
            counters.over_limit.add(1);
        }
        // Not Drop: gstreamer-rs has released the picture, GStreamer would try to once more.
        gst::PadProbeReturn::Handled
    });
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad(queue, "src")?.add_probe(kinds, move |_, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(_)) => places.give_back(),
            Some(gst::PadProbeData::Event(event)) => {
                if let Some(until) = read_mark(event) {
                    line.gap(until);
                    return gst::PadProbeReturn::Handled;
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Takes marks from before the decoder to behind it. The decoder works on its feeder's thread,
/// so what came before the mark has been decoded.
fn carry_marks(from: &gst::Pad, to: &gst::Pad) {
    let to = to.downgrade();
    from.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(event) = info.event().filter(|event| read_mark(event).is_some()) else {
            return gst::PadProbeReturn::Ok;
        };
        if let Some(to) = to.upgrade() {
            to.send_event(event.to_owned());
        }
        gst::PadProbeReturn::Handled
    });
}

/// Hands encoded units to the line, and waits there for room.
fn sink(line: &Line, counters: &Arc<Counters>) -> Result<gst::Element, MediaError> {
    let element = make("appsink", "encoded")?;
    set(&element, "sync", false)?;
    set(&element, "async", false)?;
    set(&element, "enable-last-sample", false)?;
    set(&element, "max-buffers", 1_u32)?;
    set(&element, "caps", OUTPUT.caps())?;
    let sink = element
        .clone()
        .downcast::<AppSink>()
        .map_err(|_| failed("appsink", "creation"))?;
    let (units, end) = (line.clone(), line.clone());
    let counters = Arc::clone(counters);
    let take = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
        counters.encoded.add(1);
        let unit = read_unit(&sample).ok_or(gst::FlowError::Error)?;
        if units.push(unit) {
            Ok(gst::FlowSuccess::Ok)
        } else {
            Err(gst::FlowError::Flushing)
        }
    };
    let callbacks = AppSinkCallbacks::builder()
        .new_sample(take)
        .eos(move |_| end.end());
    sink.set_callbacks(callbacks.build());
    Ok(element)
}

/// `x264enc` shifts its stamps by 1000 hours and says so in the segment.
fn read_unit(sample: &gst::Sample) -> Option<Unit> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    Some(Unit {
        at: Duration::from(segment.to_running_time(buffer.pts()?)?),
        length: None,
        keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        data: buffer.map_readable().ok()?.as_slice().into(),
    })
}
