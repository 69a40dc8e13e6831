//! What systemd thinks of the units: that they are right, and how much they let the recorder do.
//! Skipped, and said so, where there is no systemd-analyze.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states its assumptions by failing"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Where systemd's own units are; those of this repository build on them.
const OF_THE_SYSTEM: &str = "/lib/systemd/system";

const SERVICES: [&str; 2] = ["reeld.service", "reeld@.service"];

/// The most that `systemd-analyze security` may find, in tenths: less is better, 100 is the worst.
const EXPOSURE: u32 = 17;

/// What only one of the two services has.
const OWN: [&str; 9] = [
    "Description=Recorder of LiveKit rooms",
    "Description=Recorder of LiveKit room %i",
    "AssertPathExists=/etc/reeld/rooms/%i.toml",
    "ExecCondition=/bin/grep -Eq '^[[:space:]]*([[][[] *room *[]][]]|room *=)' /etc/reeld/reeld.toml",
    "ExecStart=/usr/bin/reeld run --config /etc/reeld/reeld.toml",
    "ExecStart=/usr/bin/reeld run --config /etc/reeld/reeld.toml --config /etc/reeld/rooms/%i.toml",
    "RuntimeDirectory=reeld",
    "RuntimeDirectory=reeld/%i",
    "RuntimeDirectoryPreserve=yes",
];

fn analyze() -> Option<Command> {
    let found = Command::new("systemd-analyze").arg("--version").output();
    if found.is_err() || !Path::new(OF_THE_SYSTEM).exists() {
        eprintln!("SKIP: no systemd-analyze here, or no units of systemd");
        return None;
    }
    Some(Command::new("systemd-analyze"))
}

/// Version of systemd.
fn version() -> u32 {
    let output = Command::new("systemd-analyze").arg("--version").output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let number = text.split_whitespace().nth(1).unwrap();
    number.split(['.', '~']).next().unwrap().parse().unwrap()
}

/// A root with systemd's units and ours, stand-ins for what they start, and these drop-ins.
fn root(drop_ins: &[&str]) -> TempDir {
    let root = TempDir::new().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    let programs = root.path().join("usr/bin");
    fs::create_dir_all(&programs).unwrap();
    fs::create_dir_all(units.parent().unwrap()).unwrap();
    symlink("usr/lib", root.path().join("lib")).unwrap();
    symlink("usr/bin", root.path().join("bin")).unwrap();
    let copied = Command::new("cp")
        .args(["-a", OF_THE_SYSTEM])
        .arg(&units)
        .status();
    assert!(copied.unwrap().success());
    for program in ["reeld", "grep", "kill"] {
        fs::copy("/bin/true", programs.join(program)).unwrap();
    }
    for unit in SERVICES.iter().chain(&["reeld.slice"]) {
        fs::copy(Path::new("systemd").join(unit), units.join(unit)).unwrap();
    }
    for service in SERVICES {
        let folder = units.join(format!("{service}.d"));
        fs::create_dir(&folder).unwrap();
        for name in drop_ins {
            fs::copy(Path::new("systemd/drop-ins").join(name), folder.join(name)).unwrap();
        }
    }
    root
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn verify(mut analyze: Command, root: &TempDir) -> Output {
    let output = analyze
        .args(["verify", "--man=no", "--root"])
        .arg(root.path())
        .args(["reeld.service", "reeld@lobby.service", "reeld.slice"])
        .output();
    output.unwrap()
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    let Some(analyze) = analyze() else { return };
    let mut drop_ins = vec!["jetson.conf", "raspberry-pi.conf"];
    if version() >= 254 {
        drop_ins.push("restart-steps.conf");
    }
    let output = verify(analyze, &root(&drop_ins));
    assert!(
        output.status.success() && said(&output).is_empty(),
        "{}",
        said(&output)
    );
}

#[test]
fn a_mistake_in_a_unit_would_be_found() {
    let Some(analyze) = analyze() else { return };
    let root = root(&[]);
    let unit = root.path().join("usr/lib/systemd/system/reeld.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace("WatchdogSec=", "WatchDogSec=")).unwrap();
    let output = verify(analyze, &root);
    assert!(said(&output).contains("WatchDogSec"), "{}", said(&output));
}

#[test]
fn the_services_are_let_do_little() {
    let Some(_) = analyze() else { return };
    for service in SERVICES {
        let output = analyze()
            .unwrap()
            .args(["security", "--offline=yes", "--threshold"])
            .arg(EXPOSURE.to_string())
            .arg(Path::new("systemd").join(service))
            .output()
            .unwrap();
        assert!(
            said(&output).contains("Overall exposure level"),
            "{}",
            said(&output)
        );
        assert!(output.status.success(), "{service}: {}", said(&output));
    }
}

fn lines(service: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new("systemd").join(service)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn one_room_is_recorded_as_all_are() {
    let [all, one] = SERVICES.map(lines);
    let different: Vec<&String> = all
        .symmetric_difference(&one)
        .filter(|line| !OWN.contains(&line.as_str()))
        .collect();
    assert!(different.is_empty(), "{different:?}");
}

/// A setting of a service, as a number of MiB.
fn mebibytes(service: &str, key: &str) -> u64 {
    let lines = lines(service);
    let value = lines.iter().find_map(|line| line.strip_prefix(key));
    value.unwrap().strip_suffix('M').unwrap().parse().unwrap()
}

/// `memory.budget` is 120 MiB, and never more than 80 % of a limit: the limits are to leave it be.
#[test]
fn the_limits_leave_the_budget_of_memory_as_it_is() {
    for service in SERVICES {
        let working = mebibytes(service, "MemoryHigh=");
        assert!(working * 8 / 10 >= 120, "{service}: {working}");
        assert!(mebibytes(service, "MemoryMax=") > working, "{service}");
    }
}
