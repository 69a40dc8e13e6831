//! Decode, encode and mux: the only module that imports GStreamer.
//!
//! A [`Graph`] makes one segment: encoded access units of at most one video and one audio track
//! go in, an MPEG-TS byte stream comes out. Another layout or another segment is another graph.
//!
//! ```text
//!  H.264 ─► feed ─► h264parse, H.265 ─► feed ─► h265parse ──────────────────────┐
//!  VP8 … ─► feed ─► decoder ─► in-flight limit ─► encoder ─► line ─► h264parse ─┼─► mpegtsmux ─► Output
//!  I420 ─► feed ─────────────► in-flight limit ─► encoder ─► line ─► h264parse ─┤
//!  Opus ──► fill ─► feed ─► opusdec ─► audiorate ─► AAC encoder ─► aacparse ────┘
//! ```
//!
//! A *feed* is an `appsrc`: a queue bounded in bytes and time with a thread behind it. For what
//! is passed through it is the queue of encoded units before the mux, and no `queue` element
//! costs another thread; behind the video encoder stands a second `appsrc` for that.
//! `mpegtsmux` takes the earliest unit of all tracks and waits until each has one, so the owner
//! calls [`Graph::advance`] at short, steady intervals: missing sound is filled with silence,
//! missing video is declared as a gap. No clock takes part: the same input gives the same file.
//!
//! When the output blocks, video is refused from the first unit that finds its feed full until
//! the next keyframe; audio is refused unit by unit and later filled with silence; pictures that
//! were decoded and find no place before the encoder are dropped. Each is counted.

pub mod aside;
mod audio;
mod bus;
mod convert;
mod copied;
mod counts;
pub mod decoder;
mod elements;
pub mod encoder;
mod equipment;
mod error;
mod feed;
mod fill;
mod gate;
mod graph;
mod level;
mod limit;
mod line;
mod mux;
mod opus;
mod pcm;
pub mod probe;
mod saving;
mod scale;
mod stall;
mod stop;
pub mod test_card;
mod transcode;
mod transit;
mod treatment;
pub mod verdict;
mod video;
#[cfg(feature = "test-hooks")]
mod wedge;

pub use copied::Copied;
pub use counts::{AudioCounts, Counts, Drops, VideoCounts};
pub use elements::{Version, init, known, records, version};
pub use equipment::{Equipment, EquipmentTeller, EquipmentWatch};
pub use error::{MediaError, Part};
pub use gate::DropReason;
pub use graph::{
    Admission, AudioIn, AudioOut, Ending, Finished, Graph, GraphSettings, InFlight, Layout,
};
pub use line::Passage;
pub use mux::{Output, OutputClosed};
pub use saving::{Pictures, Saving};
pub use transcode::Coders;
pub use treatment::{Treatment, VideoMode};
