//! What to do about a connection that breaks: one state machine for signalling and media.
//!
//! ```text
//!               joined             media up
//!  Connecting ─────────► Opening ────────────► Live ◄───────────────────────┐
//!    ▲  │ failed            │                   │  │ signalling lost,       │
//!    │  │                   │ not within 15 s,  │  │ told to resume         │ resumed
//!    │  │                   │ signalling lost   │  ▼                        │
//!    │  │                   │                   │ Resuming ─────────────────┤
//!    │  │                   │        media lost │  │ ▲ failed, tried again  │
//!    │  │                   │                   ▼  ▼ │ for 15 s             │
//!    │  │                   │           LastWord  ResumeWait               │
//!    │  │                   │    1 s over  │         │ refused, media lost, │
//!    │  ▼                   ▼              ▼         ▼ 15 s over            │
//!    └─ Waiting (back-off) ◄────────────────────────────── told to reconnect
//! ```
//!
//! - **Resuming**: the server still has our session; only signalling is opened anew. Media goes
//!   on all the while, and keeps the state it has. Paths are looked for anew, so an address of ours
//!   that is gone leads here as well.
//! - **`LastWord`**: media ended first. When a room is deleted, the server's word of it and the end
//!   of the media connection arrive in any order.
//! - **Connecting**: everything anew, with another token and another media connection. The old
//!   media connection goes on until the new one takes its place.
//!
//! From every state, a room that was closed and a server that removes us lead to `Ended`; a
//! connect that fails for good, such as by a refused token, ends the stay without asking here. Every
//! state but `Live` and `Ended` has a deadline, so nothing is waited for in vain. Pure: time and
//! chance come in as arguments.
//!
//! **The same identity twice.** A key's holder joins under an identity with a suffix by chance,
//! the same for the whole stay: two recorders in a room don't meet, and our own ghost, left
//! behind by a lost connection, is put out by the server when we join again. With a ready-made
//! token two recorders can still meet; the one that is put out comes back after a long wait
//! instead of at once, or each would put out the other for ever.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::room::{Interruption, RoomEnd};

/// The first wait before everything is connected anew.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A connection that held this long was good: the next wait is short again.
const GOOD: Duration = Duration::from_secs(30);

/// How long media may take to come up once we joined. ICE and DTLS take a second or two over the
/// worst of networks; a resumed session restarts ICE.
const OPENING: Duration = Duration::from_secs(15);

/// How long resuming is tried. The server keeps a session about that long.
const RESUME_FOR: Duration = Duration::from_secs(15);

/// The waits between tries to resume.
const FIRST_RESUME_WAIT: Duration = Duration::from_millis(400);
const LONGEST_RESUME_WAIT: Duration = Duration::from_secs(3);

/// How long the server may take to say why it closed the media connection.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Longer than all time limits of the signalling client's own for one connect together.
const CONNECT: Duration = Duration::from_secs(40);

/// The least wait when another client took our identity.
const DUPLICATE_WAIT: Duration = Duration::from_secs(30);

/// What happened to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A connect succeeded: we are in the room, media is still to come.
    Joined,
    /// A connect failed.
    ConnectFailed(Refusal),
    /// A resume succeeded.
    Resumed,
    /// A resume failed: the server can't be reached, or says no.
    ResumeFailed(Refusal),
    /// The signalling connection is gone.
    SignalLost,
    /// The media connection is up.
    MediaUp,
    /// No media path is left, or the media stack gave up.
    MediaLost,
    /// Our address that media came to is gone: signalling came over it as well, as a rule, and a
    /// resumed session looks for paths anew.
    PathLost,
    /// The media connection is said to be up, but nothing comes over it.
    MediaSilent,
    /// The server sends us away.
    Leave(Leave),
    /// Time went by.
    Timer,
}

/// How final a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The same may work later.
    Later,
    /// The server doesn't know the session, or the room, any more.
    Gone,
}

/// What the server's leave request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Go: the room is over, or we are not wanted.
    End(RoomEnd),
    /// Open signalling anew and go on.
    Resume(Interruption),
    /// Connect everything anew.
    Reconnect(Interruption),
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell the room's task that the connection is broken. Alternates with [`Self::TellResumed`].
    TellInterrupted(Interruption),
    /// Tell the room's task that media can flow again.
    TellResumed,
    /// Open signalling anew within the same session; answer with [`Input::Resumed`] or
    /// [`Input::ResumeFailed`].
    Resume,
    /// Connect everything anew, instead of a resume that is on its way; answer with
    /// [`Input::Joined`] or [`Input::ConnectFailed`].
    Connect,
    /// It is over.
    End(RoomEnd),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening { until: Instant },
    Live { since: Instant },
    LastWord { until: Instant },
    Resuming { until: Instant },
    ResumeWait { at: Instant, until: Instant },
    Waiting { at: Instant },
    Connecting { until: Instant },
    Ended,
}

/// The connection of one stay in a room, from the first join on.
#[derive(Debug)]
pub struct Link {
    state: State,
    waits: Backoff,
    resume_waits: Backoff,
    told: bool,
}

impl Link {
    /// We have joined; media is still to come.
    #[must_use]
    pub fn joined(now: Instant) -> Self {
        Self {
            state: State::Opening {
                until: now + OPENING,
            },
            waits: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            resume_waits: Backoff::new(FIRST_RESUME_WAIT, LONGEST_RESUME_WAIT),
            told: false,
        }
    }

