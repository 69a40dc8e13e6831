//! What is left on a memory card after the power was cut.
//!
//! Needs root, FUSE, loop devices and e2fsprogs; says so where there is none of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod card;
#[path = "../stage/mod.rs"]
mod stage;
