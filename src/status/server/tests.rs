use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::health::Health;
use crate::status::Status;
use crate::storage::{Space, Storage};

fn ask(path: &Path, request: &str) -> String {
    let mut stream = StdStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn asked(path: &Path, request: &'static str) -> String {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || ask(&path, request))
        .await
        .unwrap()
}

fn known_of(health: Health) -> Known {
    let status = Status {
        frames: 42,
        ..Status::default()
    };
    let storage = Storage {
        space: Some(Space {
            free: 7_000,
            total: 10_000,
        }),
        ..Storage::default()
    };
    Known {
        status: watch::channel(Arc::new(status)).1,
        health: watch::channel(Arc::new(health)).1,
        storage: watch::channel(storage).1,
    }
}

fn known() -> Known {
    known_of(Health {
        healthy: true,
        says: "recording 2 of 3 rooms".to_owned(),
        wedged: Vec::new(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_told_and_who_says_rubbish_disturbs_nobody() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("reeld.sock");
    let server = Server::start(&path, known()).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, MODE, "not for everybody");
    // Those who hold a place and say nothing.
    let silent: Vec<_> = (1..AT_ONCE)
        .map(|_| StdStream::connect(&path).unwrap())
        .collect();
    let rubbish = asked(&path, "\x01\x02 rubbish\r\n\r\n").await;
    assert!(rubbish.starts_with("HTTP/1.1 400"), "{rubbish}");
    for (request, line, said) in [
        (
            "GET /status HTTP/1.1\r\nhost: x\r\n\r\n",
            "HTTP/1.1 200",
            "\"frames\":42",
        ),
        (
            "GET /status HTTP/1.1\r\nhost: reeld.example\r\n\r\n",
            "HTTP/1.1 200",
            "\"free_bytes\":7000",
        ),
        (
            "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            "HTTP/1.1 200",
            "healthy: recording 2 of 3 rooms\n",
        ),
        (
            "GET /metrics HTTP/1.0\r\n\r\n",
            "HTTP/1.0 200",
            "reeld_frames_total 42",
        ),
        (
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "HTTP/1.1 404",
            "/metrics",
        ),
        (
            "POST /status HTTP/1.1\r\nhost: x\r\n\r\n",
            "HTTP/1.1 405",
            "allow: GET",
        ),
    ] {
        let answer = asked(&path, request).await;
        assert!(answer.starts_with(line), "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
    drop(silent);
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_that_was_left_is_taken_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("reeld.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left by one who was killed");
    let server = Server::start(&path, known()).unwrap();
    let taken = Server::start(&path, known());
    assert!(matches!(taken, Err(StatusError::Taken { .. })), "{taken:?}");
    drop(server);
    fs::write(&path, "somebody's notes").unwrap();
    let file = Server::start(&path, known());
    assert!(
        matches!(file, Err(StatusError::NotASocket { .. })),
        "{file:?}"
    );
    let nowhere = Server::start(&dir.path().join("none/reeld.sock"), known());
    assert!(
        matches!(nowhere, Err(StatusError::Bind { .. })),
        "{nowhere:?}"
    );
}

#[test]
fn the_configuration_goes_before_systemds_directory() {
    let (a, b) = (Path::new("/a.sock"), Path::new("/run/reeld"));
    assert_eq!(socket(Some(a), Some(b)), Some(a.to_owned()));
    assert_eq!(socket(None, Some(b)), Some(b.join("reeld.sock")));
    assert_eq!(socket(None, None), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_is_told_as_unavailable() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("reeld.sock");
    let health = Health {
        healthy: false,
        says: String::new(),
        wedged: vec!["the writer".to_owned(), "the runtime".to_owned()],
    };
    let _server = Server::start(&path, known_of(health)).unwrap();
    let answer = asked(&path, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 503"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nnot healthy: the writer; the runtime\n"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_answers_who_asks_for_this_box() {
    let free = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    let taken = Server::listen(address, known()).unwrap_err();
    assert!(
        taken.to_string().starts_with(&address.to_string()),
        "{taken}"
    );
    drop(free);
    let server = Server::listen(address, known()).unwrap();
    let asked = |host: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n");
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let answer = asked("localhost:9108").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("reeld_frames_total 42"), "{answer}");
    let answer = asked("evil.example:9108").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(!answer.contains("reeld_"), "{answer}");
    drop(server);
}
