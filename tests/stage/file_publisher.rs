//! A publisher of files: `file_publisher/`, by LiveKit's Go SDK.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::Process;
use super::room;
use super::server::Server;

/// Joining a server on loopback takes well under a second.
const JOIN: Duration = Duration::from_mins(2);

/// Somebody who sends files.
pub struct FilePublisher(Process);

impl FilePublisher {
    /// Joins, and returns when all `files` are published.
    pub fn start(server: &Server, room: &str, identity: &str, files: &[&Path]) -> Self {
        let token = token(identity, room);
        Self::launch(server, identity, &[], &token, files)
    }

    /// Joins each of the rooms as each of the identities, and sends the files there, pictures of
    /// H.264 and H.265 again and again.
    pub fn loop_everywhere(
        server: &Server,
        rooms: &[String],
        identities: &[&str],
        files: &[&Path],
    ) -> Self {
        let tokens = rooms.iter().flat_map(|room| {
            let of_room = |identity: &&str| token(identity, room);
            identities.iter().map(of_room)
        });
        let tokens = tokens.collect::<Vec<_>>().join(" ");
        Self::launch(server, &identities.join(", "), &["-loop"], &tokens, files)
    }

    fn launch(
        server: &Server,
        name: &str,
        options: &[&str],
        tokens: &str,
        files: &[&Path],
    ) -> Self {
        let program = super::tool("bin/file-publisher");
        assert!(
            program.is_file(),
            "no {}: run scripts/test once, it builds it",
            program.display()
        );
        let process = Process::spawn(
            &format!("file publisher {name}"),
            Command::new(program)
                .args(["-url", &server.url()])
                .args(options)
                .args(files)
                .env("LIVEKIT_TOKEN", tokens),
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

fn token(identity: &str, room: &str) -> String {
    room::token(identity, room::member(room), Duration::from_hours(1))
}
