//! The Debian package on a fresh Debian, in a directory that is its root: installed with what it
//! depends on, upgraded, removed, purged. `scripts/test package` makes both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test states its assumptions by failing"
)]

#[path = "stage/manual.rs"]
mod manual;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Stands where systemctl is looked for, and keeps what it was asked.
const SYSTEMCTL: &str =
    "#!/bin/sh\necho \"$*\" >>/tmp/asked\n[ \"$1\" != --version ] || echo 'systemd 252 (252)'\n";

/// A Debian in a directory.
struct Debian {
    root: PathBuf,
}

impl Debian {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn try_run(&self, command: &str) -> (bool, String) {
        // Programs look into /proc; what is mounted is gone with the command.
        let output = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c"])
            .arg("mount -t proc proc $0/proc && mount --rbind /dev $0/dev && exec chroot $0 /bin/sh -c \"$1\"")
            .arg(&self.root)
            .arg(command)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .expect("unshare");
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).trim().to_owned(),
        )
    }

    fn run(&self, command: &str) -> String {
        let (well, said) = self.try_run(command);
        assert!(well, "{command}\n{said}");
        said
    }

    /// What systemctl was asked since the last time.
    fn asked(&self) -> Vec<String> {
        let file = self.at("tmp/asked");
        let asked = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, "").unwrap();
        let lines = asked.lines().filter(|line| *line != "--version");
        lines.map(str::to_owned).collect()
    }

    fn mode(&self, path: &str) -> (u32, u32) {
        let meta = fs::metadata(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (meta.permissions().mode() & 0o7777, meta.uid())
    }
}

fn prepared(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/test-package")
        .join(name);
    assert!(path.exists(), "no {name}: run scripts/test package");
    path
}

