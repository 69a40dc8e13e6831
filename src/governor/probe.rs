//! Reads memory and pressure, again and again.
//!
//! The budget is about this process; limits are about groups, which others may be in. So:
//!
//! - Our group is ours alone (a service, most containers): what it has is what we have, with the
//!   pages that wait to be written for us.
//! - Others are in it (a session's scope, a container with a shell), or memory is not accounted by
//!   groups: what `/proc/self/status` says of this process. Dirty pages then count for nobody:
//!   nothing tells whose they are, and a neighbour's copy must not cost us the picture. The queues
//!   before the disk are bounded by themselves.
//! - Limits always count with all that is under them: who is killed there may be us.

use std::io;
use std::path::PathBuf;

use super::alarm::Alarm;
use super::cgroup::{Groups, MemoryCgroup, Version};
use super::facts::{Facts, Source};
use super::group::Group;
use super::pressure::Sources;
use super::reading::{Nearest, Reading};
use super::scratch::{Scratch, kibibytes};
use super::strain;
use crate::board::{Board, Root};

/// Each so many readings it is looked who else is in our group, and searched for what was gone.
const LOOK_ABOUT: u32 = 20;

/// Reads what the kernel says. It reads some ten short files of `/proc` and `/sys`, which takes
/// less than a millisecond and does not wait for a disk.
#[derive(Debug)]
pub struct Probe {
    root: Root,
    ourselves: u32,
    status: PathBuf,
    meminfo: PathBuf,
    scratch: Scratch,
    places: Places,
    /// Readings until it is looked about.
    until_look: u32,
}

/// Where things are read, found once.
#[derive(Debug, Default)]
struct Places {
    /// Our group, where it accounts memory.
    own: Option<Group>,
    /// Our group and those above it that have a limit or may get one.
    all: Vec<Group>,
    /// What `own` has is ours.
    ours: bool,
    pressure: Sources,
}

impl Probe {
    /// Finds what there is below `root`.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let mut probe = Self {
            status: root.path("/proc/self/status"),
            meminfo: root.path("/proc/meminfo"),
            root,
            ourselves: std::process::id(),
            scratch: Scratch::default(),
            places: Places::default(),
            until_look: LOOK_ABOUT,
        };
        probe.find();
        probe
    }

    /// What is read and what is not, for one line at the start.
    #[must_use]
    pub fn facts(&mut self) -> Facts {
        let cgroup = MemoryCgroup::read(&self.root);
        let process = self.process().is_some();
        let source = match (&self.places.own, self.places.ours) {
            (Some(_), true) => Source::Group,
            (Some(_), false) if process => Source::SharedGroup,
            (None, _) if process => Source::Process,
            _ => Source::Nothing,
        };
        Facts {
            source,
            limit: cgroup.limit(),
            accounted: cgroup.version != Version::None,
            switched_off: cgroup.switched_off,
            path: cgroup.path,
            pressure: self.places.pressure.memory.is_some(),
            family: Board::read(&self.root).family,
        }
    }

    /// An alarm where pressure is read, so that it need not be read often.
    ///
    /// # Errors
    /// Where it is not allowed, or pressure is not reported: then reading has to do.
    pub fn alarm(&self) -> io::Result<Alarm> {
        let report = self.places.pressure.memory.as_deref();
        Alarm::set(report.ok_or(io::ErrorKind::Unsupported)?)
    }

    /// Reads. What can't be read is absent, and looked for again from time to time.
    pub fn read(&mut self) -> Reading {
        self.look_about();
        let memory = self.own_memory();
        let mut reading = Reading {
            used: memory,
            nearest: self.machine(),
            stalls: self.places.pressure.read(&mut self.scratch),
            ..Reading::default()
        };
        for (index, group) in self.places.all.iter().enumerate() {
            let limit = group.limit(&mut self.scratch);
            if index > 0 && limit.is_none() {
                continue;
            }
            let events = group.events(&mut self.scratch);
            reading.failures = reading.failures.saturating_add(events.failures);
            reading.hits = reading.hits.saturating_add(events.hits);
            reading.under_oom |= events.under_oom;
            let Some(limit) = limit else { continue };
            reading.limit = Some(reading.limit.map_or(limit, |least| least.min(limit)));
            if let Some(memory) = group.memory(&mut self.scratch) {
                let kernel = if self.places.ours {
                    group.kernel(&mut self.scratch)
                } else {
                    0
                };
                let held = memory.held.saturating_add(kernel);
                let nearest = reading.nearest.into_iter().chain([Nearest { held, limit }]);
                reading.nearest = nearest.min_by_key(strain::urgency);
            }
        }
        reading
    }

    fn own_memory(&mut self) -> Option<u64> {
        if let Some(own) = self.places.own.as_ref().filter(|_| self.places.ours) {
            if let Some(memory) = own.memory(&mut self.scratch) {
                return Some(memory.used);
            }
            // The group is gone: we were moved to another.
            self.find();
        }
        self.process()
    }

    /// Anonymous and shared memory of this process. Not from `smaps_rollup`: that walks all pages,
    /// for some milliseconds on a small board.
    fn process(&mut self) -> Option<u64> {
        let status = self.scratch.text(&self.status)?;
        let anonymous = kibibytes(status, "RssAnon:")?;
        Some(anonymous.saturating_add(kibibytes(status, "RssShmem:").unwrap_or_default()))
    }

    /// The machine is a limit as well: when its memory is used up, somebody is killed.
    fn machine(&mut self) -> Option<Nearest> {
        let meminfo = self.scratch.text(&self.meminfo)?;
        let limit = kibibytes(meminfo, "MemTotal:")?;
        let available = kibibytes(meminfo, "MemAvailable:")?;
        Some(Nearest {
            held: limit.saturating_sub(available),
            limit,
        })
    }

    fn look_about(&mut self) {
        self.until_look = self.until_look.saturating_sub(1);
        if self.until_look > 0 {
            return;
        }
        self.until_look = LOOK_ABOUT;
        if self.places.own.is_none() || self.places.pressure == Sources::default() {
            self.find();
        }
        if let Some(own) = &self.places.own {
            self.places.ours = own.is_ours(self.ourselves, &self.root, &mut self.scratch);
        }
    }

    fn find(&mut self) {
        let groups = Groups::find(&self.root);
        let place = groups.memory;
        let folders = place.iter().flat_map(|place| {
            let folders = place.folders.iter();
            folders.map(|folder| Group::at(&self.root, place.version, folder))
        });
        let all: Vec<Group> = folders.collect();
        // A group that its parent lets have no controllers accounts nothing: then the nearest above
        // it has all of it, and others with it.
        let accounts = |group: &&Group| group.memory(&mut self.scratch).is_some();
        let own = all.first().filter(accounts).cloned();
        let ours = own
            .as_ref()
            .is_some_and(|own| own.is_ours(self.ourselves, &self.root, &mut self.scratch));
        let unified = groups.unified.as_deref();
        let pressure = Sources::find(&self.root, unified, &mut self.scratch);
        self.places = Places {
            own,
            all,
            ours,
            pressure,
        };
    }
}
