//! One recording as its room sees it: its tracks, and what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::recorder::summary::RecordingProgress;
use crate::room::{
    AccessUnit, Delivery, EventSender, Interruption, ReceiverGone, RoomEvent, Source, Track,
    TrackId,
};

/// How long a recording that failed is left alone before it is tried again, at first.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// The same at most, when it keeps failing.
pub(super) const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// What belongs together: a participant's camera and microphone, or a screen and its sound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The participant's identity.
    participant: String,
    screen: bool,
}

impl Key {
    /// Where a track belongs.
    pub(super) fn of(track: &Track) -> Self {
        let screen = matches!(track.source, Source::ScreenShare | Source::ScreenShareAudio);
        Self {
            participant: track.participant.identity.clone(),
            screen,
        }
    }
}

/// The tracks that belong together, and their recording.
pub(super) struct Live {
    pub(super) tracks: BTreeMap<TrackId, Track>,
    /// Tracks that the server holds back.
    pub(super) paused: BTreeSet<TrackId>,
    pub(super) state: State,
    pub(super) retries: Backoff,
}

/// How their recording stands.
pub(super) enum State {
    Recording {
        number: u64,
        inbox: EventSender,
        progress: watch::Receiver<RecordingProgress>,
    },
    Failed {
        retry_at: Instant,
    },
}

impl Live {
    /// Tells a recording that has just started how things stand.
    pub(super) fn introduce(&mut self, interrupted: Option<Interruption>) {
        for track in self.tracks.clone().into_values() {
            let id = track.id.clone();
            let paused = self.paused.contains(&id);
            self.tell(RoomEvent::TrackAdded(track));
            if paused {
                self.tell(RoomEvent::TrackPaused { id, paused });
            }
        }
        if let Some(cause) = interrupted {
            self.tell(RoomEvent::Interrupted { cause });
        }
    }

    /// A track was muted, or is so no longer.
    pub(super) fn mute(&mut self, id: TrackId, muted: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.muted = muted;
        }
        self.tell(RoomEvent::TrackMuted { id, muted });
    }

    /// The server holds a track back, or does so no longer.
    pub(super) fn pause(&mut self, id: TrackId, paused: bool) {
        if paused {
            self.paused.insert(id.clone());
        } else {
            self.paused.remove(&id);
        }
        self.tell(RoomEvent::TrackPaused { id, paused });
    }

    /// Gives a unit to the recording, which counts those that it has no room for. False when it
    /// has failed and nobody listens.
    pub(super) fn offer(&self, id: TrackId, unit: AccessUnit) -> bool {
        match &self.state {
            State::Recording { inbox, .. } => inbox.offer(id, unit).is_ok(),
            State::Failed { .. } => false,
        }
    }

    /// Tells the recording something, never waiting. False when it has failed and nobody listens.
    pub(super) fn tell(&mut self, event: RoomEvent) -> bool {
        let State::Recording { inbox, .. } = &self.state else {
            return false;
        };
        match inbox.try_tell(event) {
            Ok(Delivery::Queued) => true,
            // Its task is over, and is about to be taken note of.
            Err(ReceiverGone) => false,
            Ok(Delivery::Dropped) => {
                self.give_up();
                false
            }
        }
    }

    /// The recording takes nothing any more: its disk hangs where it can't be left alone. It ends
    /// when it can; another one is tried.
    fn give_up(&mut self) {
        if let Some(track) = self.tracks.values().next() {
            tracing::error!(
                participant = track.participant.identity.as_str(),
                source = %track.source,
                "a recording hangs and is given up: check the disk"
            );
        }
        self.state = State::Failed {
            retry_at: Instant::now() + self.retries.next(fastrand::f64()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::recording::INBOX;
    use crate::room::{Codec, EventReceiver, test_track};

    fn camera() -> Track {
        test_track::track("V", Source::Camera, Codec::H264)
    }

    fn live() -> (Live, EventReceiver) {
        let (inbox, receiver) = EventSender::bounded(INBOX);
        let (_, progress) = watch::channel(RecordingProgress::default());
        let camera = camera();
        let live = Live {
            tracks: BTreeMap::from([(camera.id.clone(), camera)]),
            paused: BTreeSet::new(),
            state: State::Recording {
                number: 1,
                inbox,
                progress,
            },
            retries: Backoff::new(RETRY, LONGEST_RETRY),
        };
        (live, receiver)
    }

    #[tokio::test]
    async fn a_recording_that_hangs_is_given_up_and_waited_for_by_nobody() {
        let (mut live, mut hung) = live();
        let unit = AccessUnit {
            at: Duration::ZERO,
            keyframe: true,
            contiguous: true,
            data: vec![0; 100_000].into(),
        };
        for _ in 0..1_000 {
            assert!(live.offer(TrackId::new("V"), unit.clone()));
        }
        // What is said of tracks gets through for long after units do not.
        let muted = || RoomEvent::TrackMuted {
            id: TrackId::new("V"),
            muted: true,
        };
        let told = (0..1_000).take_while(|_| live.tell(muted())).count();
        assert!((32..INBOX.events).contains(&told), "{told}");
        assert!(matches!(live.state, State::Failed { .. }));
        assert!(!live.offer(TrackId::new("V"), unit));

        let (mut units, mut dropped) = (0, 0);
        while let Some(event) = hung.recv().await {
            match event {
                RoomEvent::Media { .. } => units += 1,
                RoomEvent::UnitsDropped { units, .. } => dropped += units,
                _ => {}
            }
        }
        assert_eq!(
            (units, dropped),
            (INBOX.bytes as u64 / 100_000, 1_000 - units)
        );
    }

    #[tokio::test]
    async fn a_recording_that_starts_late_is_told_how_things_stand() {
        let (mut live, mut inbox) = live();
        let id = TrackId::new("V");
        live.mute(id.clone(), true);
        live.pause(id.clone(), true);
        let cause = Interruption::Migration;
        live.introduce(Some(cause));
        live.mute(id.clone(), false);
        live.pause(id.clone(), false);
        live.introduce(None);
        let muted = |muted| RoomEvent::TrackMuted {
            id: id.clone(),
            muted,
        };
        let paused = |paused| RoomEvent::TrackPaused {
            id: id.clone(),
            paused,
        };
        let added = |muted| RoomEvent::TrackAdded(Track { muted, ..camera() });
        let interrupted = RoomEvent::Interrupted { cause };
        let late = [added(true), paused(true), interrupted];
        let later = [muted(false), paused(false), added(false)];
        for expected in [muted(true), paused(true)]
            .into_iter()
            .chain(late)
            .chain(later)
        {
            assert_eq!(inbox.recv().await, Some(expected));
        }
        drop(live);
        assert_eq!(inbox.recv().await, None);
    }
}
