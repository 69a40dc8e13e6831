//! Decodes a recording by ffmpeg, a decoder that is not ours, and keeps only what is asked of
//! each picture and each piece of sound.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use serde::Deserialize;

use super::analysis::{self, BeepFinder, Picture, SAMPLE_RATE};

/// The part of each picture, scaled to 1280x720, that is looked at: from the counter's rows
/// down to rows that only the flash changes. Behind showinfo the stamps are of no use any more;
/// drawn out they stay apart in whatever time base ffmpeg chooses for its output. Counted anew
/// they would go back where the size changes: ffmpeg makes new filters there, and told not to
/// (`-reinit_filter 0`) version 5.1 crashes.
const PART: &str =
    "showinfo,scale=1280:720,format=yuv420p,extractplanes=y,crop=640:500:0:28,setpts=1000*PTS";
const PART_WIDTH: usize = 640;
const PART_ROWS: usize = 500;
/// Rows averaged at the top (counter) and at the bottom (flash) of the part.
const STRIP: usize = PART_WIDTH * 8;
const SOUND: &str = "aresample=48000,aformat=sample_fmts=s16:channel_layouts=mono,ashowinfo";
/// TS streams count in 90 kHz.
const TICKS: f64 = 90_000.0;

/// The pictures of a file in the order of presentation.
pub struct Pictures {
    pub pictures: Vec<Picture>,
    /// What the decoder called an error.
    pub errors: Vec<String>,
}

/// The sound of a file.
pub struct Sound {
    /// Where beeps begin, seconds as in the file.
    pub beeps: Vec<f64>,
    /// Where it begins and ends, seconds as in the file.
    pub start: f64,
    pub end: f64,
    /// The longest stretch between two frames that no sound covers, in seconds.
    pub longest_gap: f64,
    /// What the decoder called an error.
    pub errors: Vec<String>,
}

impl Sound {
    /// The sound of two segments, `next` behind `self`.
    pub fn join(mut self, next: Self) -> Self {
        let between = next.start - self.end;
        self.beeps.extend(next.beeps);
        self.errors.extend(next.errors);
        Self {
            end: next.end,
            longest_gap: self.longest_gap.max(next.longest_gap).max(between),
            ..self
        }
    }
}

/// What ffprobe says about one stream.
#[derive(Debug, Deserialize)]
pub struct Stream {
    pub codec_type: String,
    pub codec_name: String,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub sample_rate: Option<String>,
    pub channels: Option<u32>,
}

/// Decodes the video stream of `file`.
pub fn pictures(file: &Path) -> Pictures {
    // The old name of -fps_mode, which ffmpeg 4 does not know yet.
    let sync = ["-vsync", "passthrough", "-f", "rawvideo"];
    let mut ffmpeg = Ffmpeg::start(file, &["-map", "0:v:0", "-vf", PART], &sync);
    let mut part = vec![0; PART_WIDTH * PART_ROWS];
    let mut seen = Vec::new();
    while ffmpeg.fill(&mut part) {
        let (top, bottom) = (&part[..STRIP], &part[part.len() - STRIP..]);
        seen.push((
            analysis::counter(top, PART_WIDTH),
            analysis::is_flash(bottom),
            analysis::is_black(top, bottom),
        ));
    }
    let (frames, errors) = ffmpeg.finish();
    assert_eq!(frames.len(), seen.len(), "pictures into and out of ffmpeg");
    let picture = |(frame, (counter, flash, black)): (&Shown, (u32, bool, bool))| Picture {
        pts: frame.pts / TICKS,
        counter,
        flash,
        black,
        width: frame.width,
        height: frame.height,
    };
    Pictures {
        pictures: frames.iter().zip(seen).map(picture).collect(),
        errors,
    }
}

/// Decodes the audio stream of `file`, by each frame's own stamp: gaps stay gaps.
pub fn sound(file: &Path) -> Sound {
    filtered(file, SOUND)
}

/// Decodes one channel of the audio stream of `file`.
pub fn channel(file: &Path, number: u32) -> Sound {
    filtered(file, &format!("pan=mono|c0=c{number},{SOUND}"))
}

