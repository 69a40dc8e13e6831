//! A publisher of files: `file_publisher/`, by LiveKit's Go SDK.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::Process;
use super::room;
use super::server::Server;

/// Joining a server on loopback takes well under a second.
const JOIN: Duration = Duration::from_secs(30);

/// Somebody who sends files, each once.
pub struct FilePublisher(Process);

impl FilePublisher {
    /// Joins, and returns when all `files` are published.
    pub fn start(server: &Server, room: &str, identity: &str, files: &[&Path]) -> Self {
        let program = super::tool("bin/file-publisher");
        assert!(
            program.is_file(),
            "no {}: run scripts/test once, it builds it",
            program.display()
        );
        let token = room::token(identity, room::member(room), Duration::from_hours(1));
        let process = Process::spawn(
            &format!("file publisher {identity}"),
            Command::new(program)
                .args(["-url", &server.url()])
                .args(files)
                .env("LIVEKIT_TOKEN", token),
        );
        let deadline = Instant::now() + JOIN;
        loop {
            match process.line(deadline) {
                Some(line) if line == "published" => return Self(process),
                Some(_) => {}
                None => panic!("not published: {}", process.stderr()),
            }
        }
    }

    /// Waits until all is sent and the room is left.
    pub fn finish(mut self, limit: Duration) {
        let (lines, status) = self.0.wait(limit);
        assert!(
            status.success() && lines.iter().any(|line| line == "finished"),
            "ended early ({status}): {}",
            self.0.stderr()
        );
    }
}
