//! Rooms recorded unattended.

pub mod backoff;
