//! What a recording is made with, and what it is told.

use std::path::PathBuf;
use std::sync::Arc;

use super::WriterSettings;
use crate::media::GraphSettings;
use crate::room::{AccessUnit, Participant, Source, Track, TrackId};

/// What a recording is made with.
#[derive(Debug, Clone)]
pub struct RecordingSetup {
    /// Below which directory.
    pub root: PathBuf,
    /// The room's name.
    pub room: String,
    /// The server's name for this life of the room.
    pub room_sid: String,
    /// Who is recorded.
    pub participant: Arc<Participant>,
    /// What gives it its name: camera or screen share.
    pub source: Source,
    /// How each segment's graph works.
    pub graph: GraphSettings,
    /// How files are written, and how long segments are.
    pub writer: WriterSettings,
}

/// What a recording is told.
#[derive(Debug)]
pub enum Input {
    /// A track of it was announced.
    TrackAdded(Track),
    /// A track of it was muted or unmuted.
    TrackMuted(TrackId, bool),
    /// A track of it has ended.
    TrackRemoved(TrackId),
    /// A unit of one of its tracks.
    Unit(TrackId, AccessUnit),
}
