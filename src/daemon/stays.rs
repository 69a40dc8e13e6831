//! One room, joined again and again until told to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::care::Care;
use super::governing::Governing;
use super::join::{self, SourceError, Stay};
use super::rooms::RoomsError;
use super::settings::{Means, OnFailure, RoomProgress};
use super::signs::Observed;
use crate::backoff::Backoff;
use crate::config::{Config, Room};
use crate::events;
use crate::health::vigil::Vigil;
use crate::media::EquipmentWatch;
use crate::recorder::recording::one_line;
use crate::recorder::summary::RecordingSummary;
use crate::room::Refusals;

/// The first wait after a stay in a room.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait after a refusal: somebody has to change something first.
const REFUSED_WAIT: Duration = Duration::from_mins(1);

/// A stay this long counts as success: the next wait is short again.
const GOOD_STAY: Duration = Duration::from_secs(30);

/// What all rooms share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Looks after the disk.
    pub care: Care,
    /// What decodes and encodes.
    pub equipment: EquipmentWatch,
    /// Says what is to be given up.
    pub governing: Governing,
    /// Where the watchdog's thread hears of rooms.
    pub observed: Observed,
    /// The watchdog's thread.
    pub vigil: Arc<Vigil>,
}

/// Records the one room of `config` until `stop` is cancelled, beginning `after` a while.
pub(super) async fn keep_recording(
    config: Config,
    shared: Shared,
    stop: CancellationToken,
    after: Duration,
) {
    pause(after, &stop).await;
    for room in &config.rooms {
        if let Err(error) = stay_again_and_again(&config, room, &shared, &stop).await {
            tracing::error!("{}", one_line(&error));
        }
    }
}

async fn stay_again_and_again(
    config: &Config,
    room: &Room,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<(), RoomsError> {
    let means = Means {
        storage: shared.care.watch(),
        equipment: shared.equipment.clone(),
        orders: shared.governing.orders(),
        door: shared.governing.door(),
    };
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let standing = shared.governing.enter(&room.name).await;
    while !stop.is_cancelled() {
        let joined = Instant::now();
        // It is made anew for each stay: a token is minted and the selection starts empty.
        let place = join::place(config, room)?;
        let settings = join::room_settings(config, &room.name, OnFailure::Retry, &means);
        let (progress, watched) = watch::channel(RoomProgress::default());
        shared.governing.look_at(&room.name, watched.clone()).await;
        shared.observed.look_at(&room.name, watched).await;
        standing.join();
        let Stay { end, totals } =
            join::record(place, settings, stop.clone(), progress, |summary| {
                shared.care.note(&summary);
                standing.note(&summary);
                tell(&room.name, summary);
            })
            .await;
        say_refused(&room.name, &totals.refused);
        if stop.is_cancelled() {
            break;
        }
        if joined.elapsed() >= GOOD_STAY {
            backoff.reset();
            standing.settled();
        }
        let mut wait = backoff.next(fastrand::f64());
        if end.as_ref().is_err_and(SourceError::needs_somebody) {
            wait = wait.max(REFUSED_WAIT);
        }
        standing.leave(&end, wait);
        pause(wait, stop).await;
    }
    Ok(())
}

async fn pause(wait: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = stop.cancelled() => {}
    }
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

#[expect(clippy::needless_pass_by_value, reason = "given away for good")]
fn tell(room: &str, summary: RecordingSummary) {
    let folder = summary
        .dir
        .as_ref()
        .map_or_else(|| "-".to_owned(), |dir| dir.display().to_string());
    tracing::info!(
        message_id = events::RECORDING_SEALED,
        room,
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
