//! The other side: asks a `reeld` that runs.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Who has not answered in this time hangs.
const DEADLINE: Duration = Duration::from_secs(5);

/// More than all rooms and participants of a box come to.
const MOST_BYTES: u64 = 16 << 20;

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket, or nobody at it.
    #[error("{path}: nobody answers; does it run? `systemctl status reeld`")]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its owner and group may ask.
    #[error(
        "{path}: only root and the group reeld may ask: `sudo usermod -aG reeld $USER`, and log in again"
    )]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// It was reached and gave no answer.
    #[error("{path}: gave no answer")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else that answers there.
    #[error("{path}: answers {said:?}: is that reeld?")]
    Rubbish {
        /// The socket.
        path: PathBuf,
        /// The first line.
        said: String,
    },
}

/// What a GET of `what` at the socket `path` brings.
///
/// # Errors
/// When it is not there, may not be asked, takes too long or says something else than yes.
pub fn get(path: &Path, what: &str) -> Result<String, AskError> {
    let deadline = Instant::now() + DEADLINE;
    let mut stream = UnixStream::connect(path).map_err(|error| unreached(path, error))?;
    let answer = exchange(&mut stream, what, deadline).map_err(|source| AskError::Io {
        path: path.to_owned(),
        source,
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let first = head.lines().next().unwrap_or_default();
    if first.starts_with("HTTP/1.") && first.contains(" 200 ") {
        return Ok(body.to_owned());
    }
    Err(AskError::Rubbish {
        path: path.to_owned(),
        said: first.chars().take(80).collect(),
    })
}

fn unreached(path: &Path, source: io::Error) -> AskError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => AskError::Denied { path },
        _ => AskError::Nobody { path, source },
    }
}

fn exchange(stream: &mut UnixStream, what: &str, deadline: Instant) -> io::Result<String> {
    stream.set_write_timeout(Some(DEADLINE))?;
    // It closes the connection behind its answer.
    stream.write_all(format!("GET {what} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        if answer.len() as u64 > MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The sockets of all that run here, below `run` (`/run`): `reeld/reeld.sock` is the service's,
/// `reeld/NAME/reeld.sock` that of its instance NAME.
#[must_use]
pub fn sockets(run: &Path) -> Vec<PathBuf> {
    let ours = run.join("reeld");
    let inside = std::fs::read_dir(&ours).into_iter().flatten().flatten();
    let folders = std::iter::once(ours).chain(inside.map(|entry| entry.path()));
    let mut found: Vec<_> = folders
        .map(|folder| folder.join("reeld.sock"))
        // One that we may not look into is there as well: that we may not ask is to be said.
        .filter(|path| {
            !path
                .symlink_metadata()
                .is_err_and(|error| is_absent(&error))
        })
        .collect();
    found.sort();
    found
}

fn is_absent(error: &io::Error) -> bool {
    // What is in the way may be a file: the service's own socket is among the folders.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_service_and_its_instances_are_found() {
        let run = tempfile::tempdir().unwrap();
        for name in ["reeld/lobby", "reeld/empty", "other"] {
            fs::create_dir_all(run.path().join(name)).unwrap();
        }
        let socket_of = |name: &str| run.path().join(name).join("reeld.sock");
        let _listeners = ["reeld", "reeld/lobby", "other"]
            .map(|name| UnixListener::bind(socket_of(name)).unwrap());
        let found = sockets(run.path());
        assert_eq!(found, [socket_of("reeld/lobby"), socket_of("reeld")]);
        assert_eq!(sockets(&run.path().join("none")), Vec::<PathBuf>::new());
    }

    #[test]
    fn who_does_not_answer_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reeld.sock");
        let absent = get(&path, "/status").unwrap_err();
        assert!(absent.to_string().contains("systemctl status"), "{absent}");
        let listener = UnixListener::bind(&path).unwrap();
        let answers = std::thread::spawn(move || {
            for answer in ["HTTP/1.0 404 Not Found\r\n\r\n", "SSH-2.0\r\n", ""] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 64];
                assert!(stream.read(&mut asked).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        for said in ["404", "SSH-2.0", "\"\""] {
            let error = get(&path, "/status").unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        answers.join().unwrap();
        let gone = get(&path, "/status").unwrap_err();
        assert!(matches!(gone, AskError::Nobody { .. }), "{gone}");
    }
}
