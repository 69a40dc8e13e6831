//! Many participants at once: `crowd.py` as a child.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::Process;
use super::room;
use super::scene::ROOM;
use super::server::Server;

/// Two cores bring twenty participants into a room, out of one process.
const COMING: Duration = Duration::from_secs(30);

/// Some who join the room and publish until they are sent away.
pub struct Crowd {
    process: Process,
}

impl Crowd {
    /// Starts `count` participants, named by `name` and a number, and returns when all of them
    /// publish. One in four has a picture.
    pub fn gather(server: &Server, name: &str, count: usize) -> Self {
        let tokens: Vec<String> = (0..count)
            .map(|number| {
                let identity = format!("{name}-{number}");
                room::token(&identity, room::member(ROOM), Duration::from_hours(1))
            })
            .collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stage/crowd.py");
        let process = Process::spawn(
            "crowd",
            Command::new(super::tool("venv/bin/python"))
                .arg(script)
                .args(["--url", &server.url()])
                .env("LIVEKIT_TOKENS", tokens.join(" ")),
        );
        let deadline = Instant::now() + COMING;
        let mut published = 0;
        while published < count {
            let line = process.line(deadline);
            let line = line.unwrap_or_else(|| panic!("the crowd ended: {}", process.stderr()));
            // libwebrtc prints lines of its own.
            published += usize::from(line == "published");
        }
        Self { process }
    }

    /// Sends all of them away, in good order.
    pub fn disperse(mut self) {
        self.process.signal("TERM");
        let (_, status) = self.process.wait(Duration::from_secs(20));
        assert!(
            status.success(),
            "crowd: {status}: {}",
            self.process.stderr()
        );
    }
}
