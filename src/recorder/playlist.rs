//! `index.m3u8`: the HLS media playlist of a recording (RFC 8216).
//!
//! An EVENT playlist while the recording goes on, VOD with an end once it is sealed. Only sealed
//! segments are listed, so whatever a player finds in it is complete.

use std::fmt::Write;
use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::manifest::{Manifest, RecordingState, segment_number};

/// A segment ends at the first keyframe after its time: this much later at most, as a rule.
const KEYFRAME_ALLOWANCE: Duration = Duration::from_secs(10);

const DATE_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The text of the playlist of what `manifest` lists; segments are planned to be `planned` long.
#[must_use]
pub fn render(manifest: &Manifest, planned: Duration) -> String {
    let sealed = manifest.state == RecordingState::Sealed;
    let mut text = format!(
        "#EXTM3U\n\
         #EXT-X-VERSION:3\n\
         #EXT-X-PLAYLIST-TYPE:{}\n\
         #EXT-X-TARGETDURATION:{}\n\
         #EXT-X-MEDIA-SEQUENCE:0\n",
        if sealed { "VOD" } else { "EVENT" },
        target_seconds(manifest, planned),
    );
    let mut before = None;
    for segment in manifest.segments.iter().filter(|segment| !segment.damaged) {
        let number = segment_number(&segment.file);
        // After a segment that is missing here the timestamps jump.
        let follows = before.is_none_or(|n: u32| n.checked_add(1) == number);
        if before.is_some() && (segment.discontinuity || !follows) {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        before = number;
        if let Some(start) = date_time(segment.started) {
            push_line(&mut text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{start}"));
        }
        let seconds = segment.duration.as_secs_f64();
        push_line(&mut text, format_args!("#EXTINF:{seconds:.3},"));
        push_line(&mut text, format_args!("{}", segment.file));
    }
    if sealed {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

/// The target must not change while the recording goes on, and no segment, rounded to whole
/// seconds, may exceed it (RFC 8216, 4.3.3.1 and 6.2.1): so it is what is planned and some more.
/// Only a segment that waited very long for its keyframe raises it.
fn target_seconds(manifest: &Manifest, planned: Duration) -> u64 {
    let longest = manifest
        .segments
        .iter()
        .filter(|segment| !segment.damaged)
        .map(|segment| rounded_seconds(segment.duration))
        .max();
    let planned = planned.saturating_add(KEYFRAME_ALLOWANCE);
    rounded_seconds(planned).max(longest.unwrap_or(0))
}

fn rounded_seconds(length: Duration) -> u64 {
    length.saturating_add(Duration::from_millis(500)).as_secs()
}

/// The line is left out for a year that the format can't express.
fn date_time(at: OffsetDateTime) -> Option<String> {
    at.to_offset(UtcOffset::UTC).format(DATE_TIME).ok()
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Findings;
    use crate::recorder::drops::Drops;
    use crate::recorder::manifest::{
        ParticipantRecord, RoomRecord, SegmentRecord, Totals, VERSION,
    };
    use crate::recorder::pts_scan::Frames;
    use crate::room::Source;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-11-22 05:17:00.0625 +1);
    const HOUR: Duration = Duration::from_hours(1);

    fn recording(segments: Vec<SegmentRecord>) -> Manifest {
        Manifest {
            version: VERSION,
            state: RecordingState::Recording,
            room: RoomRecord {
                name: String::new(),
                sid: String::new(),
            },
            participant: ParticipantRecord {
                identity: String::new(),
                name: String::new(),
                sid: String::new(),
            },
            source: Source::Camera,
            started: START,
            ended: None,
            tracks: Vec::new(),
            segments,
            drops: Drops::default(),
            findings: Findings::default(),
            totals: Totals::default(),
        }
    }

    fn segment(number: u32, start: Duration, length: Duration) -> SegmentRecord {
        SegmentRecord {
            file: format!("{number:05}.ts"),
            bytes: 188,
            started: START + start,
            duration: length,
            first_pts: None,
            last_pts: None,
            packets: 1,
            frames: Frames::default(),
            received: Frames::default(),
            silence: 0,
            drops: Drops::default(),
            sha256: None,
            damaged: false,
            recovered: false,
            discontinuity: false,
            tracks: Vec::new(),
        }
    }

    #[test]
    fn an_empty_recording_is_an_open_event() {
        let expected = "#EXTM3U\n\
                        #EXT-X-VERSION:3\n\
                        #EXT-X-PLAYLIST-TYPE:EVENT\n\
                        #EXT-X-TARGETDURATION:3610\n\
                        #EXT-X-MEDIA-SEQUENCE:0\n";
        assert_eq!(render(&recording(Vec::new()), HOUR), expected);
    }

    #[test]
    fn a_sealed_recording_lists_its_sound_segments() {
        let minute = Duration::from_mins(1);
        let mut damaged = segment(2, minute * 2, minute);
        damaged.damaged = true;
        damaged.file = "00002.recording.ts".to_owned();
        let mut other_layout = segment(4, minute * 4, Duration::from_micros(1_000_600));
        other_layout.discontinuity = true;
        let mut manifest = recording(vec![
            // What the first one says has nothing before it to differ from.
            SegmentRecord {
                discontinuity: true,
                ..segment(0, Duration::ZERO, minute)
            },
            segment(1, minute, minute),
            damaged,
            segment(3, minute * 3, minute),
            other_layout,
        ]);
        manifest.state = RecordingState::Sealed;
        let expected = "#EXTM3U\n\
                        #EXT-X-VERSION:3\n\
                        #EXT-X-PLAYLIST-TYPE:VOD\n\
                        #EXT-X-TARGETDURATION:70\n\
                        #EXT-X-MEDIA-SEQUENCE:0\n\
                        #EXT-X-PROGRAM-DATE-TIME:2026-11-22T04:17:00.062Z\n\
                        #EXTINF:60.000,\n\
                        00000.ts\n\
                        #EXT-X-PROGRAM-DATE-TIME:2026-11-22T04:18:00.062Z\n\
                        #EXTINF:60.000,\n\
                        00001.ts\n\
                        #EXT-X-DISCONTINUITY\n\
                        #EXT-X-PROGRAM-DATE-TIME:2026-11-22T04:20:00.062Z\n\
                        #EXTINF:60.000,\n\
                        00003.ts\n\
                        #EXT-X-DISCONTINUITY\n\
                        #EXT-X-PROGRAM-DATE-TIME:2026-11-22T04:21:00.062Z\n\
                        #EXTINF:1.001,\n\
                        00004.ts\n\
                        #EXT-X-ENDLIST\n";
        assert_eq!(render(&manifest, minute), expected);
    }

    #[test]
    fn the_target_covers_the_longest_segment_rounded() {
        let cases = [(70_499, 70), (70_500, 71), (1_000, 70)];
        for (milliseconds, target) in cases {
            let one = segment(0, Duration::ZERO, Duration::from_millis(milliseconds));
            let text = render(&recording(vec![one]), Duration::from_mins(1));
            let line = format!("\n#EXT-X-TARGETDURATION:{target}\n");
            assert!(text.contains(&line), "{milliseconds} ms: {text}");
        }
    }
}
