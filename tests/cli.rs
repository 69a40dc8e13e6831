//! What `reeld` says to bad input: one line that names the thing, an exit code that a script
//! can tell apart, no panic, and no file that looks finished.
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

use livekit_token::VideoGrants;
use stage::publisher::Publisher;
use stage::reeld::{self, Outcome, Reeld};
use stage::room;
use stage::server::{API_KEY, API_SECRET, Server};
use tempfile::TempDir;

const ROOM: &str = "hall";
/// The exit codes that `reeld --help` documents.
const USAGE: i32 = 2;
const CONFIGURATION: i32 = 3;
const UNREACHABLE: i32 = 4;
const REFUSED: i32 = 5;
const STORAGE: i32 = 6;
/// A wrong address or token is known at once; a busy test machine gets room.
const PATIENCE: Duration = Duration::from_secs(30);
/// A line that a person reads.
const LINE: usize = 500;

/// For `ROOM`, made with the stage's key and secret, valid until November 2023: the library
/// makes none that has expired.
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
     eyJleHAiOjE3MDAwMDAwMDAsImlzcyI6InN0YWdlIiwibmJmIjoxNjk5OTkwMDAwLCJzdWIiOiJyZWVs\
     ZCIsInZpZGVvIjp7InJvb20iOiJoYWxsIiwicm9vbUpvaW4iOnRydWV9fQ\
     .pysvQ4aSPjmvlT8rSw8wyySwzhR1VUUjzUKdf9MbK2g";

/// How the recorder proves who it is.
enum Credentials {
    Key(&'static str, &'static str),
    Token(String),
}

/// `reeld record` with one thing wrong.
struct Attempt {
    url: String,
    room: String,
    credentials: Credentials,
    dir: TempDir,
    output: PathBuf,
}

impl Attempt {
    fn new(url: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let output = dir.path().join("recordings");
        Self {
            url: url.to_owned(),
            room: ROOM.to_owned(),
            credentials: Credentials::Key(API_KEY, API_SECRET),
            dir,
            output,
        }
    }

    fn with_token(url: &str, token: String) -> Self {
        Self {
            credentials: Credentials::Token(token),
            ..Self::new(url)
        }
    }

    fn run(&self) -> Outcome {
        let mut command = reeld::command();
        command
            .args(["record", "--url", &self.url, "--room", &self.room])
            .args(["--duration", "5s", "--output"])
            .arg(&self.output);
        match &self.credentials {
            Credentials::Key(key, secret) => {
                command.env("LIVEKIT_API_KEY", key);
                command.env("LIVEKIT_API_SECRET", secret);
            }
            Credentials::Token(token) => {
                command.env("LIVEKIT_TOKEN", token);
            }
        }
        reeld::run(&mut command, PATIENCE)
    }

    /// Fails with `code`, and the last line on stderr names `thing`.
    fn assert_fails(&self, code: i32, thing: &str) {
        let outcome = self.run();
        assert_refused(&outcome, code, thing);
        assert_eq!(
            reeld::transport_streams(self.dir.path()),
            Vec::<PathBuf>::new()
        );
        if let Credentials::Key(_, secret) = self.credentials {
            assert!(!outcome.stderr.contains(secret), "the secret is printed");
        }
    }
}

fn assert_refused(outcome: &Outcome, code: i32, thing: &str) {
    outcome.assert_no_panic();
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    let line = outcome.stderr.trim_end().lines().last().unwrap_or_default();
    assert!(
        line.contains(thing),
        "`{thing}` is not named by the last line: {}",
        outcome.stderr
    );
    assert!(line.len() < LINE, "{} characters: {line}", line.len());
}

/// An address where nothing listens: its port was free a moment ago.
fn deserted() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn nobody_at_the_url() {
    let address = deserted();
    Attempt::new(&format!("ws://{address}")).assert_fails(UNREACHABLE, &address);
}

#[test]
fn something_that_is_no_livekit_server() {
    // Accepts by the kernel's backlog and is closed with the listener at the test's end.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let closer = std::thread::spawn(move || {
        // Two, for a client that asks again for the reason.
        for stream in listener.incoming().take(2) {
            drop(stream);
        }
    });
    Attempt::new(&format!("ws://{address}")).assert_fails(UNREACHABLE, &address.to_string());
    // Whoever still waits for a second connection is let go.
    drop(std::net::TcpStream::connect(address));
    closer.join().unwrap();
}

