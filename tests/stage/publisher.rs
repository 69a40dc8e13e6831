//! The publisher: `publisher.py` as a child, and what it says about itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::analysis;
use super::process::Process;
use super::room;
use super::server::Server;
use super::steady;

/// Joining a server on loopback takes well under a second, importing libwebrtc a few.
const JOIN: Duration = Duration::from_mins(2);

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Published,
    Started {
        wall: f64,
        fps: u32,
    },
    Second {
        second: u32,
        flash_late_ms: Option<f64>,
        beep_late_ms: Option<f64>,
    },
    Encoded {
        frames: u32,
        encoded: u32,
        heights: Vec<u32>,
    },
    Muted,
    Unmuted,
    Switched {
        wall: f64,
    },
    Done {
        frames: u32,
        ran_s: f64,
    },
}

/// What the publisher really did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Unix time in seconds of frame 0 and sample 0.
    pub t0: f64,
    /// Frames a second.
    pub fps: u32,
    /// By second of t0: how late the flash and the beep were handed over, in ms.
    pub late_ms: BTreeMap<u32, (f64, f64)>,
    /// Frames handed over and frames encoded, at two moments far apart.
    encoded: Option<((u32, u32), (u32, u32))>,
    /// The heights of the layers that it encoded lately, the least first.
    pub layers: Vec<u32>,
    /// Frames handed over, when it ended in good order.
    pub frames: Option<u32>,
    /// How long it published, in seconds, when it ended in good order.
    pub ran_s: Option<f64>,
    /// Unix time in seconds at which it had published the picture with another codec.
    pub switched: Option<f64>,
}

impl Report {
    /// Of somebody who sends a file of the test card and nothing else.
    pub fn of_file(fps: u32) -> Self {
        Self {
            fps,
            ..Self::default()
        }
    }

    /// How many frames were due at `wall` (Unix time in seconds).
    pub fn frames_due(&self, wall: f64) -> f64 {
        (wall - self.t0) * f64::from(self.fps)
    }

    /// Of the frames handed over, how many were encoded: 0 to 1. On a busy machine libwebrtc
    /// leaves some out. `None` when it was too short to tell.
    pub fn encoded_ratio(&self) -> Option<f64> {
        let (first, last) = self.encoded?;
        let frames = last.0 - first.0;
        (frames > 0).then(|| f64::from(last.1 - first.1) / f64::from(frames))
    }

    /// By second of t0: how much later than the beep the flash was published, in ms.
    pub fn own_offset_ms(&self) -> BTreeMap<u32, f64> {
        analysis::own_offset_ms(&self.late_ms)
    }

    /// What both did who published one test card, the other one after this one.
    pub fn and_then(mut self, other: Self) -> Self {
        self.late_ms.extend(other.late_ms);
        Self {
            late_ms: self.late_ms,
            ..other
        }
    }
}

/// Somebody who publishes the test card.
pub struct Publisher {
    process: Process,
    report: Report,
    seconds: u32,
}

impl Publisher {
    /// Starts `publisher.py` with `options` and returns when its first frame is due.
    pub fn start(server: &Server, room: &str, identity: &str, options: &[&str]) -> Self {
        let mut publisher = Self::launch(server, room, identity, options);
        publisher.await_event("started", |report, _| report.fps > 0);
        publisher
    }

    /// Starts `publisher.py` without waiting for anything.
    pub fn launch(server: &Server, room: &str, identity: &str, options: &[&str]) -> Self {
        let python = super::tool("venv/bin/python");
        assert!(
            python.is_file(),
            "no {}: run scripts/test once, it fetches the publisher's packages",
            python.display()
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stage/publisher.py");
        let token = room::token(identity, room::member(room), Duration::from_hours(1));
        let process = Process::spawn(
            &format!("publisher {identity}"),
            Command::new(python)
                .arg(script)
                .args(["--url", &server.url()])
                .args(options)
                .env("LIVEKIT_TOKEN", token),
        );
        Self {
            process,
            report: Report::default(),
            seconds: 0,
        }
    }

    /// Returns when that second of the test card has begun.
    pub fn await_second(&mut self, second: u32) {
        self.await_event(&format!("second {second}"), |_, seconds| seconds > second);
    }

    /// Returns when so many more seconds of the test card have begun.
    pub fn await_more(&mut self, seconds: u32) {
        self.report();
        self.await_second(self.seconds + seconds);
    }

    /// Returns when it encodes so many layers: under load libwebrtc begins with fewer.
    pub fn await_layers(&mut self, count: usize) {
        self.await_event(&format!("{count} layers"), |report, _| {
            report.layers.len() >= count
        });
    }

    /// Leaves the room in good order.
    pub fn stop(self) -> Report {
        self.process.signal("TERM");
        self.finish(Duration::from_mins(1))
    }

    /// Ends it as a crash or a power cut would; the Unix time of that.
    pub fn kill(mut self) -> (Report, f64) {
        self.process.signal("KILL");
        let killed = unix_now();
        let (lines, _) = self.process.wait(Duration::from_mins(1));
        self.take_all(&lines);
        (self.report.clone(), killed)
    }

    /// Waits until it has published for `--secs` and left, or was sent out of the room.
    pub fn finish(mut self, limit: Duration) -> Report {
        let (lines, status) = self.process.wait(limit);
        self.take_all(&lines);
        assert!(
            self.report.frames.is_some(),
            "the publisher ended early ({status}): {}",
            self.process.stderr()
        );
        self.report.clone()
    }

    /// What is known by now.
    pub fn report(&mut self) -> &Report {
        let lines = self.process.lines_so_far();
        self.take_all(&lines);
        &self.report
    }

    fn await_event(&mut self, what: &str, seen: impl Fn(&Report, u32) -> bool) {
        let deadline = Instant::now() + JOIN;
        while !seen(&self.report, self.seconds) {
            let line = self.process.line(deadline);
            let line = line.unwrap_or_else(|| {
                panic!(
                    "the publisher ended before {what}: {}",
                    self.process.stderr()
                )
            });
            self.take(&line);
        }
    }

    fn take_all(&mut self, lines: &[String]) {
        for line in lines {
            self.take(line);
        }
    }

    fn take(&mut self, line: &str) {
        // libwebrtc prints lines of its own.
        let Ok(event) = serde_json::from_str(line) else {
            return;
        };
        match event {
            Event::Published | Event::Muted | Event::Unmuted => {}
            Event::Started { wall, fps } => {
                self.report.t0 = wall;
                self.report.fps = fps;
            }
            Event::Second {
                second,
                flash_late_ms,
                beep_late_ms,
            } => {
                self.seconds = second + 1;
                for late in [flash_late_ms, beep_late_ms].into_iter().flatten() {
                    steady::publisher_was_late(late);
                }
                if let (Some(flash), Some(beep)) = (flash_late_ms, beep_late_ms) {
                    self.report.late_ms.insert(second, (flash, beep));
                }
            }
            Event::Encoded {
                frames,
                encoded,
                heights,
            } => {
                self.report.layers = heights;
                let now = (frames, encoded);
                let (first, last) = self.report.encoded.unwrap_or((now, now));
                if encoded < last.1 {
                    // The room is gone, and its streams with it.
                    return;
                }
                self.report.encoded = Some((first, now));
            }
            Event::Switched { wall } => self.report.switched = Some(wall),
            Event::Done { frames, ran_s } => {
                self.report.frames = Some(frames);
                self.report.ran_s = Some(ran_s);
            }
        }
    }
}

/// Unix time in seconds, as the publisher prints it.
pub fn unix_now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs_f64()
}
