//! `reeld recover`: makes recordings whole that a crash has left.

use std::io::{self, Write};
use std::path::PathBuf;

use indicatif::BinaryBytes;
use serde::Serialize;

use super::{Exit, Failure};
use crate::recorder::recording::one_line;
use crate::recorder::recovery::{
    self, FolderReport, FolderState, Options, Outcome, Pace, SegmentReport, Totals,
};

/// Make recordings whole that a crash or a power cut has left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeld recover recordings --dry-run
  reeld recover recordings && reeld verify recordings

Open segments are cut to what is whole and get their final names; manifest.json and index.m3u8
are brought up to date. Files with final names are not changed, and recordings that go on are
left alone. `reeld run` and `reeld record` do the same when they start.

--json prints {\"recordings\": […], \"totals\": {…}}: of each recording that was not whole its
folder, its state (repaired, removed, in_use, failed), its segments (file, outcome: sealed,
set_aside, removed, described, missing; becomes, bytes, kept_bytes, cut_bytes, parts,
duration_s) and its errors.

Exit codes: 0 everything is whole now, or in use; 6 something can't be read or repaired")]
pub struct Args {
    /// The output directory, a room's directory or a recording's folder.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print a report for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let options = Options {
        dry_run: args.dry_run,
        pace: Pace::Fast,
        without_locks: true,
    };
    let mut out = io::stdout().lock();
    let mut recordings = Vec::new();
    let mut printed = Ok(());
    let totals = recovery::run(&args.path, options, |report| {
        if args.json && report.state != FolderState::Whole {
            recordings.push(Recording::of(report));
        } else if !args.json && printed.is_ok() {
            printed = print(&mut out, report);
        }
        for error in &report.errors {
            eprintln!("reeld: {}", one_line(error));
        }
    })?;
    let printed = printed.and_then(|()| {
        if args.json {
            let all = Report {
                recordings,
                totals: totals.into(),
            };
            serde_json::to_writer(&mut out, &all).map_err(io::Error::from)?;
            writeln!(out)
        } else {
            writeln!(out, "{}", sentence(totals, args.dry_run))
        }
    });
    printed.map_err(|source| Failure::System {
        doing: "writing the report",
        source,
    })?;
    Ok(if totals.errors == 0 {
        Exit::Done
    } else {
        Exit::Storage
    })
}

fn print(out: &mut impl Write, report: &FolderReport) -> io::Result<()> {
    let note = match report.state {
        FolderState::Whole => return Ok(()),
        FolderState::InUse => ": in use, left alone",
        FolderState::Removed => ": held no media, removed",
        FolderState::Failed => ": not all could be repaired",
        FolderState::Repaired => "",
    };
    writeln!(out, "{}{note}", report.folder.display())?;
    for segment in &report.segments {
        writeln!(out, "  {}", line(segment))?;
    }
    Ok(())
}

fn line(segment: &SegmentReport) -> String {
    let file = &segment.file;
    match &segment.outcome {
        Outcome::Sealed(name) => {
            let length = segment
                .duration
                .map(|length| format!("{:.1} s, ", length.as_secs_f64()))
                .unwrap_or_default();
            let holes = match segment.parts.saturating_sub(1) {
                0 => String::new(),
                1 => ", 1 hole taken out".to_owned(),
                many => format!(", {many} holes taken out"),
            };
            let kept = BinaryBytes(segment.kept_bytes);
            let cut = segment.cut_bytes();
            format!("{file} → {name}  {length}{kept} kept, {cut} bytes cut off{holes}")
        }
        Outcome::SetAside(name) => format!("{file} → {name}  nothing in it can be decoded"),
        Outcome::Removed => format!("{file}  held no media, removed"),
        Outcome::Described => format!("{file}  put into the manifest"),
        Outcome::Missing => format!("{file}  not there, taken out of the manifest"),
    }
}

fn sentence(totals: Totals, dry_run: bool) -> String {
    let Totals {
        recordings,
        in_use,
        repaired,
        errors,
        ..
    } = totals;
    let looked_at = match recordings {
        1 => "1 recording".to_owned(),
        many => format!("{many} recordings"),
    };
    let done = if dry_run { "to repair" } else { "repaired" };
    let done = match repaired {
        0 if errors == 0 => "nothing to repair".to_owned(),
        _ => format!("{repaired} {done}"),
    };
    let in_use = match in_use {
        0 => String::new(),
        _ => format!(", {in_use} in use"),
    };
    let failed = match errors {
        0 => "",
        1 => ", 1 thing could not be repaired",
        _ => ", some things could not be repaired",
    };
    format!("{looked_at}: {done}{in_use}{failed}")
}

#[derive(Serialize)]
struct Report {
    recordings: Vec<Recording>,
    totals: Counts,
}

#[derive(Serialize)]
struct Recording {
    folder: String,
    state: &'static str,
    segments: Vec<Segment>,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct Segment {
    file: String,
    outcome: &'static str,
    becomes: Option<String>,
    bytes: u64,
    kept_bytes: u64,
    cut_bytes: u64,
    parts: usize,
    duration_s: Option<f64>,
}

#[derive(Serialize)]
struct Counts {
    recordings: u64,
    repaired: u64,
    in_use: u64,
    sealed: u64,
    errors: u64,
}

impl From<Totals> for Counts {
    fn from(totals: Totals) -> Self {
        Self {
            recordings: totals.recordings,
            repaired: totals.repaired,
            in_use: totals.in_use,
            sealed: totals.sealed,
            errors: totals.errors,
        }
    }
}

impl Recording {
    fn of(report: &FolderReport) -> Self {
        let errors = report.errors.iter().map(|error| one_line(error));
        Self {
            folder: report.folder.display().to_string(),
            state: report.state.as_str(),
            segments: report.segments.iter().map(Segment::of).collect(),
            errors: errors.collect(),
        }
    }
}

impl Segment {
    fn of(segment: &SegmentReport) -> Self {
        Self {
            file: segment.file.clone(),
            outcome: segment.outcome.as_str(),
            becomes: segment.outcome.name().map(str::to_owned),
            bytes: segment.bytes,
            kept_bytes: segment.kept_bytes,
            cut_bytes: segment.cut_bytes(),
            parts: segment.parts,
            duration_s: segment.duration.map(|length| length.as_secs_f64()),
        }
    }
}
