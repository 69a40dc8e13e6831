//! What a one-shot recording says at its end.

use std::io::{self, Write};

use indicatif::BinaryBytes;
use serde::Serialize;

use super::Failure;
use super::progress::drops_text;
use crate::recorder::recording::RecordingError;
use crate::recorder::summary::{GapsSummary, RecordingSummary};
use crate::room::Refusals;

/// Recordings kept for the summary; a one-shot run has few, and those beyond are on the disk.
const MOST: usize = 1_000;

/// The recordings of a run. With `--json` printed as it stands here.
#[derive(Debug, Serialize)]
pub struct Report {
    room: String,
    recordings: Vec<RecordingSummary>,
    /// Recordings that are not listed because there were too many.
    unlisted: u64,
    /// Tracks that were asked for and not recorded, by reason.
    refused: Refusals,
}

impl Report {
    /// Nothing yet.
    #[must_use]
    pub fn new(room: &str) -> Self {
        Self {
            room: room.to_owned(),
            recordings: Vec::new(),
            unlisted: 0,
            refused: Refusals::default(),
        }
    }

    /// The room's name.
    #[must_use]
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Adds a recording that is over.
    pub fn add(&mut self, summary: RecordingSummary) {
        if self.recordings.len() < MOST {
            self.recordings.push(summary);
        } else {
            self.unlisted += 1;
        }
    }

    /// Says which tracks were not recorded.
    pub const fn refuse(&mut self, refused: Refusals) {
        self.refused = refused;
    }

    /// Pictures and packets of sound that came.
    #[must_use]
    pub fn units(&self) -> u64 {
        let frames = self.recordings.iter().map(|one| &one.frames);
        frames
            .map(|frames| frames.video.received + frames.audio.received)
            .sum()
    }

    /// Whether there is nothing to report.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recordings.is_empty()
    }

    /// Whether any file was sealed.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.recordings.iter().any(|one| !one.segments.is_empty())
    }

    /// The first failure of a recording.
    #[must_use]
    pub fn into_failure(self) -> Option<RecordingError> {
        self.recordings.into_iter().find_map(|one| one.cause)
    }

    /// What a person is told.
    fn lines(&self) -> impl Iterator<Item = String> {
        let recordings = self.recordings.iter().map(describe);
        recordings.chain(refused_text(self.refused))
    }

    /// Prints it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn print(&self, json: bool, out: &mut impl Write) -> Result<(), Failure> {
        let printed = if json {
            serde_json::to_vec(self)
                .map_err(io::Error::from)
                .and_then(|text| out.write_all(&text))
                .and_then(|()| writeln!(out))
        } else {
            self.lines().try_for_each(|line| writeln!(out, "{line}"))
        };
        printed.map_err(|source| Failure::System {
            doing: "writing the summary",
            source,
        })
    }
}

/// `3 tracks were not recorded: 2 max_tracks, 1 unrecordable`, or nothing.
fn refused_text(refused: Refusals) -> Option<String> {
    match refused.total() {
        0 => None,
        1 => Some(format!("1 track was not recorded: {refused}")),
        many => Some(format!("{many} tracks were not recorded: {refused}")),
    }
}

fn describe(one: &RecordingSummary) -> String {
    let (video, audio) = (&one.frames.video, &one.frames.audio);
    let mut drops = video.dropped.clone();
    drops.merge(&audio.dropped);
    let folder = one
        .dir
        .as_ref()
        .map_or_else(|| "(no file)".to_owned(), |dir| dir.display().to_string());
    let files = match one.segments.len() {
        1 => "1 segment".to_owned(),
        many => format!("{many} segments"),
    };
    format!(
        "{folder}\n  {} {}: {:.1} s, {}, {files}, {} pictures, {} packets of sound{}{}",
        // A stranger chose it: nothing in it may steer a terminal.
        one.participant.escape_debug(),
        one.source,
        one.duration_s,
        BinaryBytes(one.bytes),
        video.written,
        audio.written,
        drops_text(&drops),
        gaps_text(one.gaps),
    )
}

fn gaps_text(gaps: GapsSummary) -> String {
    let longest = gaps.longest_s;
    match gaps.count {
        0 => String::new(),
        1 => format!(", 1 gap of {longest:.1} s"),
        many => format!(", {many} gaps, the longest of {longest:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{Limit, Refusal};

    #[test]
    fn refused_tracks_are_in_the_summary_for_people_and_for_programs() {
        let mut report = Report::new("h");
        assert_eq!(report.lines().count(), 0);
        let mut refused = Refusals::default();
        refused.add(&Refusal::Limit(Limit::Tracks));
        report.refuse(refused);
        let lines: Vec<String> = report.lines().collect();
        assert_eq!(lines, ["1 track was not recorded: 1 max_tracks"]);
        refused.add(&Refusal::Limit(Limit::Participants));
        report.refuse(refused);
        let lines: Vec<String> = report.lines().collect();
        let both = "2 tracks were not recorded: 1 max_participants, 1 max_tracks";
        assert_eq!(lines, [both]);
        let json = serde_json::to_value(&report).unwrap();
        let counts = serde_json::json!({"max_participants": 1, "max_tracks": 1, "unrecordable": 0});
        assert_eq!(json["refused"], counts);
    }
}
