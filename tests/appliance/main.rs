//! The image in an emulated arm64 machine: flashed, started, hit by everything that hits a box, and
//! each time it goes on by itself. What is booted comes from `scripts/appliance`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod card;
#[path = "../stage/manual.rs"]
mod commands;
mod faults;
mod machine;
mod manual;
mod recorder;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reeld::events;
use tempfile::TempDir;

use card::{Card, prepared};
use machine::{Machine, Start};
use recorder::{Recorder, UNIT};

const ROOM: &str = "[[room]]\nname = \"lobby\"\nurl = \"synthetic:320x180\"\n";

const SECRET: &str = "nobody-else-reads-this";

/// One after another on one card, as in the life of a box; what each took is said.
struct Course {
    began: Instant,
}

impl Course {
    fn step(&mut self, what: &str, step: impl FnOnce()) {
        step();
        eprintln!("{:>6.1} s  {what}", self.began.elapsed().as_secs_f64());
        self.began = Instant::now();
    }
}

fn key(folder: &Path) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(folder.join("key"))
        .status()
        .expect("ssh-keygen");
    assert!(made.success());
    fs::read_to_string(folder.join("key.pub")).unwrap()
}

fn flash(folder: &Path) -> Card {
    let card = Card::flash(folder);
    card.put("authorized_keys", &key(folder));
    // As an editor on Windows leaves it.
    card.put("rooms/lobby.toml", &ROOM.replace('\n', "\r\n"));
    card.put("hostname", "kiosk-7\n");
    card.put("credentials/livekit-api-key", "box\n");
    card.put("credentials/livekit-api-secret", &format!("{SECRET}\n"));
    card
}

#[test]
fn a_flashed_card_records_whatever_happens() {
    assert!(
        prepared("16k/initrd").exists(),
        "target/appliance is not complete: run scripts/appliance"
    );
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    let card = flash(folder.path());
    let mut course = Course {
        began: Instant::now(),
    };
    let mut machine = None;
    course.step("first start, by UEFI", || {
        machine = Some(Machine::start(&card, &key, Start::Card));
    });
    let mut machine = machine.unwrap();
    course.step("the box is set up", || is_set_up(&machine));
    course.step("systemctl stop and start", || stops_and_starts(&machine));
    course.step("credentials", || keeps_credentials(&machine));
    course.step("SIGKILL", || faults::killed(&machine));
    course.step("a wedged pipeline", || faults::wedged(&machine));
    course.step("out of memory", || faults::out_of_memory(&machine));
    course.step("a full disk", || faults::full(&machine));
    course.step("the manual's commands", || {
        manual::works(&machine);
        manual::fetches(&machine);
    });
    course.step("the journal", || tells_what_happened(&machine));
    course.step("a kernel that hangs", || faults::hung_kernel(&mut machine));
    course.step("a power cut", || {
        let before = faults::before_the_cut(&machine);
        machine.cut_power();
        let machine = Machine::start(&card, &key, Start::Card);
        faults::after_the_cut(&machine, before);
        machine.run("systemctl --no-block poweroff");
        machine.wait_until_off(Duration::from_mins(2));
    });
    course.step("pages of 16 KiB", || {
        let machine = Machine::start(&card, &key, Start::Pages16k);
        records_with_large_pages(&machine);
        machine.cut_power();
    });
    course.step("the card in another machine", || {
        manual::takes_an_old_card(&card);
    });
}

fn is_set_up(machine: &Machine) {
    let recorder = Recorder(machine);
    recorder.records(2_000);
    assert_eq!(machine.run("hostname"), "kiosk-7");
    assert_eq!(machine.run("systemctl --failed --plain --no-legend"), "");
    // The root can't be written, the data's partition has what the card has left.
    assert!(!machine.try_run("touch /usr/written").0);
    let free = machine.run("stat -f -c '%a %S' /var/lib/reeld");
    let (blocks, size) = free.split_once(' ').unwrap();
    let free = blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap();
    assert!(free > 300 << 20, "{free} bytes are free");
    // The hardware waits for systemd, and the kernel tells of its memory and its pressure.
    assert_eq!(
        machine.run("systemctl show --value -p RuntimeWatchdogUSec"),
        "15s"
    );
    machine.run("test -e /dev/watchdog0 && test -r /proc/pressure/memory");
    machine.run("grep -q . /sys/fs/cgroup/reeld.slice/reeld@lobby.service/memory.current");
    assert!(recorder.property("StatusText").contains("1 recording"));
    // Nobody else is let in by default, and no secret is on the root.
    machine.run("! ss -Hltn | grep -v -E ':22|127.0.0.5[34]|\\[?::1'");
    let exposure = machine.run(&format!(
        "systemd-analyze security --no-pager {UNIT} | tail -n 1"
    ));
    eprintln!("          {exposure}");
}