/// The same package, a version later, with other units.
fn next_version(package: &Path, folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    let dpkg = |args: &[&std::ffi::OsStr]| {
        let done = Command::new("dpkg-deb")
            .args(args)
            .output()
            .expect("dpkg-deb");
        assert!(done.status.success(), "{done:?}");
    };
    dpkg(&["--raw-extract".as_ref(), package.as_ref(), tree.as_ref()]);
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .unwrap();
    fs::write(&control, text.replace(version, &format!("{version}+next"))).unwrap();
    let unit = tree.join("usr/lib/systemd/system/reeld.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, format!("# The next version.\n{text}")).unwrap();
    let next = folder.join("next.deb");
    dpkg(&[
        "--build".as_ref(),
        "--root-owner-group".as_ref(),
        tree.as_ref(),
        next.as_ref(),
    ]);
    next
}

#[test]
fn it_comes_stays_and_goes() {
    let folder = TempDir::new().unwrap();
    let debian = Debian {
        root: prepared("root"),
    };
    is_installed(&debian);
    as_the_manual_says(&debian);
    // From here on there is a systemd that can be asked.
    fs::create_dir_all(debian.at("run/systemd/system")).unwrap();
    fs::write(debian.at("usr/local/bin/systemctl"), SYSTEMCTL).unwrap();
    debian.run("chmod 0755 /usr/local/bin/systemctl");
    let recording = "/var/lib/reeld/lobby/20261122T041700Z-anna-camera";
    debian.run(&format!(
        "mkdir -p {recording} && echo media >{recording}/00000.ts"
    ));
    debian.run("echo '# ours' >>/etc/reeld/reeld.toml");
    debian.run("echo key >/etc/reeld/credentials/livekit-api-key");

    upgrade(
        &debian,
        &next_version(&prepared("reeld.deb"), folder.path()),
    );

    debian.run("dpkg --remove reeld");
    let asked = debian.asked();
    assert!(
        asked
            .iter()
            .any(|it| it.starts_with("stop") || it.contains(" stop ")),
        "{asked:?}"
    );
    assert!(!debian.at("usr/bin/reeld").exists());
    debian.run(&format!(
        "test -e {recording}/00000.ts -a -e /etc/reeld/reeld.toml"
    ));

    let said = debian.run("dpkg --purge reeld");
    assert!(said.contains("Recordings stay in /var/lib/reeld"), "{said}");
    debian.run(&format!("test -e {recording}/00000.ts"));
    for gone in [
        "etc/reeld",
        "var/cache/reeld",
        "etc/systemd/system/multi-user.target.wants/reeld.service",
        "etc/systemd/system/multi-user.target.wants/reeld@lobby.service",
    ] {
        assert!(
            fs::symlink_metadata(debian.at(gone)).is_err(),
            "{gone} is left"
        );
    }
}

fn is_installed(debian: &Debian) {
    assert_eq!(
        debian.run("dpkg-query -W -f '${db:Status-Status}' reeld"),
        "installed"
    );
    assert!(debian.run("reeld --version").starts_with("reeld "));
    let said = debian.run("reeld check-config /etc/reeld/reeld.toml 2>&1 || true");
    assert!(
        said.contains("room"),
        "a fresh configuration has none: {said}"
    );
    let enabled = debian.at("etc/systemd/system/multi-user.target.wants/reeld.service");
    assert!(fs::symlink_metadata(enabled).is_ok(), "not enabled");
    let reeld: u32 = debian.run("id -u reeld").parse().unwrap();
    assert_eq!(debian.mode("etc/reeld/credentials"), (0o700, 0));
    for name in ["api-key", "api-secret"] {
        let path = format!("etc/reeld/credentials/livekit-{name}");
        assert_eq!(debian.mode(&path), (0o600, 0), "{path}");
    }
    assert_eq!(debian.mode("var/lib/reeld"), (0o750, reeld));
    assert_eq!(debian.mode("etc/reeld/reeld.toml").0, 0o640);
    debian.run("journalctl --update-catalog && journalctl --list-catalog | grep -q 'A part of reeld hangs'");
    for file in [
        "usr/share/man/man1/reeld.1.gz",
        "usr/share/man/man1/reeld-run.1.gz",
        "usr/share/bash-completion/completions/reeld",
        "usr/share/doc/reeld/copyright",
        "usr/share/doc/reeld/operations.md",
        "usr/lib/systemd/system/reeld@.service",
    ] {
        assert!(debian.at(file).exists(), "no {file}");
    }
    // Everything that recording takes came with it: two seconds, as the service's user.
    let said = debian.run(
        "mkdir -p /tmp/try && chown reeld /tmp/try && \
         setpriv --reuid=reeld --regid=reeld --clear-groups env HOME=/tmp/try \
         reeld demo --duration 2s --output /tmp/try 2>&1 && reeld verify /tmp/try && rm -r /tmp/try",
    );
    assert!(said.contains("sound"), "{said}");
}

/// The first of them has put the package here.
fn as_the_manual_says(debian: &Debian) {
    let room = "[livekit]\nurl = \"wss://livekit.example.org\"\n[[room]]\nname = \"lobby\"\n";
    fs::write(debian.at("etc/reeld/rooms/lobby.toml"), room).unwrap();
    let commands = manual::commands("# with the package");
    let (install, others) = commands.split_first().unwrap();
    let version = debian.run("dpkg-query -W -f '${Version}' reeld");
    assert_eq!(
        *install,
        format!("apt-get install ./reeld_{version}_arm64.deb")
    );
    for command in others {
        // Nothing can be started here.
        debian.run(&command.replace(" --now", ""));
    }
    let enabled = debian.at("etc/systemd/system/multi-user.target.wants/reeld@lobby.service");
    assert!(fs::symlink_metadata(enabled).is_ok(), "not enabled");
}

fn upgrade(debian: &Debian, next: &Path) {
    fs::copy(next, debian.at("tmp/next.deb")).unwrap();
    let said = debian.run("dpkg --install /tmp/next.deb </dev/null");
    assert!(!said.contains("Configuration file"), "it asks: {said}");
    let asked = debian.asked();
    let restarts = asked
        .iter()
        .filter(|it| it.contains("restart") && it.contains("reeld.service"));
    assert_eq!(
        restarts.count(),
        1,
        "what is open is sealed, once: {asked:?}"
    );
    assert!(!asked.iter().any(|it| it.contains("stop")), "{asked:?}");
    debian.run("grep -q '# ours' /etc/reeld/reeld.toml");
    assert_eq!(
        debian.run("cat /etc/reeld/credentials/livekit-api-key"),
        "key"
    );
    assert_eq!(
        debian.mode("etc/reeld/credentials/livekit-api-key"),
        (0o600, 0)
    );
    debian.run("grep -q 'The next version' /usr/lib/systemd/system/reeld.service");
}
