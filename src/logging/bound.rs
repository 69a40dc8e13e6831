//! No more than so many lines a minute of one kind and room: a server that flaps or a disk that
//! fails each second must not push everything else out of the journal.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};

use crate::events;

/// Lines of one kind and room that are let through in a window. Twenty participants may come at once.
const MOST: u32 = 30;

/// How long a window is. It begins with its first line.
const WINDOW: Duration = Duration::from_mins(1);

/// With so many windows, those that are over are forgotten before another one is opened.
const MANY: usize = 1_024;

/// Holds back what is too much, and tells how much that was when the minute is over. What is told at
/// `debug` and below somebody has asked for, and gets.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    windows: Windows,
    /// A thread waits for windows to be over.
    telling: bool,
}

/// One place in the source, about one room.
type Kind = (Identifier, Option<String>);

/// What was let through and held back, by kind.
#[derive(Debug, Default)]
struct Windows(HashMap<Kind, Window>);

#[derive(Debug)]
struct Window {
    since: Instant,
    said: u32,
    held: u64,
    /// The first that was held back.
    example: String,
}

/// What was held back of one kind.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    room: Option<String>,
    lines: u64,
    example: String,
}

impl Windows {
    /// Whether a line may be said; `text` is what it says.
    fn admit(&mut self, kind: Kind, now: Instant, text: impl FnOnce() -> String) -> bool {
        if self.0.len() >= MANY && !self.0.contains_key(&kind) {
            self.0.retain(|_, it| it.held > 0 || !it.is_over(now));
        }
        let window = self.0.entry(kind).or_insert_with(|| Window::new(now));
        if window.is_over(now) && window.held == 0 {
            *window = Window::new(now);
        }
        if window.said < MOST {
            window.said += 1;
            return true;
        }
        if window.held == 0 {
            window.example = text();
        }
        window.held += 1;
        false
    }

    /// What was held back in windows that are over. They are forgotten.
    fn take_over(&mut self, now: Instant) -> Vec<Held> {
        let over = |(_, it): (&Kind, &mut Window)| it.held > 0 && it.is_over(now);
        let taken = self.0.extract_if(|kind, window| over((kind, window)));
        let held = taken.map(|((_, room), window)| Held {
            room,
            lines: window.held,
            example: window.example,
        });
        held.collect()
    }

    /// When the next window is over of which something was held back.
    fn next(&self) -> Option<Instant> {
        let held = self.0.values().filter(|it| it.held > 0);
        held.map(|it| it.since + WINDOW).min()
    }
}

impl Window {
    const fn new(now: Instant) -> Self {
        Self {
            since: now,
            said: 0,
            held: 0,
            example: String::new(),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }
}

impl Bound {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, event: &Event<'_>) -> bool {
        let mut said = Said::default();
        event.record(&mut said);
        let kind = (event.metadata().callsite(), said.room);
        let mut state = self.state();
        if state
            .windows
            .admit(kind, Instant::now(), || said.message.unwrap_or_default())
        {
            return true;
        }
        if !std::mem::replace(&mut state.telling, true) {
            drop(state);
            self.tell_later();
        }
        false
    }

    /// Not here: inside an event there can be no other one.
    fn tell_later(&self) {
        let bound = self.clone();
        let thread = thread::Builder::new().name("reeld-log".to_owned());
        if thread.spawn(move || bound.tell()).is_err() {
            // The next line that is held back tries again.
            self.state().telling = false;
        }
    }

    /// Tells what was held back, until nothing is.
    fn tell(&self) {
        loop {
            let now = Instant::now();
            let (over, next) = {
                let mut state = self.state();
                let over = state.windows.take_over(now);
                let next = state.windows.next();
                state.telling = next.is_some();
                (over, next)
            };
            for held in over {
                say(&held);
            }
            match next {
                Some(next) => thread::sleep(next.saturating_duration_since(now)),
                None => return,
            }
        }
    }
}

fn say(held: &Held) {
    tracing::warn!(
        message_id = events::HELD_BACK,
        room = held.room.as_deref(),
        lines = held.lines,
        like = held.example.as_str(),
        "lines of one kind were held back in the last minute"
    );
}

impl<S> Filter<S> for Bound {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.admit(event)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

/// What an event says, and of which room.
#[derive(Default)]
struct Said {
    room: Option<String>,
    message: Option<String>,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "room" {
            self.room = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = Some(format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(rooms: &[&str]) -> Vec<Kind> {
        let site = Identifier(&SITE);
        rooms
            .iter()
            .map(|room| (site.clone(), Some((*room).to_owned())))
            .collect()
    }

    static SITE: tracing::callsite::DefaultCallsite =
        tracing::callsite::DefaultCallsite::new(&METADATA);
    static METADATA: Metadata<'static> = tracing::metadata! {
        name: "here",
        target: "reeld",
        level: Level::WARN,
        fields: &[],
        callsite: &SITE,
        kind: tracing::metadata::Kind::EVENT,
    };

    fn flood(windows: &mut Windows, kind: &Kind, now: Instant, lines: u32) -> u32 {
        (0..lines)
            .filter(|line| windows.admit(kind.clone(), now, || format!("line {line}")))
            .count()
            .try_into()
            .unwrap()
    }

    #[test]
    fn a_flood_of_one_room_leaves_the_others_alone_and_is_told_of() {
        let kinds = kinds(&["lobby", "garage"]);
        let mut windows = Windows::default();
        let start = Instant::now();
        assert_eq!(flood(&mut windows, &kinds[0], start, 1_000), MOST);
        assert_eq!(flood(&mut windows, &kinds[1], start, 10), 10);
        assert_eq!(windows.take_over(start), []);
        let end = windows.next().unwrap();
        assert_eq!(end, start + WINDOW);
        let held = Held {
            room: Some("lobby".to_owned()),
            lines: u64::from(1_000 - MOST),
            example: format!("line {MOST}"),
        };
        assert_eq!(windows.take_over(end), [held]);
        assert_eq!(windows.next(), None);
        assert_eq!(flood(&mut windows, &kinds[0], end, 5), 5, "another minute");
    }

    #[test]
    fn what_comes_seldom_is_never_held_back() {
        let kind = &kinds(&["lobby"])[0];
        let mut windows = Windows::default();
        let mut now = Instant::now();
        for _ in 0..500 {
            assert_eq!(flood(&mut windows, kind, now, 1), 1);
            now += WINDOW / (MOST - 1);
        }
    }

    #[test]
    fn windows_do_not_pile_up() {
        let mut windows = Windows::default();
        let mut now = Instant::now();
        for number in 0..10 * MANY {
            let room = number.to_string();
            flood(&mut windows, &kinds(&[&room])[0], now, 1);
            now += WINDOW / 100;
        }
        assert!(windows.0.len() <= MANY, "{}", windows.0.len());
    }
}
