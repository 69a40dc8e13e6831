//! Records real rooms over bad networks: loss, delay, outages, servers and publishers that go
//! away; and judges by the files, by what the manifest says is missing, and by the memory it
//! took.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod distance;
mod loss;
mod outages;
mod people;
#[path = "../stage/mod.rs"]
mod stage;
