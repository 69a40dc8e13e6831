//! Configuration: a strict schema, laid together from defaults, a TOML file, the environment
//! and flags, the later the stronger.
//!
//! Strict means that an unknown key, a wrong type and a value out of range each end the
//! program with one line that says where the value stands, which key it is, what was found and
//! what is allowed.
//!
//! - `schema`: every key and its default; `bounds`: what each may hold; [`units`]: how
//!   durations and sizes are written.
//! - `keys`: the keys that exist, read off the schema.
//! - `file`, `environment`, `load`: the sources, and laying them over one another.
//! - `connection`: what one room needs.
//!
//! A variable is named `REELD_TABLE__KEY`, with two underscores between table and key:
//! `REELD_VIDEO__IN_FLIGHT=3`. Lists are separated by commas. `LIVEKIT_URL`,
//! `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET` and `LIVEKIT_TOKEN` are read too, and are weaker
//! than `REELD_…`.

mod bounds;
mod connection;
mod credentials;
mod environment;
mod error;
mod file;
mod keys;
mod load;
mod memory;
mod schema;
mod secret;
#[cfg(test)]
mod tests;
pub mod units;

pub use bounds::LONGEST_NAME_BYTES;
pub use connection::{Connection, Credentials, Place, card_size};
pub use error::{ConfigError, Origin, Warning};
pub use load::{Flags, Loaded, check, load};
pub use memory::Memory;
pub use schema::{
    AUTO, Audio, AudioCodec, Client, Config, Gaps, Jitter, Limits, LiveKit, Log, OnLoss, Prefer,
    ResolutionChange, Room, Segment, Selection, Status, Storage, Video, VideoMode, Writer,
};
pub use secret::Secret;
pub use units::{BitRate, ByteSize, Percent};
