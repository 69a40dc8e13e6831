//! The end of a recovery at every call that it makes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::super::disk::RepairDisk;
use super::super::{FolderState, folder, recover_folder};
use super::{Folder, HASTE, media};
use crate::recorder::disk::{Disk, LocalDisk};

/// A disk that dies at the call that was chosen: nothing happens any more.
struct Mortal {
    real: LocalDisk,
    left: usize,
    calls: usize,
}

impl Mortal {
    fn call<T>(&mut self, act: impl FnOnce(&mut LocalDisk) -> io::Result<T>) -> io::Result<T> {
        self.calls += 1;
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                act(&mut self.real)
            }
            None => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

impl Disk for Mortal {
    type File = File;

    fn create_new(&mut self, path: &Path) -> io::Result<File> {
        self.call(|disk| disk.create_new(path))
    }
    fn create_or_empty(&mut self, path: &Path) -> io::Result<File> {
        self.call(|disk| disk.create_or_empty(path))
    }
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let half = self.left == 0;
        self.call(|disk| disk.append(file, bytes)).or_else(|error| {
            // A write that dies leaves a part of what it should have written.
            if half {
                let part = bytes.get(..bytes.len() / 2).unwrap_or_default();
                self.real.append(file, part)?;
                self.left = 0;
            }
            Err(error)
        })
    }
    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        self.call(|disk| disk.sync(file))
    }
    fn start_write_back(&mut self, file: &mut File, range: &Range<u64>) -> io::Result<()> {
        self.call(|disk| disk.start_write_back(file, range))
    }
    fn forget(&mut self, _: &mut File, _: &Range<u64>) {}
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|disk| disk.rename(from, to))
    }
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.remove(path))
    }
    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.sync_dir(path))
    }
}

impl RepairDisk for Mortal {
    fn open(&mut self, path: &Path) -> io::Result<File> {
        self.call(|disk| RepairDisk::open(disk, path))
    }
    fn read_at(&mut self, file: &mut File, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(|disk| disk.read_at(file, into, offset))
    }
    fn truncate(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        self.call(|disk| disk.truncate(path, bytes))
    }
    fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.remove_dir(path))
    }
}

/// Whatever call of a recovery is its last, the next one ends where it would have ended.
fn assert_any_end_is_survived(left_by_a_crash: &Folder) {
    let expected = left_by_a_crash.copy();
    let whole = &mut Mortal {
        real: LocalDisk,
        left: usize::MAX,
        calls: 0,
    };
    let report = folder::recover(whole, &expected.path, HASTE);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let expected = expected.files();
    assert!(whole.calls > 5);
    for calls in 0..whole.calls {
        let folder = left_by_a_crash.copy();
        let real = LocalDisk;
        let mut dies = Mortal {
            real,
            left: calls,
            calls: 0,
        };
        let report = folder::recover(&mut dies, &folder.path, HASTE);
        assert_eq!(report.state, FolderState::Failed, "after {calls} calls");
        let after = recover_folder(&folder.path, HASTE);
        assert!(after.errors.is_empty(), "{:?}", after.errors);
        assert_eq!(
            folder.files().len(),
            expected.len(),
            "after {calls} calls: {:?}",
            folder.names()
        );
        for (name, bytes) in folder.files() {
            let same = expected[&name] == bytes;
            assert!(
                same,
                "after {calls} calls: {name} {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

#[test]
fn a_recovery_that_dies_is_finished_by_the_next() {
    let mut holes = media(90_000, 90);
    holes[20_000..24_096].fill(0x33);
    let mut tail = media(9_000_000, 30);
    tail.truncate(tail.len() - 100);
    assert_any_end_is_survived(&Folder::with(&[
        ("00000.ts", media(0, 30)),
        ("00001.recording.ts", holes.clone()),
        ("00002.recording.ts", vec![0x33; 3_000]),
        ("00003.recording.ts", vec![0; 3_000]),
        ("00004.recording.ts", [tail, vec![0; 77]].concat()),
        ("00004.recovering.tmp", vec![1]),
        ("manifest.json", vec![0; 100]),
        ("index.m3u8.tmp", vec![1]),
        ("notes.txt", vec![1]),
    ]));
    // The same with a number that is taken.
    assert_any_end_is_survived(&Folder::with(&[
        ("00000.ts", media(0, 30)),
        ("00000.recording.ts", holes),
    ]));
    assert_any_end_is_survived(&Folder::with(&[
        ("00000.recording.ts", vec![0; 99]),
        ("manifest.json", vec![]),
        ("manifest.json.tmp", vec![]),
        ("index.m3u8", vec![]),
    ]));
}
