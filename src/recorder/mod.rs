//! Recordings on disk: segments, their writer, the manifest and the playlist.
//!
//! ```text
//!  mux thread ──write──► handover ──────► "reeld-writer" thread ──► NNNNN.recording.ts → NNNNN.ts
//!  (may wait)            bounded bytes    one a recording           manifest.json, index.m3u8
//!  recording task ──open, close, finish──► │      │
//!                 ◄──WriterEvent (mpsc)────┘      └──Progress (watch)──►
//! ```
//!
//! - [`recording`]: the task that drives a recording; its [`cut`] decides what goes where, its
//!   [`pace`] tells silence from lateness, its [`overlap`] keeps sound whole where it is cut; pure.
//! - [`gaps`]: what is missing and why; pure. `journal` tells manifest and log of it, and
//!   of a wall clock that was set (`wall_clock`).
//! - [`names`]: folders and files, from names that strangers chose.
//! - `handover`: the bounded queue into the writer's thread.
//! - `page_cache`: keeps written media out of the memory of the box.
//! - `segment`: when to write, sync and seal; pure.
//! - `writer`: the thread that does it; `disk` is all it asks of a file system.
//! - [`handle`]: what the recording task holds; [`messages`]: what is said both ways.
//! - [`manifest`], [`playlist`]: what a recording holds, for programs and for players.
//! - [`claim`]: one process at a time works on a recording's folder; [`shelf`]: finds the folders.
//! - [`contents`]: what is in a folder; [`kept`]: which are never deleted; [`deletion`]: the others.
//! - [`recovery`]: makes whole what a crash left, with the same files at the end.
//! - `pts_scan`: counts a segment's packets on their way.
//! - [`drops`]: why a unit is not in the file.
//!
//! Nothing is renamed before it is synced, so a file with its final name is complete.

pub mod claim;
pub mod contents;
mod cut;
pub mod deletion;
mod disk;
pub mod drops;
pub mod error;
mod failure;
mod findings;
mod folder;
pub mod gaps;
pub mod handle;
mod handover;
mod input;
mod journal;
pub mod kept;
#[cfg(test)]
mod kill_tests;
pub mod manifest;
pub mod messages;
mod milliseconds;
pub mod names;
mod overlap;
mod pace;
mod page_cache;
pub mod playlist;
pub mod pts_scan;
pub mod recording;
pub mod recovery;
mod replace;
mod sealing;
pub mod segment;
mod segment_file;
mod segment_run;
pub mod shelf;
pub mod summary;
pub mod tally;
#[cfg(test)]
mod test_disk;
#[cfg(test)]
mod test_stream;
mod wall_clock;
mod writer;

pub use drops::{DropReason, Drops};
pub use error::{Closed, RecorderError};
pub use findings::{ClockRecord, Findings, GapRecord, LayerRecord};
pub use folder::{is_mounted, prepare, probe};
pub use handle::{SegmentInput, WriterHandle};
pub use handover::HandoverStats;
pub use manifest::{FileCodec, Manifest, SegmentRecord, TrackRecord};
pub use messages::{
    Description, Outcome, Progress, RecordingIdentity, SegmentCounts, SegmentLayout, WriterEvent,
    WriterSettings,
};
pub use names::SegmentIndex;
pub use pts_scan::Frames;
