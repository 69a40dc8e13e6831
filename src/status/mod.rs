//! What is known of this process at the moment, for people and for Prometheus: over HTTP on a Unix
//! socket, so that nothing listens on the network and the file's mode says who may ask; on an address
//! as well where that is wanted.
//!
//! ```text
//!  governor's thread ── Status ──┐
//!  watchdog's thread ── Health ──┼──► Server ──► GET /status   JSON
//!  storage's thread ── Storage ──┘           ├──► GET /metrics  text
//!                                            └──► GET /healthz  200 or 503
//! ```
//!
//! [`ask`] is the other side: `reeld status`.

mod answer;
pub mod ask;
mod metrics;
mod server;
mod snapshot;
mod told;

pub use server::{Server, StatusError, socket};
pub use snapshot::{MemoryStatus, RecordingStatus, RoomState, RoomStatus, Status};
pub use told::Known;
