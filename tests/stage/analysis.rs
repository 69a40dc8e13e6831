//! What decoded pictures and sound say about a recording: pure functions.
//!
//! The test card they read is described in `publisher.py`; `reeld demo` draws the same.

use std::collections::BTreeMap;

/// Blocks in the counter, one a bit.
const COUNTER_BITS: usize = 24;
/// Left edge of the first block, and the width of each, in 1280-wide coordinates.
const BLOCK_LEFT: usize = 8;
const BLOCK_WIDTH: usize = 24;
/// Pictures smaller than this are no test card at any simulcast layer: LiveKit's server sends
/// 2x2 or 8x8 pictures of its own when a track ends.
const SMALLEST_CARD: u32 = 64;
/// Samples a second of the decoded sound.
pub const SAMPLE_RATE: usize = 48_000;
/// Louder is the beep (amplitude 12000), softer the near-silence (60) and what codecs add.
const LOUD: u16 = 4_000;
/// How long it is soft between two beeps at least; inside a beep never longer than a period.
const QUIET_BEFORE_BEEP: usize = SAMPLE_RATE / 5;
/// Offsets taken together for the start and for the end of a recording.
const EDGE: usize = 4;
/// The same where there are few.
const LEAST_EDGE: usize = 2;
/// Seconds before and after one whose beeps tell how late sound was.
const BEEPS_AROUND: u32 = 2;

/// One decoded picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture {
    /// Presentation time in seconds, as in the file.
    pub pts: f64,
    /// The number drawn in it.
    pub counter: u32,
    /// Whether it is one of the flash.
    pub flash: bool,
    /// Whether nothing at all is drawn in it.
    pub black: bool,
    /// Its own size, before scaling.
    pub width: u32,
    pub height: u32,
}

impl Picture {
    /// Whether it can be a test card.
    pub fn is_card(&self) -> bool {
        self.width >= SMALLEST_CARD
    }
}

/// Reads the counter from rows of luma, `width` samples each in 1280-wide coordinates.
pub fn counter(strip: &[u8], width: usize) -> u32 {
    (0..COUNTER_BITS).fold(0, |number, i| {
        let middle = BLOCK_LEFT + BLOCK_WIDTH * i + BLOCK_WIDTH / 2;
        let columns = middle - 3..middle + 3;
        let rows = strip.chunks_exact(width);
        let bright = mean(rows.flat_map(|row| &row[columns.clone()])) > 128;
        number << 1 | u32::from(bright)
    })
}

/// Whether rows of luma below the counter are those of a flash.
pub fn is_flash(strip: &[u8]) -> bool {
    mean(strip.iter()) > 205
}

/// Whether rows of luma at the counter, and below it, are black: the gradient never is for a
/// whole row.
pub fn is_black(strip: &[u8], below: &[u8]) -> bool {
    mean(strip.iter().chain(below)) < 24
}

fn mean<'a>(samples: impl Iterator<Item = &'a u8>) -> u64 {
    let (sum, count) = samples.fold((0u64, 0u64), |(sum, count), sample| {
        (sum + u64::from(*sample), count + 1)
    });
    sum / count.max(1)
}

/// How the counters run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuity {
    pub first: u32,
    pub last: u32,
    /// Different counters seen.
    pub present: u32,
    /// Counters between first and last that were not seen.
    pub missing: u32,
    /// Pictures whose counter is not above the one before.
    pub disordered: u32,
    /// The longest run of missing counters.
    pub longest_gap: u32,
}

impl Continuity {
    /// Of the counters between first and last, how many are there: 0 to 1.
    pub fn ratio(&self) -> f64 {
        f64::from(self.present) / f64::from(self.present + self.missing)
    }

    /// From the first picture's start to the last one's end, in seconds.
    pub fn span_s(&self, fps: u32) -> f64 {
        f64::from(self.last - self.first + 1) / f64::from(fps)
    }
}

