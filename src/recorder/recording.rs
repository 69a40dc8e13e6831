//! The task that drives one recording: a participant's camera and microphone, or a screen share
//! and its sound, from the first track to the last.
//!
//! ```text
//!            RoomEvent          cut: Push, Hold, Cut, Drop           advance, finish
//!  room task ───────► recording ────────────────────────► segment ──────────────────► graph
//!             ◄─────── keyframe requests                     └── SegmentInput ─► writer
//! ```
//!
//! The task owns the cutter, the open segment and the writer's handle. Starting a segment waits
//! for the graph (some ten milliseconds) while units wait in the bounded inbox; finishing one
//! happens beside the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use super::failure::{RecordingError, one_line};
pub use super::input::{INBOX, RecordingSetup};

use super::cut::{Cutter, MAX_HELD, Step, start_of};
use super::overlap::Overlap;
use super::pace::Pace;
use super::sealing::finish_writer;
use super::segment_run::{ClosedSegment, SegmentRun, next_ending};
use super::summary::{RecordingProgress, RecordingSummary};
use super::tally::Tally;
use super::{Description, DropReason, RecordingIdentity, SegmentIndex, WriterEvent, WriterHandle};
use crate::media::{self, Ending, Layout, MediaError};
use crate::room::{AccessUnit, EventReceiver, Kind, RoomCommand, RoomEvent, Track, TrackId};

/// How often silence is filled in and progress is told.
const TICK: Duration = Duration::from_millis(100);

/// How long a graph may take to hand over what it holds.
const DRAIN: Duration = Duration::from_secs(2);

/// Segments that may fail one after the other before the recording is given up.
const FAILURES: u32 = 3;

/// Records until `inbox` closes, then seals. The room is asked for keyframes over `commands`.
pub async fn run(
    setup: RecordingSetup,
    mut inbox: EventReceiver,
    commands: mpsc::Sender<RoomCommand>,
    progress: watch::Sender<RecordingProgress>,
) -> RecordingSummary {
    let mut recording = Recording {
        cutter: Cutter::new(setup.writer.segment_duration),
        setup,
        commands,
        progress,
        held: VecDeque::new(),
        overlap: Overlap::default(),
        pace: None,
        zero: Duration::ZERO,
        end: Duration::ZERO,
        writer: None,
        segment: None,
        closing: JoinSet::new(),
        draining: BTreeMap::new(),
        unsegmented: Tally::default(),
        total: Tally::default(),
        failures: 0,
        unexplained: None,
    };
    let error = recording.follow(&mut inbox).await.err();
    recording.seal(error).await
}

struct Recording {
    setup: RecordingSetup,
    commands: mpsc::Sender<RoomCommand>,
    progress: watch::Sender<RecordingProgress>,
    cutter: Cutter,
    /// Units until the first segment opens, at most [`MAX_HELD`].
    held: VecDeque<(Kind, AccessUnit)>,
    overlap: Overlap,
    pace: Option<Pace>,
    /// The source's time where the recording starts.
    zero: Duration,
    /// Where the newest unit ends or may end, on the source's time.
    end: Duration,
    writer: Option<(WriterHandle, mpsc::Receiver<WriterEvent>)>,
    segment: Option<SegmentRun>,
    closing: JoinSet<ClosedSegment>,
    /// Until when the graphs of these may hand over, and what was counted at their end.
    draining: BTreeMap<SegmentIndex, (Instant, Tally)>,
    /// Units that came while no segment was open.
    unsegmented: Tally,
    /// Units of all segments that are closed.
    total: Tally,
    failures: u32,
    /// A segment whose bytes were refused; the writer's word on it is on its way.
    unexplained: Option<SegmentIndex>,
}

