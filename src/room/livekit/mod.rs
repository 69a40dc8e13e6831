//! Rooms on a LiveKit server.

pub mod timeline;
