//! Pictures as they are in memory, for sources that decode: I420 behind what says how large it is.
//!
//! ```text
//!  width ─ height ─ Y ─────────────── U ───── V ─────
//!  4 bytes each, little-endian; rows as long as GStreamer makes them
//! ```

use bytes::Bytes;

use super::PictureSize;

/// Bytes in front of the pixels.
const HEAD: usize = 8;

/// Longer sides than this no encoder takes.
const LONGEST_SIDE: u32 = 16_384;

/// One plane of a picture, as whoever made it laid it out.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The rows, one behind the other.
    pub bytes: &'a [u8],
    /// From one row to the next, in bytes.
    pub stride: usize,
}

/// By how much a picture has to be turned clockwise to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It stands.
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl Turn {
    const fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }

    /// Where the pixel shown at `x` and `y` is in a plane of `width` and `height` before it is
    /// turned.
    const fn from(self, (x, y): (usize, usize), (width, height): (usize, usize)) -> (usize, usize) {
        match self {
            Self::None => (x, y),
            Self::Quarter => (y, height - 1 - x),
            Self::Half => (width - 1 - x, height - 1 - y),
            Self::ThreeQuarters => (width - 1 - y, x),
        }
    }
}

/// Where the planes lie (`fill_planes` in gst-plugins-base's `gst-libs/gst/video/video-info.c`).
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Bytes of a row, and rows: of Y, and of U and V each.
    luma: (usize, usize),
    chroma: (usize, usize),
}

impl Layout {
    fn of(size: PictureSize) -> Option<Self> {
        let fits = |pixels| (1..=LONGEST_SIDE).contains(&pixels);
        if !fits(size.width) || !fits(size.height) {
            return None;
        }
        let (width, height) = (size.width as usize, size.height as usize);
        Some(Self {
            luma: (width.next_multiple_of(4), height.next_multiple_of(2)),
            chroma: (width.div_ceil(2).next_multiple_of(4), height.div_ceil(2)),
        })
    }

    const fn bytes(self) -> usize {
        self.luma.0 * self.luma.1 + 2 * self.chroma.0 * self.chroma.1
    }
}

/// How many bytes a picture of this size takes as a unit; none where it has no size that can be.
#[must_use]
pub fn packed_bytes(size: PictureSize) -> Option<usize> {
    Some(HEAD + Layout::of(size)?.bytes())
}

