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
//! - [`standing`]: how each room stands, for the log and for who asks.
//! - [`stays`]: one room, joined again and again. [`rooms`]: all rooms of a configuration, and of
//!   the next one ([`reload`]).
//! - [`signs`]: what the watchdog's thread looks at.

pub mod care;
pub mod equipment;
pub mod governing;
pub mod join;
mod live;
mod rates;
pub mod recovery;
pub mod reload;
pub mod room;
pub mod rooms;
pub mod settings;
pub mod signs;
pub mod standing;
pub mod stays;
mod watched;
