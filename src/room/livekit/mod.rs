//! A LiveKit room as a source: signalling by LiveKit's own crates, media by str0m.
//!
//! [`session`] is the one task that owns signalling, peer and sockets. It decodes nothing:
//! access units leave it as they were sent, placed on one clock by [`timeline`](super::timeline).

mod addresses;
mod datagram;
mod door;
mod error;
mod fallback;
mod filler;
mod framing;
mod keyframes;
pub(in crate::room) mod layers;
mod link;
mod mend;
mod obey;
mod peer;
mod pieces;
pub(in crate::room) mod publications;
mod reach;
mod sdp;
mod secure;
mod session;
mod signalling;
mod silence;
mod sockets;
mod stack;
mod streams;
mod superframe;
mod token;
mod traffic;
mod trust;
mod units;

pub use error::{LiveKitError, Remedy};
pub use reach::{Reached, Step, Unreached, validate};
pub use session::{Join, run};
pub use token::{Credentials, MAX_NAME_BYTES};
pub use trust::{CaError, trust};
