//! One segment's graph, from access units to the bytes of a TS.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::watch;

use super::audio::AudioTrack;
use super::bus::Reporter;
use super::counts::Counters;
use super::elements::failed;
use super::line::Passage;
use super::mux::{Mux, Output};
use super::saving::Saving;
use super::stop::Stopper;
use super::transcode::Coders;
use super::treatment::VideoMode;
use super::video::VideoTrack;
use super::{Counts, DropReason, MediaError};
use crate::buffers::Buffer;
use crate::room::{AccessUnit, Codec, Kind};

/// Added to all times, so that sound can be moved forward by what its encoder delays it.
const LEAD: Duration = Duration::from_millis(100);

/// How long stopping may take after everything has drained or was given up.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How many decoded pictures may wait for the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlight(u8);

impl InFlight {
    /// One to four pictures; none for any other number.
    #[must_use]
    pub const fn new(pictures: u8) -> Option<Self> {
        match pictures {
            1..=4 => Some(Self(pictures)),
            _ => None,
        }
    }

    /// The number of pictures.
    #[must_use]
    pub const fn pictures(self) -> u8 {
        self.0
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self(2)
    }
}

/// What becomes of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioOut {
    /// AAC-LC at 48 kHz.
    Aac {
        /// Bits a second.
        bitrate: u32,
    },
    /// The Opus packets as they came.
    Opus,
}

/// How a graph works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphSettings {
    /// Which video is encoded again.
    pub mode: VideoMode,
    /// What decodes and encodes the video that is encoded again.
    pub coders: Option<Coders>,
    /// Video that is encoded again has no more lines than this; a picture that stands, columns.
    pub max_lines: Option<NonZeroU32>,
    /// Decoded pictures between decoder and encoder.
    pub in_flight: InFlight,
    /// What video gives up from the start.
    pub saving: Saving,
    /// Of video that is encoded again, bits a second.
    pub video_bitrate: u32,
    /// Longest time between keyframes of video that is encoded again.
    pub keyframe_interval: Duration,
    /// What becomes of the sound.
    pub audio: AudioOut,
    /// Video that is copied goes on after a loss without waiting for a keyframe.
    pub keep_damaged: bool,
}

/// The sound that a graph is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioIn {
    /// [`Codec::Opus`] or [`Codec::Pcm`].
    pub codec: Codec,
    /// Two channels rather than one.
    pub stereo: bool,
}

/// The tracks of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The codec of the video track, if there is one.
    pub video: Option<Codec>,
    /// The track of sound, if there is one.
    pub audio: Option<AudioIn>,
}

/// What became of a unit that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is on its way.
    Accepted,
    /// It only said that nothing is being sent; silence takes its place.
    Silent,
    /// It was refused; [`DropReason::wants_keyframe`] says whether video needs a keyframe now.
    Dropped(DropReason),
}

/// Whether a graph still runs.
#[derive(Debug, Clone)]
pub enum Ending {
    /// It runs.
    Running,
    /// Everything it was given has reached the output.
    Complete,
    /// It failed and takes no more; its segment holds what reached the output.
    Failed(MediaError),
}

/// How a graph was finished.
#[derive(Debug)]
pub struct Finished {
    /// The last state of its counters.
    pub counts: Counts,
    /// Whether everything reached the output.
    pub result: Result<(), MediaError>,
}

/// A running graph.
///
/// Dropping one without [`Graph::finish`] discards what has not reached the output; it neither
/// blocks nor starts a thread: the graph's own thread stops the pipeline.
#[derive(Debug)]
pub struct Graph {
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    counters: Arc<Counters>,
    reporter: Reporter,
    stopper: Stopper,
    #[cfg(test)]
    pipeline: gst::Pipeline,
}

