//! One stay in a LiveKit room: the source and the room's task, side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::room;
use super::rooms::RoomsError;
use super::settings::{Means, OnFailure, RoomProgress, RoomSettings, RoomTotals, Turnover};
use crate::config::{self, Config, Connection};
use crate::media::test_card::CardVideo;
use crate::media::{self, AudioOut, GraphSettings, InFlight, MediaError, Saving, VideoMode};
use crate::recorder::WriterSettings;
use crate::recorder::summary::RecordingSummary;
use crate::room::livekit::{self, Credentials, Join, LiveKitError, Remedy};
#[cfg(feature = "livekit-sdk")]
use crate::room::sdk;
use crate::room::sdk::SdkSettings;
use crate::room::{
    COMMAND_QUEUE, Codec, EventSender, RoomCommand, RoomEnd, Selection, SelectionError, synthetic,
};

/// How long the source may take to leave once everything is sealed.
const LEAVE: Duration = Duration::from_secs(3);

/// A participant who stays for weeks is recorded in folders of a day: what is old can then be
/// deleted, and what is listed of one recording stays small.
const LONGEST_RECORDING: Duration = Duration::from_hours(24);

/// No recording has more of the quota than this part, so that what is deleted for the newest
/// media is the oldest, and not all there is.
const PART_OF_QUOTA: u64 = 10;

/// What a room's media come from.
#[derive(Debug)]
pub enum Place {
    /// A room of a server.
    Server(Box<Join>),
    /// A test card.
    Synthetic(CardVideo),
}

/// Why a room has no media, or no more.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It could not be joined, or the connection broke.
    #[error(transparent)]
    LiveKit(#[from] LiveKitError),
    /// Its test card can't be made.
    #[error(transparent)]
    Card(#[from] MediaError),
    /// The test card's thread died.
    #[error("the thread of the test card died, please report this")]
    Thread(#[from] JoinError),
}

impl SourceError {
    /// Whether somebody has to change something first.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        match self {
            Self::LiveKit(error) => error.remedy() == Remedy::Configure,
            Self::Card(_) => true,
            Self::Thread(_) => false,
        }
    }
}

/// A stay in a room that is over.
#[derive(Debug)]
pub struct Stay {
    /// Why it ended. When the room couldn't be joined or the connection broke, what was recorded
    /// is sealed all the same.
    pub end: Result<RoomEnd, SourceError>,
    /// What it was about.
    pub totals: RoomTotals,
}

/// Joins a room, records it until it ends or `stop` is cancelled, and leaves it.
pub async fn record(
    place: Place,
    settings: RoomSettings,
    stop: CancellationToken,
    progress: watch::Sender<RoomProgress>,
    finished: impl FnMut(RecordingSummary),
) -> Stay {
    let (sender, events) = EventSender::channel();
    let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
    let mut source = Box::pin(run(place, sender, orders));
    let mut recordings = Box::pin(room::follow(
        settings, events, commands, stop, progress, finished,
    ));
    tokio::select! {
        end = &mut source => {
            let totals = recordings.await;
            Stay { end, totals }
        }
        totals = &mut recordings => {
            let left = tokio::time::timeout(LEAVE, source).await;
            let end = left.unwrap_or(Ok(RoomEnd::Left));
            Stay { end, totals }
        }
    }
}

async fn run(
    place: Place,
    events: EventSender,
    commands: mpsc::Receiver<RoomCommand>,
) -> Result<RoomEnd, SourceError> {
    match place {
        Place::Server(mut join) => match join.sdk.take() {
            #[cfg(feature = "livekit-sdk")]
            Some(settings) => Ok(sdk::run(*join, settings, events, commands).await?),
            // Without the feature the configuration refuses it.
            _ => Ok(livekit::run(*join, events, commands).await?),
        },
        Place::Synthetic(camera) => {
            let card = move || synthetic::run(camera, Duration::MAX, &events, commands);
            Ok(tokio::task::spawn_blocking(card).await??)
        }
    }
}

/// Where `room` of `config` is, and how to record it.
///
/// # Errors
/// When there is no way into it, or the selection can't be used.
pub fn place(config: &Config, room: &config::Room) -> Result<Place, RoomsError> {
    match config.place(room)? {
        config::Place::Server(connection) => plan(config, &connection, config.selection(room))
            .map(|join| Place::Server(Box::new(join)))
            .map_err(|source| RoomsError::Selection {
                room: room.name.clone(),
                source,
            }),
        config::Place::Synthetic { width, height } => Ok(Place::Synthetic(CardVideo {
            width,
            height,
            ..CardVideo::default()
        })),
    }
}

