//! The picture of a graph: H.264 passed through, all else decoded and encoded again.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;

use super::counts::Counters;
use super::elements::{chain, make, set};
use super::feed::{Feed, Line, Unit};
use super::gate::Gate;
use super::level::Limits;
use super::mux::Mux;
use super::{Admission, DropReason, MediaError};
use crate::room::{AccessUnit, Kind};
use crate::timebase::TICKS_PER_SECOND;

/// Three seconds of a 10 Mb/s stream.
const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    span: Duration::from_secs(3),
};

/// Video that pauses for less holds the sound back in the mux, which costs nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// A tick of the TS clock, rounded up: the least that two pictures lie apart.
const TICK: Duration = Duration::from_nanos(1_000_000_000 / TICKS_PER_SECOND + 1);

/// The entrance for video.
#[derive(Debug)]
pub(super) struct VideoTrack {
    feed: Feed,
    gate: Gate,
    base: Duration,
    lead: Duration,
    last: Option<Duration>,
    ended: bool,
    counters: Arc<Counters>,
}

impl VideoTrack {
    pub(super) fn passthrough(
        pipeline: &gst::Pipeline,
        mux: &Mux,
        (base, lead): (Duration, Duration),
        counters: &Arc<Counters>,
    ) -> Result<Self, MediaError> {
        let feed = Feed::new("video", &h264_caps(), LIMITS)?;
        link_h264(pipeline, mux, feed.line(), counters)?;
        Ok(Self {
            feed,
            gate: Gate::new(),
            base,
            lead,
            last: None,
            ended: false,
            counters: Arc::clone(counters),
        })
    }

    pub(super) fn push(&mut self, at: Duration, unit: &AccessUnit) -> Admission {
        self.counters.video.received();
        match self.admit(at, unit) {
            Ok(at) => {
                self.last = Some(at);
                self.feed.gather(Unit {
                    at: at + self.lead,
                    length: None,
                    keyframe: unit.keyframe,
                    data: Arc::clone(&unit.data),
                });
                let counters = &self.counters.video;
                counters.accepted(unit.data.len(), self.feed.waiting());
                Admission::Accepted
            }
            Err(reason) => {
                self.counters.video.dropped(reason);
                Admission::Dropped(reason)
            }
        }
    }

    /// When the unit is to be shown, or why it may not enter.
    fn admit(&mut self, at: Duration, unit: &AccessUnit) -> Result<Duration, DropReason> {
        if self.ended {
            return Err(DropReason::NoTrack);
        }
        if at < self.base {
            return Err(DropReason::Late);
        }
        let at = self.last.map_or(at, |last| at.max(last + TICK));
        let room = self.feed.has_room(at + self.lead);
        self.gate.admit(unit.keyframe, unit.contiguous, room)?;
        Ok(at)
    }

    /// Hands over what was gathered, and says that nothing more comes before `to`.
    pub(super) fn advance(&mut self, to: Duration) {
        self.feed.flush();
        if to >= self.last.unwrap_or(self.base) + PAUSE {
            self.feed.line().gap(to + self.lead);
        }
    }

    pub(super) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.feed.flush();
            self.feed.line().end();
        }
    }
}

pub(super) fn h264_caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build()
}

/// Links a line of H.264 units to the mux: `h264parse` repeats SPS and PPS before each keyframe
/// and puts an access unit delimiter in front of each unit.
pub(super) fn link_h264(
    pipeline: &gst::Pipeline,
    mux: &Mux,
    line: &Line,
    counters: &Arc<Counters>,
) -> Result<(), MediaError> {
    let parser = make("h264parse", "h264parse")?;
    set(&parser, "config-interval", -1_i32)?;
    let filter = make("capsfilter", "h264-caps")?;
    set(&filter, "caps", h264_caps())?;
    chain(pipeline, &[line.element(), &parser, &filter])?;
    mux.link(Kind::Video, &filter, counters)
}
