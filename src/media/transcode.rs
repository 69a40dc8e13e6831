//! Video that TS players cannot take, or that is to be smaller, is decoded and encoded again.
//!
//! ```text
//!  feed ─► decoder ─► places ─► converter ─► queue ─► encoder ─► appsink ─► line ─► h264parse …
//!          (feed's thread)                           (queue's thread)      (line's thread)
//! ```
//!
//! Pictures wait for the encoder as small as they will be, and the work is shared between two
//! threads: decoding and scaling take about as long as encoding.
//!
//! The line is the bounded queue of encoded units before the mux: it blocks the encoder, never
//! the decoder. A decoded picture that finds no place before the encoder is dropped.
//!
//! A gap must not overtake pictures that are still being decoded or encoded, and neither decoder
//! nor encoder passes events on while no pictures come. So a mark goes through the feed, behind
//! the units before it, and from there around both when no picture is inside ([`Transit`]).

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::copied::Copied;
use super::counts::{Counters, VideoCounts};
use super::decoder::{self, Decoder};
use super::elements::{chain, failed, make, pad, set};
use super::encoder::EncoderPath;
use super::encoder::keyframes::KeyframeAsker;
use super::encoder::setup::{self, Aim};
use super::graph::GraphSettings;
use super::level::Limits;
use super::limit::Places;
use super::line::{Line, TICK, Unit};
use super::saving::{Saving, Thinning};
use super::scale::{Form, Scaler};
use super::stall::Stall;
use super::transit::Transit;
use super::{InFlight, MediaError, Part};
use crate::bitstream::PictureSize;
use crate::buffers::{self, Buffer, amount};
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
pub(super) const NOMINAL_RATE: u32 = 30;

/// What decodes and what encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coders {
    /// What decodes.
    pub decoder: Decoder,
    /// What scales and encodes.
    pub encoder: EncoderPath,
}

impl Coders {
    /// Of these decoders, best first, the first whose pictures the encoder's scaler takes.
    #[must_use]
    pub fn pair(decoders: &[Decoder], encoder: EncoderPath) -> Option<Self> {
        let fits = |decoder: &&Decoder| decoder.feeds(encoder.converter.takes);
        let decoder = *decoders.iter().find(fits)?;
        Some(Self { decoder, encoder })
    }
}

/// The caps of units that are to be decoded.
pub(super) fn caps(codec: Codec) -> gst::Caps {
    decoder::caps(codec, NOMINAL_RATE)
}

/// The caps of pictures that come decoded, as [`crate::bitstream::raw`] lays them out.
pub(super) fn raw_caps(size: PictureSize) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", size.width.cast_signed())
        .field("height", size.height.cast_signed())
        .field(
            "framerate",
            gst::Fraction::new(NOMINAL_RATE.cast_signed(), 1),
        )
        .build()
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

/// The stages between the feed and the line, and what can be asked of them.
#[derive(Debug)]
pub(super) struct Transcoder {
    coders: Coders,
    usual: Usual,
    line: Line,
    scaler: Scaler,
    places: Arc<Places>,
    thinning: Arc<Thinning>,
    keyframes: KeyframeAsker,
    decoding: Stall,
    encoding: Stall,
    counters: Arc<Counters>,
}

/// What holds where nothing is given up.
#[derive(Debug, Clone, Copy)]
struct Usual {
    lines: Option<NonZeroU32>,
    in_flight: InFlight,
}

impl Usual {
    fn lines(self, saving: Saving) -> Option<NonZeroU32> {
        self.lines.into_iter().chain(saving.lines).min()
    }

    fn in_flight(self, saving: Saving) -> u8 {
        let less = saving
            .in_flight
            .map_or(self.in_flight, |it| it.min(self.in_flight));
        less.pictures()
    }
}

impl Transcoder {
    /// From the next picture on this is given up and no more.
    pub(super) fn save(&self, saving: Saving) {
        self.thinning.set(saving.pictures);
        self.places.set_limit(self.usual.in_flight(saving));
        if self.scaler.limit(self.usual.lines(saving)) {
            self.keyframes.ask();
        }
    }

    /// Up to when all has left the encoder.
    pub(super) fn told(&self) -> Duration {
        self.line.progress().told()
    }

    /// Pictures that wait for the encoder, and what of theirs waits for the mux.
    pub(super) fn buffers(&self, counts: &VideoCounts) -> [Buffer; 2] {
        let pictures = Buffer {
            name: "pictures",
            unit: buffers::Unit::Pictures,
            depth: amount(self.places.taken()),
            high_water: amount(self.places.high_water()),
            limit: u64::from(self.usual.in_flight.pictures()),
            dropped: counts.over_limit + counts.over_limit_blocked,
        };
        let encoded = Buffer {
            name: "encoded",
            unit: buffers::Unit::Bytes,
            depth: self.line.waiting(),
            high_water: self.line.most_waiting(),
            limit: amount(ENCODED.bytes),
            dropped: 0,
        };
        [pictures, encoded]
    }

