//! All rooms of a configuration, each joined again and again until told to stop.
//!
//! Each room has a task. When one ends, the rooms that are wanted by then say whether it is begun
//! anew: so a room that another configuration has changed ends, is sealed, and begins as it is to be
//! now, and no other is touched.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::join;
use super::reload::{self, Rooms};
use super::stays::{self, Shared};
use crate::config::{Config, ConfigError};
use crate::events;
use crate::health::vigil::Turn;
use crate::recorder::recording::one_line;
use crate::room::SelectionError;

/// How long a room whose task died is left alone.
const AFTER_DEATH: Duration = Duration::from_secs(30);

/// A room of the configuration can't be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RoomsError {
    /// Its server or credentials are missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its selection can't be used.
    #[error("room '{room}'")]
    Selection {
        /// The room.
        room: String,
        /// What is wrong.
        #[source]
        source: SelectionError,
    },
}

/// Asks for the configuration to be read again; whoever reads it says what there is now.
pub type Reloads = mpsc::Receiver<Result<Config, ConfigError>>;

/// Whether all rooms of `config` can be recorded as far as that can be known.
///
/// # Errors
/// What is wrong with the first that can't.
pub fn check(config: &Config) -> Result<(), RoomsError> {
    for room in config.require_rooms()? {
        join::place(config, room)?;
    }
    Ok(())
}

/// Records all rooms of `config`, and of what `reloads` brings, until `stop` is cancelled;
/// everything is sealed on return.
///
/// # Errors
/// Before anything is joined, when a room can't be recorded as configured.
pub async fn run(
    config: &Config,
    shared: &Shared,
    mut reloads: Reloads,
    stop: &CancellationToken,
) -> Result<(), RoomsError> {
    check(config)?;
    shared.observed.expect(config.rooms.len());
    let mut keeper = Keeping {
        shared,
        stop,
        wanted: reload::rooms(config),
        running: HashMap::new(),
        tasks: JoinSet::new(),
    };
    for room in config.rooms.iter().map(|room| room.name.clone()) {
        keeper.begin(&room, Duration::ZERO);
    }
    let care = shared.care.clone();
    let watching = tokio::spawn(async move { care.recover_what_comes_back().await });
    shared.vigil.tell(Turn::Ready);
    loop {
        tokio::select! {
            Some(ended) = keeper.tasks.join_next_with_id() => keeper.ended(ended),
            Some(next) = reloads.recv() => {
                shared.vigil.tell(Turn::Reloading);
                keeper.reload(config, next);
                shared.vigil.tell(Turn::Reloaded);
            }
            () = stop.cancelled() => break,
        }
    }
    while let Some(ended) = keeper.tasks.join_next_with_id().await {
        keeper.ended(ended);
    }
    watching.abort();
    Ok(())
}

struct Keeping<'a> {
    shared: &'a Shared,
    stop: &'a CancellationToken,
    wanted: Rooms,
    running: HashMap<Id, Running>,
    tasks: JoinSet<()>,
}

/// A room's task.
struct Running {
    room: String,
    stop: CancellationToken,
}

impl Keeping<'_> {
    /// Begins with a room, if it is wanted, after a while.
    fn begin(&mut self, room: &str, after: Duration) {
        let Some(config) = self.wanted.get(room) else {
            return;
        };
        let stop = self.stop.child_token();
        let stays = stays::keep_recording(config.clone(), self.shared.clone(), stop.clone(), after);
        let task = self.tasks.spawn(stays);
        let room = room.to_owned();
        self.running.insert(task.id(), Running { room, stop });
    }

    /// Takes note of a task that is over.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, after) = match ended {
            Ok((id, ())) => (id, Duration::ZERO),
            Err(error) => {
                tracing::error!(
                    message_id = events::DIED,
                    "a room's task died, please report this: {error}"
                );
                (error.id(), AFTER_DEATH)
            }
        };
        if let Some(Running { room, .. }) = self.running.remove(&id)
            && !self.stop.is_cancelled()
        {
            self.begin(&room, after);
        }
    }

    /// Goes on as another configuration says, which may be wrong.
    fn reload(&mut self, running: &Config, next: Result<Config, ConfigError>) {
        let checked = next
            .map_err(RoomsError::from)
            .and_then(|next| check(&next).map(|()| next));
        let next = match checked {
            Ok(next) => reload::plan(running, &next),
            Err(error) => {
                let error = one_line(&error);
                tracing::error!(
                    message_id = events::RELOAD_REFUSED,
                    "the configuration is not taken, all goes on as before: {error}"
                );
                return;
            }
        };
        let before = std::mem::replace(&mut self.wanted, next.rooms);
        self.shared.observed.expect(self.wanted.len());
        let mut kept = 0;
        for Running { room, stop } in self.running.values() {
            if self.wanted.get(room) == before.get(room) {
                kept += 1;
            } else {
                // When it has ended, it begins as it is wanted now, if it is.
                stop.cancel();
            }
        }
        let new = self
            .wanted
            .keys()
            .filter(|room| !before.contains_key(*room));
        let new: Vec<String> = new.cloned().collect();
        let ended = before
            .keys()
            .filter(|room| !self.wanted.contains_key(*room));
        tracing::info!(
            message_id = events::RELOADED,
            rooms = self.wanted.len(),
            untouched = kept,
            begun = new.len(),
            ended = ended.count(),
            "the configuration was read again"
        );
        for room in new {
            // One that has not yet ended for good begins by itself.
            if !self.running.values().any(|running| running.room == room) {
                self.begin(&room, Duration::ZERO);
            }
        }
        if !next.later.is_empty() {
            let later = next.later.join(", ");
            tracing::warn!("changed, and in force after the next start only: {later}");
        }
    }
}
