//! What is known of this process at the moment, for people and for Prometheus: over HTTP on a Unix
//! socket, so that nothing listens on the network and the file's mode says who may ask.
//!
//! ```text
//!  governor's thread ── Status, each second ──► Server ──► GET /status   JSON
//!                                                     └──► GET /metrics  text
//! ```

mod metrics;
mod server;
mod snapshot;

pub use server::{Server, StatusError, socket};
pub use snapshot::{MemoryStatus, RecordingStatus, Status};