fn stops_and_starts(machine: &Machine) {
    let recorder = Recorder(machine);
    let began = Instant::now();
    machine.run(&format!("systemctl stop {UNIT}"));
    let took = began.elapsed();
    eprintln!("          stopped in {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(recorder.property("Result"), "success");
    assert_eq!(
        machine.run("find /var/lib/reeld -name '*.recording.ts'"),
        ""
    );
    let all = recorder.list();
    assert_eq!(all.last().unwrap()["state"], "sealed", "{all:?}");
    recorder.is_sound();
    machine.run(&format!("systemctl start {UNIT}"));
    recorder.records(2_000);
}

/// Only root reads what stands on the card, and only the recorder what systemd hands to it.
fn keeps_credentials(machine: &Machine) {
    let handed = format!("/run/credentials/{UNIT}.service/livekit-api-secret");
    for file in ["/etc/reeld/credentials/livekit-api-secret", handed.as_str()] {
        assert_eq!(machine.run(&format!("cat {file}")), SECRET);
        for user in ["nobody", "sshd"] {
            let (read, said) =
                machine.try_run(&format!("setpriv --reuid={user} --clear-groups cat {file}"));
            assert!(
                !read && !said.contains(SECRET),
                "{user} reads {file}: {said}"
            );
        }
    }
    let (found, said) = machine.try_run(&format!("journalctl --no-pager | grep {SECRET}"));
    assert!(!found, "{said}");
    let main = Recorder(machine).property("MainPID");
    machine.run(&format!(
        "! grep -q {SECRET} /proc/{main}/environ /proc/{main}/cmdline"
    ));
}

/// Events have their fields, and the catalogue explains them.
fn tells_what_happened(machine: &Machine) {
    let recorder = Recorder(machine);
    let sealed = recorder.events(events::RECORDING_SEALED);
    let last = sealed.last().expect("a recording was sealed");
    assert_eq!(last["ROOM"], "lobby", "{last}");
    assert_eq!(last["PARTICIPANT"], "demo", "{last}");
    assert_eq!(last["PRIORITY"], "6", "{last}");
    assert_eq!(last["_SYSTEMD_UNIT"], format!("{UNIT}.service"), "{last}");
    let segment = recorder.events(events::SEGMENT_SEALED);
    assert_eq!(segment.last().unwrap()["SEGMENT"], "00000", "{segment:?}");
    let wedged = recorder.events(events::WEDGED);
    assert_eq!(wedged[0]["PRIORITY"], "3", "{wedged:?}");
    assert!(
        wedged[0]["REASON"].as_str().unwrap().contains("graph"),
        "{wedged:?}"
    );
    let explained = machine.run(&format!(
        "journalctl -x --no-pager -q MESSAGE_ID={}",
        events::WEDGED
    ));
    assert!(
        explained.contains("Subject: A part of reeld hangs"),
        "{explained}"
    );
    // What it does has bounds, so that the history of weeks fits.
    let told = machine.run(&format!(
        "journalctl -b -u {UNIT} --no-pager -q -o cat | wc -l"
    ));
    assert!(told.parse::<u32>().unwrap() < 400, "{told} lines");
}

fn records_with_large_pages(machine: &Machine) {
    machine.run("grep -q 'KernelPageSize: *16 kB' /proc/self/smaps");
    let recorder = Recorder(machine);
    recorder.records(5_000);
    machine.run(&format!("systemctl restart {UNIT}"));
    recorder.records(2_000);
    recorder.is_sound();
}
