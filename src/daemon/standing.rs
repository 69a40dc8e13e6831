//! How each room stands between and during stays: for who asks, and for the log, which hears of it
//! once and not with every try.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::join::SourceError;
use super::settings::RoomProgress;
use crate::events;
use crate::recorder::recording::one_line;
use crate::recorder::summary::RecordingSummary;
use crate::room::RoomEnd;
use crate::room::livekit::LiveKitError;
use crate::status::{RoomState, RoomStatus};

/// What goes on unchanged is said again after this long.
const AGAIN: Duration = Duration::from_hours(1);

/// How all rooms stand, as each tells of itself.
#[derive(Debug, Default)]
pub(super) struct Standings(Vec<Told>);

/// How one room stands, for who asks. It is over when its [`Place`] is dropped.
#[derive(Debug)]
pub(super) struct Told {
    room: String,
    standing: watch::Receiver<Standing>,
}

/// How one room stands, as the room's own task keeps it.
#[derive(Debug)]
pub struct Place {
    room: String,
    standing: watch::Sender<Standing>,
}

/// How a stay ended, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The room is over, or we were sent away.
    Ended(RoomEnd),
    /// There is no such room yet.
    Absent(String),
    /// The server can't be reached, or was lost.
    Lost(String),
    /// Somebody has to change something first.
    Refused(String),
}

#[derive(Debug)]
struct Standing {
    state: RoomState,
    since: Instant,
    error: Option<(Instant, String)>,
    said: Option<(Instant, Left)>,
}

impl Left {
    fn of(end: &Result<RoomEnd, SourceError>) -> Self {
        match end {
            Ok(end) => Self::Ended(*end),
            Err(error @ SourceError::LiveKit(LiveKitError::NoRoom { .. })) => {
                Self::Absent(one_line(error))
            }
            Err(error) if error.needs_somebody() => Self::Refused(one_line(error)),
            Err(error) => Self::Lost(one_line(error)),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Ended(end) => end.as_str(),
            Self::Absent(text) | Self::Lost(text) | Self::Refused(text) => text,
        }
    }

    fn say(&self, room: &str, wait: Duration) {
        let (text, seconds) = (self.text(), wait.as_secs_f64());
        match self {
            Self::Ended(_) | Self::Absent(_) => tracing::info!(
                message_id = events::WAITING,
                room,
                "{text}; waiting for it again, next in {seconds:.1} s"
            ),
            Self::Lost(_) => tracing::warn!(
                message_id = events::UNREACHABLE,
                room,
                reason = text,
                "{text}; trying again, next in {seconds:.1} s"
            ),
            Self::Refused(_) => tracing::error!(
                message_id = events::REFUSED,
                room,
                reason = text,
                "{text}; trying again, next in {seconds:.1} s"
            ),
        }
    }
}

impl Standing {
    fn new(now: Instant) -> Self {
        Self {
            state: RoomState::Joining,
            since: now,
            error: None,
            said: None,
        }
    }

    /// Takes note of a stay that is over; whether that is news.
    fn leave(&mut self, left: Left, now: Instant) -> bool {
        let state = match &left {
            Left::Refused(_) => RoomState::Refused,
            Left::Lost(_) => RoomState::Unreachable,
            Left::Ended(_) | Left::Absent(_) => RoomState::Waiting,
        };
        if let Left::Lost(text) | Left::Refused(text) = &left {
            self.error = Some((now, text.clone()));
        }
        self.turn(state, now);
        let known = |(at, said): &(Instant, Left)| {
            *said == left && now.saturating_duration_since(*at) < AGAIN
        };
        let news = !self.said.as_ref().is_some_and(known);
        if news {
            self.said = Some((now, left));
        }
        news
    }

    fn turn(&mut self, state: RoomState, now: Instant) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    fn status(&self, room: &str, progress: Option<&RoomProgress>, now: Instant) -> RoomStatus {
        let presence = progress.and_then(|it| it.presence);
        let state = match presence {
            None => self.state,
            Some(presence) if presence.interrupted => RoomState::Interrupted,
            Some(_) if progress.is_some_and(|it| !it.recordings.is_empty()) => RoomState::Recording,
            Some(_) => RoomState::Joined,
        };
        let since = presence.map_or(self.since, |presence| presence.since);
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs();
        RoomStatus {
            room: room.to_owned(),
            state,
            state_s: ago(since),
            last_error: self.error.as_ref().map(|(_, text)| text.clone()),
            last_error_s: self.error.as_ref().map(|(at, _)| ago(*at)),
        }
    }
}

