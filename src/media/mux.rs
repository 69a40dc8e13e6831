//! `mpegtsmux` and what takes its bytes.

use std::sync::Arc;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::bus::Reporter;
use super::counts::{Counters, TrackCounters};
use super::elements::{failed, make, pad, set};
use super::{Ending, MediaError};
use crate::room::Kind;

/// Whoever takes the bytes of a segment.
pub trait Output: Send + 'static {
    /// Takes whole 188-byte packets. Called on the mux's thread; it may block, and the graph
    /// then drops by its own rules, counted.
    ///
    /// # Errors
    /// The output takes no more: the graph reports it and stops.
    fn write(&mut self, packets: &[u8]) -> Result<(), OutputClosed>;
}

/// The output takes no more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the output is closed")]
pub struct OutputClosed;

/// Bytes of a TS packet (ISO/IEC 13818-1, 2.4.3.2).
const PACKET: usize = 188;

/// How much of a track the mux takes in advance of the other, so that a lot passes at once and
/// its threads need not take turns for each unit.
const READ_AHEAD: gst::ClockTime = gst::ClockTime::from_mseconds(400);

/// The mux with its output, added to the pipeline.
pub(super) struct Mux {
    element: gst::Element,
}

impl Mux {
    pub(super) fn build(
        pipeline: &gst::Pipeline,
        layout: (bool, bool),
        output: Box<dyn Output>,
        counters: &Arc<Counters>,
        reporter: &Reporter,
    ) -> Result<Self, MediaError> {
        let element = make("mpegtsmux", "mpegtsmux")?;
        // Whatever packets there are leave at once: nothing is held back, nothing is padded.
        set(&element, "alignment", 0_i32)?;
        set(&element, "latency", READ_AHEAD.nseconds())?;
        set(&element, "prog-map", program(layout))?;
        let sink = sink(output, counters, reporter)?;
        super::elements::chain(pipeline, &[&element, &sink])?;
        Ok(Self { element })
    }

    /// Links a chain's last element to the track's pad and counts what passes.
    pub(super) fn link(
        &self,
        kind: Kind,
        last: &gst::Element,
        counters: &Arc<Counters>,
    ) -> Result<(), MediaError> {
        let sink = self
            .element
            .request_pad_simple(pad_name(kind))
            .ok_or_else(|| failed("mpegtsmux", "requesting a pad"))?;
        let src = pad(last, "src")?;
        src.link(&sink)
            .map_err(|_| failed("mpegtsmux", "linking"))?;
        let counters = Arc::clone(counters);
        src.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            track(&counters, kind).written.add(1);
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }
}

/// The counters of a kind of track.
pub(super) fn track(counters: &Counters, kind: Kind) -> &TrackCounters {
    match kind {
        Kind::Video => &counters.video,
        Kind::Audio => &counters.audio,
    }
}

/// The mux takes the PID from the pad's name.
const fn pad_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "sink_256",
        Kind::Audio => "sink_257",
    }
}

/// Sound carries the clock reference where there is sound: it never stops, video may.
fn program((video, audio): (bool, bool)) -> gst::Structure {
    let mut map = gst::Structure::builder("program_map");
    if video {
        map = map.field(pad_name(Kind::Video), 1_i32);
    }
    if audio {
        map = map.field(pad_name(Kind::Audio), 1_i32);
    }
    let clock = if audio { Kind::Audio } else { Kind::Video };
    map.field("PCR_1", pad_name(clock)).build()
}

/// The sink that hands the mux's packets to the output, on the mux's own thread.
fn sink(
    mut output: Box<dyn Output>,
    counters: &Arc<Counters>,
    reporter: &Reporter,
) -> Result<gst::Element, MediaError> {
    let element = make("appsink", "output")?;
    // No clock, no preroll: packets leave as they come.
    set(&element, "sync", false)?;
    set(&element, "async", false)?;
    set(&element, "enable-last-sample", false)?;
    set(&element, "buffer-list", true)?;
    set(&element, "max-buffers", 1_u32)?;
    let sink = element
        .clone()
        .downcast::<AppSink>()
        .map_err(|_| failed("appsink", "creation"))?;
    let counters = Arc::clone(counters);
    let reporter = reporter.clone();
    let mut packets = Vec::new();
    let take = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
        packets.clear();
        if let Some(buffer) = sample.buffer() {
            append(&mut packets, buffer)?;
        }
        for buffer in sample
            .buffer_list()
            .into_iter()
            .flat_map(|list| list.iter())
        {
            append(&mut packets, buffer)?;
        }
        debug_assert!(packets.len().is_multiple_of(PACKET));
        counters.set_output_busy(true);
        let written = output.write(&packets);
        counters.set_output_busy(false);
        written.map_err(|OutputClosed| {
            reporter.end(Ending::Failed(MediaError::OutputClosed));
            gst::FlowError::Flushing
        })?;
        counters.output_bytes.add(packets.len());
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(AppSinkCallbacks::builder().new_sample(take).build());
    Ok(element)
}

fn append(packets: &mut Vec<u8>, buffer: &gst::BufferRef) -> Result<(), gst::FlowError> {
    let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
    packets.extend_from_slice(&map);
    Ok(())
}
