//! What the journal gets of a daemon in real rooms: a socket of the test's own stands where journald's
//! would, in a mount namespace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reeld::events;
use stage::publisher::Publisher;
use stage::reeld::{Reeld, command};
use stage::server::{API_KEY, API_SECRET, Server};
use stage::steady::steady;
use tempfile::TempDir;

/// Makes `$1` journald's folder, and becomes `$2` whose standard error leads to the journal.
const UNDER_JOURNALD: &str = r#"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
mount --bind "$1" /run/systemd/journal
JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
export JOURNAL_STREAM
shift
exec "$@"
"#;

/// One entry: the values of each field.
type Entry = BTreeMap<String, Vec<String>>;

/// What reads along where journald would.
struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Journal {
    fn open(folder: &Path) -> Self {
        let socket = UnixDatagram::bind(folder.join("socket")).unwrap();
        let entries = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&entries);
        std::thread::spawn(move || {
            let mut datagram = vec![0; 256 << 10];
            while let Ok(length) = socket.recv(&mut datagram) {
                // An empty one asks whether somebody is there.
                if length > 0 {
                    read.lock().unwrap().push(parse(&datagram[..length]));
                }
            }
        });
        Self { entries }
    }

    /// The entries of an event so far.
    fn of(&self, id: &str) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        let of = |entry: &&Entry| entry.get("MESSAGE_ID").is_some_and(|it| *it == [id]);
        entries.iter().filter(of).cloned().collect()
    }

    fn await_one(&self, id: &str) -> Entry {
        stage::poll(id, Duration::from_mins(1), || self.of(id).pop())
    }
}

/// systemd's native protocol: `NAME=value`, or a name, a length and so many bytes.
fn parse(mut datagram: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while !datagram.is_empty() {
        let end = datagram.iter().position(|it| *it == b'\n').unwrap();
        let line = String::from_utf8(datagram[..end].to_vec()).unwrap();
        datagram = &datagram[end + 1..];
        let (name, value) = if let Some((name, value)) = line.split_once('=') {
            (name.to_owned(), value.to_owned())
        } else {
            let length = u64::from_le_bytes(datagram[..8].try_into().unwrap());
            let length = usize::try_from(length).unwrap();
            let value = String::from_utf8(datagram[8..8 + length].to_vec()).unwrap();
            datagram = &datagram[8 + length + 1..];
            (line, value)
        };
        entry.entry(name).or_default().push(value);
    }
    entry
}

fn value<'a>(entry: &'a Entry, name: &str) -> &'a str {
    let values = entry
        .get(name)
        .unwrap_or_else(|| panic!("{name}: {entry:?}"));
    assert_eq!(values.len(), 1, "{name}: {entry:?}");
    &values[0]
}

/// How a mount namespace is had here, if it is.
fn unshare() -> Option<&'static str> {
    ["-m", "-rm"].into_iter().find(|how| {
        Command::new("unshare")
            .args([how, "mount", "-t", "tmpfs", "tmpfs", "/run"])
            .output()
            .is_ok_and(|tried| tried.status.success())
    })
}

fn configuration(dir: &Path, server: &Server) -> (PathBuf, PathBuf) {
    // Nothing listens there: the port was free a moment ago.
    let deserted = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let deserted = deserted.local_addr().unwrap();
    let output = dir.join("recordings");
    let file = dir.join("reeld.toml");
    let text = format!(
        "output = '{}'\n\
         [livekit]\nurl = '{}'\napi_key = '{API_KEY}'\napi_secret = '{API_SECRET}'\n\
         [[room]]\nname = 'lobby'\n\
         [[room]]\nname = 'away'\nurl = 'ws://{deserted}'\n\
         [[room]]\nname = 'wrong'\napi_key = '{API_KEY}'\napi_secret = '{}'\n",
        output.display(),
        server.url(),
        "x".repeat(API_SECRET.len()),
    );
    fs::write(&file, text).unwrap();
    (file, output)
}

#[test]
fn the_journal_gets_fields_that_nobody_in_a_room_can_forge() {
    let Some(how) = unshare() else {
        eprintln!("skipped: no mount namespace can be had here");
        return;
    };
    steady(|| {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("journal");
        fs::create_dir(&folder).unwrap();
        let journal = Journal::open(&folder);
        let server = Server::start();
        let (config, output) = configuration(dir.path(), &server);
        let reeld = command();
        let mut inside = Command::new("unshare");
        inside
            .args([how, "sh", "-ec", UNDER_JOURNALD, "sh"])
            .arg(&folder)
            .arg(reeld.get_program())
            .args(["run", "--config"])
            .arg(&config);
        for (name, value) in reeld.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        let mut daemon = Reeld::start(&mut inside, &output);
        let eve = "eve\nPRIORITY=0\nROOM=bank";
        let mut publisher = Publisher::start(&server, "lobby", eve, &["--size", "640x360"]);
        daemon.await_writing(1);
        publisher.await_second(2);

        let joined = journal.await_one(events::JOINED);
        assert_eq!(value(&joined, "ROOM"), "lobby");
        assert_eq!(value(&joined, "PRIORITY"), "6");
        assert_eq!(value(&joined, "MESSAGE"), "joined");
        let begun = journal.await_one(events::RECORDING_BEGUN);
        assert_eq!(value(&begun, "ROOM"), "lobby");
        assert_eq!(value(&begun, "PARTICIPANT"), eve);
        let away = journal.await_one(events::UNREACHABLE);
        assert_eq!(value(&away, "ROOM"), "away");
        assert_eq!(value(&away, "PRIORITY"), "4");
        assert!(value(&away, "REASON").contains("can't reach"), "{away:?}");
        let wrong = journal.await_one(events::REFUSED);
        assert_eq!(value(&wrong, "ROOM"), "wrong");
        assert_eq!(value(&wrong, "PRIORITY"), "3");
        assert!(value(&wrong, "REASON").contains("refused"), "{wrong:?}");

        publisher.stop();
        let sealed = journal.await_one(events::SEGMENT_SEALED);
        assert_eq!(value(&sealed, "SEGMENT"), "00000");
        assert_eq!(value(&sealed, "PARTICIPANT"), eve);
        let complete = journal.await_one(events::RECORDING_SEALED);
        assert_eq!(value(&complete, "PARTICIPANT"), eve);
        assert_eq!(value(&complete, "ROOM"), "lobby");

        let outcome = daemon.terminate();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "all of it went to the journal");
        journal.await_one(events::STOPPED);
        assert_eq!(journal.of(events::STARTED).len(), 1);
        assert_eq!(journal.of(events::STOPPING).len(), 1);
        assert_eq!(
            journal.of(events::UNREACHABLE).len(),
            1,
            "it is told once, however often it is tried"
        );
        for entry in journal.entries.lock().unwrap().iter() {
            assert!(entry.values().all(|values| values.len() == 1), "{entry:?}");
            assert_ne!(value(entry, "PRIORITY"), "0", "{entry:?}");
            let room = entry.get("ROOM").map(|_| value(entry, "ROOM"));
            assert!(room.is_none_or(|room| room != "bank"), "{entry:?}");
            assert!(!format!("{entry:?}").contains(API_SECRET), "{entry:?}");
        }
    });
}
