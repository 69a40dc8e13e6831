//! What the keeper of the storage says of a file system that fills up, turns read-only, goes and
//! comes back; and what it deletes. Needs root and mount(8).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reeld::storage::{Keeper, Limits, Storage};
use tokio::sync::watch;

const MIB: u64 = 1 << 20;
/// Longer than anything takes here: reaching it is a failure.
const LONG: Duration = Duration::from_secs(30);

/// A file system of 64 MiB in memory.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        match disk.mount_again() {
            Ok(()) => Some(disk),
            Err(reason) => {
                println!("skipped: no tmpfs can be mounted: {reason}");
                None
            }
        }
    }

    fn mount_again(&self) -> Result<(), String> {
        mount(&["-t", "tmpfs", "-o", "size=64m", "tmpfs"], self.path())
    }

    fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}")], self.path()).unwrap();
    }

    fn unmount(&self) {
        let status = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(status.unwrap().success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn recording(&self, second: u32, mebibytes: usize) -> PathBuf {
        let name = format!("room/20261122T0417{second:02}Z-ann-camera");
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("00000.ts"), vec![1; mebibytes << 20]).unwrap();
        folder
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It fails when the test has unmounted it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Result<(), String> {
    let result = Command::new("mount").args(arguments).arg(place).output();
    let result = result.map_err(|error| error.to_string())?;
    if result.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&result.stderr).trim().to_owned())
}

/// Keeps 8 MiB free, and has recordings go on with 24 MiB.
fn limits() -> Limits {
    Limits {
        min_free: Some(8 * MIB),
        ..Limits::default()
    }
}

async fn reaches(storage: &mut watch::Receiver<Storage>, word: &str) -> Storage {
    let reached = storage.wait_for(|now| now.looked.is_some() && now.state.as_str() == word);
    if let Ok(reached) = tokio::time::timeout(LONG, reached).await {
        return reached.unwrap().clone();
    }
    panic!("not {word} but {:?}", storage.borrow());
}

#[tokio::test]
async fn each_trouble_is_told_and_is_over_by_itself() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    let keeper = Keeper::start(disk.path().to_owned(), limits()).unwrap();
    let mut storage = keeper.watch();
    let ready = reaches(&mut storage, "ready").await;
    assert_eq!(ready.space.unwrap().total, 64 * MIB);
    assert_eq!(ready.floor, Some(8 * MIB));

    let other = disk.path().join("other");
    fs::write(&other, vec![1; 57 << 20]).unwrap();
    reaches(&mut storage, "low").await;
    fs::write(&other, "").unwrap();
    reaches(&mut storage, "ready").await;

    disk.remount("ro");
    reaches(&mut storage, "read_only").await;
    disk.remount("rw");
    reaches(&mut storage, "ready").await;

    disk.unmount();
    reaches(&mut storage, "missing").await;
    let made_up = fs::read_dir(disk.path()).unwrap().count();
    assert_eq!(made_up, 0, "something was written beneath the card");
    disk.mount_again().unwrap();
    reaches(&mut storage, "ready").await;
}

#[tokio::test]
async fn a_disk_without_free_inodes_is_full() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    disk.remount("nr_inodes=8");
    (0..20).for_each(|n| drop(fs::write(disk.path().join(n.to_string()), "")));
    let keeper = Keeper::start(disk.path().to_owned(), limits()).unwrap();
    let mut storage = keeper.watch();
    let low = reaches(&mut storage, "low").await;
    assert!(low.space.unwrap().free > 50 * MIB);
    fs::remove_file(disk.path().join("0")).unwrap();
    reaches(&mut storage, "ready").await;
}

#[tokio::test]
async fn old_recordings_go_for_the_floor_where_a_quota_allows_it() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    let all: Vec<_> = (0..5).map(|second| disk.recording(second, 8)).collect();
    fs::write(all[0].join("kept"), "").unwrap();
    // 64 - 40 - 20 MiB are left; three have to go for 24 MiB and what the directories take.
    fs::write(disk.path().join("other"), vec![1; 20 << 20]).unwrap();

    let unasked = Keeper::start(disk.path().to_owned(), limits()).unwrap();
    reaches(&mut unasked.watch(), "low").await;
    drop(unasked);
    assert!(all.iter().all(|folder| folder.exists()));

    let quota = Limits {
        quota: Some(1_000 * MIB),
        ..limits()
    };
    let keeper = Keeper::start(disk.path().to_owned(), quota).unwrap();
    reaches(&mut keeper.watch(), "ready").await;
    let left: Vec<bool> = all.iter().map(|folder| folder.exists()).collect();
    assert_eq!(left, [true, false, false, false, true]);
}