impl Recording {
    async fn follow(&mut self, inbox: &mut EventReceiver) -> Result<(), RecordingError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                input = inbox.recv() => match input {
                    Some(input) => self.take(input, Instant::now()).await?,
                    None => return Ok(()),
                },
                _ = tick.tick() => self.tick(Instant::now()).await?,
                event = next_event(&mut self.writer) => self.heard(event)?,
                Some(closed) = self.closing.join_next() => match closed {
                    Ok(closed) => self.closed(closed),
                    Err(error) => return Err(RecordingError::Thread(error)),
                },
                ending = next_ending(&mut self.segment) => self.ended(ending)?,
            }
        }
    }

    async fn take(&mut self, event: RoomEvent, now: Instant) -> Result<(), RecordingError> {
        match event {
            RoomEvent::TrackAdded(track) => self.cutter.track_added(track, now),
            RoomEvent::TrackMuted { id, muted } => self.cutter.track_muted(&id, muted),
            RoomEvent::TrackRemoved { id, .. } => self.cutter.track_removed(&id),
            RoomEvent::Media { id, unit } => self.unit(&id, unit, now).await?,
            RoomEvent::UnitsDropped { id, units } => {
                if let Some(kind) = self.cutter.kind_of(&id) {
                    self.tally().refused(kind, DropReason::QueueFull, units);
                }
            }
            RoomEvent::TrackPaused { .. }
            | RoomEvent::Interrupted { .. }
            | RoomEvent::Resumed
            | RoomEvent::Joined { .. } => {}
        }
        Ok(())
    }

    async fn unit(
        &mut self,
        id: &TrackId,
        unit: AccessUnit,
        now: Instant,
    ) -> Result<(), RecordingError> {
        let Some(kind) = self.cutter.kind_of(id) else {
            tracing::debug!(track = id.as_str(), "a unit of a track that has ended");
            return Ok(());
        };
        self.pace
            .get_or_insert_with(|| Pace::new(unit.at, now))
            .unit(unit.at, now);
        self.end = self.end.max(unit.at);
        let decision = self.cutter.unit(id, &unit);
        if decision.ask_keyframe {
            self.ask_keyframe();
        }
        match decision.step {
            Step::Push => self.push(kind, &unit),
            Step::Drop(reason) => self.tally().refused(kind, reason, 1),
            Step::Cut(layout) => {
                self.cut(layout, unit.at).await?;
                self.push(kind, &unit);
            }
            Step::Hold if self.held.len() < MAX_HELD => {
                self.held.push_back((kind, unit));
                self.open_if_due(now).await?;
            }
            Step::Hold => {
                self.unsegmented.refused(kind, DropReason::QueueFull, 1);
                self.cutter.lost(kind, DropReason::QueueFull);
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, unit: &AccessUnit) {
        let Some(segment) = &mut self.segment else {
            return self
                .unsegmented
                .refused(kind, DropReason::AwaitingKeyframe, 1);
        };
        segment.entrance().received(kind);
        if kind == Kind::Audio {
            self.overlap.heard(unit);
        }
        let at = unit.at.saturating_sub(self.zero);
        if segment
            .push(kind, at, unit)
            .is_some_and(media::DropReason::wants_keyframe)
            && kind == Kind::Video
        {
            self.ask_keyframe();
        }
    }

    fn ask_keyframe(&self) {
        if let Some(track) = self.cutter.video_track() {
            // A full queue means that requests are on their way already.
            let _ = self
                .commands
                .try_send(RoomCommand::RequestKeyframe(track.clone()));
        }
    }

    async fn open_if_due(&mut self, now: Instant) -> Result<(), RecordingError> {
        let Some(layout) = self.cutter.due(now) else {
            return Ok(());
        };
        let held = self.held.iter().map(|(kind, unit)| (*kind, unit));
        let Some(start) = start_of(layout, held) else {
            return Ok(());
        };
        let held = std::mem::take(&mut self.held);
        self.cutter.opened(layout, start);
        if self.writer.is_none() {
            self.zero = start;
        }
        self.cut(layout, start).await?;
        for (kind, unit) in held {
            if unit.at >= start {
                self.push(kind, &unit);
            } else {
                self.unsegmented
                    .refused(kind, DropReason::AwaitingKeyframe, 1);
            }
        }
        Ok(())
    }

    /// Closes the open segment and opens the next one at `at`.
    async fn cut(&mut self, layout: Layout, at: Duration) -> Result<(), RecordingError> {
        let before = self.segment.as_ref().map(SegmentRun::layout);
        self.close_segment(at);
        if self.writer.is_none() {
            self.writer = Some(self.make_writer().await?);
        }
        let Some((writer, _)) = &mut self.writer else {
            return Ok(());
        };
        let starts_at = at.saturating_sub(self.zero);
        let discontinuity = before.is_some_and(|before| before != layout) || self.failures > 0;
        let tracks: Vec<Track> = self.cutter.tracks().cloned().collect();
        let mut segment = SegmentRun::start(
            writer,
            layout,
            &tracks,
            starts_at,
            discontinuity,
            &self.setup.graph,
        )
        .await?;
        tracing::info!(
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            segment = %segment.index(),
            video = layout.video.map_or("none", |codec| codec.as_str()),
            audio = layout.audio.map_or("none", |_| "opus"),
            "segment started"
        );
        if layout.audio.is_some() {
            for unit in self.overlap.from(at) {
                segment.push(Kind::Audio, unit.at.saturating_sub(self.zero), unit);
            }
        }
        self.segment = Some(segment);
        Ok(())
    }

    async fn make_writer(
        &mut self,
    ) -> Result<(WriterHandle, mpsc::Receiver<WriterEvent>), RecordingError> {
        // A camera and its microphone are announced in any order; the picture gives the name.
        if let Some(track) = self.cutter.tracks().next() {
            self.setup.source = track.source;
        }
        let identity = RecordingIdentity {
            room: self.setup.room.clone(),
            room_sid: self.setup.room_sid.clone(),
            participant: Arc::clone(&self.setup.participant),
            source: self.setup.source,
            started: OffsetDateTime::now_utc(),
        };
        let (root, settings) = (self.setup.root.clone(), self.setup.writer);
        let made =
            tokio::task::spawn_blocking(move || WriterHandle::create(&root, &identity, settings))
                .await;
        let (writer, events) = made.map_err(RecordingError::Thread)??;
        tracing::info!(
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            folder = %writer.folder().display(),
            "recording started"
        );
        Ok((writer, events))
    }

    fn close_segment(&mut self, end: Duration) {
        if let Some(segment) = self.segment.take() {
            let until = Instant::now() + DRAIN;
            self.draining
                .insert(segment.index(), (until, segment.tally()));
            self.closing
                .spawn(segment.finish(end.saturating_sub(self.zero), DRAIN));
        }
    }

    async fn tick(&mut self, now: Instant) -> Result<(), RecordingError> {
        self.open_if_due(now).await?;
        self.free_blocked(now);
        if let (Some(segment), Some(pace)) = (&mut self.segment, &self.pace) {
            segment.advance(pace.settled(now).saturating_sub(self.zero));
        }
        self.tell_progress();
        Ok(())
    }

    /// A graph that can't hand over in time waits for the disk: refusing its bytes frees it.
    fn free_blocked(&mut self, now: Instant) {
        let Some((writer, _)) = &self.writer else {
            return;
        };
        self.draining.retain(|index, (until, tally)| {
            let blocked = now >= *until;
            if blocked {
                writer.close_segment(*index, tally.segment_counts());
            }
            !blocked
        });
    }

    fn tell_progress(&self) {
        let mut tally = self.total.clone();
        tally.add(&self.unsegmented);
        if let Some(segment) = &self.segment {
            tally.add(&segment.tally());
        }
        let disk = self
            .writer
            .as_ref()
            .map(|(writer, _)| *writer.progress().borrow());
        let length = if self.writer.is_some() {
            self.end.saturating_sub(self.zero)
        } else {
            Duration::ZERO
        };
        self.progress.send_replace(RecordingProgress {
            disk: disk.unwrap_or_default(),
            length,
            tally,
        });
    }

    fn heard(&mut self, event: WriterEvent) -> Result<(), RecordingError> {
        match event {
            WriterEvent::Sealed(index, record) => {
                self.failures = 0;
                tracing::info!(
                    room = self.setup.room.as_str(),
                    participant = self.setup.participant.identity.as_str(),
                    segment = %index,
                    bytes = record.bytes,
                    "segment sealed"
                );
            }
            WriterEvent::Damaged(index, error) => {
                return self.segment_failed(Some(index), error.into());
            }
            WriterEvent::IndexFailed(error) => {
                tracing::warn!(
                    room = self.setup.room.as_str(),
                    "manifest and playlist are out of date: {}",
                    one_line(&error)
                );
            }
            WriterEvent::Opened(_)
            | WriterEvent::FirstBytes(_)
            | WriterEvent::Empty(_)
            | WriterEvent::Finished => {}
        }
        Ok(())
    }

    fn ended(&mut self, ending: Ending) -> Result<(), RecordingError> {
        match ending {
            // The writer refused its bytes: its own event says why, and is what counts.
            Ending::Failed(MediaError::OutputClosed) => {
                self.unexplained = self.segment.as_ref().map(SegmentRun::index);
                self.give_up_segment();
                Ok(())
            }
            Ending::Failed(error) => self.segment_failed(None, error.into()),
            Ending::Running | Ending::Complete => Ok(()),
        }
    }

    /// A segment is over before its time: goes on with a new one, unless that keeps failing.
    fn segment_failed(
        &mut self,
        index: Option<SegmentIndex>,
        error: RecordingError,
    ) -> Result<(), RecordingError> {
        let open = self.segment.as_ref().map(SegmentRun::index);
        let given_up = index.is_some() && index == self.unexplained;
        if !given_up && (open.is_none() || index.is_some_and(|index| Some(index) != open)) {
            tracing::warn!(
                room = self.setup.room.as_str(),
                "a segment was cut short: {}",
                one_line(&error)
            );
            return Ok(());
        }
        self.failures += 1;
        if self.failures >= FAILURES {
            return Err(error);
        }
        tracing::error!(
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            "a segment failed, going on with a new one: {}",
            one_line(&error)
        );
        if given_up {
            self.unexplained = None;
        } else {
            self.give_up_segment();
        }
        Ok(())
    }

    fn give_up_segment(&mut self) {
        self.close_segment(self.end);
        self.cutter.failed(Instant::now());
        self.ask_keyframe();
    }

    fn closed(&mut self, closed: ClosedSegment) {
        if let Some(error) = closed.error {
            tracing::warn!(room = self.setup.room.as_str(), segment = %closed.index, "segment cut short: {}", one_line(&error));
        }
        self.total.add(&closed.tally);
        self.draining.remove(&closed.index);
        if let Some((writer, _)) = &self.writer {
            writer.close_segment(closed.index, closed.tally.segment_counts());
        }
    }

    async fn seal(mut self, error: Option<RecordingError>) -> RecordingSummary {
        // Units of the last moment have a length that only their successors would tell.
        self.close_segment(self.end);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                closed = self.closing.join_next() => match closed {
                    Some(Ok(closed)) => self.closed(closed),
                    Some(Err(error)) => {
                        tracing::error!(room = self.setup.room.as_str(), "a segment's end was lost: {error}");
                    }
                    None => break,
                },
                _ = tick.tick() => self.free_blocked(Instant::now()),
            }
        }
        let mut tally = std::mem::take(&mut self.total);
        tally.add(&self.unsegmented);
        for (kind, _) in self.held.drain(..) {
            tally.refused(kind, DropReason::AwaitingKeyframe, 1);
        }
        let outcome = match self.writer.take() {
            None => None,
            Some((writer, events)) => {
                writer.describe(Description {
                    room_sid: self.setup.room_sid.clone(),
                    participant_name: self.setup.participant.name.clone(),
                    drops: self.unsegmented.drops(),
                });
                Some(finish_writer(writer, events).await)
            }
        };
        RecordingSummary::new(&self.setup, outcome, tally, error)
    }

    fn tally(&mut self) -> &mut Tally {
        match &mut self.segment {
            Some(segment) => segment.entrance(),
            None => &mut self.unsegmented,
        }
    }
}

async fn next_event(
    writer: &mut Option<(WriterHandle, mpsc::Receiver<WriterEvent>)>,
) -> WriterEvent {
    match writer {
        Some((_, events)) => match events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
