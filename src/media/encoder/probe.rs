//! A few pictures through one encoder, and what came out: the part that runs in a process of
//! its own, because an encoder may crash or hang it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};
use serde::{Deserialize, Serialize};

use super::EncoderPath;
use super::setup::Aim;
use crate::bitstream::nal::{self, Part};
use crate::bitstream::{Coding, PictureSize, picture_size};
use crate::media::MediaError;
use crate::media::convert::Memory;
use crate::media::elements::{chain, complaint, failed, make, set};
use crate::media::line::clock_time;
use crate::media::probe::{FRAME, number_at};
use crate::media::transcode::{Encoding, read_unit};
use crate::room::Codec;

/// How many pictures are encoded.
pub const PICTURES: u32 = 10;

/// Pictures from keyframe to keyframe, without being asked.
pub const INTERVAL: u32 = 5;

/// The picture that is asked to be a keyframe.
pub const ASKED: u32 = 7;

/// How long the first unit is waited for before the keyframe is asked for: from then on NVIDIA's
/// encoder takes requests.
const FIRST_UNIT: Duration = Duration::from_secs(1);

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The encoder's element.
    pub encoder: String,
    /// What scales in front of it.
    pub scaler: String,
    /// Pixels across and down of the pictures that go in.
    pub size: (u32, u32),
    /// To how many lines they are scaled.
    pub lines: Option<NonZeroU32>,
    /// Bits a second.
    pub bitrate: u32,
}

/// One unit that came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// The number of the picture whose time it has.
    pub picture: u32,
    /// It has a slice of a picture that decoding can start with.
    pub idr: bool,
    /// It has a slice at all.
    pub slices: bool,
    /// The size that its parameters say, when it has a complete set.
    pub size: Option<(u32, u32)>,
    /// From the first picture that went in.
    pub after: Duration,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every unit.
    pub units: Vec<UnitFacts>,
    /// Properties that the encoder does not have.
    pub missing: Vec<String>,
    /// Why it ended early.
    pub error: Option<String>,
}

/// Encodes the pictures.
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
    let unknown = || MediaError::MissingElement {
        element: format!("{} behind {}", order.encoder, order.scaler),
        package: "what has both",
    };
    let named =
        |path: &EncoderPath| path.factory() == order.encoder && path.scaler() == order.scaler;
    let path = EncoderPath::all().find(named).ok_or_else(unknown)?;
    let mut bench = Bench::start(path, order)?;
    let missing = bench.encoding.missing.iter();
    report.missing = missing.map(|name| (*name).to_owned()).collect();
    let outcome = bench.encode(report);
    // Whether it can be stopped is part of the trial.
    let stopped = bench.pipeline.set_state(gst::State::Null);
    outcome?;
    stopped.map(drop).map_err(|_| failed("encoder", "stopping"))
}

struct Bench {
    pipeline: gst::Pipeline,
    src: AppSrc,
    sink: AppSink,
    encoding: Encoding,
    pictures: [gst::Buffer; 2],
    first_in: Instant,
}