impl Standings {
    pub(super) fn add(&mut self, room: Told) {
        self.0.push(room);
    }

    /// How all of them stand, by name; `progress` is that of a room we are in.
    pub(super) fn list(
        &mut self,
        now: Instant,
        progress: impl Fn(&str) -> Option<RoomProgress>,
    ) -> Vec<RoomStatus> {
        self.0.retain(|it| it.standing.has_changed().is_ok());
        self.0.sort_by(|a, b| a.room.cmp(&b.room));
        let all = self.0.iter();
        all.map(|Told { room, standing }| {
            standing.borrow().status(room, progress(room).as_ref(), now)
        })
        .collect()
    }
}

impl Place {
    /// Begins to tell of a room.
    pub(super) fn enter(room: &str) -> (Self, Told) {
        let (standing, told) = watch::channel(Standing::new(Instant::now()));
        let room = room.to_owned();
        let told = Told {
            room: room.clone(),
            standing: told,
        };
        (Self { room, standing }, told)
    }

    /// It is being joined. What is being tried again and again stays what it was.
    pub fn join(&self) {
        self.change(|it, now| {
            if it.state == RoomState::Waiting && matches!(it.said, Some((_, Left::Ended(_)))) {
                it.turn(RoomState::Joining, now);
            }
        });
    }

    /// The stay was long enough: how the next one ends is news in any case.
    pub fn settled(&self) {
        self.change(|it, _| it.said = None);
    }

    /// A recording is over.
    pub fn note(&self, summary: &RecordingSummary) {
        if let Some(error) = &summary.error {
            self.change(|it, now| it.error = Some((now, error.clone())));
        }
    }

    /// A stay is over; `wait` until the next try.
    pub fn leave(&self, end: &Result<RoomEnd, SourceError>, wait: Duration) {
        let left = Left::of(end);
        let mut news = false;
        self.change(|it, now| news = it.leave(left.clone(), now));
        if news {
            left.say(&self.room, wait);
        } else {
            tracing::debug!(room = self.room.as_str(), "still so: {}", left.text());
        }
    }

    fn change(&self, change: impl FnOnce(&mut Standing, Instant)) {
        self.standing
            .send_modify(|standing| change(standing, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::settings::Presence;

    fn lost() -> Left {
        Left::Lost("can't reach it".to_owned())
    }

    #[test]
    fn what_goes_on_is_said_once_an_hour() {
        let start = Instant::now();
        let mut standing = Standing::new(start);
        let mut said = 0;
        // A try each half minute, for a day.
        for step in 0..2 * 60 * 24 {
            let now = start + Duration::from_secs(30) * step;
            said += u32::from(standing.leave(lost(), now));
        }
        assert_eq!(said, 24);
        let now = start + Duration::from_hours(24);
        assert!(standing.leave(Left::Refused("no".to_owned()), now), "news");
        assert!(standing.leave(lost(), now), "and again another");
    }

    #[test]
    fn a_room_is_what_its_stay_says_it_is() {
        let now = Instant::now();
        let (place, told) = Place::enter("lobby");
        let mut all = Standings::default();
        all.add(told);
        let mut state = |progress: Option<RoomProgress>| {
            let list = all.list(now + Duration::from_secs(5), |_| progress.clone());
            (list[0].state, list[0].state_s)
        };
        assert_eq!(state(None).0, RoomState::Joining);
        let present = |interrupted| RoomProgress {
            presence: Some(Presence {
                since: now,
                interrupted,
            }),
            ..RoomProgress::default()
        };
        assert_eq!(state(Some(present(false))), (RoomState::Joined, 5));
        assert_eq!(state(Some(present(true))), (RoomState::Interrupted, 5));
        place.leave(&Ok(RoomEnd::Closed), Duration::ZERO);
        assert_eq!(state(None).0, RoomState::Waiting);
        let refused = SourceError::from(LiveKitError::NoCredentials);
        place.leave(&Err(refused), Duration::ZERO);
        let list = all.list(Instant::now(), |_| None);
        assert_eq!(list[0].state, RoomState::Refused);
        assert!(list[0].last_error.as_ref().unwrap().contains("sign in"));
        drop(place);
        assert_eq!(all.list(now, |_| None), []);
    }
}
