//! Exit codes, and the failures that lead to them.

use std::process::ExitCode;

use super::nothing::Nothing;
use crate::config::ConfigError;
use crate::daemon::join::SourceError;
use crate::daemon::rooms::RoomsError;
use crate::logging::LoggingError;
use crate::media::MediaError;
use crate::recorder::RecorderError;
use crate::recorder::recording::{RecordingError, one_line};
use crate::room::livekit::LiveKitError;
use crate::room::{RoomEnd, SelectionError};
use crate::status::StatusError;
use crate::status::ask::AskError;
use crate::storage::StorageState;
use crate::verify::VerifyError;

/// How the program ends. The numbers are documented in `--help` and don't change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done.
    Done,
    /// A recording failed or is not sound; of `reeld doctor`: something could be better.
    Failed,
    /// `reeld doctor`: this box can't record.
    Unfit,
    /// The configuration can't be used.
    Configuration,
    /// The server can't be reached, or was lost.
    Unreachable,
    /// The server refused us.
    Refused,
    /// The disk can't be written or read.
    Storage,
    /// There was nothing to record, or nothing came of it.
    Nothing,
    /// A part of GStreamer is missing or failed.
    Media,
}

impl Exit {
    /// The process's exit status. 2 is clap's own as well, for wrong usage.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Unfit => 2,
            Self::Configuration => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::Storage => 6,
            Self::Nothing => 7,
            Self::Media => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked: one line for the user, and an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration can't be used.
    #[error("{}", one_line(.0))]
    Config(#[from] ConfigError),
    /// A room of the configuration can't be used.
    #[error("{}", one_line(.0))]
    Rooms(#[from] RoomsError),
    /// The selection can't be used.
    #[error("{}", one_line(.0))]
    Selection(#[from] SelectionError),
    /// Logging can't be set up.
    #[error("{}", one_line(.0))]
    Logging(#[from] LoggingError),
    /// The room can't be joined or the connection broke.
    #[error("{}", one_line(.0))]
    LiveKit(#[from] LiveKitError),
    /// The output can't be written.
    #[error("{}", one_line(.0))]
    Storage(#[from] RecorderError),
    /// The output takes no recordings at the moment.
    #[error("{0}")]
    NoRoom(StorageState),
    /// A part of GStreamer is missing or failed.
    #[error("{}", one_line(.0))]
    Media(#[from] MediaError),
    /// A recording failed.
    #[error("{}", one_line(.0))]
    Recording(#[from] RecordingError),
    /// A recording can't be read.
    #[error("{}", one_line(.0))]
    Verify(#[from] VerifyError),
    /// Somebody had the recorder removed in the middle.
    #[error("{}; what was recorded until then is sealed", RoomEnd::Removed.as_str())]
    Removed,
    /// There is no file, though nothing failed.
    #[error("nothing was recorded: {0}")]
    Nothing(#[from] Nothing),
    /// Status can't be told where it is to be.
    #[error("{}", one_line(.0))]
    Status(#[from] StatusError),
    /// Who is asked for the status does not tell it.
    #[error("{}", one_line(.0))]
    Ask(#[from] AskError),
    /// The operating system refused something at the start.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A thread died.
    #[error("a thread died, please report this: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::LiveKit(error) => error.into(),
            SourceError::Card(error) => error.into(),
            SourceError::Thread(error) => error.into(),
        }
    }
}

impl Failure {
    /// The exit code that goes with it.
    #[must_use]
    pub const fn code(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Rooms(_)
            | Self::Selection(_)
            | Self::Logging(_)
            | Self::Status(_) => Exit::Configuration,
            Self::LiveKit(error) => of_livekit(error),
            Self::Storage(_) | Self::NoRoom(_) | Self::Verify(_) => Exit::Storage,
            Self::Media(_) => Exit::Media,
            Self::Recording(error) => of_recording(error),
            Self::Ask(_) => Exit::Unreachable,
            Self::Removed => Exit::Refused,
            Self::Nothing(_) => Exit::Nothing,
            Self::System { .. } | Self::Thread(_) => Exit::Failed,
        }
    }
}

const fn of_livekit(error: &LiveKitError) -> Exit {
    match error {
        LiveKitError::NoUrl
        | LiveKitError::NoCredentials
        | LiveKitError::BadUrl { .. }
        | LiveKitError::BadCa { .. }
        | LiveKitError::Selection(_) => Exit::Configuration,
        LiveKitError::BadToken { .. } | LiveKitError::Sign(_) | LiveKitError::Refused { .. } => {
            Exit::Refused
        }
        LiveKitError::NoRoom { .. }
        | LiveKitError::Untrusted { .. }
        | LiveKitError::Unreachable { .. }
        | LiveKitError::NoSocket(_)
        | LiveKitError::Peer { .. }
        | LiveKitError::Protocol { .. } => Exit::Unreachable,
    }
}

const fn of_recording(error: &RecordingError) -> Exit {
    match error {
        RecordingError::Storage(_) | RecordingError::SealDeadline { .. } => Exit::Storage,
        RecordingError::Media(_) => Exit::Media,
        RecordingError::Thread(_) => Exit::Failed,
    }
}
