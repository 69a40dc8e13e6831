//! The numbers as a table for people, which docs/performance.md takes over, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::machine::Machine;
use crate::scenes::{Measured, Setting, Targets};
use crate::stage::reeld::Units;
use crate::trials::{self, Trials};

/// All that was measured.
#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    /// How long each recorder ran, start included.
    secs: u64,
    trials: Option<TrialRow>,
    scenes: Vec<Row>,
}

#[derive(Serialize)]
struct TrialRow {
    /// Each candidate with its verdict.
    verdicts: Vec<String>,
    all_ms: f64,
    known_ms: f64,
    targets: trials::Targets,
    /// Both times are within their targets.
    within: bool,
}

#[derive(Serialize)]
struct Row {
    scene: Setting,
    title: &'static str,
    /// CPU seconds, user and system, for each minute in the file.
    cpu_s_per_minute: f64,
    /// CPU time by the time that the process ran.
    core_percent: f64,
    peak_rss_mb: f64,
    /// From the start of the process.
    joined_ms: f64,
    /// From the start of the process.
    first_byte_ms: f64,
    recorded_s: f64,
    /// Of the file: shows that the publisher did send what the scene says.
    file_kbit_s: f64,
    video: Counts,
    audio: Counts,
    targets: Targets,
    /// Every number is within its target.
    within: bool,
}

#[derive(Serialize)]
struct Counts {
    received: u64,
    written: u64,
    dropped: BTreeMap<String, u64>,
}

impl Report {
    pub fn new(machine: Machine, length: Duration) -> Self {
        Self {
            machine,
            secs: length.as_secs(),
            trials: None,
            scenes: Vec::new(),
        }
    }

    pub fn add_trials(&mut self, found: &Trials) {
        let (all_ms, known_ms) = (milliseconds(found.all), milliseconds(found.known));
        let targets = trials::TARGETS;
        self.trials = Some(TrialRow {
            verdicts: found.verdicts.clone(),
            all_ms,
            known_ms,
            targets,
            within: all_ms <= targets.all_ms && known_ms <= targets.known_ms,
        });
    }

    pub fn add(&mut self, setting: Setting, measured: Measured) {
        self.scenes.push(Row::new(setting, measured));
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text") + "\n"
    }

    pub fn table(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "{} × {}, Linux {}, GStreamer {}, load before {:.2}, {}; {} s each\n\n",
            machine.cores,
            machine.cpu,
            machine.kernel,
            machine.gstreamer,
            machine.load_before,
            machine.date.date(),
            self.secs
        );
        text.push_str(
            "| scene | CPU s per minute | of a core | peak RSS | first byte | joined | file \
             | pictures in / written / dropped | sound in / written / dropped |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.scenes {
            row.line(&mut text);
        }
        if let Some(trials) = &self.trials {
            trials.lines(&mut text);
        }
        text
    }
}

impl TrialRow {
    fn lines(&self, text: &mut String) {
        let (all, known) = (self.all_ms, self.known_ms);
        writeln!(
            text,
            "\nAll {} encoders tried in {}, one chosen by earlier trials in {}:\n",
            self.verdicts.len(),
            beside(all, self.targets.all_ms, 0, "ms"),
            beside(known, self.targets.known_ms, 2, "ms"),
        )
        .expect("a String takes everything");
        for verdict in &self.verdicts {
            writeln!(text, "- {verdict}").expect("a String takes everything");
        }
    }
}

impl Row {
    fn new(setting: Setting, measured: Measured) -> Self {
        let Measured { cost, recording } = measured;
        let targets = setting.targets();
        let video = Counts::of(recording.frames.video);
        let cpu_s = cost.cpu.as_secs_f64();
        let mut row = Self {
            scene: setting,
            title: setting.title(),
            cpu_s_per_minute: rounded(cpu_s / recording.duration_s * 60.0),
            core_percent: rounded(cpu_s / cost.wall.as_secs_f64() * 100.0),
            peak_rss_mb: rounded(amount(cost.peak_rss) / 1e6),
            joined_ms: milliseconds(cost.joined),
            first_byte_ms: milliseconds(cost.first_byte),
            recorded_s: rounded(recording.duration_s),
            file_kbit_s: rounded(amount(recording.bytes) * 8.0 / 1000.0 / recording.duration_s),
            video,
            audio: Counts::of(recording.frames.audio),
            targets,
            within: false,
        };
        row.within = row.core_percent <= targets.core_percent
            && row.peak_rss_mb <= targets.peak_rss_mb
            && row.first_byte_ms <= targets.first_byte_ms
            && row.video.total_dropped() <= targets.dropped;
        row
    }

    fn line(&self, text: &mut String) {
        let targets = &self.targets;
        let cells = [
            self.title.to_owned(),
            format!("{:.2}", self.cpu_s_per_minute),
            beside(self.core_percent, targets.core_percent, 1, "%"),
            beside(self.peak_rss_mb, targets.peak_rss_mb, 1, "MB"),
            beside(self.first_byte_ms, targets.first_byte_ms, 0, "ms"),
            format!("{:.0} ms", self.joined_ms),
            format!("{:.1} s, {:.0} kb/s", self.recorded_s, self.file_kbit_s),
            self.video.cell(Some(targets.dropped)),
            self.audio.cell(None),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect("a String takes everything");
    }
}

impl Counts {
    /// A kind that is missing was not recorded: the scene has looked at the streams before.
    fn of(units: Option<Units>) -> Self {
        let units = units.expect("pictures and sound are counted");
        Self {
            received: units.received,
            written: units.written,
            dropped: units.dropped,
        }
    }

    fn total_dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    fn cell(&self, most: Option<u64>) -> String {
        let mut text = format!(
            "{} / {} / {}",
            self.received,
            self.written,
            self.total_dropped()
        );
        for (reason, units) in &self.dropped {
            write!(text, ", {units} {reason}").expect("a String takes everything");
        }
        if most.is_some_and(|most| self.total_dropped() > most) {
            text.push_str(" **missed**");
        }
        text
    }
}

/// A number, its target, and whether it misses.
fn beside(value: f64, most: f64, digits: usize, unit: &str) -> String {
    let verdict = if value > most { " **missed**" } else { "" };
    format!("{value:.digits$} {unit} (≤ {most} {unit}){verdict}")
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1000.0)
}

/// To hundredths: more would look more exact than it is.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[allow(
    clippy::cast_precision_loss,
    reason = "bytes of a minute: far below 2^53"
)]
fn amount(bytes: u64) -> f64 {
    bytes as f64
}
