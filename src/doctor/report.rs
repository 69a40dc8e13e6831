//! All that is known of a box, as `reeld doctor --json` prints it.

use serde::Serialize;

use super::clock::Clock;
use super::coders::Coders;
use super::disk::Disk;
use super::finding::{Finding, Grade};
use super::machine::Machine;
use super::server::{Asked, Server};
use super::watchdog::Watchdog;
use crate::board::Board;
use crate::governor::Pressure;
use crate::governor::cgroup::MemoryCgroup;

/// What was found. In JSON as it stands here; fields may be added. Sizes are in bytes.
#[derive(Debug, Serialize)]
pub struct Report {
    /// This program's version.
    pub reeld: &'static str,
    /// The worst of the findings'.
    grade: Grade,
    /// The judgements, in the order of the table.
    findings: Vec<Finding>,
    /// What they were made from.
    pub facts: Facts,
}

/// What judgements are made from. Absent is what the box does not have, or what was not asked.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// The box.
    pub board: Board,
    /// Kernel, processors, memory.
    pub machine: Machine,
    /// GStreamer's version.
    pub gstreamer: String,
    /// What encodes and decodes; none where the configuration lets nothing be encoded.
    pub coders: Option<Coders>,
    /// How memory can be limited.
    pub memory_cgroup: MemoryCgroup,
    /// Pressure on memory.
    pub pressure: Option<Pressure>,
    /// The watchdog.
    pub watchdog: Option<Watchdog>,
    /// The wall clock.
    pub clock: Clock,
    /// The disk of the output directory.
    pub disk: Option<Disk>,
    /// LiveKit servers.
    pub servers: Vec<Server>,
}

impl Report {
    pub(super) fn new(facts: Facts, findings: Vec<Finding>) -> Self {
        let mut report = Self {
            reeld: env!("CARGO_PKG_VERSION"),
            grade: Grade::Good,
            findings: Vec::new(),
            facts,
        };
        for finding in findings {
            report.push(finding);
        }
        report
    }

    /// Adds a judgement.
    pub fn push(&mut self, finding: Finding) {
        self.grade = self.grade.max(finding.grade());
        self.findings.push(finding);
    }

    /// Adds what became of asking servers.
    pub fn add_servers(&mut self, asked: Asked) {
        for server in &asked.servers {
            self.push(super::server::judge(server));
        }
        for finding in asked.findings {
            self.push(finding);
        }
        self.facts.servers = asked.servers;
    }

    /// The worst of the findings' grades.
    #[must_use]
    pub const fn grade(&self) -> Grade {
        self.grade
    }

    /// The judgements, in the order of the table.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}
