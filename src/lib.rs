//! `reeld` records LiveKit rooms on small Linux boxes.
//!
//! Media flows one way, control the other; every arrow is a bounded queue with a name, a drop
//! policy and a counter:
//!
//! ```text
//!  room ──────► daemon::room ──► recorder::recording ──► media ──► recorder::writer ──► disk
//!  (livekit,    one task a       tracks → segments       the       append, fdatasync,
//!   synthetic)  room                                     graph     rename
//! ```
//!
//! - [`room`]: what a room delivers (tracks, access units on one clock) and the sources of it.
//!   Only this module knows LiveKit.
//! - [`media`]: decode, scale, encode and mux. Only this module imports GStreamer.
//! - [`recorder`]: recordings, segments, manifest and playlist. Only this module writes media.
//! - [`storage`]: how much of the disk may be used, what is deleted for it, and whether it can be
//!   written at all.
//! - [`bitstream`]: what encoded pictures say of themselves.
//! - [`verify`]: reads a finished file back and says whether it is sound.
//! - [`daemon`]: which rooms to record, waiting for them, ordered shutdown.
//! - [`board`]: which box this is, for words only. [`doctor`]: what it is fit for, with what to do.
//! - [`governor`]: what is given up so that memory stays within its budget. [`buffers`]: what waits
//!   where. [`heap`]: what the C library keeps.
//! - [`health`]: whether what should progress does. [`status`]: what is told to who asks.
//! - [`backoff`]: how long to wait between tries; pure.
//! - [`config`]: the strict, documented schema.
//! - [`logging`]: human lines on a terminal, structured fields in the journal. [`events`]: the ids of
//!   those that matter.
//! - [`cli`]: one file a subcommand.

pub mod backoff;
pub mod bitstream;
pub mod board;
pub mod buffers;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod events;
pub mod governor;
pub mod health;
pub mod heap;
pub mod logging;
pub mod media;
pub mod recorder;
pub mod room;
pub mod status;
pub mod storage;
pub mod timebase;
pub mod verify;
