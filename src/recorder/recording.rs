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
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

mod coding;
mod endings;
mod intake;
mod permit;
mod progress;
mod thrift;

pub use super::failure::{RecordingError, one_line};
pub use super::input::{INBOX, RecordingSetup};

use self::coding::Coding;
use self::endings::say_sealed;
use self::intake::Incoming;
use self::permit::Permit;
use self::thrift::Thrift;
use super::cut::{Cutter, start_of};
use super::journal::Journal;
use super::overlap::Overlap;
use super::pace::Pace;
use super::sealing::finish_writer;
use super::segment_run::{Begin, ClosedSegment, SegmentRun, next_ending};
use super::summary::{RecordingProgress, RecordingSummary};
use super::tally::Tally;
use super::{
    Description, DropReason, Findings, RecorderError, RecordingIdentity, SegmentIndex, WriterEvent,
    WriterHandle, WriterSettings, is_mounted,
};
use crate::media::Layout;
use crate::room::{EventReceiver, Kind, RoomCommand, Track, TrackId};

/// How often silence is filled in and progress is told.
const TICK: Duration = Duration::from_millis(100);

/// A task that has not run for this long was stopped: its ticks are a tenth of it apart.
const STALL: Duration = Duration::from_secs(1);

/// How long what came meanwhile may take to be worked off, and for how many times as long a stall
/// it may take that much more: a room's backlog comes at twelve times its speed.
const CATCH_UP: Duration = Duration::from_millis(500);
const CATCH_UP_PART: u32 = 10;

/// No buffer on the way holds more than what this is worth.
const LONGEST_CATCH_UP: Duration = Duration::from_millis(2_500);

/// Bytes of units held until the first segment opens, at most.
const MAX_HELD_BYTES: usize = 8 << 20;

/// How long a graph may take to hand over what it holds.
const DRAIN: Duration = Duration::from_secs(2);

/// Records until `inbox` closes, then seals. The room is asked for keyframes over `commands`.
pub async fn run(
    setup: RecordingSetup,
    inbox: EventReceiver,
    commands: mpsc::Sender<RoomCommand>,
    progress: watch::Sender<RecordingProgress>,
) -> RecordingSummary {
    run_on(
        Arc::new(WriterHandle::create),
        setup,
        inbox,
        commands,
        progress,
    )
    .await
}

/// Does what [`run`] does, onto the disk of whoever makes the writer.
async fn run_on(
    make_writer: Arc<MakeWriter>,
    setup: RecordingSetup,
    mut inbox: EventReceiver,
    commands: mpsc::Sender<RoomCommand>,
    progress: watch::Sender<RecordingProgress>,
) -> RecordingSummary {
    let mut recording = Recording {
        cutter: Cutter::new(
            setup.writer.segment_duration,
            setup.graph.keep_damaged,
            setup.graph.mode,
        ),
        coding: Coding::default(),
        journal: Journal::new(&setup.room, &setup.participant.identity, setup.warn_after),
        thrift: Thrift::new(setup.orders.clone()),
        permit: Permit::default(),
        spared_since: None,
        kinds: BTreeMap::new(),
        awake: Instant::now(),
        turns: 0,
        setup,
        commands,
        progress,
        held: VecDeque::new(),
        held_bytes: 0,
        most_held_bytes: 0,
        overlap: Overlap::default(),
        pace: None,
        zero: Duration::ZERO,
        end: Duration::ZERO,
        writer: None,
        make_writer,
        segment: None,
        closing: JoinSet::new(),
        draining: BTreeMap::new(),
        unsegmented: Tally::default(),
        total: Tally::default(),
        breaks: false,
        failures: 0,
        unexplained: None,
    };
    recording.be_thrifty();
    let error = recording.follow(&mut inbox).await.err();
    recording.seal(error).await
}

/// A writer, and what it reports.
type Writing = (WriterHandle, mpsc::Receiver<WriterEvent>);

