//! `reeld run` in real rooms: rooms that come and go, a server that is not there, SIGTERM.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
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

/// What `curl --unix-socket` gets.
fn get(socket: &Path, path: &str) -> String {
    get_from(UnixStream::connect(socket).unwrap(), path)
}

fn get_from(mut stream: impl Read + Write, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// `reeld status`, as people and programs call it.
fn status_is_shown(socket: &Path, config: &Path) {
    let limit = Duration::from_secs(20);
    let status = |option: &str, value: &Path, more: &[&str]| {
        reeld::run(
            reeld::command()
                .args(["status", option])
                .arg(value)
                .args(more),
            limit,
        )
    };
    for (option, value) in [("--socket", socket), ("--config", config)] {
        let shown = status(option, value, &[]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        for line in [
            "away ",
            "lobby ",
            "stage ",
            "lobby          ann              camera ",
        ] {
            let found = shown.stdout.lines().any(|it| it.starts_with(line));
            assert!(found, "{line} in\n{}", shown.stdout);
        }
        assert!(shown.stdout.contains("last error"), "{}", shown.stdout);
        assert!(
            shown.stdout.lines().all(|it| it.len() < 80),
            "{}",
            shown.stdout
        );
    }
    let json = status("--socket", socket, &["--json"]);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(told["recordings"][0]["participant"], "ann");
    let absent = status("--socket", &socket.with_extension("none"), &[]);
    assert_eq!(absent.code, Some(4), "{}", absent.stderr);
    assert!(
        absent.stderr.contains("systemctl status reeld"),
        "{}",
        absent.stderr
    );
}

#[test]
fn the_state_of_all_rooms_is_told_on_a_socket() {
    steady(|| {
        let dir = TempDir::new().unwrap();
        let server = Server::start();
        let (config, output) = configuration(dir.path(), &server);
        let socket = dir.path().join("reeld.sock");
        let mut text = fs::read_to_string(&config).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let told = format!(
            "status.socket = '{}'\nstatus.listen = '{address}'\n",
            socket.display()
        );
        text.insert_str(0, &told);
        fs::write(&config, text).unwrap();
        let mut daemon = Reeld::daemon(&config, &output);
        let mut publisher = Publisher::start(&server, "lobby", "ann", &SMALL);
        daemon.await_writing(1);
        publisher.await_second(4);

        let status: serde_json::Value = serde_json::from_str(&get(&socket, "/status")).unwrap();
        assert_eq!(status["memory"]["level"], "normal", "{status:#}");
        let used = status["memory"]["used_bytes"].as_u64().unwrap();
        assert!((1 << 20..120 << 20).contains(&used), "{used}");
        let recording = &status["recordings"][0];
        assert_eq!(recording["room"], "lobby");
        assert_eq!(recording["participant"], "ann");
        assert!(
            recording["bytes_written"].as_u64().unwrap() > 100_000,
            "{status:#}"
        );
        let unflushed = status["bytes_since_last_flush"].as_u64().unwrap();
        assert!(unflushed <= 4 << 20, "{unflushed}");
        let names: Vec<_> = status["buffers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        for name in [
            "room-events",
            "inbox",
            "video-entrance",
            "sound-entrance",
            "handover",
        ] {
            assert!(names.contains(&name), "{names:?}");
        }
        let metrics = get(&socket, "/metrics");
        for figure in [
            "reeld_frames_dropped_backpressure_total 0\n",
            "reeld_memory_budget_bytes 125829120\n",
            "reeld_level{level=\"normal\"} 1\n",
            "reeld_recordings 1\n",
        ] {
            assert!(metrics.contains(figure), "{figure} in {metrics}");
        }

        assert!(get(&socket, "/healthz").starts_with("healthy"));
        let over_tcp = TcpStream::connect(address).unwrap();
        assert!(get_from(over_tcp, "/metrics").contains("reeld_recordings 1\n"));
        let stand: Vec<_> = ["away", "lobby", "stage"]
            .into_iter()
            .zip(status["rooms"].as_array().unwrap())
            .map(|(room, it)| {
                assert_eq!(it["room"], room, "{status:#}");
                it["state"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(stand, ["unreachable", "recording", "joined"], "{status:#}");
        let error = status["rooms"][0]["last_error"].as_str().unwrap();
        assert!(error.contains("can't reach"), "{error}");
        assert_eq!(status["disk"]["state"], "ready", "{status:#}");
        assert!(
            recording["bits_per_second"].as_u64().unwrap() > 50_000,
            "{status:#}"
        );
        status_is_shown(&socket, &config);

        // Another one does not take the place of the first, and says why.
        let second = Reeld::daemon(&config, &output).finish(Duration::from_mins(1));
        assert_eq!(second.code, Some(3), "{}", second.stderr);
        assert!(
            second.stderr.contains("another reeld answers here"),
            "{}",
            second.stderr
        );
        assert!(socket.exists());

        // Its socket stays behind when it is killed, and is no obstacle.
        drop(daemon);
        assert!(socket.exists());
        let again = Reeld::daemon(&config, &output);
        stage::poll("it answers again", Duration::from_mins(1), || {
            UnixStream::connect(&socket).is_ok().then_some(())
        });
        let outcome = again.terminate();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!socket.exists());
        publisher.stop();
    });
}
