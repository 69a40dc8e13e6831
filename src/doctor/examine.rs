//! From the questions to the report: each reader once, then its judgement.

use std::path::Path;

use time::OffsetDateTime;

use super::cgroup::{self, MemoryCgroup};
use super::clock::{self, Clock};
use super::disk::{self, Disk};
use super::finding::Finding;
use super::machine::{self, Machine};
use super::pressure::{self, Pressure};
use super::report::{Facts, Report};
use super::watchdog::{self, Watchdog};
use crate::board::{Board, Root};
use crate::config::Config;
use crate::media;
use crate::storage::Limits;

/// What is to be looked at.
#[derive(Debug)]
pub struct Questions<'a> {
    /// The box.
    pub root: &'a Root,
    /// How it is to be used.
    pub config: &'a Config,
    /// The directory that recordings go to; none when it is not known.
    pub output: Option<&'a Path>,
}

/// Looks at everything but servers. Blocks: for some seconds, and up to a minute with a disk that
/// hangs.
#[must_use]
pub fn examine(questions: &Questions<'_>) -> Report {
    let Questions {
        root,
        config,
        output,
    } = *questions;
    let version = media::version();
    let started = media::init();
    let facts = Facts {
        board: Board::read(root),
        machine: Machine::read(root),
        gstreamer: version.to_string(),
        memory_cgroup: MemoryCgroup::read(root),
        pressure: Pressure::read(root),
        watchdog: Watchdog::read(root),
        clock: Clock::read(root, OffsetDateTime::now_utc()),
        disk: output.map(|output| Disk::read(root, output, Limits::of(&config.storage))),
        servers: Vec::new(),
    };
    let mut findings = judge_box(&facts);
    findings.insert(2, machine::judge_gstreamer(version, &started));
    if let Some(disk) = &facts.disk {
        findings.extend(disk::judge(disk, config.writer.flush_interval));
    }
    Report::new(facts, findings)
}

fn judge_box(facts: &Facts) -> Vec<Finding> {
    let family = facts.board.family;
    let mut findings = machine::judge_board(&facts.board);
    findings.extend(machine::judge(&facts.machine));
    findings.push(cgroup::judge(&facts.memory_cgroup, family));
    findings.push(pressure::judge(facts.pressure.as_ref(), family));
    findings.push(watchdog::judge(facts.watchdog.as_ref(), family));
    findings.push(clock::judge(&facts.clock));
    findings
}
