//! What hits a box, and what has to come of it.

use reeld::events;

use crate::machine::Machine;
use crate::recorder::{Recorder, UNIT};

/// Of what was recorded when the power went, this much may be missing.
const LOSS: u64 = 1_000;

/// A command that works when the journal has an event, since the machine was started.
fn happened(id: &str) -> String {
    format!("journalctl -b -q -o cat MESSAGE_ID={id} | grep -q .")
}

/// The process is gone from one instant to the next.
pub fn killed(machine: &Machine) {
    let recorder = Recorder(machine);
    recorder.records(4_000);
    let before = recorder.restarts();
    machine.run(&format!("systemctl kill --kill-who=main -s KILL {UNIT}"));
    recorder.comes_back(before, 30);
    machine.until(
        "what was open is made whole",
        30,
        &happened(events::RECOVERED),
    );
    recorder.is_sound();
}

/// A thread of the pipeline never comes back: only a new process helps.
pub fn wedged(machine: &Machine) {
    let recorder = Recorder(machine);
    recorder.records(2_000);
    let before = recorder.restarts();
    machine.run("touch /run/reeld/lobby/wedge");
    // 15 s until it is known to hang, 30 s until systemd has waited long enough, 5 s to die.
    recorder.comes_back(before, 120);
    assert!(!recorder.events(events::WEDGED).is_empty());
    let said = machine.run(&format!(
        "journalctl -b -q -o cat -u {UNIT} | grep -i watchdog"
    ));
    assert!(said.contains("Watchdog timeout"), "{said}");
    recorder.is_sound();
}

/// The kernel takes the process away when its control group may have no more.
pub fn out_of_memory(machine: &Machine) {
    let recorder = Recorder(machine);
    recorder.records(2_000);
    let before = recorder.restarts();
    machine.run(&format!(
        "systemctl set-property --runtime {UNIT} MemoryHigh=infinity MemoryMax=6M"
    ));
    machine.until(
        "the limit is hit",
        60,
        "journalctl -b -q -k -o cat | grep -q 'Memory cgroup out of memory.*reeld'",
    );
    machine.run(&format!(
        "systemctl set-property --runtime {UNIT} MemoryHigh=192M MemoryMax=256M"
    ));
    recorder.comes_back(before, 60);
    recorder.is_sound();
}

/// Something else has filled the partition: it waits, says so, and goes on when there is space.
pub fn full(machine: &Machine) {
    let recorder = Recorder(machine);
    recorder.records(2_000);
    let before = recorder.restarts();
    machine.run("fallocate -l $(($(stat -f -c '%a * %S' /data) - 8388608)) /data/else");
    machine.until("it stops recording", 60, &happened(events::STORAGE_PAUSED));
    assert_eq!(recorder.property("ActiveState"), "active");
    let status = recorder.status();
    assert_eq!(status["health"]["healthy"], true, "{status}");
    machine.run("rm /data/else");
    recorder.records(2_000);
    assert_eq!(
        recorder.restarts(),
        before,
        "a restart would not have helped"
    );
    assert!(!recorder.events(events::STORAGE_BACK).is_empty());
    recorder.is_sound();
}

/// Nothing answers any more; the hardware starts the box again.
pub fn hung_kernel(machine: &mut Machine) {
    Recorder(machine).records(2_000);
    let before = machine.run("cat /proc/sys/kernel/random/boot_id");
    // Without the second line the kernel would start again by itself.
    machine.try_run(
        "sync; echo 1 >/proc/sys/kernel/sysrq; echo 0 >/proc/sys/kernel/panic; \
         (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &",
    );
    machine.wait_until_in(&before);
    let recorder = Recorder(machine);
    recorder.records(2_000);
    recorder.is_sound();
}

/// How much was recorded an instant before the power goes.
pub fn before_the_cut(machine: &Machine) -> u64 {
    let recorder = Recorder(machine);
    recorder.records(6_000);
    Recorder::milliseconds(&recorder.status())
}

/// It records again by itself, and what it had is there.
pub fn after_the_cut(machine: &Machine, had: u64) {
    let recorder = Recorder(machine);
    recorder.records(2_000);
    machine.until(
        "what was open is made whole",
        60,
        "[ $(find /var/lib/reeld -name '*.recording.ts' | wc -l) -le 1 ]",
    );
    recorder.is_sound();
    let all = recorder.list();
    // The last one goes on; the one before it was cut.
    let [.., cut, _] = all.as_slice() else {
        panic!("two recordings at least: {all:?}")
    };
    let kept = cut["duration_ms"].as_u64().unwrap();
    eprintln!("          {had} ms were recorded, {kept} ms are there");
    assert!(kept + LOSS >= had, "{cut}");
    // The journal reaches back behind the cut.
    let starts = machine.run("journalctl --list-boots --no-pager | wc -l");
    assert!(starts.parse::<u32>().unwrap() >= 3, "{starts} starts");
}
