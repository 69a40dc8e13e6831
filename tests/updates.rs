//! What RAUC asks of a board's boot loader, and the minute after which an update is kept: the
//! scripts of the layer for Yocto, with files and small programs in place of firmware and systemd.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states its assumptions by failing"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const SCRIPTS: &str = "yocto/meta-reeld/dynamic-layers/rauc/recipes-core/reeld-update/files";
const AUTOBOOT: &str =
    "yocto/meta-reeld/dynamic-layers/raspberrypi/recipes-bsp/reeld-boot/files/autoboot.txt";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A Raspberry Pi, as far as its slots go.
struct Board {
    folder: TempDir,
}

impl Board {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::copy(here(AUTOBOOT), folder.path().join("autoboot.txt")).unwrap();
        let board = Self { folder };
        board.starts();
        board
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the firmware does: the trial that was asked for, or what autoboot.txt says. systemd's
    /// file with the argument is in memory, and gone. Returns the slot.
    fn starts(&self) -> String {
        let autoboot = fs::read_to_string(self.at("autoboot.txt")).unwrap();
        let (usual, trial) = autoboot.split_once("[tryboot]").unwrap();
        let argument = fs::read_to_string(self.at("reboot-param")).unwrap_or_default();
        let section = if argument.trim() == "0 tryboot" {
            trial
        } else {
            usual
        };
        let partition = section.split("boot_partition=").nth(1).unwrap();
        let slot = match partition.trim().chars().next().unwrap() {
            '2' => "A",
            '3' => "B",
            other => panic!("no boot files in partition {other}"),
        };
        let _ = fs::remove_file(self.at("reboot-param"));
        let command_line = format!("console=tty1 root=PARTLABEL=x rauc.slot={slot} ro\n");
        fs::write(self.at("cmdline"), command_line).unwrap();
        slot.to_owned()
    }

    /// The plug: nothing that only memory has is left.
    fn starts_after_a_cut(&self) -> String {
        let _ = fs::remove_file(self.at("reboot-param"));
        self.starts()
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(here(SCRIPTS).join(script))
            .env("REELD_SLOTS", self.at("slots"))
            .env("REELD_SLOTS_STATE", self.at("state"))
            .env("REELD_SLOTS_BOARD", here(SCRIPTS).join("rpi/slots-board"))
            .env("REELD_CMDLINE", self.at("cmdline"))
            .env("REELD_CONFIG", self.folder.path())
            .env("REELD_REBOOT_PARAM", self.at("reboot-param"));
        command
    }

    fn try_slots(&self, arguments: &[&str]) -> Output {
        self.command("slots").args(arguments).output().unwrap()
    }