impl Graph {
    /// Builds and starts a graph whose segment begins at `base`. All times are since the
    /// recording's start, so that stamps go on from segment to segment.
    ///
    /// Blocks for some ten milliseconds, the first time longer (plug-ins are loaded): call it
    /// off the async workers.
    ///
    /// # Errors
    /// An element is missing or refuses to start; a codec cannot be decoded here; no track.
    pub fn start(
        layout: Layout,
        settings: &GraphSettings,
        base: Duration,
        output: Box<dyn Output>,
    ) -> Result<Self, MediaError> {
        super::init()?;
        if layout.video.is_none() && layout.audio.is_none() {
            return Err(MediaError::Layout("it has no track"));
        }
        let pipeline = gst::Pipeline::new();
        // Nothing here waits for a clock.
        pipeline.use_clock(None::<&gst::Clock>);
        let counters = Arc::new(Counters::default());
        let reporter = Reporter::new();
        let bus = pipeline
            .bus()
            .ok_or_else(|| failed("pipeline", "finding its bus"))?;
        reporter.listen(&bus, &counters);
        let kinds = (layout.video.is_some(), layout.audio.is_some());
        let mux = Mux::build(&pipeline, kinds, output, &counters, &reporter)?;
        let times = (base, LEAD);
        let video = layout
            .video
            .map(|codec| VideoTrack::build(&pipeline, &mux, codec, settings, times, &counters));
        let (video, blocking) = video.transpose()?.unzip();
        let audio = layout
            .audio
            .map(|from| AudioTrack::build(&pipeline, &mux, from, settings.audio, times, &counters));
        let audio = audio.transpose()?;
        let started = pipeline.set_state(gst::State::Playing);
        let refused = started.is_err().then(|| which_refused(&pipeline));
        #[cfg(test)]
        let built = pipeline.clone();
        // From here on the pipeline is stopped whatever happens.
        let stopper = Stopper::start(pipeline, blocking.flatten())?;
        if let Some(element) = refused {
            return Err(reporter.failure(&element, "starting"));
        }
        Ok(Self {
            video,
            audio,
            counters,
            reporter,
            stopper,
            #[cfg(test)]
            pipeline: built,
        })
    }

    /// Offers a unit captured at `at`. Never blocks.
    ///
    /// Seconds of media are queued, no more: units are to come at about the pace at which they
    /// were captured.
    pub fn push(&mut self, kind: Kind, at: Duration, unit: &AccessUnit) -> Admission {
        let admission = match kind {
            Kind::Video => self.video.as_mut().map(|video| video.push(at, unit)),
            Kind::Audio => self.audio.as_mut().map(|audio| audio.push(at, &unit.data)),
        };
        admission.unwrap_or(Admission::Dropped(DropReason::NoTrack))
    }

    /// Says that everything captured before `to` has been pushed. To be called at short, steady
    /// intervals (100 ms): what was pushed is handed on, missing sound becomes silence, and
    /// video that pauses no longer holds the sound back. Never blocks.
    pub fn advance(&mut self, to: Duration) {
        if let Some(video) = &mut self.video {
            video.advance(to);
            if let Some(stalled) = video.stalled(Instant::now()) {
                self.reporter.end(Ending::Failed(stalled));
            }
        }
        if let Some(audio) = &mut self.audio {
            audio.advance(to);
        }
    }

    /// From the next picture on video gives up this and no more. The segment goes on: where the
    /// size changes it has a keyframe. After [`super::Pictures::Keyframes`] or less it goes on
    /// with a keyframe, which is to be asked for.
    pub fn save(&mut self, saving: Saving) {
        if let Some(video) = &mut self.video {
            video.save(saving);
        }
    }

    /// How far pictures that are encoded again are behind those that came.
    #[must_use]
    pub fn lag(&self) -> Duration {
        let video = self.video.as_ref();
        video.map_or(Duration::ZERO, VideoTrack::lag)
    }

    /// Whether it takes what it is given: of pictures, and of sound.
    #[must_use]
    pub fn passages(&self) -> [Option<Passage>; 2] {
        [
            self.video.as_ref().map(VideoTrack::passage),
            self.audio.as_ref().map(AudioTrack::passage),
        ]
    }

    /// What waits in it.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        let counts = self.counts();
        let video = self.video.iter().flat_map(|it| it.buffers(&counts.video));
        let audio = self.audio.iter().map(|it| it.buffer(&counts.audio));
        video.chain(audio).collect()
    }

    /// Ends a track; the other goes on. Sound goes on as silence.
    pub fn end(&mut self, kind: Kind) {
        match kind {
            Kind::Video => self.video.iter_mut().for_each(VideoTrack::end),
            Kind::Audio => self.audio.iter_mut().for_each(AudioTrack::end),
        }
    }

    /// The counters as they stand.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    /// Tells when the graph is over: by an error, or after [`Graph::finish`] has begun.
    #[must_use]
    pub fn ending(&self) -> watch::Receiver<Ending> {
        self.reporter.subscribe()
    }

    /// Ends all tracks, the sound at `end` so that it is as long as the video, waits at most
    /// `deadline` until everything has reached the output, and stops the graph. Close an output
    /// that blocks before: nothing else frees the mux's thread.
    pub async fn finish(mut self, end: Duration, deadline: Duration) -> Finished {
        self.reporter.ask();
        self.end(Kind::Video);
        let last_picture = self.video.as_ref().and_then(VideoTrack::last);
        if let Some(audio) = &mut self.audio {
            audio.finish(last_picture.map_or(end, |last| end.max(last)));
        }
        let mut ending = self.reporter.subscribe();
        let over = ending.wait_for(|ending| !matches!(ending, Ending::Running));
        let drained = match tokio::time::timeout(deadline, over).await {
            Ok(Ok(ending)) => match &*ending {
                Ending::Failed(error) => Err(error.clone()),
                Ending::Running | Ending::Complete => Ok(()),
            },
            Ok(Err(_)) => Err(MediaError::UnexpectedEnd),
            Err(_) => Err(MediaError::EndDeadline { deadline }),
        };
        let stopped = self.stopper.stop(STOP_PATIENCE).await;
        Finished {
            counts: self.counters.snapshot(),
            result: stopped.and(drained),
        }
    }
}

