//! A room whose events a test writes down: who publishes what, and when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reeld::daemon::room;
use reeld::daemon::settings::{RoomProgress, RoomSettings};
use reeld::media::test_card::{CardVideo, TestCard};
use reeld::recorder::summary::RecordingSummary;
use reeld::room::{
    AccessUnit, COMMAND_QUEUE, Codec, EventSender, Interruption, Participant, RoomCommand,
    RoomEvent, Sending, Source, Track, TrackEnd, TrackId,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::steady::publisher_was_late;

#[path = "settings.rs"]
mod settings;
pub use settings::settings;

/// How often the script looks at the clock: what a unit is late by at most, on an idle machine.
const STEP: Duration = Duration::from_millis(10);

/// Reaching it is a failure.
pub const LONG: Duration = Duration::from_secs(30);

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn card(codec: Codec) -> CardVideo {
    CardVideo {
        // What is no video codec stays the recorder's problem.
        codec: Some(codec)
            .filter(|it| *it != Codec::Opus)
            .unwrap_or(Codec::H264),
        width: 320,
        height: 180,
        bitrate: 300_000,
        keyframe_interval: ms(1_000),
        ..CardVideo::default()
    }
}

pub fn participant(identity: &str) -> Arc<Participant> {
    Arc::new(Participant {
        sid: format!("PA_{identity}"),
        identity: identity.to_owned(),
        name: format!("{identity} by name"),
    })
}

/// A track that is published, and what its publisher does with it.
struct Feed {
    track: Track,
    card: TestCard,
    /// The room's time at the card's zero.
    zero: Duration,
    /// How much later than captured its units arrive.
    delay: Duration,
    /// Since when nothing is sent.
    muted_at: Option<Duration>,
    /// Sends the packets of Opus that say "nothing is sent", as libwebrtc does: each 400 ms.
    dtx: bool,
    /// Units that are lost on the way; the one behind them says so.
    losing: u32,
    interrupted: bool,
    waiting: Vec<AccessUnit>,
    sent: u64,
}

/// A room that is recorded while the test's thread plays in it, at the pace of the clock.
pub struct Room {
    events: Option<EventSender>,
    commands: mpsc::Receiver<RoomCommand>,
    pub stop: CancellationToken,
    finished: std_mpsc::Receiver<RecordingSummary>,
    recorder: JoinHandle<()>,
    start: Instant,
    now: Duration,
    feeds: BTreeMap<TrackId, Feed>,
    /// Units of tracks that are gone.
    sent_before: BTreeMap<TrackId, u64>,
    asked: BTreeMap<TrackId, u32>,
    /// What was asked to be sent, each time.
    pub sending: Vec<Sending>,
    worst_lag: Duration,
}

/// What is left when the room is over.
pub struct Played {
    pub summaries: Vec<RecordingSummary>,
    pub sent: BTreeMap<TrackId, u64>,
    /// Keyframes that the recorder asked for.
    pub asked: BTreeMap<TrackId, u32>,
    /// From the end of the script until everything was sealed.
    pub sealing: Duration,
    /// How far the script itself was behind the clock: from half a second on, the recorder
    /// takes it for silence.
    pub worst_lag: Duration,
}

impl Room {
    /// Starts to record a room in which nobody is yet.
    pub fn open(settings: RoomSettings) -> Self {
        Self::open_telling(settings, |_| {})
    }

    /// The same, with somebody who is told first when a recording is over.
    pub fn open_telling(
        settings: RoomSettings,
        mut note: impl FnMut(&RecordingSummary) + Send + 'static,
    ) -> Self {
        // The first encoders of a process load plug-ins, which is not the script's time.
        drop(TestCard::new(Some(CardVideo::default()), true).unwrap());
        let (events, receiver) = EventSender::channel();
        let (orders, commands) = mpsc::channel(COMMAND_QUEUE);
        let (tell, finished) = std_mpsc::sync_channel(1_000);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let recorder = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_time().build().unwrap();
            let (progress, _) = watch::channel(RoomProgress::default());
            runtime.block_on(room::follow(
                settings,
                receiver,
                orders,
                stopped,
                progress,
                |summary| {
                    note(&summary);
                    tell.send(summary).unwrap();
                },
            ));
        });
        let mut room = Self {
            events: Some(events),
            commands,
            stop,
            finished,
            recorder,
            start: Instant::now(),
            now: Duration::ZERO,
            feeds: BTreeMap::new(),
            sent_before: BTreeMap::new(),
            asked: BTreeMap::new(),
            sending: Vec::new(),
            worst_lag: Duration::ZERO,
        };
        room.tell(RoomEvent::Joined {
            room_sid: "RM_1".to_owned(),
            server: "a script".to_owned(),
        });
        room
    }

    /// The same, with ann's camera "V" and microphone "A" on.
    pub fn open_with_ann(settings: RoomSettings) -> Self {
        let ann = participant("ann");
        let mut room = Self::open(settings);
        room.camera(&ann, "V");
        room.microphone(&ann, "A");
        room
    }

    pub fn publish(&mut self, who: &Arc<Participant>, source: Source, id: &str, codec: Codec) {
        let sound = codec == Codec::Opus && source.kind() == reeld::room::Kind::Audio;
        let video = card(codec);
        let track = Track {
            id: TrackId::new(id),
            participant: Arc::clone(who),
            source,
            codec,
            stereo: false,
            muted: false,
        };
        let card = TestCard::new((!sound).then_some(video), sound).unwrap();
        self.tell(RoomEvent::TrackAdded(track.clone()));
        self.feeds.insert(
            track.id.clone(),
            Feed {
                track,
                card,
                zero: self.now,
                delay: Duration::ZERO,
                muted_at: None,
                dtx: false,
                losing: 0,
                interrupted: false,
                waiting: Vec::new(),
                sent: 0,
            },
        );
    }

    pub fn camera(&mut self, who: &Arc<Participant>, id: &str) {
        self.publish(who, Source::Camera, id, Codec::H264);
    }

    pub fn microphone(&mut self, who: &Arc<Participant>, id: &str) {
        self.publish(who, Source::Microphone, id, Codec::Opus);
    }

    pub fn unpublish(&mut self, id: &str) {
        self.end(&TrackId::new(id), TrackEnd::Unpublished);
    }

    pub fn leave(&mut self, who: &Participant) {
        let tracks = self.feeds.values().map(|feed| &feed.track);
        let theirs: Vec<_> = tracks
            .filter(|track| track.participant.sid == who.sid)
            .map(|track| track.id.clone())
            .collect();
        for id in theirs {
            self.end(&id, TrackEnd::ParticipantLeft);
        }
    }

    fn end(&mut self, id: &TrackId, end: TrackEnd) {
        let feed = self.feeds.remove(id).unwrap();
        self.sent_before.insert(id.clone(), feed.sent);
        self.tell(RoomEvent::TrackRemoved {
            id: id.clone(),
            end,
        });
    }

    pub fn mute(&mut self, id: &str, muted: bool) {
        let now = self.now;
        let feed = self.feed(id);
        match (muted, feed.muted_at.take()) {
            (true, _) => feed.muted_at = Some(now),
            // Its encoder has stood still meanwhile.
            (false, Some(since)) => feed.zero += now.saturating_sub(since),
            (false, None) => {}
        }
        self.tell(RoomEvent::TrackMuted {
            id: TrackId::new(id),
            muted,
        });
    }

    /// From now on the microphone sends only what keeps a quiet line alive.
    pub fn fall_silent(&mut self, id: &str) {
        self.feed(id).dtx = true;
    }

    /// The track's next units are lost on the way.
    pub fn lose(&mut self, id: &str, units: u32) {
        self.feed(id).losing = units;
    }

    /// The connection breaks: nothing arrives any more.
    pub fn interrupt(&mut self, cause: Interruption) {
        for feed in self.feeds.values_mut() {
            feed.losing = u32::MAX;
        }
        self.tell(RoomEvent::Interrupted { cause });
    }

    /// The connection is mended.
    pub fn resume(&mut self) {
        for feed in self.feeds.values_mut() {
            feed.losing = 0;
        }
        self.tell(RoomEvent::Resumed);
    }

    /// The server holds a track back, or goes on with it.
    pub fn pause(&mut self, id: &str, paused: bool) {
        self.feed(id).losing = if paused { u32::MAX } else { 0 };
        self.tell(RoomEvent::TrackPaused {
            id: TrackId::new(id),
            paused,
        });
    }

    /// The camera's picture gets another size, from its next unit on.
    pub fn resize(&mut self, id: &str, width: u16, height: u16) {
        let now = self.now;
        let feed = self.feed(id);
        let video = CardVideo {
            width,
            height,
            ..card(feed.track.codec)
        };
        feed.card = TestCard::new(Some(video), false).unwrap();
        feed.zero = now;
    }

    /// The track's units arrive this much later than they were captured.
    pub fn delay(&mut self, id: &str, delay: Duration) {
        self.feed(id).delay = delay;
    }

    pub fn asked(&self, id: &str) -> u32 {
        self.asked.get(&TrackId::new(id)).copied().unwrap_or(0)
    }

    /// Lets the room go on for this long, or until nobody records it any more.
    pub fn play(&mut self, length: Duration) {
        let until = self.now + length;
        while self.now < until && self.events.is_some() {
            self.now = (self.now + STEP).min(until);
            let early = self.now.checked_sub(self.start.elapsed());
            std::thread::sleep(early.unwrap_or_default());
            self.worst_lag = self
                .worst_lag
                .max(self.start.elapsed().saturating_sub(self.now));
            self.obey();
            self.send();
        }
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            let id = match command {
                RoomCommand::RequestKeyframe(id) => id,
                RoomCommand::Send(sending) => {
                    self.sending.push(sending);
                    continue;
                }
                RoomCommand::Leave => continue,
            };
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.card.request_keyframe();
            }
            *self.asked.entry(id).or_default() += 1;
        }
    }

    fn send(&mut self) {
        let mut units: Vec<_> = Vec::new();
        for (id, feed) in &mut self.feeds {
            units.extend(feed.next(self.now).into_iter().map(|unit| (id, unit)));
        }
        units.sort_by_key(|(_, unit)| unit.at);
        for (id, unit) in units {
            let Some(events) = &self.events else { return };
            if events.offer(id.clone(), unit).is_err() {
                self.events = None;
            }
        }
    }

    fn tell(&mut self, event: RoomEvent) {
        if let Some(events) = &self.events
            && events.tell_blocking(event).is_err()
        {
            self.events = None;
        }
    }

    fn feed(&mut self, id: &str) -> &mut Feed {
        self.feeds.get_mut(&TrackId::new(id)).unwrap()
    }

    /// Units of a track that is published.
    pub fn sent(&self, id: &str) -> u64 {
        self.feeds[&TrackId::new(id)].sent
    }

    /// Waits until a recording is over while the others go on.
    pub fn play_until_finished(&mut self) -> RecordingSummary {
        let deadline = Instant::now() + LONG;
        loop {
            self.play(ms(50));
            if let Ok(summary) = self.finished.try_recv() {
                return summary;
            }
            assert!(Instant::now() < deadline, "no recording ends");
        }
    }

    /// What a source of the test's own tells its events with.
    pub fn events(&self) -> EventSender {
        self.events.clone().unwrap()
    }

    /// Whether the room is still recorded.
    pub const fn is_recorded(&self) -> bool {
        self.events.is_some()
    }

    /// The source ends, as it does when the connection breaks.
    pub fn close(mut self) -> Played {
        self.events = None;
        self.wait()
    }

    /// The recorder is told to stop.
    pub fn stop(self) -> Played {
        self.stop.cancel();
        self.wait()
    }

    fn wait(mut self) -> Played {
        publisher_was_late(self.worst_lag.as_secs_f64() * 1_000.0);
        let began = Instant::now();
        self.recorder.join().unwrap();
        let mut sent = self.sent_before;
        for (id, feed) in self.feeds {
            *sent.entry(id).or_default() += feed.sent;
        }
        let sealing = began.elapsed();
        while let Ok(command) = self.commands.try_recv() {
            if let RoomCommand::RequestKeyframe(id) = command {
                *self.asked.entry(id).or_default() += 1;
            }
        }
        Played {
            summaries: self.finished.try_iter().collect(),
            sent,
            asked: self.asked,
            sealing,
            worst_lag: self.worst_lag,
        }
    }
}

