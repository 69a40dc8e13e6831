//! What is shown: plain text of 79 columns at most, which a serial line takes as well.

use std::fmt::Write as _;

use super::told::{Disk, Memory, Recording, Room, Told};
use super::width::{cut, fit, tame, wrap};
use crate::cli::ls::{clock, size};

/// Of 80 the last one makes some terminals begin a new line.
const COLUMNS: usize = 79;

/// In front of what belongs to the line above.
const INDENT: &str = "    ";

/// A room's name, and a participant's beside what is recorded of them.
const ROOM: usize = 14;
const PARTICIPANT: usize = 16;
const SOURCE: usize = 12;

/// All of it, in lines.
pub(super) fn render(told: &Told) -> String {
    let mut text = String::new();
    head(&mut text, told);
    rooms(&mut text, &told.rooms);
    recordings(&mut text, &told.recordings);
    text
}

/// A line that is cut where it would be too long.
fn line(text: &mut String, line: &str) {
    text.push_str(cut(line, COLUMNS).trim_end());
    text.push('\n');
}

/// Lines that belong to the one above.
fn note(text: &mut String, note: &str) {
    for part in wrap(&tame(note), COLUMNS - INDENT.len()) {
        line(text, &format!("{INDENT}{part}"));
    }
}

fn head(text: &mut String, told: &Told) {
    let health = &told.health;
    let how = if health.healthy {
        "healthy"
    } else {
        "NOT HEALTHY"
    };
    let up = clock(told.uptime_s.saturating_mul(1_000));
    line(
        text,
        &format!("reeld {}  up {up}  {how}", tame(&told.version)),
    );
    if !health.says.is_empty() {
        note(text, &health.says);
    }
    for wedged in &health.wedged {
        note(text, &format!("hangs: {wedged}"));
    }
    line(text, &memory(&told.memory));
    disk(text, &told.disk);
    let (frames, dropped) = (told.frames, told.frames_dropped_backpressure);
    line(
        text,
        &format!("drops   {dropped} of {frames} pictures because this box did not keep up"),
    );
}

fn memory(memory: &Memory) -> String {
    let used = memory.used_bytes.map_or_else(|| "?".to_owned(), size);
    let level = tame(&memory.level);
    let budget = size(memory.budget_bytes);
    format!("memory  {used} of {budget}, quality {level}")
}

fn disk(text: &mut String, disk: &Disk) {
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), size);
    let mut said = format!(
        "disk    {}, {} free",
        tame(&disk.state),
        known(disk.free_bytes)
    );
    // A String takes whatever is written to it.
    let _ = write!(
        said,
        ", floor {}, recordings {}",
        known(disk.floor_bytes),
        known(disk.recordings_bytes)
    );
    line(text, &said);
    if disk.state != "ready" {
        note(text, &disk.says);
    }
}

fn rooms(text: &mut String, rooms: &[Room]) {
    if rooms.is_empty() {
        return;
    }
    text.push('\n');
    let name = COLUMNS - 13 - 12;
    line(
        text,
        &format!("{} {:<12} {:>11}", fit("ROOM", name), "STATE", "FOR"),
    );
    for room in rooms {
        let since = clock(room.state_s.saturating_mul(1_000));
        let state = fit(&tame(&room.state), 12);
        let name = fit(&tame(&room.name), name);
        line(text, &format!("{name} {state} {since:>11}"));
        if let Some(error) = &room.last_error {
            let ago = clock(room.last_error_s.unwrap_or(0).saturating_mul(1_000));
            note(text, &format!("last error {ago} ago: {error}"));
        }
    }
}

fn recordings(text: &mut String, recordings: &[Recording]) {
    text.push('\n');
    if recordings.is_empty() {
        line(text, "nothing is recorded at the moment");
        return;
    }
    let head = format!(
        "{} {} {} {:>8} {:>10} {:>8} {:>5}",
        fit("ROOM", ROOM),
        fit("PARTICIPANT", PARTICIPANT),
        fit("SOURCE", SOURCE),
        "LENGTH",
        "SIZE",
        "RATE",
        "DROPS"
    );
    line(text, &head);
    for one in recordings {
        let row = format!(
            "{} {} {} {:>8} {:>10} {:>8} {:>5}",
            fit(&tame(&one.room), ROOM),
            fit(&tame(&one.participant), PARTICIPANT),
            fit(&tame(&one.source), SOURCE),
            clock(one.duration_ms),
            size(one.bytes_written),
            rate(one.bits_per_second),
            count(one.dropped())
        );
        line(text, &row);
    }
}

/// Bits per second, in eight columns.
fn rate(bits: u64) -> String {
    let (tenths, unit) = match bits {
        0..1_000_000 => (bits / 100, "kb/s"),
        _ => (bits / 100_000, "Mb/s"),
    };
    if tenths >= 10_000 {
        return format!("{}Gb/s", bits / 1_000_000_000);
    }
    if tenths >= 1_000 {
        return format!("{}{unit}", tenths / 10);
    }
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

/// In five columns.
fn count(units: u64) -> String {
    match units {
        0..100_000 => units.to_string(),
        100_000..10_000_000 => format!("{}k", units / 1_000),
        _ => format!("{}M", units / 1_000_000),
    }
}

#[cfg(test)]
mod tests;
