//! A few pictures through one decoder, and what came out: the part that runs in a process of its
//! own.

use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};
use serde::{Deserialize, Serialize};

use super::{Decoder, caps, sample};
use crate::bitstream::PictureSize;
use crate::media::MediaError;
use crate::media::convert::{Converter, Memory, SOFTWARE};
use crate::media::elements::{chain, complaint, failed, make, set};
use crate::media::encoder::CONVERTER_ROWS;
use crate::media::line::{Unit, clock_time};
use crate::media::probe::{FRAME, number_at};
use crate::media::scale::size_in;
use crate::room::Codec;

static IN_SOFTWARE: Converter = SOFTWARE;

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The decoder's element.
    pub decoder: String,
    /// What it is to decode.
    pub codec: Codec,
}

/// One picture that came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureFacts {
    /// Which one, by its time.
    pub number: u32,
    /// Pixels across and down.
    pub size: (u32, u32),
    /// The mean of its luma.
    pub luma: u8,
    /// From the first unit that went in.
    pub after: Duration,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every picture.
    pub pictures: Vec<PictureFacts>,
    /// Why it ended early.
    pub error: Option<String>,
}

/// Decodes the pictures.
#[must_use]
pub fn run(order: &Order) -> Report {
    let mut report = Report::default();
    if let Err(error) = attempt(order, &mut report) {
        report.error = Some(error.to_string());
    }
    report
}

fn attempt(order: &Order, report: &mut Report) -> Result<(), MediaError> {
    crate::media::init()?;
    let named = |decoder: &Decoder| decoder.factory() == order.decoder;
    let decoder = Decoder::of(order.codec).find(named);
    let decoder = decoder.ok_or_else(|| failed("decoder", "finding it"))?;
    let pipeline = gst::Pipeline::new();
    pipeline.use_clock(None::<&gst::Clock>);
    let outcome = decode(&pipeline, decoder, report);
    // Whether it can be stopped is part of the trial.
    let stopped = pipeline.set_state(gst::State::Null);
    outcome?;
    stopped.map(drop).map_err(|_| failed("decoder", "stopping"))
}

/// What brings the pictures of a decoder to where they can be looked at.
fn converter(decoder: Decoder) -> Result<&'static Converter, MediaError> {
    if decoder.feeds(SOFTWARE.takes) {
        return Ok(&IN_SOFTWARE);
    }
    let fits = |it: &&Converter| decoder.feeds(it.takes) && it.is_installed();
    let mut all = CONVERTER_ROWS.iter();
    all.find(fits)
        .ok_or_else(|| failed("converter", "finding one"))
}

fn decode(
    pipeline: &gst::Pipeline,
    decoder: Decoder,
    report: &mut Report,
) -> Result<(), MediaError> {
    let src = make("appsrc", "video")?;
    set(&src, "caps", caps(decoder.codec(), 30))?;
    set(&src, "format", gst::Format::Time)?;
    let decoding = decoder.make()?;
    let converting = converter(decoder)?.make()?;
    let raw = make("capsfilter", "raw-caps")?;
    set(&raw, "caps", Memory::System.caps(&["I420"], None))?;
    let sink = make("appsink", "decoded")?;
    set(&sink, "sync", false)?;
    let mut stages = vec![&src];
    stages.extend(&decoding);
    stages.extend(&converting);
    stages.extend([&raw, &sink]);
    chain(pipeline, &stages)?;
    let source: AppSrc = src.downcast().map_err(|_| failed("appsrc", "creation"))?;
    let sink: AppSink = sink.downcast().map_err(|_| failed("appsink", "creation"))?;
    let started = pipeline.set_state(gst::State::Playing);
    started.map_err(|_| complaint(pipeline).unwrap_or_else(|| failed("decoder", "starting")))?;
    let began = Instant::now();
    for (number, picture) in (0..).zip(sample::pictures(decoder.codec())) {
        let unit = Unit {
            at: FRAME * number,
            length: Some(FRAME),
            // The picture of another size is one too; parsers see it for themselves.
            keyframe: number == 0,
            data: picture.data,
        };
        let pushed = source.push_buffer(unit.into_buffer());
        pushed.map_err(|_| complaint(pipeline).unwrap_or_else(|| failed("decoder", "feeding")))?;
    }
    // It refuses only when something has failed, which the bus tells.
    let _ = source.end_of_stream();
    while !sink.is_eos() {
        if let Some(sample) = sink.try_pull_sample(clock_time(Duration::from_millis(20)))
            && let Some(facts) = facts(&sample, began.elapsed())
        {
            report.pictures.push(facts);
        }
        if let Some(error) = complaint(pipeline) {
            return Err(error);
        }
    }
    // An end also comes behind an error.
    complaint(pipeline).map_or(Ok(()), Err)
}

/// What a picture is.
fn facts(sample: &gst::Sample, after: Duration) -> Option<PictureFacts> {
    let PictureSize { width, height } = size_in(sample.caps()?)?;
    let buffer = sample.buffer()?;
    let number = number_at(buffer.pts()?.into());
    let bytes = buffer.map_readable().ok()?;
    // Rows of I420 are a multiple of four bytes long.
    let row = usize::try_from(width.next_multiple_of(4)).ok()?;
    let mut sum = 0_u64;
    for line in bytes.chunks_exact(row).take(height as usize) {
        let shown = line.iter().take(width as usize);
        sum += shown.map(|luma| u64::from(*luma)).sum::<u64>();
    }
    let count = u64::from(width) * u64::from(height);
    Some(PictureFacts {
        number,
        size: (width, height),
        luma: u8::try_from((sum + count / 2).checked_div(count)?).ok()?,
        after,
    })
}
