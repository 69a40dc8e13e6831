//! What can be wrong with a configuration, in one line that says where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the file.
    File {
        /// The file as it was named to us.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// In a credential that systemd handed over.
    Credential(PathBuf),
    /// In an environment variable of this name.
    Variable(String),
    /// On the command line, behind this flag.
    Flag(&'static str),
    /// Nowhere: it is the default.
    Default,
}

impl Origin {
    /// The place of byte `offset` of `text`, the content of the file at `path`.
    pub(super) fn in_file(path: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self::File {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::Credential(path) => write!(f, "credential {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Default => f.write_str("defaults"),
        }
    }
}

/// Why there is no configuration. Each message is one line, and none shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration", .path.display())]
    Read {
        /// The file as it was named to us.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A credential cannot be read.
    #[error("{}: cannot read the credential that systemd handed over", .path.display())]
    Credential {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML. The parser's own error is left out: it shows the line, and a
    /// secret may stand in it.
    #[error("{origin}: not valid TOML: {problem}")]
    Syntax {
        /// Where the parser stopped.
        origin: Origin,
        /// What it missed there.
        problem: String,
    },
    /// A key that does not exist, or a value that its key does not take.
    #[error("{origin}: {key}: {problem}")]
    Value {
        /// Where it is written.
        origin: Origin,
        /// The dotted key, such as `video.in_flight`.
        key: String,
        /// What was found and what is allowed.
        problem: String,
    },
    /// A variable that sets no key, or cannot be read.
    #[error("environment variable {name}: {problem}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong with it, and what it was probably meant to be.
        problem: String,
    },
    /// The schema cannot be written out, so its keys are not known.
    #[error("cannot list the configuration's keys")]
    Schema(#[from] serde_json::Error),
    /// The checked sources cannot be laid over one another.
    #[error("cannot combine the configuration's sources")]
    Combine(#[from] config::ConfigError),
    /// No `[[room]]` where at least one is needed.
    #[error("no room is configured: add [[room]] with a name to the configuration")]
    NoRooms,
    /// A room without a server.
    #[error("room {room:?}: no server: set livekit.url, LIVEKIT_URL or --url")]
    NoUrl {
        /// The room.
        room: String,
    },
    /// A room that we have no way into.
    #[error(
        "room {room:?}: no token and no key: set livekit.api_key and livekit.api_secret \
         (LIVEKIT_API_KEY, LIVEKIT_API_SECRET), or livekit.token (LIVEKIT_TOKEN)"
    )]
    NoCredentials {
        /// The room.
        room: String,
    },
    /// A key without its secret, or a secret without its key.
    #[error("room {room:?}: {present} is set without {missing}: set both or neither")]
    HalfKey {
        /// The room.
        room: String,
        /// Which is there.
        present: &'static str,
        /// Which is not.
        missing: &'static str,
    },
}

/// Something that works and should not stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The file holds a secret and everybody on the machine may read it.
    ReadableSecret {
        /// The file.
        path: PathBuf,
        /// The dotted key of the first secret in it.
        key: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadableSecret { path, key } => write!(
                f,
                "{0}: {key} is a secret and everybody may read the file: chmod o-r {0}",
                path.display()
            ),
        }
    }
}