    /// Whether decoder or encoder takes and gives nothing. Software is never said to: it is slow
    /// at worst, and there is nothing better.
    pub(super) fn stalled(&mut self, now: Instant) -> Option<MediaError> {
        let counts = self.counters.snapshot().video;
        let held = self.counters.output_blocks();
        // A decoder waits for the encoder, which is looked at first.
        let encoder = self.coders.encoder;
        let waited = self
            .encoding
            .look(now, counts.decoded, counts.encoded, held);
        if let Some(waited) = waited
            && encoder.is_hardware()
        {
            return Some(MediaError::Stalled {
                element: encoder.factory(),
                waited,
                part: Part::Encoder,
            });
        }
        let decoder = self.coders.decoder;
        let waited = self
            .decoding
            .look(now, counts.accepted, counts.decoded, held);
        waited
            .filter(|_| decoder.is_hardware())
            .map(|waited| MediaError::Stalled {
                element: decoder.factory(),
                waited,
                part: Part::Decoder,
            })
    }
}

/// Links the decoding and encoding stages between the feed and the line.
pub(super) fn build(
    pipeline: &gst::Pipeline,
    coders: Coders,
    settings: &GraphSettings,
    feed: &Line,
    line: &Line,
    counters: &Arc<Counters>,
) -> Result<Transcoder, MediaError> {
    let Coders { decoder, encoder } = coders;
    let decoding = decoder.make()?;
    let queue = make("queue", "pictures")?;
    // The places are the limit; the queue's own, which would block, lie beyond.
    set(&queue, "max-size-buffers", 8_u32)?;
    set(&queue, "max-size-bytes", 0_u32)?;
    set(&queue, "max-size-time", 0_u64)?;
    let (aim, pace) = (aim(encoder, settings), settings.keyframe_interval);
    let usual = Usual {
        lines: settings.max_lines,
        in_flight: settings.in_flight,
    };
    let encoding = Encoding::make(encoder, aim, pace, usual.lines(settings.saving))?;
    let transit = Arc::new(Mutex::new(Transit::default()));
    let sink = sink(line, &transit, counters)?;
    let mut stages = vec![feed.element()];
    stages.extend(&decoding);
    stages.extend(&encoding.scaling);
    stages.push(&queue);
    stages.extend(&encoding.coding);
    stages.push(&sink);
    chain(pipeline, &stages)?;
    let entrance = pad(encoding.entrance()?, "sink")?;
    let exit = pad(&queue, "src")?;
    let places = Arc::new(Places::new(usual.in_flight(settings.saving)));
    give_back(&exit, &places);
    let thinning = Arc::new(Thinning::default());
    thinning.set(settings.saving.pictures);
    limit(&entrance, (&places, &thinning), feed, &transit, counters);
    take_marks(feed, line, decoder, &transit)?;
    Ok(Transcoder {
        coders,
        usual,
        line: line.clone(),
        places,
        thinning,
        scaler: encoding.scaler,
        keyframes: encoding.keyframes,
        decoding: Stall::default(),
        encoding: Stall::default(),
        counters: Arc::clone(counters),
    })
}

/// From raw pictures to encoded units.
pub(super) struct Encoding {
    /// What converts and scales, to be linked in this order.
    pub(super) scaling: Vec<gst::Element>,
    /// What encodes, behind that.
    pub(super) coding: Vec<gst::Element>,
    pub(super) scaler: Scaler,
    pub(super) keyframes: KeyframeAsker,
    /// Properties of the encoder that the installed one does not have.
    pub(super) missing: Vec<&'static str>,
}

impl Encoding {
    /// Of pictures of at most so many `lines`, with keyframes each `pace` where the encoder makes
    /// them when asked.
    pub(super) fn make(
        path: EncoderPath,
        aim: Aim,
        pace: Duration,
        lines: Option<NonZeroU32>,
    ) -> Result<Self, MediaError> {
        let mut scaling = path.converter.make()?;
        let raw = make("capsfilter", "raw-caps")?;
        let made = setup::encoder(path.row, aim)?;
        let encoded = make("capsfilter", "encoded-caps")?;
        let request = path.row.request;
        let keyframes = KeyframeAsker::install(&made.element, request, pace)?;
        let first = scaling
            .first()
            .ok_or_else(|| failed(path.converter.name, "creation"))?;
        let form = Form {
            memory: path.between,
            formats: path.row.formats,
            most: path.row.most,
        };
        let (row, output) = (path.row, encoded.downgrade());
        let scaler = Scaler::install(first, &raw, form, lines, move |size| {
            if let Some(output) = output.upgrade() {
                output.set_property("caps", setup::output_caps(row, size));
            }
        })?;
        scaling.push(raw);
        Ok(Self {
            scaling,
            coding: vec![made.element, encoded],
            scaler,
            keyframes,
            missing: made.missing,
        })
    }

