//! The stall that this program was written for: 1080p30 comes in, and for half a minute nothing
//! goes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::{INBOX, MakeWriter, RecordingSetup, run_on};
use crate::governor::{Door, Orders};
use crate::media::test_card::{CardVideo, TestCard};
use crate::media::{
    AudioOut, Equipment, EquipmentWatch, GraphSettings, InFlight, Saving, VideoMode,
};
use crate::recorder::folder::Place;
use crate::recorder::handle::WriterHandle;
use crate::recorder::manifest::RecordingState;
use crate::recorder::summary::{RecordingProgress, RecordingSummary};
use crate::recorder::test_disk::{Gate, TestDisk};
use crate::recorder::{Manifest, WriterSettings};
use crate::room::{
    AccessUnit, COMMAND_QUEUE, Codec, EventSender, Kind, RoomCommand, RoomEvent, Source, Track,
    TrackId, test_track,
};
use crate::verify;

/// How long nothing goes out.
const BLOCK: Duration = Duration::from_secs(30);

/// How long all goes well before and after.
const CALM: Duration = Duration::from_secs(8);

/// What memory may grow by meanwhile.
const MOST_GROWTH: u64 = 16 << 20;

/// How long after the block's end a picture may take to be recorded.
const RESUMES_WITHIN: Duration = Duration::from_secs(2);

/// The least of a picture: 6 Mb/s. What the encoder makes of the card is padded to it.
const UNIT_BYTES: usize = 25_000;

/// As often as a source asks a publisher for keyframes.
const KEYFRAMES_APART: Duration = Duration::from_millis(500);

/// A publisher that repeats five seconds for ever.
struct Publisher {
    units: Vec<(Kind, AccessUnit)>,
    next: usize,
    /// What is added to the times of this round.
    offset: Duration,
    asked: Option<Duration>,
    sent: [u64; 2],
}

impl Publisher {
    fn new() -> Self {
        let video = CardVideo {
            codec: Codec::H264,
            width: 1920,
            height: 1080,
            fps: 30,
            bitrate: 6_000_000,
            keyframe_interval: Duration::from_secs(2),
        };
        let mut card = TestCard::new(Some(video), true).unwrap();
        let mut units = card.next_units(Duration::from_secs(5)).unwrap();
        for (kind, unit) in &mut units {
            if *kind == Kind::Video && unit.data.len() < UNIT_BYTES {
                // Filler data, which decoders skip (ITU-T H.264, 7.3.2.7).
                let mut padded = [&unit.data[..], &[0, 0, 1, 12]].concat();
                padded.resize(UNIT_BYTES - 1, 0xff);
                padded.push(0x80);
                unit.data = padded.into();
            }
        }
        units.sort_by_key(|(_, unit)| unit.at);
        Self {
            units,
            next: 0,
            offset: Duration::ZERO,
            asked: None,
            sent: [0; 2],
        }
    }

    /// Sends what was captured by `now`, each unit in memory of its own.
    fn send(&mut self, now: Duration, sender: &EventSender) {
        loop {
            let Some((kind, unit)) = self.units.get(self.next) else {
                self.start_over(self.offset + Duration::from_secs(5));
                continue;
            };
            let at = self.offset + unit.at;
            if at > now {
                return;
            }
            let unit = AccessUnit {
                at,
                data: bytes::Bytes::copy_from_slice(&unit.data),
                ..unit.clone()
            };
            self.sent[usize::from(*kind == Kind::Audio)] += 1;
            sender.offer(id(*kind), unit).unwrap();
            self.next += 1;
        }
    }

    /// Starts over with the keyframe that was asked for.
    fn obey(&mut self, now: Duration, commands: &mut mpsc::Receiver<RoomCommand>) {
        while let Ok(RoomCommand::RequestKeyframe(_)) = commands.try_recv() {
            if self
                .asked
                .is_none_or(|asked| now >= asked + KEYFRAMES_APART)
            {
                self.asked = Some(now);
                self.start_over(now);
            }
        }
    }

    fn start_over(&mut self, at: Duration) {
        (self.next, self.offset) = (0, at);
    }
}

fn id(kind: Kind) -> TrackId {
    TrackId::new(if kind == Kind::Video { "V" } else { "A" })
}

fn track(source: Source, codec: Codec) -> Track {
    test_track::track(id(source.kind()).as_str(), source, codec)
}

/// Memory of this process at the moment, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

