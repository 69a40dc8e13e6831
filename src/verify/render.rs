//! Writes reports for people and for programs.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use serde::Serializer;

use super::{FileReport, Findings, Format, RecordingReport, Report, StreamReport, Verdict};

/// How many findings of one kind people are shown.
const SHOWN_OF_EACH_KIND: usize = 5;

/// Writes one report after the other.
pub(super) struct Printer<'a, W: Write> {
    format: Format,
    out: &'a mut W,
    any: bool,
}

impl<'a, W: Write> Printer<'a, W> {
    pub(super) fn new(format: Format, out: &'a mut W) -> Self {
        Self {
            format,
            out,
            any: false,
        }
    }

    pub(super) fn print(&mut self, report: &Report) -> io::Result<()> {
        let is_first = !std::mem::replace(&mut self.any, true);
        match (self.format, report) {
            (Format::Human, Report::File(file)) => human_file(self.out, file)?,
            (Format::Human, Report::Recording(recording)) => human_recording(self.out, recording)?,
            (Format::Json, report) => {
                self.out.write_all(if is_first { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut *self.out, report)?;
            }
        }
        // A long recording takes a while: show what is done.
        self.out.flush()
    }

    pub(super) fn finish(&mut self, verdict: &Verdict) -> io::Result<()> {
        match self.format {
            Format::Json if self.any => self.out.write_all(b"\n]\n")?,
            Format::Json => self.out.write_all(b"[]\n")?,
            Format::Human if verdict.files > 1 => {
                writeln!(
                    self.out,
                    "{} files, {} unsound",
                    verdict.files, verdict.unsound
                )?;
            }
            Format::Human => {}
        }
        self.out.flush()
    }
}

/// A path as text: one that is not UTF-8 must not cost the report.
pub(super) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn word(sound: bool) -> &'static str {
    if sound { "sound" } else { "unsound" }
}

fn human_file(out: &mut impl Write, file: &FileReport) -> io::Result<()> {
    let open = if file.sealed { "" } else { " (open)" };
    writeln!(out, "{}: {}{open}", file.path.display(), word(file.sound))?;
    let summary = format!(
        "{} bytes, {} packets, {}, {}",
        file.bytes,
        file.packets,
        Seconds(file.duration_ms),
        Rate(file.bits_per_second)
    );
    line(out, "file", &summary)?;
    for stream in &file.streams {
        human_stream(out, stream)?;
    }
    if let Some(apart) = file.audio_video {
        let text = format!(
            "starts {} video, ends {} it",
            Apart(apart.starts_ms),
            Apart(apart.ends_ms)
        );
        line(out, "audio", &text)?;
    }
    human_findings(out, "problem", &file.problems)?;
    human_findings(out, "warning", &file.warnings)?;
    writeln!(out)
}

fn human_stream(out: &mut impl Write, stream: &StreamReport) -> io::Result<()> {
    let mut format = stream.codec.to_string();
    if let Some(picture) = stream.picture {
        format = format!("{format} {picture}");
    }
    if let Some(sound) = stream.sound {
        let channels = match sound.channels {
            None => String::new(),
            Some(1) => ", mono".to_owned(),
            Some(2) => ", stereo".to_owned(),
            Some(count) => format!(", {count} channels"),
        };
        format = format!("{format} {} Hz{channels}", sound.sample_rate);
    }
    let keyframes = stream
        .keyframes
        .map_or_else(String::new, |count| format!(", {count} key"));
    line(
        out,
        &stream.pid.to_string(),
        &format!("{format:30} {:>7} frames{keyframes}", stream.frames),
    )?;
    let times = format!(
        "{}, {}, longest gap {} ms",
        Seconds(stream.duration_ms),
        Rate(stream.bits_per_second),
        stream.longest_gap_ms
    );
    line(out, "", &times)
}

fn human_findings<K: fmt::Display>(
    out: &mut impl Write,
    label: &str,
    findings: &Findings<K>,
) -> io::Result<()> {
    for group in findings.groups() {
        for found in group.first.iter().take(SHOWN_OF_EACH_KIND) {
            line(out, label, &found.to_string())?;
        }
        let more = group.count.saturating_sub(SHOWN_OF_EACH_KIND as u64);
        if more > 0 {
            line(out, "", &format!("and {more} more of this kind"))?;
        }
    }
    Ok(())
}

fn human_recording(out: &mut impl Write, recording: &RecordingReport) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}",
        recording.path.display(),
        word(recording.sound)
    )?;
    let manifest = if recording.has_manifest {
        ""
    } else {
        ", no manifest to compare with"
    };
    let segments = format!(
        "{} sealed, {} open{manifest}",
        recording.sealed_segments, recording.open_segments
    );
    line(out, "segments", &segments)?;
    for problem in &recording.problems {
        line(out, "problem", &problem.to_string())?;
    }
    writeln!(out)
}

