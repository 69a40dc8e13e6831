//! The stage for tests against real parts: a LiveKit server of the test's own, publishers (real
//! libwebrtc, and LiveKit's Go SDK for what that cannot encode), the `reeld` binary, and an analyser of what it wrote.
//!
//! `scripts/test` fetches the server and the publisher's packages; a test that does not find
//! them says so and fails.
#![allow(dead_code, reason = "each test file uses its part of the stage")]

pub mod analysis;
pub mod aside;
pub mod card;
pub mod card_files;
pub mod crowd;
pub mod decode;
pub mod file_publisher;
pub mod process;
pub mod publisher;
pub mod reeld;
pub mod relay;
pub mod room;
pub mod scene;
pub mod server;
pub mod steady;
pub mod vendors;
pub mod writer;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A tool under `target/tools`, where `scripts/test` puts what it fetches.
fn tool(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/tools")
        .join(path)
}

/// Asks `look` until it has an answer. For states that nothing announces: a port that answers,
/// a file that another process renames.
///
/// # Panics
/// After `limit`, naming `what`.
pub fn poll<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
