//! The test card as files: what neither libwebrtc nor `reeld` itself encodes, made by ffmpeg.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use reeld::media::test_card::picture::Painter;
use reeld::media::test_card::sound::{PACKET, RATE, packet};

/// Pixels across and down.
pub const SIZE: (u16, u16) = (640, 360);
/// Pictures a second.
pub const FPS: u32 = 30;
/// Pictures from one keyframe to the next: whoever sends a file makes none when asked for one.
pub const KEYFRAME_EVERY: u32 = 15;

/// Writes pictures as H.265 (Annex B), each in so many slices, of which most need several packets.
pub fn h265(file: &Path, pictures: u32, slices: u32) {
    let params = format!(
        "keyint={KEYFRAME_EVERY}:min-keyint={KEYFRAME_EVERY}:scenecut=0:open-gop=0:bframes=0:\
         info=0:repeat-headers=1:slices={slices}:log-level=error"
    );
    let (width, height) = SIZE;
    let size = format!("{width}x{height}");
    let from = [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", "30",
    ];
    let to = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
    ];
    let rate = ["-b:v", "2M", "-x265-params", &params, "-f", "hevc"];
    let painter = Painter::new(width, height, FPS);
    let raw = (0..pictures).map(|number| painter.paint(number));
    encode(&from, &[&to[..], &rate[..]].concat(), file, raw);
}

/// Writes pictures of that size as H.264 (Annex B) of 1 Mb/s, one slice each, a keyframe each second.
pub fn h264(file: &Path, size: (u16, u16), seconds: u32) {
    let params = "keyint=30:min-keyint=30:scenecut=0:slices=1:sliced-threads=0";
    let to = [
        &["-c:v", "libx264", "-preset", "ultrafast"][..],
        &["-tune", "zerolatency", "-b:v", "1M", "-maxrate", "1M"],
        &["-bufsize", "1M", "-x264-params", params, "-f", "h264"],
    ];
    paint(file, size, seconds, &to.concat());
}

/// Writes pictures of that size as VP8 (IVF) of 2 Mb/s, a keyframe each second.
pub fn vp8(file: &Path, size: (u16, u16), seconds: u32) {
    let to = [
        &["-c:v", "libvpx", "-deadline", "realtime"][..],
        &["-cpu-used", "8", "-lag-in-frames", "0", "-b:v", "2M"],
        &["-auto-alt-ref", "0", "-g", "30", "-keyint_min", "30"],
        &["-threads", "2", "-f", "ivf"],
    ];
    paint(file, size, seconds, &to.concat());
}

fn paint(file: &Path, (width, height): (u16, u16), seconds: u32, to: &[&str]) {
    let size = format!("{width}x{height}");
    let from = [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", "30",
    ];
    let painter = Painter::new(width, height, FPS);
    let raw = (0..seconds * FPS).map(|number| painter.paint(number));
    encode(&from, to, file, raw);
}

/// Writes what is in `from` and the same again so many times, with stamps that go on.
pub fn repeat(from: &Path, to: &Path, times: u32) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-stream_loop"])
        .arg(times.to_string())
        .arg("-i")
        .arg(from)
        .args(["-c", "copy"])
        .arg(to)
        .status()
        .expect("ffmpeg runs; scripts/test installs it");
    assert!(status.success(), "{}: {status}", to.display());
}

/// Writes the beeps as Opus in one channel (Ogg).
pub fn ogg(file: &Path, seconds: u32) {
    beeps(file, seconds, &[]);
}

/// Writes the beeps as Opus in two channels (Ogg), of which the first is silent.
pub fn ogg_with_a_silent_left(file: &Path, seconds: u32) {
    beeps(file, seconds, &["-af", "pan=stereo|c0=0*c0|c1=c0"]);
}

fn beeps(file: &Path, seconds: u32, filter: &[&str]) {
    let from = ["-f", "s16le", "-ar", "48000", "-ac", "1"];
    let to = [filter, &["-c:a", "libopus", "-f", "ogg"]].concat();
    let packets = (0..seconds * RATE / PACKET).map(|number| packet((number * PACKET).into()));
    encode(&from, &to, file, packets);
}

fn encode(from: &[&str], to: &[&str], file: &Path, raw: impl Iterator<Item = Vec<u8>>) {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(from)
        .args(["-i", "pipe:0"])
        .args(to)
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg runs; scripts/test installs it");
    let mut input = ffmpeg.stdin.take().expect("its input");
    for piece in raw {
        input.write_all(&piece).expect("ffmpeg takes its input");
    }
    drop(input);
    let status = ffmpeg.wait().expect("ffmpeg ends");
    assert!(status.success(), "{}: {status}", file.display());
}

/// The access units of a byte stream of [`h265`], and whether each is a keyframe.
pub fn access_units(stream: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let mut units: Vec<(bool, Vec<u8>)> = Vec::new();
    let mut in_picture = true;
    let starts: Vec<usize> = (0..stream.len() - 5)
        .filter(|at| stream[*at..].starts_with(&[0, 0, 1]))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    for (start, end) in starts.iter().copied().zip(ends) {
        let kind = stream[start + 3] >> 1 & 0x3f;
        let is_slice = kind < 32;
        // Sets, and a slice that is the first of its picture, begin another unit.
        if in_picture && (!is_slice || stream[start + 5] & 0x80 != 0) {
            units.push((false, Vec::new()));
        }
        in_picture = is_slice;
        let (keyframe, unit) = units.last_mut().expect("a unit");
        *keyframe |= (16..22).contains(&kind);
        unit.extend_from_slice(&stream[start..end]);
    }
    units
}
