//! A machine with the card in it: qemu, which emulates an arm64 board. Nothing but ssh leads to it,
//! as to a box that hangs below a ceiling.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::card::{Card, prepared};

/// The firmware that looks for something to boot on the card.
const UEFI: &str = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";

/// An emulated start on a machine that does other things as well; alone it takes half a minute.
const START: Duration = Duration::from_mins(4);

/// Between two tries to come in.
const TRY: Duration = Duration::from_millis(500);

/// What the machine starts.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// What is on the card.
    Card,
    /// A kernel with pages of 16 KiB, and the card's root.
    Pages16k,
}

/// A machine that runs. Its power is cut when it is dropped.
pub struct Machine {
    qemu: Child,
    port: u16,
    folder: PathBuf,
    console: PathBuf,
}

impl Machine {
    /// Switches it on, and waits until it lets us in.
    pub fn start(card: &Card, key: &Path, start: Start) -> Self {
        let folder = key.parent().unwrap().to_owned();
        // A port that was free a moment ago: qemu takes none that it may choose.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let console = folder.join("console.log");
        let mut qemu = Command::new("qemu-system-aarch64");
        qemu.args(["-M", "virt", "-cpu", "max,pauth-impdef=on"])
            .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"])
            .args(["-display", "none", "-nodefaults", "-device", "i6300esb"])
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .arg("-drive")
            // What the machine still has in its own memory is lost with it; what a card
            // itself may lose is told by the tests of power cuts.
            .arg(format!(
                "if=none,id=card,format=raw,cache=unsafe,file={}",
                card.file.display()
            ))
            .args(["-device", "virtio-blk-pci,drive=card"])
            .arg("-netdev")
            .arg(format!(
                "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
            ))
            // Without the firmware to start from a network, which is a package of its own.
            .args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        match start {
            Start::Card => qemu.args(["-bios", UEFI]),
            Start::Pages16k => qemu
                .arg("-kernel")
                .arg(prepared("16k/vmlinuz"))
                .arg("-initrd")
                .arg(prepared("16k/initrd"))
                .args(["-append", "console=ttyAMA0 quiet psi=1"]),
        };
        let qemu = qemu
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-aarch64");
        let mut machine = Self {
            qemu,
            port,
            folder,
            console,
        };
        machine.wait_until_in("");
        machine
    }

    /// Waits until it lets us in, and is not the start `before` any more. Says which start it is.
    pub fn wait_until_in(&mut self, before: &str) -> String {
        let deadline = Instant::now() + START;
        loop {
            let output = self.ssh("cat /proc/sys/kernel/random/boot_id");
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if output.status.success() && said != before {
                return said;
            }
            let exited = self.qemu.try_wait().unwrap();
            assert!(exited.is_none(), "qemu ended: {exited:?}");
            assert!(
                Instant::now() < deadline,
                "not up in time: {}; the console: {}",
                String::from_utf8_lossy(&output.stderr),
                fs::read_to_string(&self.console).unwrap_or_default()
            );
            thread::sleep(TRY);
        }
    }

    fn ssh(&self, command: &str) -> Output {
        Command::new("ssh")
            .args(["-q", "-p", &self.port.to_string(), "-i"])
            .arg(self.folder.join("key"))
            .args(["-o", "ConnectTimeout=5", "-o", "BatchMode=yes"])
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
            ])
            // One connection for all: each new one costs the emulated machine seconds.
            .args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60"])
            .args([
                "-o",
                "ServerAliveInterval=5",
                "-o",
                "ServerAliveCountMax=3",
                "-o",
            ])
            .arg(format!("ControlPath={}/%C", self.folder.display()))
            .args(["root@127.0.0.1", command])
            .stdin(Stdio::null())
            .output()
            .expect("ssh")
    }

    /// What a command says, whatever comes of it.
    pub fn try_run(&self, command: &str) -> (bool, String) {
        let output = self.ssh(command);
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// What a command that works says.
    pub fn run(&self, command: &str) -> String {
        let (well, said) = self.try_run(command);
        assert!(well, "{command}\n{said}\n{}", self.journal());
        said.trim().to_owned()
    }

    /// Waits, inside, until a command works.
    pub fn until(&self, what: &str, seconds: u32, command: &str) {
        let waiting = format!(
            "end=$(($(cut -d. -f1 /proc/uptime) + {seconds})); until {command}; do \
             [ $(cut -d. -f1 /proc/uptime) -lt $end ] || exit 1; sleep 0.3; done"
        );
        let (well, said) = self.try_run(&waiting);
        assert!(
            well,
            "{what}: not within {seconds} s\n{said}\n{}",
            self.journal()
        );
    }

    /// The last that was said, for whoever looks why a test failed.
    fn journal(&self) -> String {
        let (_, said) =
            self.try_run("journalctl --no-pager -q -n 60; systemctl status --no-pager reeld@lobby");
        said
    }

    /// Pulls the plug.
    pub fn cut_power(mut self) {
        self.qemu.kill().unwrap();
        self.qemu.wait().unwrap();
    }

    /// Waits until it has switched itself off.
    pub fn wait_until_off(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.qemu.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "still on after {limit:?}");
            thread::sleep(TRY);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.qemu.kill().is_ok() {
            self.qemu.wait().unwrap();
        }
    }
}
