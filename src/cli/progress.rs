//! What a one-shot recording shows while it runs: a live line on a terminal, a log line now and
//! then elsewhere.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::config::Config;
use crate::daemon::settings::RoomProgress;
use crate::recorder::Drops;

/// Between two log lines.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Over how long the bitrate is taken.
const RATE_OVER: Duration = Duration::from_secs(2);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One line that changes.
    Live,
    /// Log lines.
    Lines,
}

impl Style {
    /// A live line for a person at a terminal.
    #[must_use]
    pub const fn choose(terminal: bool, json: bool) -> Self {
        if terminal && !json {
            Self::Live
        } else {
            Self::Lines
        }
    }

    /// Log lines would tear a live line, so with one only warnings are logged unless more was
    /// asked for.
    #[must_use]
    pub fn log_level(self, config: &Config) -> &str {
        let level = config.log.level.as_str();
        match self {
            Self::Live if level == "info" => "warn",
            _ => level,
        }
    }
}

/// Shows what `progress` tells until its sender is gone.
pub async fn show(style: Style, mut progress: watch::Receiver<RoomProgress>) {
    let start = Instant::now();
    let mut rate = Rate::default();
    let bar = match style {
        Style::Live => live_line(),
        Style::Lines => ProgressBar::hidden(),
    };
    let mut logged = start;
    while progress.changed().await.is_ok() {
        let now = Instant::now();
        let (recordings, line) = {
            let room = progress.borrow_and_update();
            let bytes = room
                .recordings
                .iter()
                .map(|(_, _, one)| one.disk.written)
                .sum();
            (
                room.recordings.len(),
                describe(&room, rate.take(bytes, now)),
            )
        };
        bar.set_prefix(clock(start.elapsed()));
        bar.set_message(line.clone());
        if style == Style::Lines && now.duration_since(logged) >= LOG_EVERY {
            logged = now;
            tracing::info!(recordings, "{line}");
        }
    }
    bar.finish_and_clear();
}

fn live_line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.red} {prefix}  {wide_msg}") {
        bar.set_style(style.tick_chars("●○ "));
    }
    bar.set_prefix(clock(Duration::ZERO));
    bar.set_message("joining");
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Elapsed time is left to the caller; this is all the rest.
fn describe(room: &RoomProgress, bits_per_second: u64) -> String {
    if room.recordings.is_empty() {
        return "waiting for somebody to publish".to_owned();
    }
    let mut line = String::new();
    let (mut bytes, mut pictures) = (0, 0);
    let mut drops = Drops::default();
    for (_, _, one) in &room.recordings {
        bytes += one.disk.written;
        pictures += one.tally.video.written;
        drops.merge(&one.tally.drops());
    }
    if room.recordings.len() > 1 {
        let _ = write!(line, "{} recordings  ", room.recordings.len());
    }
    let _ = write!(
        line,
        "{}  {}.{} Mb/s  {pictures} pictures",
        BinaryBytes(bytes),
        bits_per_second / 1_000_000,
        bits_per_second % 1_000_000 / 100_000,
    );
    line.push_str(&drops_text(&drops));
    line
}

/// `  dropped 3 late, 2 backpressure`, or nothing.
#[must_use]
pub fn drops_text(drops: &Drops) -> String {
    if drops.total() == 0 {
        return String::new();
    }
    let reasons: Vec<String> = drops
        .iter()
        .map(|(reason, units)| format!("{units} {reason}"))
        .collect();
    format!("  dropped {}", reasons.join(", "))
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Bits a second over the last moments.
#[derive(Debug, Default)]
struct Rate {
    since: Option<(Instant, u64)>,
    bits_per_second: u64,
}

impl Rate {
    fn take(&mut self, bytes: u64, now: Instant) -> u64 {
        let (at, before) = *self.since.get_or_insert((now, bytes));
        let elapsed = now.duration_since(at);
        if elapsed >= RATE_OVER {
            let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.bits_per_second = bytes.saturating_sub(before) * 8_000 / milliseconds.max(1);
            self.since = Some((now, bytes));
        }
        self.bits_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::DropReason;
    use crate::recorder::summary::RecordingProgress;
    use crate::room::Source;

    #[test]
    fn the_line_fits_a_narrow_terminal_and_names_each_reason() {
        let mut one = RecordingProgress::default();
        one.disk.written = 3 << 20;
        one.tally.video.written = 360;
        one.tally.video.dropped.add(DropReason::Backpressure, 2);
        let room = RoomProgress {
            recordings: vec![("ann".to_owned(), Source::Camera, one)],
            ..RoomProgress::default()
        };
        let line = describe(&room, 2_150_000);
        assert_eq!(
            line,
            "3.00 MiB  2.1 Mb/s  360 pictures  dropped 2 backpressure"
        );
        assert!(line.len() < 66);
    }

    #[test]
    fn an_empty_room_says_what_is_waited_for() {
        assert_eq!(
            describe(&RoomProgress::default(), 0),
            "waiting for somebody to publish"
        );
    }

    #[test]
    fn the_rate_is_taken_over_seconds() {
        let now = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.take(0, now), 0);
        assert_eq!(rate.take(500_000, now + Duration::from_secs(2)), 2_000_000);
        assert_eq!(rate.take(500_001, now + Duration::from_secs(3)), 2_000_000);
    }

    #[test]
    fn a_live_line_is_for_terminals_only() {
        assert_eq!(Style::choose(true, false), Style::Live);
        assert_eq!(Style::choose(true, true), Style::Lines);
        assert_eq!(Style::choose(false, false), Style::Lines);
        assert_eq!(clock(Duration::from_secs(3_725)), "01:02:05");
    }
}
