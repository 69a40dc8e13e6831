//! A room without a server: one participant, whose camera shows the test card and whose
//! microphone beeps with its flashes. For the demo, and for tests of all that follows a source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{
    Codec, Delivery, EventSender, Kind, Participant, ReceiverGone, RoomCommand, RoomEnd, RoomEvent,
    Source, Track, TrackEnd, TrackId,
};
use crate::media::MediaError;
use crate::media::test_card::{CardVideo, TestCard};

/// How far the card is ahead of the clock: what a publisher's encoder takes at most.
const AHEAD: Duration = Duration::from_millis(40);

/// Runs the room at the pace of the clock for `length`, or until told to leave. It blocks: give
/// it a thread of its own.
///
/// # Errors
/// When an encoder is not installed or fails.
pub fn run(
    video: CardVideo,
    length: Duration,
    events: &EventSender,
    mut commands: mpsc::Receiver<RoomCommand>,
) -> Result<RoomEnd, MediaError> {
    let mut card = TestCard::new(Some(video), true)?;
    let tracks = tracks(video.codec);
    if announce(events, &tracks).is_err() {
        return Ok(RoomEnd::Left);
    }
    let mut interrupted = [false; 2];
    let start = Instant::now();
    let mut until = Duration::ZERO;
    while until < length {
        events.beat();
        until = (until + AHEAD).min(length);
        for (kind, mut unit) in card.next_units(until)? {
            std::thread::sleep(unit.at.saturating_sub(start.elapsed()));
            let which = usize::from(kind == Kind::Audio);
            let (Some(track), Some(interrupted)) = (tracks.get(which), interrupted.get_mut(which))
            else {
                continue;
            };
            unit.contiguous &= !std::mem::take(interrupted);
            match events.offer(track.id.clone(), unit) {
                Ok(Delivery::Queued) => {}
                Ok(Delivery::Dropped) => *interrupted = true,
                Err(ReceiverGone) => return Ok(RoomEnd::Left),
            }
        }
        match commands.try_recv() {
            Ok(RoomCommand::RequestKeyframe(_)) => card.request_keyframe(),
            // There is no server that could send less.
            Ok(RoomCommand::Send(_)) | Err(mpsc::error::TryRecvError::Empty) => {}
            Ok(RoomCommand::Leave) | Err(mpsc::error::TryRecvError::Disconnected) => {
                return Ok(RoomEnd::Left);
            }
        }
    }
    for track in &tracks {
        let removed = RoomEvent::TrackRemoved {
            id: track.id.clone(),
            end: TrackEnd::ParticipantLeft,
        };
        if events.tell_blocking(removed).is_err() {
            return Ok(RoomEnd::Left);
        }
    }
    Ok(RoomEnd::Closed)
}

fn tracks(codec: Codec) -> [Track; 2] {
    let participant = Arc::new(Participant {
        sid: "PA_demo".to_owned(),
        identity: "demo".to_owned(),
        name: "Test card".to_owned(),
    });
    let track = |id: &str, source, codec| Track {
        id: TrackId::new(id),
        participant: Arc::clone(&participant),
        source,
        codec,
        stereo: false,
        muted: false,
    };
    [
        track("TR_camera", Source::Camera, codec),
        track("TR_microphone", Source::Microphone, Codec::Opus),
    ]
}

fn announce(events: &EventSender, tracks: &[Track]) -> Result<(), ReceiverGone> {
    events.tell_blocking(RoomEvent::Joined {
        room_sid: String::new(),
        server: "synthetic room".to_owned(),
    })?;
    for track in tracks {
        events.tell_blocking(RoomEvent::TrackAdded(track.clone()))?;
    }
    Ok(())
}