impl Bench {
    fn start(path: EncoderPath, order: &Order) -> Result<Self, MediaError> {
        let size = PictureSize {
            width: order.size.0.clamp(16, 8_192) & !1,
            height: order.size.1.clamp(16, 8_192) & !1,
        };
        let pipeline = gst::Pipeline::new();
        pipeline.use_clock(None::<&gst::Clock>);
        let src = make("appsrc", "pictures")?;
        let pixels = (size.width.cast_signed(), size.height.cast_signed());
        let mut caps = Memory::System.caps(&["I420"], Some(pixels));
        if let Some(caps) = caps.get_mut() {
            caps.set("framerate", gst::Fraction::new(30, 1));
        }
        caps.fixate();
        set(&src, "caps", caps)?;
        set(&src, "format", gst::Format::Time)?;
        set(&src, "max-bytes", 0_u64)?;
        let aim = Aim {
            bitrate: order.bitrate,
            interval: INTERVAL,
        };
        let encoding = Encoding::make(path, aim, FRAME * ASKED, order.lines)?;
        let sink = make("appsink", "encoded")?;
        set(&sink, "sync", false)?;
        let mut stages = vec![&src];
        stages.extend(encoding.scaling.iter().chain(&encoding.coding));
        stages.push(&sink);
        chain(&pipeline, &stages)?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| complaint(&pipeline).unwrap_or_else(|| failed("encoder", "starting")))?;
        Ok(Self {
            src: src.downcast().map_err(|_| failed("appsrc", "creation"))?,
            sink: sink.downcast().map_err(|_| failed("appsink", "creation"))?,
            pipeline,
            encoding,
            pictures: [picture(size, 0), picture(size, 1)],
            first_in: Instant::now(),
        })
    }

    fn encode(&mut self, report: &mut Report) -> Result<(), MediaError> {
        self.first_in = Instant::now();
        for number in 0..PICTURES {
            if number == ASKED {
                self.take(report, FIRST_UNIT);
            }
            self.push(number)?;
        }
        // It refuses only when something has failed, which the bus tells.
        let _ = self.src.end_of_stream();
        while !self.sink.is_eos() {
            self.take(report, Duration::from_millis(20));
            if let Some(error) = complaint(&self.pipeline) {
                return Err(error);
            }
        }
        // An end also comes behind an error.
        complaint(&self.pipeline).map_or(Ok(()), Err)
    }

    fn push(&self, number: u32) -> Result<(), MediaError> {
        let picture = self.pictures.get(number as usize % 2);
        let mut picture = picture.cloned().unwrap_or_default();
        let picture_mut = picture.make_mut();
        picture_mut.set_pts(clock_time(FRAME * number));
        picture_mut.set_duration(clock_time(FRAME));
        let pushed = self.src.push_buffer(picture);
        pushed.map(drop).map_err(|_| {
            complaint(&self.pipeline).unwrap_or_else(|| failed("encoder", "taking a picture"))
        })
    }

    /// Takes a unit if one comes within `patience`.
    fn take(&self, report: &mut Report, patience: Duration) {
        let Some(sample) = self.sink.try_pull_sample(clock_time(patience)) else {
            return;
        };
        let Some(unit) = read_unit(&sample) else {
            return;
        };
        let facts = facts(&unit.data);
        report.units.push(UnitFacts {
            picture: number_at(unit.at),
            after: self.first_in.elapsed(),
            ..facts
        });
    }
}

/// What the NAL units of an access unit are.
fn facts(unit: &[u8]) -> UnitFacts {
    let (mut sps, mut pps, mut slices, mut idr) = (false, false, false, false);
    for header in nal::units(unit).filter_map(|nal| nal.first()) {
        match Part::of(Coding::H264, *header) {
            Part::Sps => sps = true,
            Part::Pps => pps = true,
            Part::Slice { keyframe } => {
                slices = true;
                idr |= keyframe;
            }
            _ => {}
        }
    }
    let size = picture_size(Codec::H264, unit).filter(|_| sps && pps);
    UnitFacts {
        picture: 0,
        idr,
        slices,
        size: size.map(|size| (size.width, size.height)),
        after: Duration::ZERO,
    }
}

/// A picture with something to encode: a slope, a texture, and a bar that stands elsewhere in
/// each of two.
fn picture(size: PictureSize, which: u32) -> gst::Buffer {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut pixels = vec![128_u8; width * height * 3 / 2];
    let bar = width / 4 * (1 + which as usize);
    for (y, row) in pixels.chunks_mut(width).take(height).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let slope = x * 160 / width + y * 48 / height;
            let texture = (x * 7 + y * 13) % 16;
            let lit = if x.abs_diff(bar) < 16 {
                255
            } else {
                slope + texture + 16
            };
            *pixel = u8::try_from(lit).unwrap_or(u8::MAX);
        }
    }
    gst::Buffer::from_slice(pixels)
}
