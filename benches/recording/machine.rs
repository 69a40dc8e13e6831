//! The machine that the numbers come from.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;
use time::OffsetDateTime;

/// What a reader needs to judge the numbers.
#[derive(Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    pub gstreamer: String,
    /// Tasks that wanted a core, over the last minute before the first scene: much above 0, and
    /// others disturb.
    pub load_before: f64,
    #[serde(with = "time::serde::rfc3339")]
    pub date: OffsetDateTime,
}

impl Machine {
    pub fn look() -> Self {
        let load = read("/proc/loadavg");
        Self {
            cpu: cpu(&read("/proc/cpuinfo")),
            cores: available_parallelism().map_or(1, Into::into),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            gstreamer: gstreamer(),
            load_before: load
                .split_whitespace()
                .next()
                .and_then(|number| number.parse().ok())
                .expect("a number in /proc/loadavg"),
            date: OffsetDateTime::now_utc()
                .replace_nanosecond(0)
                .expect("0 is a nanosecond"),
        }
    }
}

/// ARM kernels give no `model name`; some of them name the board as `Model` or `Hardware`.
fn cpu(cpuinfo: &str) -> String {
    ["model name", "Model", "Hardware"]
        .iter()
        .find_map(|key| {
            cpuinfo.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                (found.trim() == *key).then(|| value.trim().to_owned())
            })
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn gstreamer() -> String {
    let output = Command::new("pkg-config")
        .args(["--modversion", "gstreamer-1.0"])
        .output()
        .expect("pkg-config runs: reeld was built with it");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