/// Follows the counters of `pictures` in the order of the file; `None` without pictures.
pub fn continuity(pictures: &[Picture]) -> Option<Continuity> {
    let first = pictures.first()?.counter;
    let mut result = Continuity {
        first,
        last: first,
        present: 1,
        missing: 0,
        disordered: 0,
        longest_gap: 0,
    };
    for picture in pictures.iter().skip(1) {
        let Some(step) = picture
            .counter
            .checked_sub(result.last)
            .filter(|&step| step > 0)
        else {
            result.disordered += 1;
            continue;
        };
        result.present += 1;
        result.missing += step - 1;
        result.longest_gap = result.longest_gap.max(step - 1);
        result.last = picture.counter;
    }
    Some(result)
}

/// The first picture of each flash: its second of the test card and its PTS. A flash whose
/// first picture is missing has no exact time and is left out.
pub fn flash_onsets(pictures: &[Picture], fps: u32) -> Vec<(u32, f64)> {
    pictures
        .iter()
        .filter(|picture| picture.flash && picture.counter % fps == 0)
        .map(|picture| (picture.counter / fps, picture.pts))
        .collect()
}

/// Finds where beeps begin in sound that comes piece by piece.
#[derive(Default)]
pub struct BeepFinder {
    /// Samples since the last loud one, or since the first of all: a recording may begin in the
    /// middle of a beep, and that is no onset.
    quiet: usize,
    onsets: Vec<f64>,
}

impl BeepFinder {
    /// Takes `samples` of which the first is at `pts` seconds.
    pub fn push(&mut self, pts: f64, samples: impl Iterator<Item = i16>) {
        for (i, sample) in samples.enumerate() {
            if sample.unsigned_abs() < LOUD {
                self.quiet += 1;
                continue;
            }
            if self.quiet >= QUIET_BEFORE_BEEP {
                #[expect(clippy::cast_precision_loss, reason = "an index within one frame")]
                self.onsets.push(pts + i as f64 / SAMPLE_RATE as f64);
            }
            self.quiet = 0;
        }
    }

    /// The beginnings, in seconds as in the file.
    pub fn onsets(self) -> Vec<f64> {
        self.onsets
    }
}

/// For each flash with a beep within half a second: its second of the test card, and by how
/// many ms it comes after the beep, the publisher's own offset taken off.
pub fn flash_after_beep_ms(
    flashes: &[(u32, f64)],
    beeps: &[f64],
    own_offset_ms: &BTreeMap<u32, f64>,
) -> Vec<(u32, f64)> {
    let measure = |&(second, flash): &(u32, f64)| {
        let apart = beeps.iter().map(|beep| flash - beep);
        let nearest = apart.min_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        let own = own_offset_ms.get(&second).copied().unwrap_or(0.0);
        (nearest.abs() < 0.5).then_some((second, nearest * 1000.0 - own))
    };
    flashes.iter().filter_map(measure).collect()
}

/// How much later than its beep each flash was published, from how late flash and beep were
/// handed over.
///
/// A picture bears the time at which it was handed over. Sound is counted by its samples: one
/// beep that comes late to the encoder still has its place, only a lateness that stays moves
/// the sender reports. So the beep's is the median of the seconds around.
pub fn own_offset_ms(late_ms: &BTreeMap<u32, (f64, f64)>) -> BTreeMap<u32, f64> {
    let offset = |(&second, &(flash, _)): (&u32, &(f64, f64))| {
        let around = second.saturating_sub(BEEPS_AROUND)..=second + BEEPS_AROUND;
        let beeps: Vec<f64> = late_ms.range(around).map(|(_, late)| late.1).collect();
        (second, flash - median(&beeps))
    };
    late_ms.iter().map(offset).collect()
}

/// How far picture and sound are apart, in ms; positive when the picture is late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offset {
    /// Median of the first few.
    pub start: f64,
    /// Median of the last few.
    pub end: f64,
    /// The one farthest from zero.
    pub worst: f64,
}

/// Sums up `offsets`; `None` when there are too few for a start and an end.
pub fn offset(offsets: &[(u32, f64)]) -> Option<Offset> {
    let values: Vec<f64> = offsets.iter().map(|(_, offset)| *offset).collect();
    let edge = EDGE.min(values.len() / 2);
    if edge < LEAST_EDGE {
        return None;
    }
    let worst = values
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    Some(Offset {
        start: median(&values[..edge]),
        end: median(&values[values.len() - edge..]),
        worst,
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}
