//! The picture of a graph: H.264 and H.265 passed through, all else decoded and encoded again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;

use super::copied::Copied;
use super::counts::{Counters, VideoCounts};
use super::feed::Feed;
use super::gate::Gate;
use super::level::Limits;
use super::line::{Line, Passage, TICK, Unit};
use super::mux::Mux;
use super::saving::{Pictures, Saving};
use super::transcode::Transcoder;
use super::treatment::Treatment;
use super::{Admission, DropReason, GraphSettings, MediaError, transcode};
use crate::bitstream::{PictureSize, raw};
use crate::buffers::{self, Buffer, amount};
use crate::room::{AccessUnit, Codec};

/// Three seconds of a 10 Mb/s stream.
const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    span: Duration::from_secs(3),
};

/// Two pictures of 1080 lines; of larger ones one waits. How many of them there are at all is
/// limited where they come from.
const RAW_LIMITS: Limits = Limits {
    bytes: 8 * 1024 * 1024,
    span: Duration::from_secs(3),
};

/// Video that pauses for less holds the sound back in the mux, which costs nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// What is known of pictures that come decoded.
#[derive(Debug, Default)]
struct Decoded {
    /// How large they are, once one has come.
    size: Option<PictureSize>,
}

/// The entrance for video.
#[derive(Debug)]
pub(super) struct VideoTrack {
    feed: Feed,
    gate: Gate,
    pictures: Pictures,
    /// Pictures pass after a loss: they are copied, and wanted as they are.
    keeps_damaged: bool,
    base: Duration,
    lead: Duration,
    last: Option<Duration>,
    ended: bool,
    /// How units are copied; none where they are encoded again. Then they go in one by one, so
    /// that pictures come at an even pace.
    copied: Option<Copied>,
    transcoder: Option<Transcoder>,
    /// Of pictures that come decoded.
    decoded: Option<Decoded>,
    counters: Arc<Counters>,
}

impl VideoTrack {
    /// Builds the chain for a codec; with the elements whose pushers may wait for room.
    pub(super) fn build(
        pipeline: &gst::Pipeline,
        mux: &Mux,
        codec: Codec,
        settings: &GraphSettings,
        (base, lead): (Duration, Duration),
        counters: &Arc<Counters>,
    ) -> Result<(Self, Option<gst::Element>), MediaError> {
        let treatment = Treatment::of(codec, settings.mode);
        let copied = treatment.copied();
        let (feed, transcoder, blocking) = match treatment {
            Treatment::Copied(copied) => {
                let feed = Feed::new("video", Some(&copied.caps()), LIMITS)?;
                copied.link(pipeline, mux, feed.line(), counters)?;
                (feed, None, None)
            }
            Treatment::Encoded => {
                let none = MediaError::Layout("nothing to decode and encode with was chosen");
                let coders = settings.coders.ok_or(none)?;
                let feed = if codec.is_decoded() {
                    Feed::new("video", None, RAW_LIMITS)?
                } else {
                    Feed::new("video", Some(&transcode::caps(codec)), LIMITS)?
                };
                let encoded = transcode::OUTPUT;
                let caps = encoded.caps();
                let line = Line::new("encoded-video", Some(&caps), Some(transcode::ENCODED))?;
                let line_in = feed.line();
                let transcoder =
                    transcode::build(pipeline, coders, settings, line_in, &line, counters)?;
                encoded.link(pipeline, mux, &line, counters)?;
                (feed, Some(transcoder), Some(line.element().clone()))
            }
            Treatment::Refused => return Err(MediaError::Passthrough { codec }),
        };
        let track = Self {
            feed,
            copied,
            transcoder,
            decoded: codec.is_decoded().then(Decoded::default),
            gate: Gate::new(),
            pictures: settings.saving.pictures,
            keeps_damaged: settings.keep_damaged && copied.is_some(),
            base,
            lead,
            last: None,
            ended: false,
            counters: Arc::clone(counters),
        };
        Ok((track, blocking))
    }

