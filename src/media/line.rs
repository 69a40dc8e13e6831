//! Lines into the pipeline: an `appsrc` each, with what has come out of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;

use super::MediaError;
use super::elements::{failed, make, pad, set};
use super::level::Limits;
use crate::buffers::amount;
use crate::timebase::TICKS_PER_SECOND;

/// Announcements that may wait in a queue: while it is stuck, more of them say nothing new.
const WAITING_EVENTS: usize = 2;

/// A tick of the TS clock, rounded up: the least that two pictures lie apart.
pub(super) const TICK: Duration = Duration::from_nanos(1_000_000_000 / TICKS_PER_SECOND + 1);

/// One encoded unit on its way into a queue. Times are the pipeline's.
pub(super) struct Unit {
    pub(super) at: Duration,
    pub(super) length: Option<Duration>,
    pub(super) keyframe: bool,
    pub(super) data: Bytes,
}

impl Unit {
    pub(super) fn into_buffer(self) -> gst::Buffer {
        let mut buffer = gst::Buffer::from_slice(self.data);
        if let Some(buffer) = buffer.get_mut() {
            let at = clock_time(self.at);
            buffer.set_pts(at);
            // WebRTC sends no B-frames: units are decoded in the order in which they are shown.
            buffer.set_dts(at);
            buffer.set_duration(self.length.map(clock_time));
            if !self.keyframe {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        buffer
    }
}

/// A time as GStreamer has it; far beyond any recording it saturates.
pub(super) fn clock_time(at: Duration) -> gst::ClockTime {
    let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    gst::ClockTime::from_nseconds(nanos.min(i64::MAX.unsigned_abs()))
}

/// How far a line has got.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The time of the newest unit that came out, in ns, plus one; zero before the first.
    out: AtomicU64,
    /// Announcements sent that have not come out.
    events: AtomicUsize,
    /// Up to when the line was told everything, in ns.
    told: AtomicU64,
    /// Bytes.
    most_waiting: AtomicU64,
}

impl Progress {
    /// The time of the newest unit that was pushed, or up to which nothing more comes.
    pub(super) fn told(&self) -> Duration {
        Duration::from_nanos(self.told.load(Relaxed))
    }
}

/// What waits at an entrance, and what has come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passage {
    /// Bytes that wait.
    pub waiting: u64,
    /// The time of the newest unit that has come through, in ns, plus one; zero before the first.
    pub through: u64,
}

/// The entrance of a chain of elements.
#[derive(Debug, Clone)]
pub(super) struct Line {
    src: AppSrc,
    progress: Arc<Progress>,
}

impl Line {
    /// Makes the `appsrc`; of units whose caps are not known yet, [`Self::set_caps`] says them. With
    /// `block` given, a push waits while that much is queued; without, the caller keeps to limits of
    /// its own.
    pub(super) fn new(
        name: &'static str,
        caps: Option<&gst::Caps>,
        block: Option<Limits>,
    ) -> Result<Self, MediaError> {
        let element = make("appsrc", name)?;
        if let Some(caps) = caps {
            set(&element, "caps", caps.clone())?;
        }
        set(&element, "format", gst::Format::Time)?;
        set(&element, "max-bytes", 0_u64)?;
        if let Some(limits) = block {
            set(&element, "block", true)?;
            set(&element, "max-bytes", limits.bytes as u64)?;
            set(&element, "max-time", clock_time(limits.span).nseconds())?;
        }
        let progress = Arc::new(Progress::default());
        let out = pad(&element, "src")?;
        watch(&out, &progress);
        #[cfg(feature = "test-hooks")]
        super::wedge::hang_when_told(&out);
        let src = element
            .downcast::<AppSrc>()
            .map_err(|_| failed(name, "creation"))?;
        Ok(Self { src, progress })
    }

    pub(super) fn element(&self) -> &gst::Element {
        self.src.upcast_ref()
    }

    /// What the units that are pushed from now on are.
    pub(super) fn set_caps(&self, caps: &gst::Caps) {
        self.src.set_caps(Some(caps));
    }

    /// Pushes a unit; a blocking line waits for room. False when the graph is going down.
    pub(super) fn push(&self, unit: Unit) -> bool {
        self.tell(unit.at);
        let waiting = self.waiting() + amount(unit.data.len());
        self.progress.most_waiting.fetch_max(waiting, Relaxed);
        self.src.push_buffer(unit.into_buffer()).is_ok()
    }

    /// Pushes several units at once, the newest of them at `last`.
    pub(super) fn push_lot(&self, lot: gst::BufferList, last: Duration) -> bool {
        self.tell(last);
        self.src.push_buffer_list(lot).is_ok()
    }

    /// Says that nothing comes before `until`, so that the mux waits for this track no longer.
    ///
    /// The gap stands at its own end: the mux sorts a gap by its start like any unit, and having
    /// taken it waits again.
    pub(super) fn gap(&self, until: Duration) {
        self.announce(until, gst::event::Gap::new(clock_time(until), None));
    }

    /// Sends an event that says, behind the units pushed before it, that nothing comes before
    /// `until`; unless enough of them wait already.
    pub(super) fn announce(&self, until: Duration, event: gst::Event) {
        if until <= self.progress.told() || self.progress.events.load(Relaxed) >= WAITING_EVENTS {
            return;
        }
        self.tell(until);
        self.progress.events.fetch_add(1, Relaxed);
        self.src.send_event(event);
    }

    /// No more units. What is queued still comes out.
    pub(super) fn end(&self) {
        // It refuses only when the graph is going down, and then nothing is to be ended.
        let _ = self.src.end_of_stream();
    }

    /// Bytes that wait in it.
    pub(super) fn waiting(&self) -> u64 {
        self.src.current_level_bytes()
    }

    /// Whether what is pushed comes out.
    pub(super) fn passage(&self) -> Passage {
        Passage {
            waiting: self.waiting(),
            through: self.progress.out.load(Relaxed),
        }
    }

    /// The most bytes that have been found waiting when one more was pushed.
    pub(super) fn most_waiting(&self) -> u64 {
        self.progress.most_waiting.load(Relaxed)
    }

    /// How far it has got, for others to look at.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    fn tell(&self, at: Duration) {
        self.progress
            .told
            .fetch_max(clock_time(at).nseconds(), Relaxed);
    }

    /// The time of the newest unit that has come out.
    pub(super) fn out(&self) -> Option<Duration> {
        let out = self.progress.out.load(Relaxed);
        out.checked_sub(1).map(Duration::from_nanos)
    }
}

/// Whether an event of this kind was sent by [`Line::announce`]: `appsrc` sends none itself.
fn is_announcement(kind: gst::EventType) -> bool {
    matches!(kind, gst::EventType::Gap | gst::EventType::CustomDownstream)
}

/// Keeps `progress` by what passes the pad.
fn watch(pad: &gst::Pad, progress: &Arc<Progress>) {
    let progress = Arc::clone(progress);
    let kinds = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |_, info| {
        let newest = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => buffer.pts(),
            Some(gst::PadProbeData::BufferList(list)) => list
                .len()
                .checked_sub(1)
                .and_then(|last| list.get(last))
                .and_then(gst::BufferRef::pts),
            Some(gst::PadProbeData::Event(event)) => {
                if is_announcement(event.type_()) {
                    progress.events.fetch_sub(1, Relaxed);
                }
                None
            }
            _ => None,
        };
        if let Some(newest) = newest {
            progress.out.store(newest.nseconds() + 1, Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
}