    /// Where pictures go in.
    fn entrance(&self) -> Result<&gst::Element, MediaError> {
        let first = self.scaling.first();
        first.ok_or_else(|| failed("raw-caps", "finding what is in front"))
    }
}

/// Keyframes come by time, where the encoder makes them when asked: then its own count of
/// pictures is what holds when that fails.
fn aim(path: EncoderPath, settings: &GraphSettings) -> Aim {
    let pictures = settings.keyframe_interval.as_millis() * u128::from(NOMINAL_RATE) / 1000;
    let pictures = u32::try_from(pictures).unwrap_or(u32::MAX).clamp(1, 1_000);
    Aim {
        bitrate: settings.video_bitrate,
        interval: if path.on_request {
            pictures * 2
        } else {
            pictures
        },
    }
}

/// Counts pictures at the `entrance`, and drops those that are given up or find no place before
/// the encoder.
fn limit(
    entrance: &gst::Pad,
    (places, thinning): (&Arc<Places>, &Arc<Thinning>),
    feed: &Line,
    transit: &Arc<Mutex<Transit>>,
    counters: &Arc<Counters>,
) {
    let (places, thinning) = (Arc::clone(places), Arc::clone(thinning));
    let (transit, counters) = (Arc::clone(transit), Arc::clone(counters));
    let received = Arc::clone(feed.progress());
    entrance.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        counters.decoded.add(1);
        let at = info.buffer().and_then(|picture| picture.pts());
        let at = at.map_or(Duration::MAX, Duration::from);
        let spared = thinning.leaves_out();
        let kept = !spared && places.take(at, || received.told());
        locked(&transit).decoded(at, kept);
        if kept {
            return gst::PadProbeReturn::Ok;
        }
        if spared {
            counters.spared.add(1);
        } else if counters.output_blocks() {
            counters.over_limit_blocked.add(1);
        } else {
            counters.over_limit.add(1);
        }
        // Not Drop: gstreamer-rs has released the picture, GStreamer would try to once more.
        gst::PadProbeReturn::Handled
    });
}

/// A place is free again when a picture comes to the `exit`.
fn give_back(exit: &gst::Pad, places: &Arc<Places>) {
    let places = Arc::clone(places);
    exit.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        places.give_back();
        gst::PadProbeReturn::Ok
    });
}

/// Takes marks out of the feed, and declares their gaps on the line when no picture is inside.
fn take_marks(
    feed: &Line,
    line: &Line,
    decoder: Decoder,
    transit: &Arc<Mutex<Transit>>,
) -> Result<(), MediaError> {
    let (transit, line) = (Arc::clone(transit), line.clone());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad(feed.element(), "src")?.add_probe(kinds, move |_, info| {
        match &info.data {
            // A decoder in software works on this thread: it is done with a unit when the next
            // one comes, whether it made a picture of it or not.
            Some(gst::PadProbeData::Buffer(unit)) if decoder.is_hardware() => {
                if let Some(at) = unit.pts() {
                    locked(&transit).enter(at.into());
                }
            }
            Some(gst::PadProbeData::Event(event)) => {
                if let Some(until) = read_mark(event) {
                    if let Some(until) = locked(&transit).gap(until, Instant::now()) {
                        line.gap(until);
                    }
                    return gst::PadProbeReturn::Handled;
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn locked(transit: &Mutex<Transit>) -> MutexGuard<'_, Transit> {
    transit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands encoded units to the line, and waits there for room.
fn sink(
    line: &Line,
    transit: &Arc<Mutex<Transit>>,
    counters: &Arc<Counters>,
) -> Result<gst::Element, MediaError> {
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
    let (transit, counters) = (Arc::clone(transit), Arc::clone(counters));
    let take = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
        counters.encoded.add(1);
        let mut unit = read_unit(&sample).ok_or(gst::FlowError::Error)?;
        let at = unit.at;
        // One that comes when its gap was declared can only be shown behind that.
        unit.at = at.max(units.progress().told() + TICK);
        if !units.push(unit) {
            return Err(gst::FlowError::Flushing);
        }
        // Only now: a gap must not be declared in front of it.
        if let Some(until) = locked(&transit).leave(at) {
            units.gap(until);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let callbacks = AppSinkCallbacks::builder()
        .new_sample(take)
        .eos(move |_| end.end());
    sink.set_callbacks(callbacks.build());
    Ok(element)
}

/// `x264enc` shifts its stamps by 1000 hours and says so in the segment.
pub(super) fn read_unit(sample: &gst::Sample) -> Option<Unit> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    Some(Unit {
        at: Duration::from(segment.to_running_time(buffer.pts()?)?),
        length: None,
        keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        data: Bytes::copy_from_slice(buffer.map_readable().ok()?.as_slice()),
    })
}
