//! What a recorder does when a real ext4 fails it: full, stalled, failing, read-only, pulled out.
//!
//! Needs root, FUSE, loop devices and e2fsprogs; says so where there is none of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod failing;
#[path = "../recordings/files.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod files;
mod full;
mod gone;
mod rig;
#[path = "../recordings/script.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod script;
#[path = "../stage/mod.rs"]
mod stage;
mod stalled;
mod writer;

// Where the scripted room looks for it.
use stage::steady;
