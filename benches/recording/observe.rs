//! One `reeld record` process, observed from outside.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::stage::process::Process;
use crate::stage::reeld::{Outcome, transport_streams};

/// Between two looks for the first byte: what that time is exact to.
const SHORT: Duration = Duration::from_millis(5);
/// Between two looks at the memory of a process that is recording. The kernel keeps the peak, so
/// only a peak in the last moments could be missed.
const LONG: Duration = Duration::from_millis(50);
/// Joining takes well under a second.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// Sealing takes well under a second.
const SEALING: Duration = Duration::from_secs(20);

/// What a process cost.
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system time, of all its threads.
    pub cpu: Duration,
    /// Peak resident memory in bytes.
    pub peak_rss: u64,
    /// From its start to the log line that it is in the room.
    pub joined: Duration,
    /// From its start to a first byte in a file.
    pub first_byte: Duration,
}

/// Runs `command`, which records into `output` and ends by itself after `length`.
pub fn run(command: &mut Command, output: &Path, length: Duration) -> (Cost, Outcome) {
    let before = cpu_of_ended_children();
    let start = Instant::now();
    let mut process = Process::spawn("reeld", command);
    let mut peak_rss = 0;
    let mut joined = None;
    let mut first_byte = None;
    while process.is_running() {
        let since = start.elapsed();
        peak_rss = peak(process.pid()).unwrap_or(peak_rss);
        if joined.is_none() && process.stderr().contains(" joined ") {
            joined = Some(since);
        }
        if first_byte.is_none() && has_byte(output) {
            first_byte = Some(since);
        }
        assert!(
            first_byte.is_some() || since < FIRST_BYTE,
            "nothing was recorded for {FIRST_BYTE:?}: {}",
            process.stderr()
        );
        assert!(since < length + SEALING, "reeld does not end");
        sleep(if first_byte.is_none() { SHORT } else { LONG });
    }
    let cost = Cost {
        wall: start.elapsed(),
        cpu: cpu_of_ended_children().saturating_sub(before),
        peak_rss,
        joined: joined.unwrap_or_default(),
        first_byte: first_byte.unwrap_or_default(),
    };
    let (stdout, status) = process.wait(SEALING);
    let outcome = Outcome {
        code: status.code(),
        stdout: stdout.join("\n"),
        stderr: process.stderr(),
    };
    assert!(joined.is_some(), "reeld never joined: {}", outcome.stderr);
    (cost, outcome)
}

fn has_byte(output: &Path) -> bool {
    let files = transport_streams(output);
    files
        .iter()
        .any(|file| file.metadata().is_ok_and(|data| data.len() > 0))
}

/// CPU time of all children that have ended and were waited for. The server and the publisher
/// run on while `reeld` ends, so between two calls only `reeld` adds to it; and unlike
/// `/proc/PID/stat` it counts in microseconds, and to the very end.
fn cpu_of_ended_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of our children");
    duration(usage.user_time()) + duration(usage.system_time())
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).expect("a positive time"))
}

/// Peak resident memory so far. Not `ru_maxrss`: that begins with what this process had at the
/// fork. `None` when the process is ending and its memory is gone.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
