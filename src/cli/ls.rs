//! `reeld ls`: which recordings there are.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use time::OffsetDateTime;

use super::progress::drops_text;
use super::{Exit, Failure};
use crate::config::{self, Flags};
use crate::recorder::names::{room_dir, start_of_recording};
use crate::recorder::recording::one_line;
use crate::storage::listing::{self, Entry, Gaps, Listing};
use crate::storage::{Limits, Space};

/// Behind the state of a recording that is kept.
const KEPT: &str = "*";

/// List recordings: how long, how large, in which state, what is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld ls recordings
  reeld ls --config /etc/reeld/reeld.toml --json

States: recording (it goes on), sealed, recovered (sealed after a crash), damaged (the disk failed),
interrupted (to be repaired), unknown (no manifest); with * it is kept. Times are UTC.

Exit codes: 0 done; 3 the configuration is wrong; 6 something can't be read")]
pub struct Args {
    /// The output directory, a room's or a recording's; without it that of the configuration.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The configuration; REELD_… variables come on top of it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the list for programs.
    #[arg(long)]
    json: bool,
}

/// All that is said. With `--json` printed as it stands here; fields may be added.
#[derive(Debug, Serialize)]
struct Report {
    /// What was listed.
    directory: String,
    /// Oldest first.
    recordings: Vec<Entry>,
    /// Of all recordings.
    totals: Totals,
    /// The file system's.
    space: SpaceReport,
    /// What could not be read.
    errors: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    recordings: usize,
    kept: usize,
    bytes: u64,
    duration_ms: u64,
}

/// In bytes.
#[derive(Debug, Serialize)]
struct SpaceReport {
    free: u64,
    total: u64,
    /// To stay free, as the configuration says; absent without one.
    floor: Option<u64>,
    /// What recordings may have, as the configuration says.
    quota: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = config::load(
        args.config.as_slice(),
        std::env::vars_os(),
        Flags::default(),
    )?
    .config;
    let directory = args.directory.as_ref().unwrap_or(&config.output);
    // Of a directory by itself nobody knows what its recorder is to leave free.
    let limits =
        (args.config.is_some() || args.directory.is_none()).then(|| Limits::of(&config.storage));
    let listing = listing::list(directory, OffsetDateTime::now_utc())?;
    let report = Report::new(directory, listing, Space::of(directory)?, limits);
    let mut out = io::stdout().lock();
    let printed = if args.json {
        serde_json::to_writer(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        report.print(directory, &mut out)
    };
    printed.map_err(|source| Failure::System {
        doing: "writing the list",
        source,
    })?;
    for error in &report.errors {
        eprintln!("reeld: {error}");
    }
    Ok(if report.errors.is_empty() {
        Exit::Done
    } else {
        Exit::Storage
    })
}

impl Report {
    fn new(directory: &Path, listing: Listing, space: Space, limits: Option<Limits>) -> Self {
        let recordings = listing.recordings;
        let mut totals = Totals {
            recordings: recordings.len(),
            kept: recordings.iter().filter(|one| one.kept).count(),
            ..Totals::default()
        };
        for one in &recordings {
            totals.bytes = totals.bytes.saturating_add(one.bytes);
            totals.duration_ms = totals
                .duration_ms
                .saturating_add(one.duration_ms.unwrap_or(0));
        }
        Self {
            directory: directory.display().to_string(),
            recordings,
            totals,
            space: SpaceReport {
                free: space.free,
                total: space.total,
                floor: limits.map(|limits| limits.floor(space.total)),
                quota: limits.and_then(|limits| limits.quota),
            },
            errors: listing.errors.iter().map(|error| one_line(error)).collect(),
        }
    }

