//! Rooms recorded unattended, and once.
//!
//! - [`room`]: the task of one room, whatever its source.
//! - [`join`]: a LiveKit room from join to end, with what it recorded.
//! - [`rooms`]: all rooms of a configuration, each joined again and again.

pub mod join;
pub mod room;
pub mod rooms;