#[test]
fn tls_asked_of_a_plain_port() {
    let server = Server::start();
    let address = server.address().to_string();
    Attempt::new(&format!("wss://{address}")).assert_fails(UNREACHABLE, &address);
}

#[test]
fn a_url_of_another_scheme() {
    let outcome = Attempt::new("ftp://127.0.0.1/").run();
    outcome.assert_no_panic();
    assert!(
        matches!(outcome.code, Some(USAGE | CONFIGURATION)),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("\"ftp\""), "{outcome:?}");
}

#[test]
fn a_wrong_secret() {
    let server = Server::start();
    let mut attempt = Attempt::new(&server.url());
    attempt.credentials = Credentials::Key(API_KEY, "another-secret-of-thirty-two-or-more");
    attempt.assert_fails(REFUSED, &server.address().to_string());
}

#[test]
fn an_unknown_key() {
    let server = Server::start();
    let mut attempt = Attempt::new(&server.url());
    attempt.credentials = Credentials::Key("nobody", API_SECRET);
    attempt.assert_fails(REFUSED, &server.address().to_string());
}

#[test]
fn no_credentials_at_all() {
    let mut command = reeld::command();
    command.args(["record", "--url", "ws://127.0.0.1:9", "--room", ROOM]);
    let outcome = reeld::run(&mut command, PATIENCE);
    outcome.assert_no_panic();
    assert!(
        matches!(outcome.code, Some(USAGE | CONFIGURATION)),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("LIVEKIT_API_KEY"), "{outcome:?}");
}

#[test]
fn a_token_that_is_none() {
    let server = Server::start();
    let attempt = Attempt::with_token(&server.url(), "not.a.token".to_owned());
    attempt.assert_fails(REFUSED, "token");
}

#[test]
fn an_expired_token() {
    let server = Server::start();
    let attempt = Attempt::with_token(&server.url(), EXPIRED.to_owned());
    attempt.assert_fails(REFUSED, "token");
}

#[test]
fn a_token_that_may_not_subscribe() {
    let server = Server::start();
    let grants = VideoGrants {
        can_subscribe: Some(false),
        ..room::member(ROOM)
    };
    let token = room::token("reeld", grants, Duration::from_hours(1));
    let publisher = Publisher::start(&server, ROOM, "somebody", &["--no-video"]);
    Attempt::with_token(&server.url(), token).assert_fails(REFUSED, "canSubscribe");
    publisher.stop();
}

#[test]
fn a_token_for_another_room() {
    let server = Server::start();
    let token = room::token("reeld", room::member("elsewhere"), Duration::from_hours(1));
    let attempt = Attempt::with_token(&server.url(), token);
    attempt.assert_fails(REFUSED, ROOM);
}

#[test]
fn a_room_name_of_300_characters() {
    let server = Server::start();
    let mut attempt = Attempt::new(&server.url());
    attempt.room = "r".repeat(300);
    let outcome = attempt.run();
    outcome.assert_no_panic();
    assert!(
        matches!(outcome.code, Some(USAGE | CONFIGURATION)),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("room"), "{outcome:?}");
    assert!(!attempt.output.exists());
}

#[test]
fn an_output_directory_that_cannot_be_made() {
    // Refused to root as well, which permission bits are not.
    let server = Server::start();
    let mut attempt = Attempt::new(&server.url());
    attempt.output = PathBuf::from("/proc/reeld-recordings");
    attempt.assert_fails(STORAGE, "/proc/reeld-recordings");
}

#[test]
fn an_output_directory_that_is_a_file() {
    let server = Server::start();
    let mut attempt = Attempt::new(&server.url());
    fs::write(&attempt.output, "in the way").unwrap();
    attempt.output = attempt.output.join("below");
    let named = attempt.output.display().to_string();
    attempt.assert_fails(STORAGE, &named);
}

/// `reeld check-config` of a file with `text`.
fn check(text: &str) -> (Outcome, TempDir) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("reeld.toml");
    fs::write(&file, text).unwrap();
    let mut command = reeld::command();
    command.arg("check-config").arg(&file);
    (reeld::run(&mut command, PATIENCE), dir)
}