fn line(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {label:9} {text}")
}

/// Milliseconds as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1000, self.0 % 1000)
    }
}

/// Bits a second, in the unit that suits.
struct Rate(u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rate @ 0..1_000_000 => write!(f, "{} kb/s", rate / 1000),
            rate => write!(f, "{}.{:02} Mb/s", rate / 1_000_000, rate / 10_000 % 100),
        }
    }
}

/// Milliseconds after something, or before it.
struct Apart(i64);

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 < 0 { "before" } else { "after" };
        write!(f, "{} ms {side}", self.0.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::verify::packets_for_tests::{Builder, VIDEO, delta};
    use crate::verify::{Format, Verdict, VerifyError, run};

    fn run_in(directory: &tempfile::TempDir, names: &[&str], format: Format) -> (Verdict, String) {
        let paths: Vec<PathBuf> = names
            .iter()
            .map(|name| directory.path().join(name))
            .collect();
        let mut out = Vec::new();
        let verdict = run(&paths, format, &mut out).unwrap();
        let root = format!("{}/", directory.path().display());
        (verdict, String::from_utf8(out).unwrap().replace(&root, ""))
    }

    /// `good.ts`, and `bad.ts` with more lost packets than are shown.
    fn files() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mut builder = Builder::new();
        builder.media(90_000, 30);
        std::fs::write(directory.path().join("good.ts"), &builder.bytes).unwrap();
        for frame in 30..37 {
            builder.lose(VIDEO);
            builder.video(90_000 + frame * 3_000, &delta());
        }
        std::fs::write(directory.path().join("bad.ts"), &builder.bytes).unwrap();
        directory
    }

    #[test]
    fn people_read_aligned_lines_of_80_columns() {
        let (verdict, text) = run_in(&files(), &["good.ts", "bad.ts"], Format::Human);
        let good = "\
good.ts: sound
  file      26132 bytes, 139 packets, 1.002 s, 208 kb/s
  0x0041    h264 High 3.1, 1280x720             30 frames, 3 key
            1.000 s, 99 kb/s, longest gap 33 ms
  0x0042    aac 48000 Hz, mono                  47 frames
            1.002 s, 45 kb/s, longest gap 21 ms
  audio     starts 0 ms after video, ends 2 ms after it

bad.ts: unsound
";
        assert!(text.starts_with(good), "{text}");
        assert!(
            text.contains("  problem   byte 26132, PID 0x0041: continuity counter is"),
            "{text}"
        );
        assert_eq!(text.matches("continuity").count(), 5);
        assert!(
            text.ends_with("            and 2 more of this kind\n\n2 files, 1 unsound\n"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert_eq!(
            (verdict.files, verdict.unsound, verdict.exit_code()),
            (2, 1, 1)
        );
    }

    #[test]
    fn programs_read_one_array() {
        let (verdict, text) = run_in(&files(), &["good.ts", "bad.ts"], Format::Json);
        let reports: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0]["type"], "file");
        assert_eq!(reports[0]["sound"], true);
        assert_eq!(reports[0]["streams"][0]["codec"], "h264");
        assert_eq!(reports[0]["streams"][0]["first_pts"], 90_000);
        let lost = &reports[1]["problems"][0];
        assert_eq!(lost["count"], 7);
        assert_eq!(lost["first"][0]["kind"], "continuity");
        assert_eq!(lost["first"][0]["offset"], 26_132);
        assert_eq!(verdict.exit_code(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_is_verified() {
        let (verdict, text) = run_in(&files(), &["no.ts", "good.ts"], Format::Json);
        assert!(matches!(verdict.errors[..], [VerifyError::NotFound { .. }]));
        assert_eq!((verdict.files, verdict.exit_code()), (1, 2));
        assert!(text.contains("good.ts"));
        let odd = files();
        let name = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff.ts");
        let name: &std::ffi::OsStr = name;
        std::fs::rename(odd.path().join("good.ts"), odd.path().join(name)).unwrap();
        let (verdict, _) = run_in(&odd, &["."], Format::Json);
        assert_eq!((verdict.files, verdict.errors.len()), (2, 0));
        let (verdict, text) = run_in(&files(), &["no.ts"], Format::Json);
        assert_eq!((verdict.exit_code(), text.as_str()), (2, "[]\n"));
        assert_eq!(
            run_in(&files(), &["good.ts"], Format::Human).0.exit_code(),
            0
        );
    }
}
