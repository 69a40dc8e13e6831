//! Rooms recorded unattended, and once.
//!
//! - [`room`]: the task of one room, whatever its source.
//! - [`settings`]: how, and what comes of it.
//! - `live`: one recording as its room sees it.
//! - [`join`]: a LiveKit room from join to end, with what it recorded.
//! - [`recovery`]: what a crash left is made whole, beside the recordings.
//! - [`care`]: what looks after the disk below all rooms, and when it is called.
//! - [`equipment`]: which encoder works here, found out beside the recordings.
//! - [`governing`]: what is given up when the box does not keep up.
//! - [`rooms`]: all rooms of a configuration, each joined again and again.

pub mod care;
pub mod equipment;
pub mod governing;
pub mod join;
mod live;
pub mod recovery;
pub mod room;
pub mod rooms;
pub mod settings;
mod watched;
