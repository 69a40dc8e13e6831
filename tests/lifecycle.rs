//! What systemd is told by `reeld run`, and what its signals do: rooms without a server, and a
//! notification socket of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use stage::reeld::{self, Reeld};
use tempfile::TempDir;

/// Something comes within this, on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// What systemd would wait for.
const WATCHDOG: Duration = Duration::from_secs(4);

/// A box with a daemon on it, and its service manager.
struct Machine {
    dir: TempDir,
    socket: UnixDatagram,
}

impl Machine {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { dir, socket }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("reeld.toml")
    }

    fn output(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    /// Rooms without a server; `more` stands before them.
    fn configure(&self, more: &str, rooms: &[&str]) {
        let output = self.output();
        let rooms: String = rooms
            .iter()
            .flat_map(|room| ["[[room]]\nname = '", room, "'\nurl = 'synthetic:320x180'\n"])
            .collect();
        let text = format!("output = '{}'\n{more}\n{rooms}", output.display());
        fs::write(self.config(), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = reeld::command();
        command
            .args(["run", "--config"])
            .arg(self.config())
            .env("NOTIFY_SOCKET", self.dir.path().join("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        command
    }

    fn start(&self) -> Reeld {
        Reeld::start(&mut self.command(), &self.output())
    }

    /// The next message, without those that are told again and again.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1\n" && !message.starts_with("STATUS=") {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut buffer = [0; 4096];
        let bytes = self
            .socket
            .recv(&mut buffer)
            .expect("systemd hears nothing");
        String::from_utf8(buffer[..bytes].to_vec()).unwrap()
    }

    /// Waits for a word on how things stand.
    fn await_status(&self, wanted: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.any() != format!("STATUS={wanted}\n") {
            assert!(Instant::now() < deadline, "no STATUS={wanted}");
        }
    }

    /// Everything that was told and not yet heard.
    fn rest(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let mut rest = Vec::new();
        while let Ok(bytes) = self.socket.recv(&mut buffer) {
            rest.push(String::from_utf8(buffer[..bytes].to_vec()).unwrap());
        }
        self.socket.set_nonblocking(false).unwrap();
        rest
    }

    fn folders(&self, room: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.output().join(room));
        let mut found: Vec<_> = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        found.sort();
        found
    }

    /// Everything is sealed and sound.
    fn assert_sound(&self, recordings: usize) {
        let files = reeld::transport_streams(&self.output());
        assert_eq!(files.len(), recordings, "{files:?}");
        for file in files {
            assert!(
                !file.to_string_lossy().ends_with(".recording.ts"),
                "{}",
                file.display()
            );
            verify(&file);
        }
    }
}

fn verify(file: &Path) {
    let outcome = reeld::run(reeld::command().arg("verify").arg(file), LIMIT);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
}

#[test]
fn each_turn_is_told_in_order_and_a_reload_touches_no_other_room() {
    let it = Machine::new();
    it.configure("", &["lobby", "stage"]);
    let mut daemon = it.start();
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_writing(2);
    it.await_status("2 recordings in 2 rooms");

    // The lobby stays, the stage goes, the hall is new.
    it.configure("", &["lobby", "hall"]);
    daemon.reload();
    let reloading = it.next();
    let since = reloading
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .unwrap_or_else(|| panic!("{reloading}"));
    since.trim_end().parse::<u64>().unwrap();
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_log("untouched=1 begun=1 ended=1");
    daemon.await_log("recording sealed room=\"stage\" participant=\"demo\"");
    daemon.await_writing(2);

    // All rooms are recorded otherwise.
    it.configure("[segment]\nduration = '10m'", &["lobby", "hall"]);
    daemon.reload();
    assert!(it.next().starts_with("RELOADING=1\n"));
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_log("untouched=0 begun=0 ended=0");
    for room in ["lobby", "hall"] {
        let deadline = Instant::now() + LIMIT;
        while it.folders(room).len() < 2 {
            assert!(Instant::now() < deadline, "{room} is not begun anew");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    daemon.await_writing(2);

    let outcome = daemon.terminate();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.assert_no_panic();
    let rest = it.rest();
    let stopping = rest.iter().position(|it| it == "STOPPING=1\n");
    assert!(stopping.is_some(), "{rest:?}");
    let after = &rest[stopping.unwrap()..];
    assert!(!after.contains(&"READY=1\n".to_owned()), "{after:?}");
    assert_eq!(it.folders("stage").len(), 1);
    it.assert_sound(5);
}

#[test]
fn a_wrong_configuration_is_not_taken() {
    let it = Machine::new();
    it.configure("", &["lobby"]);
    let mut daemon = it.start();
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_writing(1);
    for (text, says) in [
        ("[video]\nin_flite = 3\n", "in_flite"),
        ("output = '/tmp'\n", "no room is configured"),
        (
            "[[room]]\nname = 'lobby'\nurl = 'synthetic:7x7'\n",
            "is no synthetic room",
        ),
    ] {
        fs::write(it.config(), text).unwrap();
        daemon.reload();
        assert!(it.next().starts_with("RELOADING=1\n"));
        assert_eq!(it.next(), "READY=1\n");
        daemon.await_log(says);
        daemon.await_log("all goes on as before");
    }
    // What belongs to the process is said to wait.
    it.configure("[memory]\nbudget = '99MiB'", &["lobby"]);
    daemon.reload();
    daemon.await_log("in force after the next start only: memory");
    let outcome = daemon.terminate();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(it.folders("lobby").len(), 1);
    it.assert_sound(1);
}

#[test]
fn it_is_not_ready_with_a_wrong_configuration_or_no_place_to_write() {
    let it = Machine::new();
    it.configure("[vidio]", &["lobby"]);
    assert_eq!(reeld::run(&mut it.command(), LIMIT).code, Some(3));
    it.configure("", &[]);
    assert_eq!(reeld::run(&mut it.command(), LIMIT).code, Some(3));
    it.configure("", &["lobby"]);
    fs::write(it.output(), "not a directory").unwrap();
    assert_eq!(reeld::run(&mut it.command(), LIMIT).code, Some(6));
    assert_eq!(it.rest(), [""; 0]);
}

/// It is fed for as long as all moves, and not by a process that does not run.
#[test]
fn the_watchdog_is_fed_while_all_is_well() {
    let it = Machine::new();
    it.configure("", &["lobby"]);
    let mut daemon = it.start();
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_writing(1);
    it.rest();
    let began = Instant::now();
    let mut fed = 0;
    while began.elapsed() < WATCHDOG * 2 {
        fed += u32::from(it.any() == "WATCHDOG=1\n");
    }
    assert!(fed >= 6, "only {fed} times in {:?}", began.elapsed());
    daemon.freeze();
    it.rest();
    it.socket.set_read_timeout(Some(WATCHDOG)).unwrap();
    assert!(
        it.socket.recv(&mut [0; 100]).is_err(),
        "a stopped process feeds it"
    );
    it.socket.set_read_timeout(Some(LIMIT)).unwrap();
    daemon.thaw();
    // Nothing in it is to blame.
    while it.any() != "WATCHDOG=1\n" {}
    let outcome = daemon.terminate();
    assert!(!outcome.stderr.contains("hangs"), "{}", outcome.stderr);
}

#[test]
fn ten_recordings_are_sealed_in_three_seconds() {
    let names: Vec<String> = (0..10).map(|number| format!("room{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let it = Machine::new();
    it.configure("", &names);
    let mut daemon = it.start();
    daemon.await_writing(10);
    it.await_status("10 recordings in 10 rooms");
    let began = Instant::now();
    let outcome = daemon.terminate();
    let took = began.elapsed();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(took < Duration::from_secs(3), "{took:?}");
    println!("ten recordings were sealed in {took:?}");
    it.assert_sound(10);
}

/// A key of its own for each box, in a file that only the service reads.
#[test]
fn credentials_come_from_systemd() {
    let it = Machine::new();
    let credentials = it.dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("livekit-api-key"), "APIbox\n").unwrap();
    fs::write(credentials.join("livekit-api-secret"), "").unwrap();
    let output = it.output();
    let text = format!(
        "output = '{}'\n[livekit]\nurl = 'ws://127.0.0.1:9'\n[[room]]\nname = 'lobby'\n",
        output.display()
    );
    fs::write(it.config(), text).unwrap();
    let mut command = it.command();
    command.env("CREDENTIALS_DIRECTORY", &credentials);
    let outcome = reeld::run(&mut command, LIMIT);
    assert_eq!(outcome.code, Some(3));
    assert!(
        outcome.stderr.contains("api_key is set without api_secret"),
        "{}",
        outcome.stderr
    );
    fs::write(credentials.join("livekit-api-secret"), "s3cr3t\n").unwrap();
    let daemon = Reeld::start(&mut command, &output);
    assert_eq!(it.next(), "READY=1\n");
    daemon.await_log("can't reach a LiveKit server");
    let outcome = daemon.terminate();
    assert_eq!(outcome.code, Some(0));
    assert!(!outcome.stderr.contains("s3cr3t"), "{}", outcome.stderr);
}
