//! Answers on a Unix socket.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::metrics;
use super::snapshot::Status;

/// Those who ask at the same time; more wait in the socket's own queue.
const AT_ONCE: usize = 8;

/// Who has not asked and read in this time is left.
const DEADLINE: Duration = Duration::from_secs(5);

/// A failed accept is tried again: descriptors may be short for a moment.
const AGAIN: Duration = Duration::from_millis(100);

/// Owner and group may ask.
const MODE: u32 = 0o660;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");

const WHAT_THERE_IS: &str = "there is /status (JSON) and /metrics (Prometheus)\n";

/// The socket can't be had.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Somebody answers there.
    #[error("{path}: another reeld answers here; name another status.socket, or stop that one")]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is in its place.
    #[error("{path}: not a socket; remove it, or name another status.socket")]
    NotASocket {
        /// What stands there.
        path: PathBuf,
    },
    /// It can't be made.
    #[error("{path}: the status socket can't be made here; is the directory there, and ours?")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Where to answer: as configured, else in the directory that systemd made for us; nowhere where
/// there is neither.
#[must_use]
pub fn socket(configured: Option<&Path>, runtime_directory: Option<&Path>) -> Option<PathBuf> {
    let made = || runtime_directory.map(|directory| directory.join("reeld.sock"));
    configured.map(Path::to_owned).or_else(made)
}

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Server {
    /// Begins to answer at `path`. To be called where tokio runs.
    ///
    /// # Errors
    /// Another process answers there, or the socket can't be made.
    pub fn start(path: &Path, status: watch::Receiver<Arc<Status>>) -> Result<Self, StatusError> {
        clear(path)?;
        let failed = |source| StatusError::Bind {
            path: path.to_owned(),
            source,
        };
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(failed)?;
        tracing::info!(socket = %path.display(), "status is told");
        Ok(Self {
            path: path.to_owned(),
            task: tokio::spawn(listen(listener, status)),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the status socket stays behind");
        }
    }
}

/// Removes what one who was killed has left.
fn clear(path: &Path) -> Result<(), StatusError> {
    let path_buf = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            Err(StatusError::NotASocket { path: path_buf() })
        }
        Ok(_) if StdStream::connect(path).is_ok() => Err(StatusError::Taken { path: path_buf() }),
        Ok(_) => fs::remove_file(path).map_err(|source| StatusError::Bind {
            path: path_buf(),
            source,
        }),
    }
}

async fn listen(listener: UnixListener, status: watch::Receiver<Arc<Status>>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let status = status.clone();
                tokio::spawn(async move {
                    serve(stream, status).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the status socket takes nobody for a moment");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, status: watch::Receiver<Arc<Status>>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &status.borrow());
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(DEADLINE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "somebody asked for the status and said rubbish"),
        Err(_) => tracing::debug!("somebody asked for the status and did not read it"),
    }
}

fn answer(request: &Request<Incoming>, status: &Status) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, PLAIN, WHAT_THERE_IS);
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/status" => match serde_json::to_vec(status) {
            Ok(json) => respond(StatusCode::OK, JSON, json),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, error.to_string()),
        },
        "/metrics" => respond(StatusCode::OK, PROMETHEUS, metrics::text(status)),
        _ => respond(StatusCode::NOT_FOUND, PLAIN, WHAT_THERE_IS),
    }
}

fn respond(code: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tempfile::TempDir;

    use super::*;

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

    fn known() -> watch::Receiver<Arc<Status>> {
        watch::channel(Arc::new(Status {
            frames: 42,
            ..Status::default()
        }))
        .1
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
}