    /// When [`Input::Timer`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Opening { until }
            | State::LastWord { until }
            | State::Resuming { until }
            | State::Connecting { until } => Some(until),
            State::Waiting { at } | State::ResumeWait { at, .. } => Some(at),
            State::Live { .. } | State::Ended => None,
        }
    }

    /// Whether signalling and media are both up, as far as is known.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    /// Whether signalling takes messages: not while it is being opened anew.
    #[must_use]
    pub const fn takes_messages(&self) -> bool {
        matches!(
            self.state,
            State::Opening { .. } | State::Live { .. } | State::LastWord { .. }
        )
    }

    /// Takes what happened; `random`, from 0 to 1, spreads the waits of many recorders.
    #[must_use = "nothing is done unless the actions are"]
    pub fn take(&mut self, input: Input, now: Instant, random: f64) -> Vec<Action> {
        let mut step = Step {
            link: self,
            now,
            random,
            actions: Vec::new(),
        };
        step.take(input);
        step.actions
    }
}

/// One input being taken.
struct Step<'a> {
    link: &'a mut Link,
    now: Instant,
    random: f64,
    actions: Vec<Action>,
}

impl Step<'_> {
    fn take(&mut self, input: Input) {
        match (self.link.state, input) {
            (State::Ended, _) => {}
            (_, Input::Leave(leave)) => self.leave(leave),
            (_, Input::Timer) => self.timer(),
            (State::Opening { .. } | State::LastWord { .. }, Input::MediaUp)
            | (State::Resuming { .. }, Input::Resumed) => self.live(),
            (State::Opening { .. }, Input::SignalLost) => self.reconnect(Interruption::Signalling),
            (State::Live { .. }, Input::SignalLost) => self.resume(Interruption::Signalling),
            (State::Live { .. }, Input::PathLost) => self.resume(Interruption::Media),
            // Until it was up once, what is not there yet is not lost; the deadline watches.
            (State::Live { .. }, Input::MediaLost) => {
                self.settle();
                self.link.state = State::LastWord {
                    until: self.now + LAST_WORD,
                };
            }
            (State::LastWord { .. }, Input::SignalLost)
            | (State::Live { .. }, Input::MediaSilent) => self.reconnect(Interruption::Media),
            (State::Resuming { .. } | State::ResumeWait { .. }, Input::MediaLost) => {
                self.wait(Duration::ZERO);
            }
            (State::Resuming { until }, Input::ResumeFailed(refusal)) => {
                self.resume_failed(refusal, until);
            }
            (State::Connecting { .. }, Input::Joined) => {
                self.link.state = State::Opening {
                    until: self.now + OPENING,
                };
            }
            (State::Connecting { .. }, Input::ConnectFailed(refusal)) => match refusal {
                Refusal::Later => self.wait(Duration::ZERO),
                Refusal::Gone => self.end(RoomEnd::Closed),
            },
            // What concerns a connection that was given up already.
            _ => {}
        }
    }

    fn timer(&mut self) {
        if self.link.deadline().is_none_or(|due| self.now < due) {
            return;
        }
        match self.link.state {
            State::Opening { .. } | State::LastWord { .. } => {
                self.reconnect(Interruption::Media);
            }
            State::Resuming { .. } | State::Connecting { .. } => self.wait(Duration::ZERO),
            State::ResumeWait { until, .. } => self.try_to_resume(until),
            State::Waiting { .. } => {
                self.link.state = State::Connecting {
                    until: self.now + CONNECT,
                };
                self.actions.push(Action::Connect);
            }
            State::Live { .. } | State::Ended => {}
        }
    }

    fn live(&mut self) {
        self.link.state = State::Live { since: self.now };
        if std::mem::take(&mut self.link.told) {
            self.actions.push(Action::TellResumed);
        }
    }

    fn leave(&mut self, leave: Leave) {
        match leave {
            Leave::End(end) => self.end(end),
            // A connection that is given up already has no more to say.
            _ if matches!(
                self.link.state,
                State::Waiting { .. } | State::Connecting { .. }
            ) => {}
            Leave::Resume(cause) if self.link.is_live() => self.resume(cause),
            Leave::Resume(cause) | Leave::Reconnect(cause) => self.reconnect(cause),
        }
    }

    fn resume(&mut self, cause: Interruption) {
        self.settle();
        self.interrupt(cause);
        self.link.resume_waits.reset();
        self.try_to_resume(self.now + RESUME_FOR);
    }

    fn try_to_resume(&mut self, until: Instant) {
        if self.now >= until {
            self.wait(Duration::ZERO);
            return;
        }
        self.link.state = State::Resuming { until };
        self.actions.push(Action::Resume);
    }

    fn resume_failed(&mut self, refusal: Refusal, until: Instant) {
        let at = self.now + self.link.resume_waits.next(self.random);
        if refusal == Refusal::Later && at < until {
            self.link.state = State::ResumeWait { at, until };
        } else {
            self.wait(Duration::ZERO);
        }
    }

    fn reconnect(&mut self, cause: Interruption) {
        self.settle();
        self.interrupt(cause);
        let least = match cause {
            Interruption::DuplicateIdentity => DUPLICATE_WAIT,
            _ => Duration::ZERO,
        };
        self.wait(least);
    }

    fn wait(&mut self, least: Duration) {
        let wait = self.link.waits.next(self.random).max(least);
        self.link.state = State::Waiting {
            at: self.now + wait,
        };
    }

    /// A live connection breaks: the waits start again if it was a good one.
    fn settle(&mut self) {
        if let State::Live { since } = self.link.state
            && self.now.saturating_duration_since(since) >= GOOD
        {
            self.link.waits.reset();
        }
    }

    fn interrupt(&mut self, cause: Interruption) {
        if !std::mem::replace(&mut self.link.told, true) {
            self.actions.push(Action::TellInterrupted(cause));
        }
    }

    fn end(&mut self, end: RoomEnd) {
        self.link.state = State::Ended;
        self.actions.push(Action::End(end));
    }
}

#[cfg(test)]
mod tests;
