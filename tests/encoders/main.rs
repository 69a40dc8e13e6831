//! What encodes on boxes with hardware codecs: stand-ins under the vendors' names, with their
//! traps, from media that comes in to a sound file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

#[path = "../stage/mod.rs"]
mod stage;

mod choosing;
mod failing;
mod rig;
mod rows;