impl Feed {
    /// The units that arrive by `now`.
    fn next(&mut self, now: Duration) -> Vec<AccessUnit> {
        let captured = self.muted_at.unwrap_or(now).saturating_sub(self.zero);
        for (_, mut unit) in self.card.next_units(captured).unwrap() {
            unit.at += self.zero;
            let index = unit.at.as_millis() / 20;
            if self.losing > 0 {
                self.losing -= 1;
                self.interrupted = true;
            } else if self.dtx {
                if index.is_multiple_of(20) {
                    unit.data = unit.data.iter().take(1).copied().collect();
                    self.waiting.push(unit);
                }
            } else {
                unit.contiguous = !std::mem::take(&mut self.interrupted);
                self.waiting.push(unit);
            }
        }
        let arrived = self
            .waiting
            .iter()
            .take_while(|unit| unit.at + self.delay < now)
            .count();
        self.sent += arrived as u64;
        self.waiting.drain(..arrived).collect()
    }
}

impl Played {
    /// The only recording's summary.
    pub fn only(&self) -> &RecordingSummary {
        assert_eq!(self.summaries.len(), 1, "{:#?}", self.summaries);
        &self.summaries[0]
    }

    /// The folder of `participant`'s recording that `source` gives its name.
    pub fn folder(&self, participant: &str, source: Source) -> PathBuf {
        let found: Vec<_> = self
            .summaries
            .iter()
            .filter(|summary| summary.participant == participant && summary.source == source)
            .collect();
        assert_eq!(found.len(), 1, "{participant}, {source}: {found:#?}");
        found[0].dir.clone().unwrap()
    }

    pub fn sent(&self, id: &str) -> u64 {
        self.sent[&TrackId::new(id)]
    }

    pub fn asked(&self, id: &str) -> u32 {
        self.asked.get(&TrackId::new(id)).copied().unwrap_or(0)
    }
}
