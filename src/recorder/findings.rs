//! The part of the manifest that says what is missing, how large the picture was, and when the
//! clock of the box was set.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::milliseconds;
use crate::governor::Change;
use crate::room::Kind;

/// Gaps, picture sizes and clock settings, the first thousand of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// When picture or sound was missing for more than half a second, in the order of their
    /// ends. A stream that is always slower, as that of a still screen, has gaps from three of
    /// its usual steps on. Missing sound is silence in the file.
    pub gaps: Vec<GapRecord>,
    /// Gaps that are not listed because there were too many.
    pub gaps_omitted: u64,
    /// The picture's size, and each change of it: the server's choice of a simulcast layer, or
    /// the publisher's own.
    pub layers: Vec<LayerRecord>,
    /// Changes that are not listed because there were too many.
    pub layers_omitted: u64,
    /// What video was encoded with, and each change of it; empty where none was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coders: Vec<CoderRecord>,
    /// Changes that are not listed because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub coders_omitted: u64,
    /// What the governor gave up, and each change of it; empty where it was nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelRecord>,
    /// Changes that are not listed because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub levels_omitted: u64,
    /// When the wall clock was set. Media time goes on evenly through it.
    pub clock: Vec<ClockRecord>,
    /// Settings that are not listed because there were too many.
    pub clock_omitted: u64,
}

impl Findings {
    /// By how much the wall clock was set forward, all in all.
    pub(super) fn clock_moved(&self) -> time::Duration {
        self.clock.iter().map(|step| step.to - step.from).sum()
    }
}

/// A time without picture or sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// What is missing.
    pub kind: Kind,
    /// Why: `muted`, `paused` (held back by the server), `unpublished`, `signalling`, `media`,
    /// `server_away`, `migration`, `duplicate_identity` (the connection was broken),
    /// `packet_loss`, `dropped`, `recorder_stalled` (this program did not run) or `unknown`.
    pub cause: String,
    /// Of `dropped`: why, in the words of `drops`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it begins, as the wall clock of the box said then; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The same in milliseconds from the start of the recording: when the last unit before it was
    /// captured.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Duration,
    /// From there to the first unit behind it, in milliseconds.
    #[serde(rename = "duration_ms", with = "milliseconds")]
    pub duration: Duration,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// From when on video was encoded with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoderRecord {
    /// Milliseconds from the start of the recording.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Duration,
    /// The GStreamer element that decodes.
    pub decoder: String,
    /// The one that scales.
    pub scaler: String,
    /// The one that encodes.
    pub encoder: String,
    /// Why what was used before was given up, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl CoderRecord {
    /// Whether it is the same as before, and not because that failed.
    pub(super) fn continues(&self, before: &Self) -> bool {
        self.failed.is_none()
            && (&self.decoder, &self.scaler, &self.encoder)
                == (&before.decoder, &before.scaler, &before.encoder)
    }
}

/// From when on the picture had a size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Milliseconds from the start of the recording.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Duration,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// From when on how much was given up, so that memory stays within its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRecord {
    /// Milliseconds from the start of the recording.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Duration,
    /// From which level to which, why, and what was measured then.
    #[serde(flatten)]
    pub change: Change,
}

/// The wall clock of the box was set: by a time server, or by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRecord {
    /// Milliseconds from the start of the recording.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Duration,
    /// What it would have said; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// What it said instead; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governor::{Cause, Figures, Level};
    use time::macros::datetime;

    #[test]
    fn the_format_is_this_and_reads_back() {
        let gap = GapRecord {
            kind: Kind::Audio,
            cause: "muted".to_owned(),
            reason: None,
            started: datetime!(2026-11-22 04:17:01.5 UTC),
            at: Duration::from_millis(1_500),
            duration: Duration::from_secs(3),
        };
        let findings = Findings {
            gaps: vec![gap],
            layers: vec![LayerRecord {
                at: Duration::ZERO,
                width: 1280,
                height: 720,
            }],
            levels: vec![LevelRecord {
                at: Duration::from_secs(1),
                change: Change {
                    from: Level::Normal,
                    to: Level::LowerLayer,
                    cause: Cause::DiskLag,
                    figures: Figures {
                        disk_lag_ms: 4_000,
                        ..Figures::default()
                    },
                },
            }],
            clock: vec![ClockRecord {
                at: Duration::from_secs(2),
                from: datetime!(1970-01-01 00:00:09 UTC),
                to: datetime!(2026-11-22 04:17:02 UTC),
            }],
            ..Findings::default()
        };
        let json = serde_json::json!({
            "gaps": [{
                "kind": "audio",
                "cause": "muted",
                "started": "2026-11-22T04:17:01.5Z",
                "at_ms": 1500,
                "duration_ms": 3000,
            }],
            "gaps_omitted": 0,
            "layers": [{"at_ms": 0, "width": 1280, "height": 720}],
            "layers_omitted": 0,
            "levels": [{
                "at_ms": 1000,
                "from": "normal",
                "to": "lower_layer",
                "cause": "disk_lag",
                "memory_budget": 0,
                "encoder_lag_ms": 0,
                "disk_lag_ms": 4000,
            }],
            "clock": [{
                "at_ms": 2000,
                "from": "1970-01-01T00:00:09Z",
                "to": "2026-11-22T04:17:02Z",
            }],
            "clock_omitted": 0,
        });
        assert_eq!(serde_json::to_value(&findings).unwrap(), json);
        assert_eq!(serde_json::from_value::<Findings>(json).unwrap(), findings);
        // A manifest of an older version says nothing of it.
        assert_eq!(
            serde_json::from_str::<Findings>("{}").unwrap(),
            Findings::default()
        );
    }
}
