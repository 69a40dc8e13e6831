//! What `/status` tells, as far as it is shown. What is missing, because another version answers,
//! is nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) version: String,
    pub(super) uptime_s: u64,
    pub(super) memory: Memory,
    pub(super) frames: u64,
    pub(super) frames_dropped_backpressure: u64,
    pub(super) rooms: Vec<Room>,
    pub(super) recordings: Vec<Recording>,
    pub(super) disk: Disk,
    pub(super) health: Health,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub(super) level: String,
    pub(super) used_bytes: Option<u64>,
    pub(super) budget_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Room {
    #[serde(rename = "room")]
    pub(super) name: String,
    pub(super) state: String,
    pub(super) state_s: u64,
    pub(super) last_error: Option<String>,
    pub(super) last_error_s: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Recording {
    pub(super) room: String,
    pub(super) participant: String,
    pub(super) source: String,
    pub(super) duration_ms: u64,
    pub(super) bytes_written: u64,
    pub(super) bits_per_second: u64,
    pub(super) video: Units,
    pub(super) audio: Units,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Units {
    pub(super) dropped: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disk {
    pub(super) state: String,
    pub(super) says: String,
    pub(super) free_bytes: Option<u64>,
    pub(super) floor_bytes: Option<u64>,
    pub(super) recordings_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Health {
    pub(super) healthy: bool,
    pub(super) says: String,
    pub(super) wedged: Vec<String>,
}

/// Who says nothing of it does not know that something hangs.
impl Default for Health {
    fn default() -> Self {
        Self {
            healthy: true,
            says: String::new(),
            wedged: Vec::new(),
        }
    }
}

impl Told {
    pub(super) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub(super) const fn is_healthy(&self) -> bool {
        self.health.healthy
    }
}

impl Recording {
    pub(super) fn dropped(&self) -> u64 {
        let dropped = self
            .video
            .dropped
            .values()
            .chain(self.audio.dropped.values());
        dropped.fold(0, |sum: u64, units| sum.saturating_add(*units))
    }
}
