//! From the questions to the report: each reader once, then its judgement.

use std::path::Path;

use time::OffsetDateTime;

use super::cgroup;
use super::clock::{self, Clock};
use super::coders::{self, Looked};
use super::disk::{self, Disk};
use super::finding::Finding;
use super::machine::{self, Machine};
use super::pressure;
use super::report::{Facts, Report};
use super::watchdog::{self, Watchdog};
use crate::board::{Board, Root};
use crate::config::Config;
use crate::governor::Pressure;
use crate::governor::cgroup::MemoryCgroup;
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
    /// Whether what earlier trials of encoders have found does not count.
    pub fresh: bool,
}

/// Looks at everything but servers. Blocks: for some seconds, and longer with encoders or a disk
/// that hang.
#[must_use]
pub fn examine(questions: &Questions<'_>) -> Report {
    let Questions {
        root,
        config,
        output,
        fresh,
    } = *questions;
    let version = media::version();
    let started = media::init();
    let looked = coders::look(config, fresh);
    let facts = Facts {
        coders: looked.as_ref().map(Looked::coders),
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
    findings.push(machine::judge_gstreamer(version, &started));
    let expectation = facts.board.h264_encoder;
    findings.extend(looked.iter().flat_map(|looked| looked.judge(expectation)));
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
