//! Configuration: a strict schema, read from defaults, a TOML file, the environment and flags.

mod bounds;
mod schema;
mod secret;
pub mod units;

pub use schema::{
    Audio, AudioCodec, Config, LiveKit, Log, Room, Segment, Selection, Video, Writer,
};
pub use secret::Secret;
pub use units::{BitRate, ByteSize};