#[test]
fn bad_configurations_are_named_by_file_line_and_key() {
    let cases = [
        ("output = \"/tmp\"\nlivekit = [[[\n", "reeld.toml", "2"),
        ("[video]\nin_flihgt = 2\n", "in_flihgt", "2"),
        ("[video]\nin_flight = 9\n", "in_flight", "9"),
        ("[audio]\ncodec = \"mp3\"\n", "codec", "mp3"),
        ("[segment]\nduration = \"soon\"\n", "duration", "soon"),
        ("[select]\nsources = [\"webcam\"]\n", "sources", "webcam"),
    ];
    for (text, thing, detail) in cases {
        let (outcome, _dir) = check(text);
        outcome.assert_no_panic();
        assert_eq!(outcome.code, Some(CONFIGURATION), "{text}{outcome:?}");
        for word in ["reeld.toml", thing, detail] {
            assert!(outcome.stderr.contains(word), "`{word}`: {outcome:?}");
        }
    }
}

#[test]
fn a_missing_configuration_file_is_named() {
    let mut command = reeld::command();
    command.args(["check-config", "/nonexistent/reeld.toml"]);
    let outcome = reeld::run(&mut command, PATIENCE);
    assert_refused(&outcome, CONFIGURATION, "/nonexistent/reeld.toml");
}

#[test]
fn a_good_configuration_passes() {
    let (outcome, _dir) = check("[video]\nin_flight = 3\n\n[[room]]\nname = \"hall\"\n");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let mut command = reeld::command();
    command.args(["record", "--colour"]);
    let outcome = reeld::run(&mut command, PATIENCE);
    assert_eq!(outcome.code, Some(USAGE), "{outcome:?}");
    assert!(outcome.stderr.contains("--colour"), "{outcome:?}");
}

#[test]
fn a_file_that_is_no_transport_stream_is_unsound() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("noise.ts");
    fs::write(&file, vec![0x55; 188 * 20]).unwrap();
    let mut command = reeld::command();
    command.arg("verify").arg(&file);
    let outcome = reeld::run(&mut command, PATIENCE);
    outcome.assert_no_panic();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("noise.ts"), "{outcome:?}");
}

/// Everything below `root`, by its path from there.
fn relative(root: &Path) -> Vec<String> {
    reeld::files(root)
        .iter()
        .map(|file| file.strip_prefix(root).unwrap().display().to_string())
        .collect()
}

#[test]
fn hostile_identities_stay_under_the_root() {
    let long = "é漢🎥".repeat(22) + "ab";
    assert_eq!(long.len(), 200);
    let identities = ["../../etc/passwd", &long, ".hidden"];

    let server = Server::start();
    let dir = TempDir::new().unwrap();
    // Two levels down: what climbs out shows in the test's own directory.
    let output = dir.path().join("a/b");
    let mut reeld = Reeld::record(&server, "../hall", &output, &[]);
    let mut publishers: Vec<_> = identities
        .iter()
        .map(|identity| Publisher::start(&server, "../hall", identity, &["--no-video"]))
        .collect();
    reeld.await_writing(identities.len());
    for publisher in &mut publishers {
        publisher.await_second(3);
    }
    let summary = reeld.stop().summary();
    for publisher in publishers {
        publisher.stop();
    }

    let mut recorded = Vec::new();
    for recording in &summary.recordings {
        let place = recording.place(&output);
        assert!(place.starts_with(&output), "{}", place.display());
        assert_eq!(reeld::sealed(&place).len(), 1, "{}", place.display());
        let manifest = reeld::manifest(&place);
        assert_eq!(manifest["room"]["name"], "../hall");
        let identity = manifest["participant"]["identity"].as_str();
        recorded.push(identity.unwrap().to_owned());
    }
    recorded.sort();
    let mut expected = identities.map(str::to_owned);
    expected.sort();
    assert_eq!(recorded, expected);

    for file in relative(dir.path()) {
        let parts: Vec<&str> = file.split('/').collect();
        assert_eq!((parts[0], parts[1], parts.len()), ("a", "b", 5), "{file}");
        for part in &parts {
            assert!(!part.starts_with('.'), "hidden: {file}");
            assert!(part.len() <= 255 && part.is_ascii(), "{file}");
        }
    }
}
