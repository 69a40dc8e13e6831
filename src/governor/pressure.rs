//! How long tasks wait for memory, processors and disks: pressure stall information
//! (`Documentation/accounting/psi.rst`). Shares are of time, in percent.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::scratch::Scratch;
use crate::board::Root;

/// Pressure on memory of the whole machine, for people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pressure {
    /// At least one task waited, in the last 10 s.
    pub some_avg10: f64,
    /// At least one task waited, in the last minute.
    pub some_avg60: f64,
    /// All tasks waited, in the last minute.
    pub full_avg60: f64,
}

impl Pressure {
    /// None where the kernel does not report it: built without, or switched off.
    #[must_use]
    pub fn read(root: &Root) -> Option<Self> {
        // With psi=0 there is no such file, or it can't be read (EOPNOTSUPP).
        Self::parse(&root.text("/proc/pressure/memory")?)
    }

    /// Reads a report's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self {
            some_avg10: share(text, "some ", "avg10=")?,
            some_avg60: share(text, "some ", "avg60=")?,
            full_avg60: share(text, "full ", "avg60=")?,
        })
    }
}

/// What a report says in one place. Never above 100, and a number.
fn share(text: &str, line: &str, key: &str) -> Option<f64> {
    let fields = text.lines().find_map(|found| found.strip_prefix(line))?;
    let mut fields = fields.split_whitespace();
    let found: f64 = fields
        .find_map(|field| field.strip_prefix(key))?
        .parse()
        .ok()?;
    found.is_finite().then(|| found.clamp(0.0, 100.0))
}

/// In how much of the last 10 s at least one task waited; none where it is not reported.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stalls {
    /// For memory.
    pub memory: Option<f64>,
    /// For a processor.
    pub cpu: Option<f64>,
    /// For a disk.
    pub io: Option<f64>,
}

/// Where pressure is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// As paths here, not on the box.
    pub(super) memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
    io: Option<PathBuf>,
}

impl Sources {
    /// The group's own reports where it has them, else the machine's. A report that is there but
    /// can't be read (EOPNOTSUPP with `psi=0`, or `cgroup.pressure` switched off) is none.
    pub(super) fn find(root: &Root, group: Option<&Path>, scratch: &mut Scratch) -> Self {
        let mut of = |resource: &str| {
            let group = group.map(|group| root.path(group.join(format!("{resource}.pressure"))));
            let machine = root.path(format!("/proc/pressure/{resource}"));
            let mut places = group.into_iter().chain([machine]);
            places.find(|path| some_avg10(path, scratch).is_some())
        };
        Self {
            memory: of("memory"),
            cpu: of("cpu"),
            io: of("io"),
        }
    }

    pub(super) fn read(&self, scratch: &mut Scratch) -> Stalls {
        let mut of = |path: &Option<PathBuf>| some_avg10(path.as_deref()?, scratch);
        Stalls {
            memory: of(&self.memory),
            cpu: of(&self.cpu),
            io: of(&self.io),
        }
    }
}

/// Older kernels have no line "full" for processors: it is not looked for.
fn some_avg10(path: &Path, scratch: &mut Scratch) -> Option<f64> {
    share(scratch.text(path)?, "some ", "avg10=")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_a_report_is_none() {
        for text in [
            "",
            "some",
            "some avg10=x avg60=1 avg300=0 total=0",
            "some avg10=1.00 avg60=1.00",
            "some avg10=NaN avg60=1.00\nfull avg60=0",
        ] {
            assert_eq!(Pressure::parse(text), None, "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Pressure::read(&Root::at(folder.path())), None);
    }

    proptest! {
        #[test]
        fn a_share_is_a_share_or_nothing(text in "(some |full )?(avg10=|avg60=)?[-+.0-9a-zN ]{0,12}") {
            if let Some(share) = share(&text, "some ", "avg10=") {
                prop_assert!((0.0..=100.0).contains(&share));
            }
        }
    }
}
