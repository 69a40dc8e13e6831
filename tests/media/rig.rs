//! What the tests of the media graph stand on: units made once, outputs that can block, and
//! files read back by ffprobe and ffmpeg.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use reeld::media::encoder::EncoderPath;
use reeld::media::test_card::picture::read_counter;
use reeld::media::test_card::{CardVideo, TestCard};
use reeld::media::{
    Admission, AudioIn, AudioOut, Coders, Counts, Equipment, Finished, Graph, GraphSettings,
    InFlight, Layout, Output, OutputClosed, Saving, VideoMode,
};
use reeld::room::{AccessUnit, Codec, Kind};

pub const WIDTH: u16 = 640;
pub const HEIGHT: u16 = 360;
pub const FPS: u16 = 30;

pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub fn settings() -> GraphSettings {
    GraphSettings {
        mode: VideoMode::Auto,
        coders: None,
        max_lines: None,
        in_flight: InFlight::default(),
        saving: Saving::default(),
        video_bitrate: 1_000_000,
        keyframe_interval: Duration::from_secs(1),
        audio: AudioOut::Aac { bitrate: 64_000 },
        keep_damaged: false,
    }
}

/// What decodes and encodes this without any hardware.
pub fn coders(codec: Codec, encoder: &str) -> Option<Coders> {
    let is_it = |path: EncoderPath| path.factory() == encoder && path.scaler() == "videoscale";
    let equipment = Equipment::installed(is_it).unwrap();
    equipment.coders(codec).ok()
}

pub fn layout(video: Option<Codec>, audio: bool) -> Layout {
    Layout {
        video,
        audio: audio.then_some(AudioIn {
            codec: Codec::Opus,
            stereo: false,
        }),
    }
}

type Cards = HashMap<(Option<Codec>, bool), Units>;
type Units = Arc<Vec<(Kind, AccessUnit)>>;

/// Ten seconds of a card, made once for all tests.
pub fn units(video: Option<Codec>, audio: bool) -> Units {
    static CARDS: OnceLock<Mutex<Cards>> = OnceLock::new();
    let mut cards = CARDS.get_or_init(Mutex::default).lock().unwrap();
    let make = || {
        let video = video.map(|codec| card(codec, WIDTH, HEIGHT));
        let mut card = TestCard::new(video, audio).unwrap();
        Arc::new(card.next_units(secs(10.0)).unwrap())
    };
    Arc::clone(cards.entry((video, audio)).or_insert_with(make))
}

