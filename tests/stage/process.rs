//! A child process: its lines as events, an exit with a deadline, no orphan when a test fails.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running child. Killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    dir: TempDir,
}

impl Process {
    /// Starts `command`; its standard error goes to a file of its own.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let stderr = File::create(dir.path().join("stderr")).expect("a file for stderr");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        // Far more lines than any child here prints: the reader never waits for the test.
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            name: name.to_owned(),
            child,
            lines,
            dir,
        }
    }

    /// The next line on standard output; `None` when the child has closed it.
    pub fn line(&self, deadline: Instant) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!(
                "{}: said nothing more in time; stderr: {}",
                self.name,
                self.stderr()
            ),
        }
    }

    /// Lines that are there already.
    pub fn lines_so_far(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        let text = fs::read(self.stderr_path()).expect("the file for stderr");
        String::from_utf8_lossy(&text).into_owned()
    }

    fn stderr_path(&self) -> PathBuf {
        self.dir.path().join("stderr")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without `SIG`: to this process and no other.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill(1) runs");
        assert!(status.success(), "{}: kill -{name}: {status}", self.name);
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The rest of standard output and how it ended.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> (Vec<String>, ExitStatus) {
        let deadline = Instant::now() + limit;
        let rest = std::iter::from_fn(|| self.line(deadline)).collect();
        let status = super::poll(&format!("{}: exit", self.name), limit, || {
            self.child.try_wait().expect("the child can be waited for")
        });
        (rest, status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- stderr of {}:\n{}", self.name, self.stderr());
        }
    }
}

/// The IPv4 UDP sockets of a process, by way of loopback where they listen on all addresses.
pub fn udp_sockets(pid: u32) -> Vec<SocketAddrV4> {
    try_udp_sockets(pid).expect("a running process")
}

/// Whether a process has a UDP socket on that port; it may have ended.
pub fn has_udp_port(pid: u32, port: u16) -> bool {
    try_udp_sockets(pid).is_ok_and(|sockets| sockets.iter().any(|socket| socket.port() == port))
}

fn try_udp_sockets(pid: u32) -> io::Result<Vec<SocketAddrV4>> {
    let links = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let inodes: Vec<String> = links
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/udp"))?;
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if !inodes.iter().any(|inode| inode == fields[9]) {
            return None;
        }
        let (address, port) = fields[1].split_once(':')?;
        // The kernel prints the address in the machine's own byte order.
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        let mut address = Ipv4Addr::from(address);
        if address.is_unspecified() {
            address = Ipv4Addr::LOCALHOST;
        }
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(SocketAddrV4::new(address, port))
    };
    Ok(table.lines().skip(1).filter_map(address).collect())
}

/// The most memory that a process has had in RAM so far (`VmHWM`), in bytes.
pub fn peak_memory(pid: u32) -> u64 {
    memory(pid, "status", "VmHWM")
}

/// The memory that a process has in RAM now, in bytes: all of it, and what is no file's.
pub fn memory_now(pid: u32) -> (u64, u64) {
    let one = |name| memory(pid, "smaps_rollup", name);
    (one("Rss"), one("Anonymous"))
}

fn memory(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a running process");
    let mut values = text.lines().filter_map(|line| line.split_once(':'));
    let line = values.find_map(|(found, value)| (found == name).then_some(value));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .and_then(|kib| kib.trim().parse().ok())
        .unwrap_or_else(|| panic!("{name} in kB: {text}"));
    kib * 1024
}

/// The most that a fault may cost the recorder, in bytes.
const GROWTH: u64 = 16 << 20;

/// The peak of the process's memory has risen little since it was `before`.
pub fn assert_grew_little(pid: u32, before: u64) {
    let after = peak_memory(pid);
    println!(
        "peak memory: {} KiB before, {} KiB after",
        before / 1024,
        after / 1024
    );
    // The kernel's own count is a little behind, so the later one may be less.
    assert!(
        after.saturating_sub(before) <= GROWTH,
        "{before} bytes before, {after} after"
    );
}