/// Makes the folder of a recording and starts its writer.
type MakeWriter = dyn Fn(&Path, &RecordingIdentity, WriterSettings) -> Result<Writing, RecorderError>
    + Send
    + Sync;

struct Recording {
    setup: RecordingSetup,
    commands: mpsc::Sender<RoomCommand>,
    progress: watch::Sender<RecordingProgress>,
    cutter: Cutter,
    coding: Coding,
    thrift: Thrift,
    permit: Permit,
    /// Since when a segment holds a picture that it is not to hold.
    spared_since: Option<Instant>,
    journal: Journal,
    /// Every track that was announced and has not ended, also one that another has replaced.
    kinds: BTreeMap<TrackId, Kind>,
    /// When this task last did anything.
    awake: Instant,
    /// How often it has looked around.
    turns: u64,
    /// Units until the first segment opens, at most [`MAX_HELD`].
    held: VecDeque<Incoming>,
    held_bytes: usize,
    most_held_bytes: usize,
    overlap: Overlap,
    pace: Option<Pace>,
    /// The source's time where the recording starts.
    zero: Duration,
    /// Where the newest unit ends or may end, on the source's time.
    end: Duration,
    writer: Option<Writing>,
    make_writer: Arc<MakeWriter>,
    segment: Option<SegmentRun>,
    closing: JoinSet<ClosedSegment>,
    /// Until when the graphs of these may hand over.
    draining: BTreeMap<SegmentIndex, Instant>,
    /// Units that came while no segment was open.
    unsegmented: Tally,
    /// Units of all segments that are closed.
    total: Tally,
    /// The next segment does not continue the one before: its pictures have another size, or come
    /// from another encoder.
    breaks: bool,
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
                grant = self.permit.granted() => self.permitted(grant),
                () = self.thrift.changed() => self.heed_orders(Instant::now()),
                ending = next_ending(&mut self.segment) => self.ended(ending)?,
            }
        }
    }

    /// The source's time; zero before the first unit.
    fn media_time(&self, now: Instant) -> Duration {
        let pace = self.pace.as_ref();
        pace.map_or(Duration::ZERO, |pace| pace.media_time(now))
    }

    /// Takes note that this task runs. Where it did not for a while, units wait to be worked off,
    /// and their places must not be filled with silence meanwhile.
    fn wake(&mut self, now: Instant) {
        let stalled = now.saturating_duration_since(self.awake);
        if stalled >= STALL {
            let (from, to) = (self.media_time(self.awake), self.media_time(now));
            self.journal.gaps.stalled(from, to);
            if let Some(pace) = &mut self.pace {
                let catch_up = (CATCH_UP + stalled / CATCH_UP_PART).min(LONGEST_CATCH_UP);
                pace.wait(self.awake, now + catch_up);
            }
        }
        self.awake = now;
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
        let held = self.held.iter().map(|held| (held.kind, &held.unit));
        let Some(start) = start_of(layout, held) else {
            return Ok(());
        };
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.cutter.opened(layout, start);
        if self.writer.is_none() {
            self.zero = start;
        }
        self.cut(layout, start).await?;
        for incoming in held {
            if incoming.unit.at >= start {
                self.push(&incoming);
            } else {
                self.unsegmented
                    .refused(incoming.kind, DropReason::AwaitingKeyframe, 1);
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
        let starts_at = at.saturating_sub(self.zero);
        let discontinuity = before.is_some_and(|before| before != layout)
            || self.failures > 0
            || std::mem::take(&mut self.breaks);
        let tracks: Vec<Track> = self.cutter.tracks().cloned().collect();
        let begin = Begin {
            starts_at,
            clock_moved: self.journal.clock_moved(),
            discontinuity,
        };
        let Some(mut segment) = self.start_segment(layout, &tracks, begin).await? else {
            return Ok(());
        };
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

    /// Starts a segment, with the next encoder where one does not start.
    async fn start_segment(
        &mut self,
        layout: Layout,
        tracks: &[Track],
        begin: Begin,
    ) -> Result<Option<SegmentRun>, RecordingError> {
        loop {
            let mut graph = self.setup.graph;
            graph.coders = self.coders(layout).await?;
            let Some((writer, _)) = &mut self.writer else {
                return Ok(None);
            };
            match SegmentRun::start(writer, layout, tracks, begin, &graph).await {
                Ok(segment) => {
                    self.note_coders(begin.starts_at, graph.coders);
                    return Ok(Some(segment));
                }
                Err(error) if self.replace(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn make_writer(&mut self) -> Result<Writing, RecordingError> {
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
        self.journal
            .begin(self.zero, Instant::now(), identity.started);
        self.note_level();
        let (root, settings) = (self.setup.root.clone(), self.writer_settings());
        let (create, mounted) = (Arc::clone(&self.make_writer), self.setup.mounted);
        let made = tokio::task::spawn_blocking(move || {
            if mounted && !is_mounted(&root) {
                return Err(RecorderError::Missing { path: root });
            }
            create(&root, &identity, settings)
        });
        let (writer, events) = made.await.map_err(RecordingError::Thread)??;
        tracing::info!(
            message_id = crate::events::RECORDING_BEGUN,
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            folder = %writer.folder().display(),
            "recording started"
        );
        Ok((writer, events))
    }

    fn close_segment(&mut self, end: Duration) {
        if let Some(segment) = self.segment.take() {
            self.draining
                .insert(segment.index(), Instant::now() + DRAIN);
            self.closing
                .spawn(segment.finish(end.saturating_sub(self.zero), DRAIN));
        }
    }

    async fn tick(&mut self, now: Instant) -> Result<(), RecordingError> {
        self.wake(now);
        self.open_if_due(now).await?;
        self.free_blocked(now);
        if let (Some(segment), Some(pace)) = (&mut self.segment, &self.pace) {
            segment.advance(pace.settled(now).saturating_sub(self.zero));
        }
        let media_now = self.media_time(now);
        if self.writer.is_some() {
            self.journal
                .clock(media_now, Instant::now(), OffsetDateTime::now_utc());
        }
        self.journal.tick(media_now);
        self.stay_thrifty(now);
        self.end_spared(now);
        if let Some((writer, _)) = &self.writer
            && let Some(findings) = self.journal.news(now)
        {
            writer.describe(self.description(findings));
        }
        self.tell_progress();
        Ok(())
    }

    fn description(&self, findings: Findings) -> Description {
        Description {
            room_sid: self.setup.room_sid.clone(),
            participant_name: self.setup.participant.name.clone(),
            drops: self.unsegmented.drops(),
            findings,
        }
    }

    /// A graph that can't hand over in time waits for the disk: refusing its bytes frees it.
    fn free_blocked(&mut self, now: Instant) {
        let Some((writer, _)) = &self.writer else {
            return;
        };
        self.draining.retain(|index, until| {
            let blocked = now >= *until;
            if blocked {
                writer.refuse_segment(*index);
            }
            !blocked
        });
    }

    async fn seal(mut self, error: Option<RecordingError>) -> RecordingSummary {
        let end = self.end.max(self.media_time(Instant::now()));
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
        for held in self.held.drain(..) {
            tally.refused(held.kind, DropReason::AwaitingKeyframe, 1);
        }
        let outcome = match self.writer.take() {
            None => None,
            Some((writer, events)) => {
                let nothing = Journal::new("", "", Duration::ZERO);
                let journal = std::mem::replace(&mut self.journal, nothing);
                writer.describe(self.description(journal.finish(end)));
                let hear = |event| {
                    if let WriterEvent::Sealed(index, record) = event {
                        say_sealed(&self.setup, index, record.bytes);
                    }
                };
                Some(finish_writer(writer, events, hear).await)
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

async fn next_event(writer: &mut Option<Writing>) -> WriterEvent {
    match writer {
        Some((_, events)) => match events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod stall_tests;