pub fn card(codec: Codec, width: u16, height: u16) -> CardVideo {
    CardVideo {
        codec,
        width,
        height,
        fps: FPS,
        bitrate: 1_000_000,
        keyframe_interval: Duration::from_secs(1),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Open,
    Blocked,
    Closed,
}

/// An output in memory that can be made to block or to close.
#[derive(Clone)]
pub struct Tape(Arc<Reel>);

struct Reel {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    flow: Flow,
    bytes: Vec<u8>,
}

impl Tape {
    pub fn new() -> Self {
        Self(Arc::new(Reel {
            state: Mutex::new(State {
                flow: Flow::Open,
                bytes: Vec::new(),
            }),
            changed: Condvar::new(),
        }))
    }

    pub fn set(&self, flow: Flow) {
        self.0.state.lock().unwrap().flow = flow;
        self.0.changed.notify_all();
    }

    pub fn len(&self) -> usize {
        self.0.state.lock().unwrap().bytes.len()
    }

    /// How many hold on to it, the test included.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Waits until more than `bytes` were written; whether that happened in time.
    pub fn grows_beyond(&self, bytes: usize) -> bool {
        let state = self.0.state.lock().unwrap();
        let waits = |state: &mut State| state.bytes.len() <= bytes;
        let patience = Duration::from_secs(10);
        let waited = self.0.changed.wait_timeout_while(state, patience, waits);
        !waited.unwrap().1.timed_out()
    }

    pub fn save(&self, name: &str) -> File {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = dir.join(format!("{name}.ts"));
        fs::write(&path, &self.0.state.lock().unwrap().bytes).unwrap();
        File(path)
    }
}

impl Output for Tape {
    fn write(&mut self, packets: &[u8]) -> Result<(), OutputClosed> {
        assert_eq!(packets.len() % 188, 0);
        assert!(packets.chunks(188).all(|packet| packet[0] == 0x47));
        let state = self.0.state.lock().unwrap();
        let blocked = |state: &mut State| state.flow == Flow::Blocked;
        let mut state = self.0.changed.wait_while(state, blocked).unwrap();
        if state.flow == Flow::Closed {
            return Err(OutputClosed);
        }
        state.bytes.extend_from_slice(packets);
        self.0.changed.notify_all();
        Ok(())
    }
}

/// A graph that is fed as fast as it takes.
pub struct Rig {
    pub graph: Graph,
    pub tape: Tape,
    pub base: Duration,
    /// What became of each unit that was pushed.
    pub admissions: Vec<(Kind, Duration, Admission)>,
    advanced: Duration,
}

impl Rig {
    pub fn start(layout: Layout, settings: &GraphSettings) -> Self {
        Self::start_at(layout, settings, Duration::ZERO)
    }

    pub fn start_at(layout: Layout, settings: &GraphSettings, base: Duration) -> Self {
        let tape = Tape::new();
        let settings = GraphSettings {
            coders: settings.coders.or_else(|| coders(layout.video?, "x264enc")),
            ..*settings
        };
        let graph = Graph::start(layout, &settings, base, Box::new(tape.clone())).unwrap();
        Self {
            graph,
            tape,
            base,
            admissions: Vec::new(),
            advanced: base,
        }
    }

    /// Pushes the units of `from..to` in steps of 100 ms and waits after each until the graph
    /// has caught up.
    pub fn play(&mut self, units: &[(Kind, AccessUnit)], from: f64, to: f64) {
        self.push(units, from, to, true);
    }

    /// The same without waiting: for outputs that block.
    pub fn flood(&mut self, units: &[(Kind, AccessUnit)], from: f64, to: f64) {
        self.push(units, from, to, false);
    }

    fn push(&mut self, units: &[(Kind, AccessUnit)], from: f64, to: f64, wait: bool) {
        let (mut at, to) = (secs(from), secs(to));
        while at < to {
            let next = (at + secs(0.1)).min(to);
            let due = |unit: &AccessUnit| unit.at >= at && unit.at < next;
            for (kind, unit) in units.iter().filter(|(_, unit)| due(unit)) {
                let admission = self.graph.push(*kind, self.base + unit.at, unit);
                self.admissions.push((*kind, unit.at, admission));
            }
            at = next;
            self.advanced = self.base + at;
            self.graph.advance(self.advanced);
            if wait {
                self.settle();
            }
        }
    }

    /// Waits until what was accepted has passed, but for what an element may hold back.
    pub fn settle(&mut self) {
        let started = Instant::now();
        loop {
            let Counts { video, audio, .. } = self.graph.counts();
            // Slewed sound is up to 5 % shorter than its packets.
            let sound = (audio.accepted + audio.silence) * 960 * 19 / 20;
            if video.missing() <= 4 && audio.written * 1024 + 20_000 >= sound {
                return;
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "stuck: {video:?} {audio:?} {:?}",
                *self.graph.ending().borrow()
            );
            std::thread::sleep(Duration::from_millis(1));
            self.graph.advance(self.advanced);
        }
    }

    /// Waits until everything that was accepted has passed: at few pictures a second each is
    /// late by much when the next ones come at once.
    pub fn settle_all(&mut self) {
        let started = Instant::now();
        while self.graph.counts().video.missing() > 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "stuck");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn finish(self, end: f64) -> (Finished, Tape) {
        let end = self.base + secs(end);
        let finished = block_on(self.graph.finish(end, Duration::from_secs(10)));
        (finished, self.tape)
    }

    /// Finishes a graph that must have gone well, and saves what it made.
    pub fn complete(self, end: f64, name: &str) -> (Counts, File) {
        let (finished, tape) = self.finish(end);
        finished.result.unwrap();
        assert_eq!(tape.holders(), 1, "the graph let go of its output");
        let counts = finished.counts;
        assert_eq!(counts.output_bytes, tape.len() as u64);
        let Counts { video, audio, .. } = counts;
        assert_eq!(video.received, video.accepted + video.dropped.total());
        assert_eq!(
            audio.received,
            audio.accepted + audio.dtx + audio.dropped.total()
        );
        (counts, tape.save(name))
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// A stream as ffprobe sees it; times in seconds since the graph's time zero.
#[derive(Debug)]
pub struct Stream {
    pub codec: String,
    pub start: f64,
    pub end: f64,
    pub frames: u64,
}

/// What the mux adds to all times (`TS_MUX_CLOCK_BASE`), and the graph's lead.
pub const ORIGIN: f64 = 3600.1;

/// A picture as ffprobe sees it.
#[derive(Debug, serde::Deserialize)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    #[serde(rename = "key_frame", deserialize_with = "is_one")]
    pub key: bool,
}

fn is_one<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    <u8 as serde::Deserialize>::deserialize(from).map(|number| number == 1)
}

/// A recorded file.
pub struct File(pub PathBuf);

impl File {
    /// Decodes everything: no error may be found.
    pub fn streams(&self) -> Vec<Stream> {
        let fields = "stream=codec_name,start_time,duration,nb_read_frames";
        let said = tool(
            "ffprobe",
            &["-count_frames", "-show_entries", fields, "-of", "json"],
            &self.0,
        );
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
        let read = |stream: &serde_json::Value| {
            let start = number(&stream["start_time"]) - ORIGIN;
            Stream {
                codec: stream["codec_name"].as_str().unwrap().to_owned(),
                start,
                end: start + number(&stream["duration"]),
                frames: stream["nb_read_frames"].as_str().unwrap().parse().unwrap(),
            }
        };
        said["streams"]
            .as_array()
            .unwrap()
            .iter()
            .map(read)
            .collect()
    }

    /// The pictures, in order.
    pub fn pictures(&self) -> Vec<Picture> {
        let fields = "frame=key_frame,width,height";
        let options = [
            "-select_streams",
            "v",
            "-show_frames",
            "-show_entries",
            fields,
        ];
        let said = tool(
            "ffprobe",
            &[&options[..], &["-of", "json"]].concat(),
            &self.0,
        );
        let mut said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        serde_json::from_value(said["frames"].take()).unwrap()
    }

    /// The frame counters of the pictures, in order.
    pub fn counters(&self) -> Vec<u32> {
        let size = format!("scale={WIDTH}:{HEIGHT},format=gray");
        let luma = decode(&self.0, &["-map", "0:v", "-vf", &size, "-f", "rawvideo"]);
        let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
        luma.chunks_exact(width * height)
            .map(|picture| read_counter(picture, width, height))
            .collect()
    }

    /// The samples of the sound, and when the first was taken.
    pub fn sound(&self) -> Vec<i16> {
        decode(
            &self.0,
            &["-map", "0:a", "-f", "s16le", "-ar", "48000", "-ac", "1"],
        )
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
    }

    /// When each beep is heard, in seconds since the graph's time zero.
    pub fn beeps(&self) -> Vec<f64> {
        let sound = self.sound();
        let start = self
            .streams()
            .iter()
            .find(|stream| stream.codec != "h264")
            .unwrap()
            .start;
        let mut beeps: Vec<f64> = Vec::new();
        for (at, _) in sound.iter().enumerate().filter(|(_, s)| s.abs() > 3_000) {
            let at = start + at as f64 / 48_000.0;
            if beeps.last().is_none_or(|last| at > last + 0.5) {
                beeps.push(at);
            }
        }
        beeps
    }

    /// The NAL unit types of each access unit of the video (PID 256).
    pub fn nal_types(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(&self.0).unwrap();
        let mut units: Vec<Vec<u8>> = Vec::new();
        for packet in bytes.chunks_exact(188) {
            let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
            if pid != 256 || packet[3] & 0x10 == 0 {
                continue;
            }
            let mut at = 4;
            if packet[3] & 0x20 != 0 {
                at += 1 + usize::from(packet[4]);
            }
            if packet[1] & 0x40 != 0 {
                units.push(Vec::new());
                at += 9 + usize::from(packet[at + 8]);
            }
            units.last_mut().unwrap().extend_from_slice(&packet[at..]);
        }
        let types = |unit: &Vec<u8>| {
            unit.windows(4)
                .filter(|bytes| bytes[..3] == [0, 0, 1])
                .map(|bytes| bytes[3] & 31)
                .collect()
        };
        units.iter().map(types).collect()
    }
}

fn decode(path: &Path, options: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command
        .args(options)
        .args(["-fps_mode", "passthrough", "-"]);
    run(command)
}

fn tool(name: &str, options: &[&str], path: &Path) -> Vec<u8> {
    let mut command = Command::new(name);
    command.args(["-v", "error"]).args(options).arg(path);
    run(command)
}

fn run(mut command: Command) -> Vec<u8> {
    let output = command
        .output()
        .expect("ffmpeg is needed: apt-get install ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{command:?}: {complaints}"
    );
    output.stdout
}
