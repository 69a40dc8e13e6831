//! A real memory control group with a limit, of whichever version this machine lets root make.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::stage::poll;

const ROOT: &str = "/sys/fs/cgroup";

/// The names of the same things in both versions (`Documentation/admin-guide/cgroup-v2.rst` and
/// `cgroup-v1/memory.rst` of the kernel).
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// Its line `oom_kill` counts.
    events: &'static str,
    /// Lines of `memory.stat` that cannot be given back at once: what a budget counts.
    held: [&'static str; 4],
}

const V2: Names = Names {
    limit: "memory.max",
    usage: "memory.current",
    events: "memory.events",
    held: ["anon", "shmem", "file_dirty", "file_writeback"],
};

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    events: "memory.oom_control",
    held: ["rss", "shmem", "dirty", "writeback"],
};

/// A group of its own for one recorder. Removed when dropped, after its processes.
pub struct Cage {
    dir: PathBuf,
    names: &'static Names,
}

/// What it uses now, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Use {
    /// What counts against the limit, the page cache with it.
    pub all: u64,
    /// What is not the page cache's to give back.
    pub held: u64,
}

impl Use {
    /// The larger of both, each by itself.
    pub fn max(self, other: Self) -> Self {
        Self {
            all: self.all.max(other.all),
            held: self.held.max(other.held),
        }
    }
}

impl Cage {
    /// A group that may use so many bytes, and no swap.
    ///
    /// # Errors
    /// Why this machine can't: for a test that is skipped.
    pub fn new(limit: u64) -> Result<Self, String> {
        let tried = [("", &V2), ("unified", &V2), ("memory", &V1)];
        let mut reasons = Vec::new();
        for (mount, names) in tried {
            match Self::below(&Path::new(ROOT).join(mount), names, limit) {
                Ok(cage) => return Ok(cage),
                Err(error) => reasons.push(format!("{ROOT}/{mount}: {error}")),
            }
        }
        Err(format!("no memory control group: {}", reasons.join("; ")))
    }

    fn below(mount: &Path, names: &'static Names, limit: u64) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if names.limit == V2.limit {
            let controllers = fs::read_to_string(mount.join("cgroup.controllers"))?;
            if !controllers.split_whitespace().any(|it| it == "memory") {
                return Err(io::Error::other("no memory controller"));
            }
            fs::write(mount.join("cgroup.subtree_control"), "+memory")?;
        } else if !mount.join(names.limit).exists() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = mount.join(format!("reeld-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir)?;
        let cage = Self { dir, names };
        fs::write(cage.dir.join(names.limit), limit.to_string())?;
        // Where the kernel counts swap at all.
        if names.limit == V2.limit && cage.dir.join("memory.swap.max").exists() {
            fs::write(cage.dir.join("memory.swap.max"), "0")?;
        }
        Ok(cage)
    }

    /// The same command, which begins by going into the group.
    pub fn around(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside
            .args(["-c", "echo $$ > \"$1\" && shift && exec \"$@\"", "sh"])
            .arg(self.dir.join("cgroup.procs"))
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    pub fn now(&self) -> Use {
        let stat = self.lines("memory.stat");
        let all = fs::read_to_string(self.dir.join(self.names.usage)).unwrap();
        Use {
            all: all.trim().parse().unwrap(),
            held: self
                .names
                .held
                .iter()
                .filter_map(|name| stat.get(*name))
                .sum(),
        }
    }

    /// How many processes of it the kernel has killed for want of memory.
    pub fn killed(&self) -> u64 {
        self.lines(self.names.events)["oom_kill"]
    }

    fn lines(&self, file: &str) -> BTreeMap<String, u64> {
        let text = fs::read_to_string(self.dir.join(file)).unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(pair).collect()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let removed = || fs::remove_dir(&self.dir).ok();
        if std::thread::panicking() {
            eprintln!("{:?}, {} killed by the kernel", self.now(), self.killed());
            if removed().is_none() {
                eprintln!("left behind: {}", self.dir.display());
            }
            return;
        }
        // A process that has ended leaves its group a moment later.
        poll("the group is empty", Duration::from_secs(5), removed);
    }
}