/// What to join for `connection`, recording what `select` says and `config` of any room.
///
/// # Errors
/// When the selection can't be used.
pub fn plan(
    config: &Config,
    connection: &Connection<'_>,
    select: &config::Selection,
) -> Result<Join, SelectionError> {
    Ok(Join {
        url: connection.url.to_owned(),
        room: connection.room.to_owned(),
        credentials: credentials(connection),
        unrecordable: unrecordable(mode(config)),
        selection: Selection::new(
            &select.participants,
            &select.sources,
            select.max_participants,
        )?
        .with_most_tracks(config.limits.max_tracks),
        most_lines: config.video.most_lines(),
        max_frames: config.jitter.max_frames,
        max_unit_bytes: in_memory(config.limits.max_unit_bytes),
        sdk: by_sdk(config),
    })
}

fn by_sdk(config: &Config) -> Option<SdkSettings> {
    let livekit = &config.livekit;
    let key = livekit.e2ee_key.as_ref();
    (livekit.client == config::Client::Sdk).then(|| SdkSettings {
        queue_size_frames: livekit.queue_size_frames.into(),
        in_flight: config.video.in_flight,
        shared_key: key.map(|key| key.expose().as_bytes().to_vec()),
    })
}

/// What opens the room of `connection`.
#[must_use]
pub fn credentials(connection: &Connection<'_>) -> Credentials {
    match connection.credentials {
        config::Credentials::Token(token) => Credentials::Token(token.expose().to_owned()),
        config::Credentials::Key {
            api_key,
            api_secret,
        } => Credentials::Key {
            key: api_key.expose().to_owned(),
            secret: api_secret.expose().to_owned(),
            identity: connection.identity.to_owned(),
        },
    }
}

const fn mode(config: &Config) -> VideoMode {
    match config.video.mode {
        config::VideoMode::Auto => VideoMode::Auto,
        config::VideoMode::Passthrough => VideoMode::Passthrough,
        config::VideoMode::Transcode => VideoMode::Transcode,
    }
}

/// What the installed GStreamer can't decode or copy, or may not, with what to do about it.
fn unrecordable(mode: VideoMode) -> BTreeMap<Codec, String> {
    [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1]
        .into_iter()
        .filter_map(|codec| Some((codec, media::records(codec, mode).err()?.to_string())))
        .collect()
}

/// How `room` is recorded under `config`.
#[must_use]
pub fn room_settings(
    config: &Config,
    room: &str,
    on_failure: OnFailure,
    means: &Means,
) -> RoomSettings {
    let audio = match config.audio.codec {
        config::AudioCodec::Aac => AudioOut::Aac {
            bitrate: config.audio.bitrate.bits_per_second(),
        },
        config::AudioCodec::Opus => AudioOut::Opus,
    };
    RoomSettings {
        root: config.output.clone(),
        room: room.to_owned(),
        graph: GraphSettings {
            mode: mode(config),
            coders: None,
            max_lines: config.video.most_lines(),
            in_flight: InFlight::new(config.video.in_flight).unwrap_or_default(),
            saving: Saving::default(),
            video_bitrate: config.video.bitrate.bits_per_second(),
            keyframe_interval: config.video.keyframe_interval,
            audio,
            keep_damaged: config.video.on_loss == config::OnLoss::Keep,
        },
        writer: WriterSettings {
            flush_bytes: in_memory(config.writer.flush_bytes),
            flush_interval: config.writer.flush_interval,
            handover_bytes: in_memory(config.writer.handover_bytes),
            segment_duration: config.segment.duration,
        },
        cut_on_resize: config.segment.on_resolution_change == config::ResolutionChange::New,
        max_unit_bytes: in_memory(config.limits.max_unit_bytes),
        warn_after: config.gaps.warn_after,
        turnover: Turnover {
            after: LONGEST_RECORDING,
            bytes: config
                .storage
                .quota
                .map(|quota| quota.bytes() / PART_OF_QUOTA),
        },
        storage: means.storage.clone(),
        equipment: means.equipment.clone(),
        orders: means.orders.clone(),
        door: means.door.clone(),
        on_failure,
    }
}

/// The schema allows 64 MiB at most, which fits everywhere.
fn in_memory(size: config::ByteSize) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}
