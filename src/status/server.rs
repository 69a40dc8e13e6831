//! Answers on a Unix socket, and on an address where that is wanted.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::answer::{Hosts, answer};
use super::told::Known;
use crate::events;

/// Those who ask at the same time at one place; more wait in the socket's own queue.
const AT_ONCE: usize = 8;

/// Who has not asked and read in this time is left.
const DEADLINE: Duration = Duration::from_secs(5);

/// A failed accept is tried again: descriptors may be short for a moment.
const AGAIN: Duration = Duration::from_millis(100);

/// Owner and group may ask.
const MODE: u32 = 0o660;

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
    /// The address can't be had.
    #[error("{address}: status.listen can't be had; is the port taken, the address of this box?")]
    Listen {
        /// The address.
        address: SocketAddr,
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
    path: Option<PathBuf>,
    task: JoinHandle<()>,
}

impl Server {
    /// Begins to answer at `path`. To be called where tokio runs.
    ///
    /// # Errors
    /// Another process answers there, or the socket can't be made.
    pub fn start(path: &Path, known: Known) -> Result<Self, StatusError> {
        clear(path)?;
        let failed = |source| StatusError::Bind {
            path: path.to_owned(),
            source,
        };
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(failed)?;
        tracing::info!(socket = %path.display(), "status is told");
        let accept = async move || listener.accept().await.map(|(stream, _)| stream);
        Ok(Self {
            path: Some(path.to_owned()),
            task: tokio::spawn(listen(accept, known, Hosts::Any)),
        })
    }

    /// Begins to answer at `address`. To be called where tokio runs.
    ///
    /// # Errors
    /// The address can't be had.
    pub fn listen(address: SocketAddr, known: Known) -> Result<Self, StatusError> {
        let failed = |source| StatusError::Listen { address, source };
        let listener = StdListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let hosts = if address.ip().is_loopback() {
            tracing::info!(address = %local, "status is told");
            Hosts::Local
        } else {
            tracing::warn!(
                message_id = events::STATUS_OPEN,
                address = %local,
                "status is told to whoever reaches this address, without a password"
            );
            Hosts::Any
        };
        let accept = async move || listener.accept().await.map(|(stream, _)| stream);
        Ok(Self {
            path: None,
            task: tokio::spawn(listen(accept, known, hosts)),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let Some(path) = &self.path else {
            return;
        };
        if let Err(error) = fs::remove_file(path) {
            tracing::debug!(path = %path.display(), %error, "the status socket stays behind");
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

async fn listen<S>(accept: impl AsyncFn() -> io::Result<S>, known: Known, hosts: Hosts)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match accept().await {
            Ok(stream) => {
                let known = known.clone();
                tokio::spawn(async move {
                    serve(stream, known, hosts).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "status is told to nobody for a moment");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn serve<S>(stream: S, known: Known, hosts: Hosts)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &known, hosts);
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

#[cfg(test)]
mod tests;
