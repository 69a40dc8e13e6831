//! Why a run that recorded nothing did so: what its person can do differs.

use super::summary::Report;
use crate::daemon::settings::RoomTotals;

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// No track that is asked for was published.
    #[error("nobody in '{room}' published what was asked for")]
    Unpublished {
        /// The room.
        room: String,
    },
    /// Tracks that are asked for were published, and all of them refused.
    #[error(
        "what was asked for in '{room}' can't be recorded, the warnings say why (tracks: {tracks})"
    )]
    Refused {
        /// The room.
        room: String,
        /// How many.
        tracks: u64,
    },
    /// There were tracks to record, but nothing came of them.
    #[error(
        "nothing came of what was published in '{room}': unless it was muted all the time, \
         check that this machine reaches the server's media ports (rtc.udp_port, rtc.tcp_port), \
         or record for longer"
    )]
    Silent {
        /// The room.
        room: String,
    },
    /// Units came, and none could be written.
    #[error(
        "nothing that came of '{room}' could be written ({units} units, the summary has the \
         reasons): record for longer"
    )]
    Unusable {
        /// The room.
        room: String,
        /// How many.
        units: u64,
    },
}

impl Nothing {
    /// Of a stay in a room that left no file.
    #[must_use]
    pub fn of(report: &Report, totals: &RoomTotals) -> Self {
        let room = report.room().to_owned();
        let units = report.units();
        match (totals.tracks, totals.refused.total(), units) {
            (0, 0, _) => Self::Unpublished { room },
            (0, tracks, _) => Self::Refused { room, tracks },
            (_, _, 0) => Self::Silent { room },
            (_, _, units) => Self::Unusable { room, units },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::DropReason;
    use crate::recorder::summary::{FramesSummary, GapsSummary, RecordingSummary};
    use crate::room::{Refusal, Source};

    fn summary(received: u64) -> RecordingSummary {
        let mut frames = FramesSummary::default();
        frames.video.received = received;
        let reason = DropReason::AwaitingKeyframe;
        frames.video.dropped.add(reason, received);
        RecordingSummary {
            coders_failed: 0,
            dir: None,
            participant: "ann".to_owned(),
            source: Source::Camera,
            segments: Vec::new(),
            duration_s: 0.0,
            bytes: 0,
            frames,
            gaps: GapsSummary::default(),
            error: None,
            cause: None,
            left_open: false,
        }
    }

    #[test]
    fn what_is_said_of_nothing_is_true() {
        let room = || "h".to_owned();
        let mut report = Report::new("h");
        let mut totals = RoomTotals::default();
        let unpublished = Nothing::Unpublished { room: room() };
        assert_eq!(Nothing::of(&report, &totals), unpublished);

        let encrypted = Refusal::Unrecordable("it is end-to-end encrypted".to_owned());
        totals.refused.add(&encrypted);
        let (room_name, tracks) = (room(), 1);
        let refused = Nothing::Refused {
            room: room_name,
            tracks,
        };
        assert_eq!(Nothing::of(&report, &totals), refused);

        // Subscribed to, and nothing came: nobody may say that it was not published.
        totals.tracks = 1;
        let silent = Nothing::Silent { room: room() };
        assert_eq!(Nothing::of(&report, &totals), silent);
        report.add(summary(0));
        assert_eq!(Nothing::of(&report, &totals), silent);
        let text = silent.to_string();
        assert!(text.contains("muted") && text.contains("ports"), "{text}");

        report.add(summary(7));
        let (room, units) = (room(), 7);
        assert_eq!(
            Nothing::of(&report, &totals),
            Nothing::Unusable { room, units }
        );
    }
}
