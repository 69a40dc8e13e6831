//! What the C library's allocator keeps: GStreamer, libvpx and x264 allocate by it, and so do we.

use tracing::debug;

/// Places that threads allocate from beside each other. The C library makes up to eight a core, and
/// each keeps what was once freed in it; our threads allocate little at a time.
#[cfg(target_env = "gnu")]
const ARENAS: nix::libc::c_int = 2;

/// Limits what is kept beside what is used. To be called before there are threads.
#[expect(
    unsafe_code,
    reason = "the C library's own function has no safe wrapper"
)]
pub fn limit() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes two numbers, and may be called at any time (mallopt(3)).
        let limited = unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS) };
        debug!(limited = limited == 1, "arenas of the C library");
    }
}

/// Gives back to the system what is free. It takes some milliseconds, and locks each arena.
#[expect(
    unsafe_code,
    reason = "the C library's own function has no safe wrapper"
)]
pub fn trim() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes a number, and is safe beside other threads (malloc_trim(3)).
        let gave_back = unsafe { nix::libc::malloc_trim(0) };
        debug!(gave_back = gave_back == 1, "free memory given back");
    }
}
