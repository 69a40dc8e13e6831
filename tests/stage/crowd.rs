//! Many participants at once: `crowd.py` as a child.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::Process;
use super::room;
use super::scene::ROOM;
use super::server::Server;

/// Two cores bring twenty participants into a room.
const COMING: Duration = Duration::from_mins(2);
/// Each event of one participant wakes all of its process: more of them starve each other.
const IN_ONE_PROCESS: usize = 5;

/// Some who join the room and publish until they are sent away.
pub struct Crowd {
    processes: Vec<Process>,
}

impl Crowd {
    /// Starts `count` participants, named by `name` and a number, and returns when all of them
    /// publish. One in five has a picture.
    pub fn gather(server: &Server, name: &str, count: usize) -> Self {
        let tokens: Vec<String> = (0..count)
            .map(|number| {
                let identity = format!("{name}-{number}");
                room::token(&identity, room::member(ROOM), Duration::from_hours(1))
            })
            .collect();
        let deadline = Instant::now() + COMING;
        let processes = tokens
            .chunks(IN_ONE_PROCESS)
            .map(|tokens| launch(server, tokens, deadline))
            .collect();
        Self { processes }
    }

    /// Sends all of them away, in good order.
    pub fn disperse(mut self) {
        for process in &self.processes {
            process.signal("TERM");
        }
        for process in &mut self.processes {
            let (_, status) = process.wait(Duration::from_mins(1));
            assert!(status.success(), "crowd: {status}: {}", process.stderr());
        }
    }
}

/// Starts a process, and returns when all of its participants publish.
fn launch(server: &Server, tokens: &[String], deadline: Instant) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stage/crowd.py");
    let process = Process::spawn(
        "crowd",
        Command::new(super::tool("venv/bin/python"))
            .arg(script)
            .args(["--url", &server.url()])
            .env("LIVEKIT_TOKENS", tokens.join(" ")),
    );
    let mut published = 0;
    while published < tokens.len() {
        let line = process.line(deadline);
        let line = line.unwrap_or_else(|| panic!("the crowd ended: {}", process.stderr()));
        // libwebrtc prints lines of its own.
        published += usize::from(line == "published");
    }
    process
}
