//! What is recorded, and what that may cost.

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::observe::{self, Cost};
use crate::stage::reeld::{self, Recording};
use crate::stage::scene::{ROOM, Scene};
use crate::stage::server::{API_KEY, API_SECRET};

/// Lines of all recordings.
const LINES: u32 = 720;

/// Somebody who publishes 30 busy pictures a second and unbroken sound before the recorder comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// H.264 copied, Opus to AAC.
    H264,
    /// H.264 copied, Opus copied.
    Opus,
    /// VP8 to H.264, Opus to AAC.
    Vp8,
    /// VP8 of 1080 lines to H.264 of 720, Opus to AAC, of a picture in which little moves.
    Scaled,
    /// The same of a busy picture.
    ScaledBusy,
}

/// What a recording may cost at most.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Targets {
    /// CPU time by time, in percent.
    pub core_percent: f64,
    /// In megabytes of 1,000,000 bytes.
    pub peak_rss_mb: f64,
    /// From the start of the process, in milliseconds.
    pub first_byte_ms: f64,
    /// Pictures dropped on an idle machine.
    pub dropped: u64,
}

/// One scene's outcome.
pub struct Measured {
    pub cost: Cost,
    pub recording: Recording,
}

impl Setting {
    pub const ALL: [Self; 5] = [
        Self::H264,
        Self::Opus,
        Self::Vp8,
        Self::Scaled,
        Self::ScaledBusy,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Self::H264 => "H.264 copied, Opus → AAC",
            Self::Opus => "H.264 copied, Opus copied",
            Self::Vp8 => "VP8 → H.264, Opus → AAC",
            Self::Scaled => "VP8 1080p, quiet → H.264 720p, Opus → AAC",
            Self::ScaledBusy => "VP8 1080p, busy → H.264 720p, Opus → AAC",
        }
    }

    pub const fn targets(self) -> Targets {
        let (core_percent, peak_rss_mb) = match self {
            Self::H264 => (4.0, 35.0),
            Self::Opus => (3.0, 35.0),
            Self::Vp8 => (30.0, 60.0),
            Self::Scaled => (30.0, 70.0),
            Self::ScaledBusy => (45.0, 75.0),
        };
        Targets {
            core_percent,
            peak_rss_mb,
            first_byte_ms: 600.0,
            dropped: 0,
        }
    }

    /// Records for `length`, start included.
    ///
    /// # Panics
    /// When the recording is not sound.
    pub fn measure(self, length: Duration) -> Measured {
        let scene = Scene::set();
        let size = format!("{}x{}", self.lines() * 16 / 9, self.lines());
        let bitrate = self.bitrate().to_string();
        let mut options = vec!["--codec", self.codec(), "--no-dtx"];
        options.extend(["--size", &size, "--bitrate", &bitrate]);
        if self != Self::Scaled {
            options.push("--busy");
        }
        let mut publisher = scene.publish("performer", &options);
        // libwebrtc begins low and has found out by then what it may send.
        publisher.await_second(9);
        let mut command = reeld::command();
        command
            .args(["record", "--json", "--room", ROOM])
            .args(["--url", &scene.server.url()])
            .args(["--duration", &format!("{}s", length.as_secs())])
            .arg("--output")
            .arg(scene.output())
            .env("LIVEKIT_API_KEY", API_KEY)
            .env("LIVEKIT_API_SECRET", API_SECRET)
            .env("REELD_AUDIO__CODEC", self.audio());
        // What encodes here is found out at the first start only.
        command.env(
            "XDG_CACHE_HOME",
            concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/cache"),
        );
        if self.lines() != LINES {
            command.env("REELD_VIDEO__MAX_HEIGHT", LINES.to_string());
        }
        let (cost, outcome) = observe::run(&mut command, &scene.output(), length);
        let mut summary = outcome.summary();
        let take = scene.take(&summary, "performer");
        take.assert_streams(&[("audio", self.audio()), ("video", "h264")]);
        take.assert_height(LINES);
        // libwebrtc sends smaller pictures where it lacks time or bandwidth.
        let sent = publisher.stop().layers;
        assert_eq!(sent, [self.lines()], "lines that were sent at the end");
        Measured {
            cost,
            recording: summary.recordings.remove(0),
        }
    }

    const fn codec(self) -> &'static str {
        match self {
            Self::H264 | Self::Opus => "h264",
            Self::Vp8 | Self::Scaled | Self::ScaledBusy => "vp8",
        }
    }

    /// Lines of the picture that is sent.
    const fn lines(self) -> u32 {
        match self {
            Self::H264 | Self::Opus | Self::Vp8 => 720,
            Self::Scaled | Self::ScaledBusy => 1080,
        }
    }

    /// What the publisher may send, in bit/s: what LiveKit's clients allow 1080 lines, and what
    /// 720 of them need.
    const fn bitrate(self) -> u32 {
        match self {
            Self::H264 | Self::Opus | Self::Vp8 | Self::Scaled => 2_000_000,
            // With 2 Mb/s libwebrtc sends 720 lines of it.
            Self::ScaledBusy => 3_000_000,
        }
    }

    const fn audio(self) -> &'static str {
        match self {
            Self::H264 | Self::Vp8 | Self::Scaled | Self::ScaledBusy => "aac",
            Self::Opus => "opus",
        }
    }
}