/// The element that a pipeline did not start for.
fn which_refused(pipeline: &gst::Pipeline) -> String {
    let mut elements = pipeline.children().into_iter();
    let refused = elements.find(|element| element.state(gst::ClockTime::ZERO).0.is_err());
    refused.map_or_else(
        || "pipeline".to_owned(),
        |element| element.name().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{AudioIn, Equipment};
    use super::*;

    struct Nowhere;
    impl Output for Nowhere {
        fn write(&mut self, _: &[u8]) -> Result<(), super::super::OutputClosed> {
            Ok(())
        }
    }

    fn settings() -> GraphSettings {
        GraphSettings {
            mode: VideoMode::Auto,
            coders: None,
            max_lines: None,
            in_flight: InFlight::default(),
            saving: Saving::default(),
            video_bitrate: 1_000_000,
            keyframe_interval: Duration::from_secs(2),
            audio: AudioOut::Opus,
            keep_damaged: false,
        }
    }

    #[test]
    fn a_graph_needs_a_track_and_may_change_threads() {
        fn is_send<T: Send>(_: &T) {}
        let nothing = Layout {
            video: None,
            audio: None,
        };
        let graph = Graph::start(nothing, &settings(), Duration::ZERO, Box::new(Nowhere));
        is_send(&graph);
        assert!(matches!(graph, Err(MediaError::Layout(_))));
        assert_eq!(InFlight::new(0), None);
        assert_eq!(InFlight::new(5), None);
    }

    /// Whether an element that can hold much holds no more than it was told to. `None` is of those
    /// that hold a picture or two by the way they work.
    fn limit(element: &gst::Element) -> Option<bool> {
        let unsigned = |name| element.property_value(name).transform::<u64>().unwrap();
        let limited = |name| unsigned(name).get::<u64>().unwrap() > 0;
        let kind = element.factory().unwrap().name();
        match kind.as_str() {
            "queue" | "queue2" | "multiqueue" => Some(
                ["max-size-buffers", "max-size-bytes", "max-size-time"]
                    .into_iter()
                    .any(limited),
            ),
            "appsink" => Some(limited("max-buffers")),
            // Those that do not block are fed through a gate of ours (`gate`, `limit`).
            "appsrc" => Some(!element.property::<bool>("block") || limited("max-bytes")),
            _ => None,
        }
    }

    #[test]
    fn nothing_that_waits_in_a_graph_waits_without_a_limit() {
        super::super::init().unwrap();
        let queue = gst::ElementFactory::make("queue").build().unwrap();
        assert_eq!(limit(&queue), Some(true));
        for name in ["max-size-buffers", "max-size-bytes"] {
            queue.set_property(name, 0_u32);
        }
        queue.set_property("max-size-time", 0_u64);
        assert_eq!(
            limit(&queue),
            Some(false),
            "this test sees one that has none"
        );

        let installed = Equipment::installed(|it| !it.is_hardware()).unwrap();
        let audio = Some(AudioIn {
            codec: Codec::Opus,
            stereo: false,
        });
        for (video, encodes, sound) in [
            (Some(Codec::H264), false, AudioOut::Opus),
            (Some(Codec::H265), false, AudioOut::Opus),
            (Some(Codec::Vp8), true, AudioOut::Aac { bitrate: 64_000 }),
            (None, false, AudioOut::Aac { bitrate: 64_000 }),
        ] {
            let settings = GraphSettings {
                coders: encodes.then(|| installed.coders(Codec::Vp8).unwrap()),
                audio: sound,
                ..settings()
            };
            let layout = Layout { video, audio };
            let nowhere = Box::new(Nowhere);
            let graph = Graph::start(layout, &settings, Duration::ZERO, nowhere).unwrap();
            let elements: Vec<_> = graph
                .pipeline
                .iterate_recurse()
                .into_iter()
                .flatten()
                .collect();
            let found: Vec<_> = elements.iter().filter_map(limit).collect();
            assert!(found.len() >= 2, "{elements:?}");
            for element in &elements {
                assert_ne!(limit(element), Some(false), "{element:?}");
            }
        }
    }
}
