//! Keeps the page cache of a small box free for its neighbours: what is written goes to the disk
//! early and in even pieces, and once it is there its memory is given back.
//!
//! The ranges are pure; [`start_write_back`] and [`forget`] are the calls.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::libc;

/// Ranges are worth a call from this length on: a few seconds of a usual recording.
const WORTH: u64 = 1 << 20;

/// A page that is not full yet would be written twice. 64 KiB is the largest page of an arm64
/// kernel, and a multiple of the smaller ones.
const PAGE: u64 = 64 << 10;

/// How far the pages of one file have come. Offsets are in bytes.
#[derive(Debug, Default)]
pub struct Pages {
    started: u64,
    forgotten: u64,
}

impl Pages {
    /// The range to start to write to the disk, now that `written` bytes have been appended.
    pub fn next_to_start(&mut self, written: u64) -> Option<Range<u64>> {
        next(&mut self.started, written)
    }

    /// The range to forget, now that `synced` bytes are on the disk.
    pub fn next_to_forget(&mut self, synced: u64) -> Option<Range<u64>> {
        next(&mut self.forgotten, synced)
    }
}

fn next(done: &mut u64, reached: u64) -> Option<Range<u64>> {
    let whole = reached - reached % PAGE;
    let range = *done..whole;
    if whole.saturating_sub(*done) < WORTH {
        return None;
    }
    *done = whole;
    Some(range)
}

/// Starts to write a range of a file to the disk and does not wait for it: the `fdatasync` that
/// follows finds less to do.
///
/// # Errors
/// What `sync_file_range(2)` says.
#[allow(
    unsafe_code,
    reason = "neither std, nix nor rustix have this call; it takes no pointers, and the file is open"
)]
pub fn start_write_back(file: &File, range: &Range<u64>) -> io::Result<()> {
    let [offset, end] = [range.start, range.end]
        .map(|at| libc::off64_t::try_from(at).unwrap_or(libc::off64_t::MAX));
    // SAFETY: plain numbers, and a descriptor that `file` keeps open during the call.
    let result = unsafe {
        libc::sync_file_range(
            file.as_raw_fd(),
            offset,
            end - offset,
            libc::SYNC_FILE_RANGE_WRITE,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Gives back the memory that holds a range which is on the disk.
///
/// # Errors
/// What `posix_fadvise(2)` says.
pub fn forget(file: &File, range: &Range<u64>) -> io::Result<()> {
    let [offset, end] =
        [range.start, range.end].map(|at| libc::off_t::try_from(at).unwrap_or(libc::off_t::MAX));
    let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    posix_fadvise(file, offset, end - offset, advice).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    proptest! {
        #[test]
        fn ranges_are_whole_pages_that_follow_each_other(
            steps in prop::collection::vec(0_u64..3_000_000, 0..40),
        ) {
            let (mut pages, mut reached, mut done) = (Pages::default(), 0, 0);
            for step in steps {
                reached += step;
                if let Some(range) = pages.next_to_start(reached) {
                    prop_assert_eq!(range.start, done);
                    prop_assert!(range.end % PAGE == 0 && range.end - range.start >= WORTH);
                    done = range.end;
                }
                prop_assert!(done <= reached && reached - done < WORTH + PAGE);
            }
            prop_assert_eq!(pages.next_to_forget(done), (done > 0).then_some(0..done));
        }
    }

    #[test]
    fn the_kernel_takes_both_calls() {
        let mut file = tempfile::tempfile().unwrap();
        let length = 4 << 20;
        file.write_all(&vec![7; 4 << 20]).unwrap();
        start_write_back(&file, &(0..length)).unwrap();
        file.sync_data().unwrap();
        forget(&file, &(0..length)).unwrap();
        let (read, write) = nix::unistd::pipe().unwrap();
        drop(read);
        let error = start_write_back(&File::from(write), &(0..length)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
    }
}
