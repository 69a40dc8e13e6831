//! `reeld run` in real rooms: rooms that come and go, a server that is not there, SIGTERM.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stage::publisher::Publisher;
use stage::reeld::{self, Reeld};
use stage::room;
use stage::server::{API_KEY, API_SECRET, Server};
use stage::steady::steady;
use tempfile::TempDir;

const SMALL: [&str; 2] = ["--size", "640x360"];

fn configuration(dir: &Path, server: &Server) -> (PathBuf, PathBuf) {
    // Nothing listens there: the port was free a moment ago.
    let deserted = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let output = dir.join("recordings");
    let file = dir.join("reeld.toml");
    let text = format!(
        "output = '{}'\n\
         [livekit]\nurl = '{}'\napi_key = '{API_KEY}'\napi_secret = '{API_SECRET}'\n\
         [[room]]\nname = 'lobby'\n\
         [[room]]\nname = 'stage'\nselect = {{ sources = ['microphone'] }}\n\
         [[room]]\nname = 'away'\nurl = 'ws://{deserted}'\n",
        output.display(),
        server.url(),
    );
    fs::write(&file, text).unwrap();
    (file, output)
}

/// The recordings' folders of a room.
fn recordings(output: &Path, room: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(output.join(room))
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

#[test]
fn rooms_come_and_go_and_a_missing_server_disturbs_nobody() {
    steady(|| {
        let dir = TempDir::new().unwrap();
        let server = Server::start();
        let (config, output) = configuration(dir.path(), &server);
        let mut daemon = Reeld::daemon(&config, &output);

        let mut first = Publisher::start(&server, "lobby", "ann", &SMALL);
        let mut voice = Publisher::start(&server, "stage", "bob", &SMALL);
        daemon.await_writing(2);
        first.await_second(2);
        voice.await_second(2);

        // The room is deleted under the recorder: what it has is sealed, and it waits.
        room::delete(&server, "lobby");
        daemon.await_sealed("ann");
        drop(first);

        // The room's next life is another recording.
        let mut again = Publisher::start(&server, "lobby", "ann", &SMALL);
        daemon.await_writing(2);
        again.await_second(2);

        let log = daemon.log();
        assert!(log.contains("away"), "{log}");
        assert!(log.contains("can't reach a LiveKit server"), "{log}");
        assert!(!log.contains(API_SECRET), "the secret is logged");

        let outcome = daemon.terminate();
        outcome.assert_no_panic();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        drop((again, voice));

        assert_eq!(recordings(&output, "lobby").len(), 2);
        let stage = recordings(&output, "stage");
        assert_eq!(stage.len(), 1);
        let name = stage[0].file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with("-bob-microphone"), "{name}");
        for file in reeld::transport_streams(&output) {
            assert!(
                !file.to_string_lossy().ends_with(".recording.ts"),
                "{}",
                file.display()
            );
            stage::scene::verify(&file);
        }
    });
}

#[test]
fn two_daemons_with_the_same_identity_leave_each_other_alone() {
    steady(|| {
        let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let server = Server::start();
        let mut daemons = dirs.each_ref().map(|dir| {
            let (config, output) = configuration(dir.path(), &server);
            Reeld::daemon(&config, &output)
        });
        let mut publisher = Publisher::start(&server, "lobby", "ann", &SMALL);
        for daemon in &mut daemons {
            daemon.await_writing(1);
        }
        publisher.await_second(4);
        for daemon in daemons {
            let log = daemon.log();
            assert!(!log.contains("interrupted"), "{log}");
            let outcome = daemon.terminate();
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            outcome.assert_no_panic();
        }
        for dir in dirs {
            let output = dir.path().join("recordings");
            assert_eq!(recordings(&output, "lobby").len(), 1);
        }
    });
}

/// An encoder's wish for huge pages would cost a box megabytes that nothing uses.
#[test]
fn no_huge_pages_are_held() {
    steady(|| {
        let dir = TempDir::new().unwrap();
        let server = Server::start();
        let (config, output) = configuration(dir.path(), &server);
        let daemon = Reeld::daemon(&config, &output);
        stage::poll("a room is joined", Duration::from_secs(20), || {
            daemon.log().contains(" joined").then_some(())
        });
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        assert!(status.contains("THP_enabled:\t0"), "{status}");
        daemon.terminate();
    });
}