fn setup(root: &std::path::Path) -> RecordingSetup {
    RecordingSetup {
        mounted: false,
        root: root.to_owned(),
        room: "room".to_owned(),
        room_sid: String::new(),
        participant: track(Source::Camera, Codec::H264).participant,
        source: Source::Camera,
        equipment: EquipmentWatch::known(Equipment::installed(|_| false).unwrap()),
        graph: GraphSettings {
            mode: VideoMode::Auto,
            coders: None,
            max_lines: None,
            in_flight: InFlight::default(),
            saving: Saving::default(),
            video_bitrate: 1_000_000,
            keyframe_interval: Duration::from_secs(2),
            audio: AudioOut::Aac { bitrate: 64_000 },
            keep_damaged: false,
        },
        orders: watch::channel(Orders::default()).1,
        door: Door::open(),
        writer: WriterSettings::default(),
        cut_on_resize: false,
        max_unit_bytes: 4 << 20,
        warn_after: Duration::from_secs(2),
    }
}

/// What was measured.
struct Stalled {
    summary: RecordingSummary,
    sent: [u64; 2],
    before: u64,
    most: u64,
    /// When the block ended, on the recording's time.
    released: Duration,
}

fn stall(root: &std::path::Path) -> Stalled {
    let gate = Gate::default();
    let hanging = gate.clone();
    let make: Arc<MakeWriter> = Arc::new(move |root, identity, settings| {
        let (disk, _) = TestDisk::new(None);
        let disk = disk.with_gate(hanging.clone());
        WriterHandle::start(disk, Place::unclaimed(root.to_owned()), identity, settings)
    });
    let mut publisher = Publisher::new();
    let (sender, inbox) = EventSender::bounded(INBOX);
    let (orders, mut commands) = mpsc::channel(COMMAND_QUEUE);
    let (progress, _) = watch::channel(RecordingProgress::default());
    let setup = setup(root);
    let recorder = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(run_on(make, setup, inbox, orders, progress))
    });
    for (source, codec) in [
        (Source::Camera, Codec::H264),
        (Source::Microphone, Codec::Opus),
    ] {
        let added = RoomEvent::TrackAdded(track(source, codec));
        sender.tell_blocking(added).unwrap();
    }
    let start = Instant::now();
    let (mut before, mut most) = (0, 0);
    while start.elapsed() < CALM + BLOCK + CALM {
        let now = start.elapsed();
        let blocked = (CALM..CALM + BLOCK).contains(&now);
        if !blocked && now < CALM {
            before = resident();
        }
        gate.hang(blocked);
        publisher.obey(now, &mut commands);
        publisher.send(now, &sender);
        most = most.max(resident());
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(sender);
    Stalled {
        summary: recorder.join().unwrap(),
        sent: publisher.sent,
        before,
        most,
        released: CALM + BLOCK,
    }
}

#[test]
#[ignore = "takes a minute, and a process of its own: it measures memory"]
fn a_graph_that_is_blocked_for_half_a_minute_costs_pictures_and_no_memory() {
    let root = tempfile::tempdir().unwrap();
    let stalled = stall(root.path());
    let summary = &stalled.summary;
    assert_eq!(summary.error, None);

    let grown = stalled.most.saturating_sub(stalled.before);
    println!("memory: {} before, {grown} more", stalled.before);
    assert!(grown < MOST_GROWTH, "{grown} bytes more");

    // Each unit is in the file or counted.
    let (video, audio) = (&summary.frames.video, &summary.frames.audio);
    println!("pictures: {video:?}, sound: {audio:?}");
    assert_eq!(video.received, stalled.sent[0]);
    assert_eq!(video.received, video.written + video.dropped.total());
    assert_eq!(audio.received, stalled.sent[1]);
    assert!(
        video.dropped.total() > 200,
        "the queues hold less than that"
    );

    let manifest = Manifest::read(&root.path().join("manifest.json")).unwrap();
    assert_eq!(manifest.state, RecordingState::Sealed);
    let gaps = &manifest.findings.gaps;
    println!("gaps: {gaps:#?}");
    let lost = gaps.iter().find(|gap| gap.kind == Kind::Video).unwrap();
    assert_eq!(lost.cause, "dropped");
    assert_eq!(lost.reason.as_deref(), Some("disk"));
    let resumed = lost.at + lost.duration;
    println!(
        "pictures again at {resumed:?}, let go at {:?}",
        stalled.released
    );
    assert!(resumed <= stalled.released + RESUMES_WITHIN, "{resumed:?}");

    assert_eq!(manifest.segments.len(), 1);
    let file = verify::verify_file(&root.path().join("00000.ts"), false).unwrap();
    assert!(file.sound, "{file:#?}");
}
