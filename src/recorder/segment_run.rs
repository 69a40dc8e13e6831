//! A segment while it is recorded: its graph, and the counts that only we can make.

use std::time::Duration;

use tokio::sync::watch;

use super::recording::RecordingError;
use super::tally::Tally;
use super::{
    FileCodec, SegmentIndex, SegmentInput, SegmentLayout, TrackRecord, WriterHandle, drops,
};
use crate::buffers::Buffer;
use crate::media::{
    Admission, AudioOut, Copied, DropReason, Ending, Graph, GraphSettings, Layout, MediaError,
    Output, OutputClosed, Passage, Saving, Treatment,
};
use crate::room::{AccessUnit, Kind, Track};

/// The running segment.
pub struct SegmentRun {
    index: SegmentIndex,
    layout: Layout,
    graph: Graph,
    ending: watch::Receiver<Ending>,
    tally: Tally,
}

/// Where a segment begins.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    /// From the recording's start.
    pub starts_at: Duration,
    /// By how much the wall clock was set forward since the recording's start.
    pub clock_moved: time::Duration,
    /// It does not continue the segment before.
    pub discontinuity: bool,
}

/// A segment whose graph has ended.
#[derive(Debug)]
pub struct ClosedSegment {
    /// Which one.
    pub index: SegmentIndex,
    /// What became of its units.
    pub tally: Tally,
    /// Why it is shorter than it should be.
    pub error: Option<MediaError>,
}

impl Output for SegmentInput {
    fn write(&mut self, packets: &[u8]) -> Result<(), OutputClosed> {
        Self::write(self, packets).map_err(|_| OutputClosed)
    }
}

impl SegmentRun {
    /// Opens the next segment of `writer` and starts its graph.
    ///
    /// # Errors
    /// When the writer takes no more segments, or the graph can't be built.
    pub async fn start(
        writer: &mut WriterHandle,
        layout: Layout,
        tracks: &[Track],
        begin: Begin,
        settings: &GraphSettings,
    ) -> Result<Self, RecordingError> {
        let starts_at = begin.starts_at;
        let input = writer.open_segment(SegmentLayout {
            tracks: records(tracks, layout, settings),
            starts_at,
            clock_moved: begin.clock_moved,
            discontinuity: begin.discontinuity,
        })?;
        let index = input.index();
        let settings = *settings;
        let started = tokio::task::spawn_blocking(move || {
            Graph::start(layout, &settings, starts_at, Box::new(input))
        });
        match started.await.map_err(RecordingError::Thread)? {
            Ok(graph) => Ok(Self {
                index,
                layout,
                ending: graph.ending(),
                graph,
                tally: Tally::default(),
            }),
            Err(error) => {
                writer.close_segment(index, Tally::default().segment_counts());
                Err(error.into())
            }
        }
    }

    /// Its number.
    pub const fn index(&self) -> SegmentIndex {
        self.index
    }

    /// What it holds.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Where units are counted that arrive for it.
    pub const fn entrance(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// What became of its units so far.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.graph(&self.graph.counts());
        tally
    }

    /// Offers a unit captured at `at` since the recording's start; the graph counts it when it
    /// has no place for it.
    pub fn push(&mut self, kind: Kind, at: Duration, unit: &AccessUnit) -> Option<DropReason> {
        match self.graph.push(kind, at, unit) {
            Admission::Accepted | Admission::Silent => None,
            Admission::Dropped(reason) => Some(reason),
        }
    }

    /// From the next picture on video gives up this and no more.
    pub fn save(&mut self, saving: Saving) {
        self.graph.save(saving);
    }

    /// Whether its graph takes what it is given: of pictures, and of sound.
    pub fn passages(&self) -> [Option<Passage>; 2] {
        self.graph.passages()
    }

    /// How far pictures that are encoded again are behind those that came.
    pub fn lag(&self) -> Duration {
        self.graph.lag()
    }

    /// What waits in its graph.
    pub fn buffers(&self) -> Vec<Buffer> {
        self.graph.buffers()
    }

    /// Everything captured before `to` has been pushed.
    pub fn advance(&mut self, to: Duration) {
        self.graph.advance(to);
    }

    /// Waits until the graph is over by itself.
    pub async fn ending(&mut self) -> Ending {
        let over = self
            .ending
            .wait_for(|ending| !matches!(ending, Ending::Running));
        match over.await {
            Ok(ending) => ending.clone(),
            // The graph's threads are gone without a word.
            Err(_) => Ending::Failed(MediaError::UnexpectedEnd),
        }
    }

    /// Ends the tracks at `end` and waits until everything has reached the writer.
    pub async fn finish(self, end: Duration, deadline: Duration) -> ClosedSegment {
        let Self {
            index,
            graph,
            mut tally,
            ..
        } = self;
        let finished = graph.finish(end, deadline).await;
        tally.graph(&finished.counts);
        // What went in and never came out: a segment's end that was not waited for, or units that
        // could not be decoded.
        let reason = match &finished.result {
            Err(MediaError::OutputClosed | MediaError::EndDeadline { .. }) => {
                drops::DropReason::Disk
            }
            _ => drops::DropReason::Undecodable,
        };
        tally.lost_in_graph(reason, finished.counts.video.missing());
        ClosedSegment {
            index,
            tally,
            error: finished.result.err(),
        }
    }
}

/// Waits until the open segment's graph is over by itself; for ever where none is open.
pub async fn next_ending(segment: &mut Option<SegmentRun>) -> Ending {
    match segment {
        Some(segment) => segment.ending().await,
        None => std::future::pending().await,
    }
}

/// The tracks that a segment of `layout` holds, as they stand in the file.
fn records(tracks: &[Track], layout: Layout, settings: &GraphSettings) -> Vec<TrackRecord> {
    let audio = match settings.audio {
        AudioOut::Aac { .. } => FileCodec::Aac,
        AudioOut::Opus => FileCodec::Opus,
    };
    tracks
        .iter()
        .filter(|track| match track.source.kind() {
            Kind::Video => layout.video == Some(track.codec),
            Kind::Audio => layout.audio.is_some(),
        })
        .map(|track| TrackRecord {
            id: track.id.clone(),
            source: track.source,
            codec_in: track.codec,
            codec_out: match (
                track.source.kind(),
                Treatment::of(track.codec, settings.mode).copied(),
            ) {
                (Kind::Audio, _) => audio,
                (Kind::Video, Some(Copied::H265)) => FileCodec::H265,
                // Encoded again, if it was anything else.
                (Kind::Video, Some(Copied::H264) | None) => FileCodec::H264,
            },
        })
        .collect()
}
