//! All rooms of a configuration, each joined again and again until told to stop.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::care::Care;
use super::governing::Governing;
use super::join::{self, Stay};
use super::settings::{Means, OnFailure, RoomProgress};
use crate::backoff::Backoff;
use crate::config::{Config, ConfigError, Room};
use crate::media::EquipmentWatch;
use crate::recorder::recording::one_line;
use crate::recorder::summary::RecordingSummary;
use crate::room::livekit::{LiveKitError, Remedy};
use crate::room::{Refusals, SelectionError};

/// The first wait after a stay in a room.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait after a refusal: somebody has to change something first.
const REFUSED_WAIT: Duration = Duration::from_mins(1);

/// A stay this long counts as success: the next wait is short again.
const GOOD_STAY: Duration = Duration::from_secs(30);

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

/// Records all rooms of `config` until `stop` is cancelled; everything is sealed on return.
///
/// # Errors
/// Before anything is joined, when a room can't be recorded as configured.
pub async fn run(
    config: &Config,
    care: &Care,
    equipment: &EquipmentWatch,
    governing: &Governing,
    stop: &CancellationToken,
) -> Result<(), RoomsError> {
    let rooms = config.require_rooms()?;
    for room in rooms {
        plan(config, room)?;
    }
    let mut tasks = JoinSet::new();
    for room in rooms {
        tasks.spawn(keep_recording(
            config.clone(),
            room.clone(),
            care.clone(),
            equipment.clone(),
            governing.clone(),
            stop.clone(),
        ));
    }
    let watched = care.clone();
    let watching = tokio::spawn(async move { watched.recover_what_comes_back().await });
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("{}", one_line(&error)),
            Err(error) => tracing::error!("a room's task died, please report this: {error}"),
        }
    }
    watching.abort();
    Ok(())
}

fn plan(config: &Config, room: &Room) -> Result<crate::room::livekit::Join, RoomsError> {
    let connection = config.connection(room)?;
    join::plan(config, &connection, config.selection(room)).map_err(|source| {
        RoomsError::Selection {
            room: room.name.clone(),
            source,
        }
    })
}

async fn keep_recording(
    config: Config,
    room: Room,
    care: Care,
    equipment: EquipmentWatch,
    governing: Governing,
    stop: CancellationToken,
) -> Result<(), RoomsError> {
    let means = Means {
        storage: care.watch(),
        equipment,
        orders: governing.orders(),
        door: governing.door(),
    };
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    while !stop.is_cancelled() {
        let joined = Instant::now();
        // A plan is made anew for each stay: a token is minted and the selection starts empty.
        let settings = join::room_settings(&config, &room.name, OnFailure::Retry, &means);
        let (progress, watched) = watch::channel(RoomProgress::default());
        governing.look_at(&room.name, watched).await;
        let Stay { end, totals } = join::record(
            plan(&config, &room)?,
            settings,
            stop.clone(),
            progress,
            |summary| {
                care.note(&summary);
                tell(summary);
            },
        )
        .await;
        say_refused(&room.name, &totals.refused);
        if stop.is_cancelled() {
            break;
        }
        if joined.elapsed() >= GOOD_STAY {
            backoff.reset();
        }
        let pause = backoff.next(fastrand::f64());
        let wait = match &end {
            Err(error) if error.remedy() == Remedy::Configure => pause.max(REFUSED_WAIT),
            _ => pause,
        };
        say(&room.name, &end, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

/// Each had its warning; this is what a stay of days comes to.
fn say_refused(room: &str, refused: &Refusals) {
    if refused.total() > 0 {
        tracing::warn!(
            room,
            max_participants = refused.max_participants,
            max_tracks = refused.max_tracks,
            unrecordable = refused.unrecordable,
            "tracks were not recorded"
        );
    }
}

fn say(room: &str, end: &Result<crate::room::RoomEnd, LiveKitError>, wait: Duration) {
    let seconds = wait.as_secs_f64();
    match end {
        Ok(end) => tracing::info!(
            room,
            "{}; waiting for it again in {seconds:.1} s",
            end.as_str()
        ),
        Err(error) => tracing::warn!(room, "{}; trying again in {seconds:.1} s", one_line(error)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given away for good")]
fn tell(summary: RecordingSummary) {
    let folder = summary
        .dir
        .as_ref()
        .map_or_else(|| "-".to_owned(), |dir| dir.display().to_string());
    tracing::info!(
        participant = summary.participant.as_str(),
        source = %summary.source,
        folder,
        seconds = summary.duration_s,
        bytes = summary.bytes,
        pictures = summary.frames.video.written,
        dropped = summary.frames.video.dropped.total() + summary.frames.audio.dropped.total(),
        gaps = summary.gaps.count,
        "recording sealed"
    );
}
