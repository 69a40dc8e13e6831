//! The stand-ins for hardware codecs have the traps that they are there for: a stand-in whose trap
//! does not bite proves nothing of what is tested against it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

#[path = "../stage/mod.rs"]
mod stage;

mod encoders;
mod faults;
mod nvidia;
mod pictures;
mod plan;
mod rig;