    fn print(&self, directory: &Path, out: &mut impl Write) -> io::Result<()> {
        let rows = self.recordings.iter().map(|one| Row::of(one, directory));
        let rows: Vec<Row> = std::iter::once(Row::head()).chain(rows).collect();
        let width = |cell: fn(&Row) -> &str| {
            let cells = rows.iter().map(cell);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let [name, length, size] = [
            width(|row| &row.name),
            width(|row| &row.length),
            width(|row| &row.size),
        ];
        for row in rows.iter().filter(|_| !self.recordings.is_empty()) {
            writeln!(
                out,
                "{:name$}  {:>length$}  {:>size$}  {:>4}  {:>5}  {}",
                row.name, row.length, row.size, row.gaps, row.drops, row.state
            )?;
            if let Some(note) = &row.note {
                writeln!(out, "    {note}")?;
            }
        }
        self.print_totals(out)
    }

    fn print_totals(&self, out: &mut impl Write) -> io::Result<()> {
        let totals = &self.totals;
        let kept = match totals.kept {
            0 => String::new(),
            kept => format!(", {kept} kept ({KEPT})"),
        };
        writeln!(
            out,
            "{} recording{}{kept}: {}, {}",
            totals.recordings,
            if totals.recordings == 1 { "" } else { "s" },
            clock(totals.duration_ms),
            size(totals.bytes)
        )?;
        let SpaceReport {
            free,
            total,
            floor,
            quota,
        } = self.space;
        write!(out, "{} of {} free", size(free), size(total))?;
        if let Some(floor) = floor {
            write!(out, "; floor {}", size(floor))?;
        }
        if let Some(quota) = quota {
            write!(out, "; quota {}", size(quota))?;
        }
        writeln!(out)
    }
}

/// One line of the table, and what is said below it.
struct Row {
    name: String,
    length: String,
    size: String,
    gaps: String,
    drops: String,
    state: String,
    note: Option<String>,
}

impl Row {
    fn head() -> Self {
        Self {
            name: "RECORDING".to_owned(),
            length: "LENGTH".to_owned(),
            size: "SIZE".to_owned(),
            gaps: "GAPS".to_owned(),
            drops: "DROPS".to_owned(),
            state: "STATE".to_owned(),
            note: None,
        }
    }

    fn of(one: &Entry, directory: &Path) -> Self {
        let path = Path::new(&one.path);
        let name = match path.strip_prefix(directory) {
            Ok(below) if !below.as_os_str().is_empty() => below,
            _ => path,
        };
        let kept = if one.kept { KEPT } else { "" };
        let count = |count: u64| match count {
            0 => "-".to_owned(),
            count => count.to_string(),
        };
        Self {
            // Strangers chose parts of it: nothing in it may steer a terminal.
            name: name.to_string_lossy().escape_debug().to_string(),
            length: one.duration_ms.map_or_else(|| "-".to_owned(), clock),
            size: size(one.bytes),
            gaps: count(one.gaps.count),
            drops: count(one.drops.total()),
            state: format!("{}{kept}", one.state.as_str()),
            note: note(one, path),
        }
    }
}

/// What does not fit into the table.
fn note(one: &Entry, path: &Path) -> Option<String> {
    let mut notes = Vec::new();
    notes.extend(real_names(one, path));
    notes.extend(longest_gap(one.gaps));
    if one.drops.total() > 0 {
        // Reasons stand in a file that somebody may have changed.
        let text = drops_text(&one.drops);
        notes.push(text.trim_start().escape_debug().to_string());
    }
    notes.extend(
        one.error
            .iter()
            .map(|error| error.escape_debug().to_string()),
    );
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Room and participant, where the folder's name does not show them as they are.
fn real_names(one: &Entry, path: &Path) -> Option<String> {
    let (room, participant) = (one.room.as_ref()?, one.participant.as_ref()?);
    let folder = path.file_name()?.to_string_lossy();
    start_of_recording(&folder)?;
    let shown = room_dir(room) == *room && folder.contains(&format!("-{participant}-"));
    (!shown).then(|| format!("room {room:?}, participant {participant:?}"))
}

fn longest_gap(gaps: Gaps) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a gap")]
    let seconds = gaps.longest_ms as f64 / 1_000.0;
    (gaps.count > 0).then(|| format!("longest gap {seconds:.1} s"))
}

pub(super) fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    format!(
        "{}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// With one digit behind the point, as the table is narrow.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1_024;
        unit = larger;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lengths_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (192 << 10, "192.0 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(clock(3_725_999), "1:02:05");
    }
}