fn filtered(file: &Path, filter: &str) -> Sound {
    let mut ffmpeg = Ffmpeg::start(file, &["-map", "0:a:0", "-af", filter], &["-f", "s16le"]);
    let mut bytes = Vec::new();
    // At most an hour of sound would be 350 MB; tests record seconds.
    ffmpeg.read_all(&mut bytes);
    let (frames, errors) = ffmpeg.finish();
    #[expect(clippy::cast_precision_loss, reason = "48000 is exact")]
    let rate = SAMPLE_RATE as f64;
    let mut beeps = BeepFinder::default();
    let (mut end, mut longest_gap) = (None, 0.0f64);
    let mut rest = bytes.as_slice();
    for frame in &frames {
        let (samples, left) = rest.split_at(frame.samples * 2);
        rest = left;
        let start = frame.pts / rate;
        longest_gap = longest_gap.max(start - end.unwrap_or(start));
        let samples = samples.chunks_exact(2);
        beeps.push(
            start,
            samples.map(|sample| i16::from_le_bytes([sample[0], sample[1]])),
        );
        end = Some((frame.pts + f64::from(u32::try_from(frame.samples).unwrap())) / rate);
    }
    assert!(rest.is_empty(), "samples into and out of ffmpeg");
    Sound {
        beeps: beeps.onsets(),
        start: frames.first().map_or(0.0, |frame| frame.pts / rate),
        end: end.unwrap_or(0.0),
        longest_gap,
        errors,
    }
}

/// The streams of `file` as ffprobe sees them.
pub fn probe(file: &Path) -> Vec<Stream> {
    #[derive(Deserialize)]
    struct Probe {
        streams: Vec<Stream>,
    }
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-of", "json"])
        .arg(file)
        .output()
        .expect("ffprobe runs; scripts/test installs it");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ffprobe {}: {complaints}",
        file.display()
    );
    let probe: Probe = serde_json::from_slice(&output.stdout).expect("ffprobe's JSON");
    probe.streams
}

/// What ffmpeg's showinfo and ashowinfo say about one frame.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    /// In the stream's time base.
    pts: f64,
    width: u32,
    height: u32,
    samples: usize,
}

struct Ffmpeg {
    child: Child,
    stdout: ChildStdout,
    log: JoinHandle<(Vec<Shown>, Vec<String>)>,
}

impl Ffmpeg {
    fn start(file: &Path, filter: &[&str], format: &[&str]) -> Self {
        let mut child = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-nostats"])
            .args(["-loglevel", "level+info", "-copyts", "-i"])
            .arg(file)
            .args(filter)
            .args(format)
            .arg("pipe:1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ffmpeg runs; scripts/test installs it");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = std::thread::spawn(move || read_log(stderr));
        Self { child, stdout, log }
    }

    /// Reads one whole frame; false at the end.
    fn fill(&mut self, frame: &mut [u8]) -> bool {
        self.stdout.read_exact(frame).is_ok()
    }

    fn read_all(&mut self, bytes: &mut Vec<u8>) {
        self.stdout.read_to_end(bytes).expect("ffmpeg's output");
    }

    fn finish(mut self) -> (Vec<Shown>, Vec<String>) {
        let status = self.child.wait().expect("ffmpeg ends");
        let (frames, errors) = self.log.join().expect("ffmpeg's log is read");
        assert!(status.success(), "ffmpeg: {status}: {errors:?}");
        (frames, errors)
    }
}

fn read_log(stderr: ChildStderr) -> (Vec<Shown>, Vec<String>) {
    let (mut frames, mut errors) = (Vec::new(), Vec::new());
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(frame) = shown(&line) {
            frames.push(frame);
        } else if line.contains("[error]") || line.contains("[fatal]") {
            errors.push(line);
        }
    }
    (frames, errors)
}

/// Reads a line such as `[… @ 0x…] [info] n:   0 pts: 132000 pts_time:… s:1280x720 …`.
fn shown(line: &str) -> Option<Shown> {
    if !line.contains("showinfo") || !line.contains(" pts_time:") {
        return None;
    }
    let value = |key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split_whitespace().next()
    };
    let (width, height) = value(" s:").and_then(|size| size.split_once('x')).unzip();
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    Some(Shown {
        pts: value(" pts:")?.parse().ok()?,
        width: number(width).unwrap_or(0),
        height: number(height).unwrap_or(0),
        samples: value(" nb_samples:")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0),
    })
}