    pub(super) fn push(&mut self, at: Duration, unit: &AccessUnit) -> Admission {
        self.counters.video.received();
        match self.admit(at, unit) {
            Ok(at) => {
                self.last = Some(at);
                self.enter(at, unit);
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

    fn enter(&mut self, at: Duration, unit: &AccessUnit) {
        let entering = |data| Unit {
            at: at + self.lead,
            length: None,
            keyframe: unit.keyframe,
            data,
        };
        if let Some(decoded) = &mut self.decoded {
            let Some((now, pixels)) = raw::pixels(&unit.data) else {
                return;
            };
            if decoded.size.replace(now) != Some(now) {
                self.feed.line().set_caps(&transcode::raw_caps(now));
            }
            self.feed.push(entering(pixels));
        } else if let Some(copied) = self.copied {
            self.feed.gather(entering(copied.delimited(&unit.data)));
        } else {
            self.feed.push(entering(unit.data.clone()));
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
        if self.decoded.is_some() && raw::size(&unit.data).is_none() {
            return Err(DropReason::Discontinuity);
        }
        if self.pictures.refuse(unit.keyframe) {
            self.gate.spare();
            return Err(DropReason::Spared);
        }
        let at = self.last.map_or(at, |last| at.max(last + TICK));
        let room = self.feed.has_room(at + self.lead).then_some(());
        let room = room.ok_or_else(|| self.counters.why_full());
        // What is decoded builds on nothing.
        let decoded = self.decoded.is_some();
        let joins_on = unit.contiguous || self.keeps_damaged || decoded;
        self.gate.admit(unit.keyframe || decoded, joins_on, room)?;
        Ok(at)
    }

    /// Hands over what was gathered, and says that nothing more comes before `to`.
    pub(super) fn advance(&mut self, to: Duration) {
        if self.ended {
            return;
        }
        self.feed.flush();
        if to >= self.last.unwrap_or(self.base) + PAUSE {
            let until = to + self.lead;
            if self.copied.is_none() {
                let mark = transcode::mark(until);
                self.feed.line().announce(until, mark);
            } else {
                self.feed.line().gap(until);
            }
        }
    }

    /// From the next picture on this is given up and no more.
    pub(super) fn save(&mut self, saving: Saving) {
        self.pictures = saving.pictures;
        if !self.pictures.refuse(false) {
            self.gate.spare_no_more();
        }
        if let Some(transcoder) = &self.transcoder {
            transcoder.save(saving);
        }
    }

    /// Whether the graph takes what it is given.
    pub(super) fn passage(&self) -> Passage {
        self.feed.line().passage()
    }

    /// How far pictures that are encoded again are behind those that came.
    pub(super) fn lag(&self) -> Duration {
        let Some(transcoder) = &self.transcoder else {
            return Duration::ZERO;
        };
        let come = self.feed.line().progress().told();
        come.saturating_sub(transcoder.told())
    }

    /// What waits in front of the mux, and of decoder and encoder if there are any.
    pub(super) fn buffers(&self, counts: &VideoCounts) -> Vec<Buffer> {
        let entrance = Buffer {
            name: "video-entrance",
            unit: buffers::Unit::Bytes,
            depth: amount(self.feed.waiting()),
            high_water: counts.queue_high_water,
            limit: amount(LIMITS.bytes),
            dropped: counts.dropped.of(DropReason::QueueFull)
                + counts.dropped.of(DropReason::OutputBlocked),
        };
        let coding = self.transcoder.iter().flat_map(|it| it.buffers(counts));
        std::iter::once(entrance).chain(coding).collect()
    }

    /// Whether its decoder or encoder takes pictures and gives nothing.
    pub(super) fn stalled(&mut self, now: Instant) -> Option<MediaError> {
        self.transcoder.as_mut()?.stalled(now)
    }

    /// When the newest picture is shown.
    pub(super) fn last(&self) -> Option<Duration> {
        self.last
    }

    pub(super) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.feed.flush();
            self.feed.line().end();
        }
    }
}