    fn slots(&self, arguments: &[&str]) -> String {
        let output = self.try_slots(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn on_trial(&self) -> bool {
        self.try_slots(&["trial"]).status.success()
    }

    /// What RAUC does: the other slot is bad while it is written, and then the next to start.
    fn install(&self) -> String {
        let target = if self.slots(&["get-current"]) == "A" {
            "B"
        } else {
            "A"
        };
        self.slots(&["set-state", target, "bad"]);
        assert_eq!(self.slots(&["get-state", target]), "bad");
        self.slots(&["set-primary", target]);
        target.to_owned()
    }
}

#[test]
fn a_new_box_has_a_good_slot_and_an_empty_one() {
    let board = Board::new();
    assert_eq!(board.slots(&["get-current"]), "A");
    assert_eq!(board.slots(&["get-primary"]), "A");
    assert_eq!(board.slots(&["get-state", "A"]), "good");
    assert_eq!(board.slots(&["get-state", "B"]), "bad");
    assert!(!board.on_trial());
}

#[test]
fn an_update_that_is_called_good_stays_and_the_next_goes_back_to_the_first_slot() {
    let board = Board::new();
    for expected in ["B", "A", "B"] {
        let target = board.install();
        assert_eq!(target, expected);
        assert_eq!(board.slots(&["get-primary"]), target);
        assert_eq!(board.starts(), target);
        assert!(board.on_trial());
        board.slots(&["set-state", &target, "good"]);
        assert!(!board.on_trial());
        assert_eq!(board.slots(&["get-primary"]), target);
        assert_eq!(board.starts_after_a_cut(), target);
    }
}

#[test]
fn an_update_that_does_not_start_is_tried_once() {
    let board = Board::new();
    let target = board.install();
    assert_eq!(board.starts(), target);
    // The watchdog, or the plug.
    assert_eq!(board.starts(), "A");
    assert_eq!(board.slots(&["get-primary"]), "A");
    assert!(!board.on_trial(), "the old slot is no trial");
    board.slots(&["set-state", "A", "good"]);
    assert_eq!(board.slots(&["get-state", "B"]), "bad");
}

#[test]
fn a_cut_before_the_restart_leaves_the_old_slot() {
    let board = Board::new();
    board.install();
    assert_eq!(board.starts_after_a_cut(), "A");
    assert_eq!(board.slots(&["get-primary"]), "A");
    // Installed again, it is tried.
    let target = board.install();
    assert_eq!(board.starts(), target);
}

#[test]
fn an_update_is_called_off_by_choosing_the_slot_that_runs() {
    let board = Board::new();
    board.install();
    // An hour later the box that runs is called good once more: B waits for its restart.
    board.slots(&["set-state", "A", "good"]);
    assert_eq!(board.slots(&["get-primary"]), "B");
    board.slots(&["set-primary", "A"]);
    assert_eq!(board.slots(&["get-primary"]), "A");
    assert_eq!(board.starts(), "A");
}

#[test]
fn a_slot_that_turns_bad_hands_over_to_a_good_one() {
    let board = Board::new();
    let target = board.install();
    board.starts();
    board.slots(&["set-state", &target, "good"]);
    board.slots(&["set-state", &target, "bad"]);
    assert_eq!(board.slots(&["get-primary"]), "A");
    // The only one is never given up.
    board.slots(&["set-state", "A", "bad"]);
    assert_eq!(board.starts(), "A");
}

/// Written in place: as long as before, within one sector, and in the same file.
#[test]
fn the_firmwares_file_is_one_sector_that_is_written_in_place() {
    use std::os::unix::fs::MetadataExt as _;
    let board = Board::new();
    let before = fs::metadata(board.at("autoboot.txt")).unwrap();
    assert!(before.len() <= 512);
    let target = board.install();
    board.starts();
    board.slots(&["set-state", &target, "good"]);
    let after = fs::metadata(board.at("autoboot.txt")).unwrap();
    assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
}

#[test]
fn rubbish_is_refused() {
    let board = Board::new();
    let wrong: [&[&str]; 6] = [
        &[],
        &["set-primary"],
        &["set-primary", "C"],
        &["set-state", "A", "fine"],
        &["get-state", "../A"],
        &["reboot"],
    ];
    for arguments in wrong {
        let output = board.try_slots(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("slots: no such "), "{arguments:?}: {said}");
    }
    fs::write(board.at("cmdline"), "console=tty1\n").unwrap();
    assert!(!board.try_slots(&["get-current"]).status.success());
    fs::write(board.at("autoboot.txt"), "rubbish").unwrap();
    assert!(!board.try_slots(&["get-primary"]).status.success());
}

/// A box whose systemd and recorder say what files in its folder say.
struct Box {
    board: Board,
}

impl Box {
    fn on_trial() -> Self {
        let board = Board::new();
        board.install();
        board.starts();
        let slots = here(SCRIPTS).join("slots");
        board.program("slots", &format!("exec sh {} \"$@\"", slots.display()));
        board.program(
            "systemctl",
            "case $* in\n\
             list-units*) echo 'reeld@lobby.service loaded active running Recorder' ;;\n\
             is-active*) test -e \"$BOX/active\" ;;\n\
             *NRestarts*) cat \"$BOX/restarts\" ;;\n\
             *reboot*) echo reboot >>\"$BOX/asked\" ;;\n\
             esac",
        );
        board.program("reeld", "test -e \"$BOX/content\"");
        fs::write(board.at("restarts"), "0\n").unwrap();
        fs::write(board.at("active"), "").unwrap();
        fs::write(board.at("content"), "").unwrap();
        Self { board }
    }

    /// Whether it is healthy for two seconds on end within five.
    fn healthy(&self) -> Output {
        let path = format!(
            "{}:{}",
            self.board.folder.path().display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = self.board.command("healthy");
        command
            .args(["2", "5"])
            .env("BOX", self.board.folder.path());
        command.env("PATH", path).output().unwrap()
    }

    fn restarts_asked(&self) -> bool {
        self.board.at("asked").exists()
    }
}

impl Board {
    fn program(&self, name: &str, body: &str) {
        let path = self.at(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_box_that_records_keeps_its_update() {
    let it = Box::on_trial();
    let output = it.healthy();
    assert!(output.status.success(), "{output:?}");
    assert!(!it.restarts_asked());
    assert!(it.board.on_trial(), "RAUC marks it, not the check");
}

#[test]
fn a_box_that_does_not_record_goes_back() {
    for missing in ["active", "content"] {
        let it = Box::on_trial();
        fs::remove_file(it.board.at(missing)).unwrap();
        let output = it.healthy();
        assert!(!output.status.success(), "{missing}: {output:?}");
        assert!(it.restarts_asked(), "{missing}");
        assert_eq!(it.board.slots(&["get-state", "B"]), "bad");
        assert_eq!(it.board.starts(), "A");
    }
}

/// It runs whenever it is looked at, and was started again each time.
#[test]
fn a_recorder_that_is_started_again_and_again_is_not_healthy() {
    let it = Box::on_trial();
    it.board.program(
        "systemctl",
        "case $* in\n\
         list-units*) echo 'reeld@lobby.service loaded active running Recorder' ;;\n\
         *NRestarts*) n=$(cat \"$BOX/restarts\"); echo $((n + 1)) | tee \"$BOX/restarts\" ;;\n\
         *reboot*) echo reboot >>\"$BOX/asked\" ;;\n\
         esac",
    );
    assert!(!it.healthy().status.success());
    assert!(it.restarts_asked());
}

#[test]
fn a_box_that_is_not_on_trial_is_left_as_it_is() {
    let it = Box::on_trial();
    it.board.slots(&["set-state", "B", "good"]);
    fs::remove_file(it.board.at("content")).unwrap();
    assert!(!it.healthy().status.success());
    assert!(!it.restarts_asked());
    assert_eq!(it.board.slots(&["get-state", "B"]), "good");
}