/// Puts a picture of `size` and its planes Y, U and V into a unit, upright. None where its size
/// can't be, or a plane is shorter than that.
#[must_use]
pub fn pack(size: PictureSize, planes: [Plane<'_>; 3], turn: Turn) -> Option<Vec<u8>> {
    let shown = if turn.swaps_sides() {
        PictureSize {
            width: size.height,
            height: size.width,
        }
    } else {
        size
    };
    let layout = Layout::of(shown)?;
    let pixels = |count: u32, halved: bool| {
        let count = usize::try_from(count).ok()?;
        Some(if halved { count.div_ceil(2) } else { count })
    };
    let mut unit = Vec::with_capacity(HEAD + layout.bytes());
    unit.extend_from_slice(&shown.width.to_le_bytes());
    unit.extend_from_slice(&shown.height.to_le_bytes());
    for (of_it, halved) in planes.into_iter().zip([false, true, true]) {
        let before = (pixels(size.width, halved)?, pixels(size.height, halved)?);
        let after = (pixels(shown.width, halved)?, pixels(shown.height, halved)?);
        let (row, rows) = if halved { layout.chroma } else { layout.luma };
        let end = unit.len() + row * rows;
        for y in 0..after.1 {
            let begin = unit.len();
            copy_row(&mut unit, of_it, turn, (y, after.0), before)?;
            unit.resize(begin + row, 0);
        }
        unit.resize(end, 0);
    }
    Some(unit)
}

/// Adds row `y`, of `width` pixels, of what `plane` shows once it is turned.
fn copy_row(
    unit: &mut Vec<u8>,
    plane: Plane<'_>,
    turn: Turn,
    (y, width): (usize, usize),
    before: (usize, usize),
) -> Option<()> {
    if turn == Turn::None {
        let begin = y.checked_mul(plane.stride)?;
        let row = plane.bytes.get(begin..begin.checked_add(width)?)?;
        unit.extend_from_slice(row);
        return Some(());
    }
    for x in 0..width {
        let (x, y) = turn.from((x, y), before);
        let at = y.checked_mul(plane.stride)?.checked_add(x)?;
        unit.push(*plane.bytes.get(at)?);
    }
    Some(())
}

/// The size of the picture in a unit; none where its bytes are not that many.
#[must_use]
pub fn size(unit: &[u8]) -> Option<PictureSize> {
    let ([w0, w1, w2, w3, h0, h1, h2, h3], pixels) = unit.split_first_chunk::<HEAD>()?;
    let size = PictureSize {
        width: u32::from_le_bytes([*w0, *w1, *w2, *w3]),
        height: u32::from_le_bytes([*h0, *h1, *h2, *h3]),
    };
    (Layout::of(size)?.bytes() == pixels.len()).then_some(size)
}

/// The picture in a unit: its size, and its pixels as GStreamer takes them.
#[must_use]
pub fn pixels(unit: &Bytes) -> Option<(PictureSize, Bytes)> {
    Some((size(unit)?, unit.slice(HEAD..)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn sized(width: u32, height: u32) -> PictureSize {
        PictureSize { width, height }
    }

    /// Planes of a picture each of whose pixels says where it is, with rows longer than they show.
    fn planes(size: PictureSize, more: usize) -> [(Vec<u8>, usize); 3] {
        let (width, height) = (size.width as usize, size.height as usize);
        [
            (width, height),
            (width.div_ceil(2), height.div_ceil(2)),
            (width.div_ceil(2), height.div_ceil(2)),
        ]
        .map(|(width, height)| {
            let stride = width + more;
            let bytes = (0..stride * height)
                .map(|at| u8::try_from((at / stride * 16 + at % stride) % 256).unwrap());
            (bytes.collect(), stride)
        })
    }

    fn packed(size: PictureSize, turn: Turn) -> Bytes {
        let made = planes(size, 3);
        let planes = [0, 1, 2].map(|at: usize| Plane {
            bytes: &made[at].0,
            stride: made[at].1,
        });
        pack(size, planes, turn).unwrap().into()
    }

    #[test]
    fn rows_are_as_long_as_gstreamer_makes_them() {
        let (size, pixels) = pixels(&packed(sized(6, 3), Turn::None)).unwrap();
        assert_eq!(size, sized(6, 3));
        // Four rows of eight, and twice two rows of four.
        assert_eq!(pixels.len(), 48);
        assert_eq!(pixels[..8], [0, 1, 2, 3, 4, 5, 0, 0]);
        assert_eq!(pixels[16..24], [32, 33, 34, 35, 36, 37, 0, 0]);
        assert_eq!(pixels[24..32], [0; 8]);
        assert_eq!(pixels[32..40], [0, 1, 2, 0, 16, 17, 18, 0]);
        assert_eq!(pixels[32..40], pixels[40..48]);
    }

    #[test]
    fn a_picture_that_lies_is_turned_clockwise() {
        let shown = |turn| {
            let (size, pixels) = pixels(&packed(sized(4, 2), turn)).unwrap();
            let row = (size.width as usize).next_multiple_of(4);
            let rows = pixels.chunks(row).take(size.height as usize);
            let rows = rows.map(|row| row[..size.width as usize].to_vec());
            rows.collect::<Vec<_>>()
        };
        assert_eq!(shown(Turn::None), [[0, 1, 2, 3], [16, 17, 18, 19]]);
        assert_eq!(shown(Turn::Quarter), [[16, 0], [17, 1], [18, 2], [19, 3]]);
        assert_eq!(shown(Turn::Half), [[19, 18, 17, 16], [3, 2, 1, 0]]);
        assert_eq!(
            shown(Turn::ThreeQuarters),
            [[3, 19], [2, 18], [1, 17], [0, 16]]
        );
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let short = Plane {
            bytes: &[0; 10],
            stride: 4,
        };
        assert_eq!(pack(sized(4, 4), [short; 3], Turn::None), None);
        assert_eq!(pack(sized(4, 4), [short; 3], Turn::Half), None);
        assert_eq!(pack(sized(0, 4), [short; 3], Turn::None), None);
        assert_eq!(pack(sized(u32::MAX, 2), [short; 3], Turn::None), None);
        let whole = packed(sized(4, 4), Turn::None);
        assert_eq!(packed_bytes(sized(4, 4)), Some(whole.len()));
        assert_eq!(size(&whole), Some(sized(4, 4)));
        assert_eq!(size(&whole[..whole.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn any_picture_comes_out_as_large_as_it_went_in(
            width in 1_u32..40,
            height in 1_u32..40,
            turn in prop::sample::select(vec![
                Turn::None,
                Turn::Quarter,
                Turn::Half,
                Turn::ThreeQuarters,
            ]),
        ) {
            let expected = match turn {
                Turn::None | Turn::Half => sized(width, height),
                Turn::Quarter | Turn::ThreeQuarters => sized(height, width),
            };
            let (read, pixels) = pixels(&packed(sized(width, height), turn)).unwrap();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(Some(pixels.len() + HEAD), packed_bytes(expected));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(size) = size(&bytes) {
                prop_assert_eq!(packed_bytes(size), Some(bytes.len()));
            }
        }
    }
}
