//! The block device below the card: an image in memory, served as one file by FUSE.

use std::ffi::OsStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    WriteFlags,
};

use super::log::{Change, Entry};

/// The file of the first insertion; each later one has the next number. The kernel would take a
/// card that is put back for the one that was pulled, which it has given up.
const FIRST_FILE: u64 = 2;
/// How long the kernel may believe an attribute: nothing here ever changes.
const FOR_EVER: Duration = Duration::from_hours(1);

/// What fails, with EIO: whatever a backing file says, Linux's loop device makes that of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Writes; flushes succeed, as on a card whose spare blocks are used up.
    Writes,
    /// Flushes.
    Flushes,
    /// Everything: the card was pulled out.
    Pulled,
}

/// What is wrong with a device.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The next write takes that long.
    pub(super) stall: Option<Duration>,
    pub(super) fault: Option<Fault>,
    /// Nothing is done until then.
    busy_until: Option<Instant>,
}

/// The test's side of the device; the thread of the FUSE session has the other.
pub(super) struct Device(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Signalled when faults end.
    healed: Condvar,
}

struct State {
    image: Vec<u8>,
    log: Vec<Entry>,
    faults: Faults,
    /// How often it was put in before.
    insertions: u64,
}

impl State {
    fn name(&self) -> String {
        format!("image-{}", self.insertions)
    }

    fn file(&self) -> INodeNo {
        INodeNo(FIRST_FILE + self.insertions)
    }

    /// Nothing is read or written any more by way of this file.
    fn is_gone(&self, file: INodeNo) -> bool {
        self.faults.fault == Some(Fault::Pulled) || file != self.file()
    }
}

impl Device {
    pub(super) fn new(image: Vec<u8>) -> Self {
        let state = State {
            image,
            log: Vec::new(),
            faults: Faults::default(),
            insertions: 0,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            healed: Condvar::new(),
        }))
    }

    pub(super) fn file_system(&self) -> impl Filesystem {
        OneFile(Arc::clone(&self.0))
    }

    pub(super) fn position(&self) -> usize {
        self.0.lock().log.len()
    }

    pub(super) fn take_log(&self) -> Vec<Entry> {
        std::mem::take(&mut self.0.lock().log)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().faults);
    }

    /// The name of the file by way of which it is used now.
    pub(super) fn name(&self) -> String {
        self.0.lock().name()
    }

    /// Puts it in again: whoever has it open from before has nothing of it any more.
    pub(super) fn reinsert(&self) {
        self.0.lock().insertions += 1;
        self.heal();
    }

    pub(super) fn heal(&self) {
        self.set(|faults| *faults = Faults::default());
        self.0.healed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, once the device is not busy.
    fn ready(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while let Some(until) = state.faults.busy_until {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.faults.busy_until = None;
                break;
            }
            let waited = self.healed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn read(&self, file: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let state = self.ready();
        if state.is_gone(file) {
            return Err(Errno::EIO);
        }
        let start = usize::try_from(offset).unwrap().min(state.image.len());
        let end = (start + usize::try_from(size).unwrap()).min(state.image.len());
        Ok(state.image[start..end].to_vec())
    }

    fn write(&self, file: INodeNo, offset: u64, bytes: &[u8]) -> Result<u32, Errno> {
        let mut state = self.lock();
        if let Some(stall) = state.faults.stall.take() {
            state.faults.busy_until = Some(Instant::now() + stall);
        }
        drop(state);
        let mut state = self.ready();
        if state.is_gone(file) || state.faults.fault == Some(Fault::Writes) {
            return Err(Errno::EIO);
        }
        let offset = usize::try_from(offset).unwrap();
        let place = state.image.get_mut(offset..offset + bytes.len());
        place.ok_or(Errno::EFBIG)?.copy_from_slice(bytes);
        let bytes = bytes.to_vec();
        let written = u32::try_from(bytes.len()).unwrap();
        state.note(Change::Write { offset, bytes });
        Ok(written)
    }

    fn flush(&self, file: INodeNo) -> Result<(), Errno> {
        let mut state = self.ready();
        if state.is_gone(file) || state.faults.fault == Some(Fault::Flushes) {
            return Err(Errno::EIO);
        }
        state.note(Change::Flush);
        Ok(())
    }

    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let (kind, size, nlink) = if ino == INodeNo::ROOT {
            (FileType::Directory, 0, 2)
        } else {
            (FileType::RegularFile, self.lock().image.len() as u64, 1)
        };
        let time = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm: 0o700,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl State {
    fn note(&mut self, change: Change) {
        let at = Instant::now();
        self.log.push(Entry { at, change });
    }
}

struct OneFile(Arc<Shared>);

impl Filesystem for OneFile {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (current, file) = {
            let state = self.0.lock();
            (state.name(), state.file())
        };
        if parent == INodeNo::ROOT && name == current.as_str() {
            reply.entry(&FOR_EVER, &self.0.attributes(file), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.0.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        file: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(file, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        file: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.write(file, offset, bytes) {
            Ok(written) => reply.written(written),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, file: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.0.flush(file) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }
}
