//! The picture of the test card: a moving gradient, a block of snow, a frame counter and a
//! flash at the start of each second. Pure: frame number in, I420 out.

/// Bits of the frame counter.
const COUNTER_BITS: usize = 24;

/// The size that the geometry below is given in.
const NOMINAL: (usize, usize) = (1280, 720);

/// The counter's row: first block's x, a block's width, top and bottom.
const COUNTER: (usize, usize, usize, usize) = (8, 24, 16, 48);

/// The flash covers everything from this line on.
const FLASH_TOP: usize = 120;

/// Frames of a flash.
const FLASH_FRAMES: u32 = 3;

/// Edge of the block of snow.
const BLOCK: usize = 128;

const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// Draws the frames of a test card.
#[derive(Debug, Clone)]
pub struct Painter {
    width: usize,
    height: usize,
    fps: u32,
    ramp: Vec<u8>,
}

impl Painter {
    /// For pictures of this size at `fps` pictures a second. The width is cut to a multiple of
    /// eight, for which GStreamer pads no line of I420, and the height to an even number.
    #[must_use]
    pub fn new(width: u16, height: u16, fps: u32) -> Self {
        let (width, height) = (usize::from(width) & !7, usize::from(height) & !1);
        let length = usize::from(WHITE - BLACK) * 2;
        let period = (width + height + length).next_multiple_of(length);
        let ramp = (0..period + length).map(|at| shade(at % length)).collect();
        Self {
            width,
            height,
            fps: fps.max(1),
            ramp,
        }
    }

    /// Bytes of a picture.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.width * self.height * 3 / 2
    }

    /// Whether frame `number` is a flash.
    #[must_use]
    pub const fn is_flash(&self, number: u32) -> bool {
        number % self.fps < FLASH_FRAMES
    }

    /// Draws frame `number` as I420, without padding.
    #[must_use]
    pub fn paint(&self, number: u32) -> Vec<u8> {
        let luma = self.width * self.height;
        let mut picture = vec![128; self.size()];
        if let Some(plane) = picture.get_mut(..luma) {
            self.gradient(plane, number);
            self.snow(plane, number);
            if self.is_flash(number) {
                let top = FLASH_TOP * self.height / NOMINAL.1 * self.width;
                plane.iter_mut().skip(top).for_each(|y| *y = WHITE);
            }
            self.counter(plane, number);
        }
        picture
    }

    fn gradient(&self, plane: &mut [u8], number: u32) {
        let period = usize::from(WHITE - BLACK) * 2;
        let moved = number as usize * 4;
        for (y, row) in plane.chunks_exact_mut(self.width).enumerate() {
            let from = (y + moved) % period;
            for (to, shade) in row.iter_mut().zip(self.ramp.iter().skip(from)) {
                *to = *shade;
            }
        }
    }

    fn snow(&self, plane: &mut [u8], number: u32) {
        let edge = BLOCK.min(self.width / 2).min(self.height / 2);
        let left = number as usize * 6 % (self.width - edge).max(1);
        let top = self.height - edge - self.height / 8;
        let mut noise = number.wrapping_mul(2_654_435_761) | 1;
        for row in plane.chunks_exact_mut(self.width).skip(top).take(edge) {
            for luma in row.iter_mut().skip(left).take(edge) {
                // xorshift32: cheap, and the same on every machine.
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                *luma = BLACK + (noise >> 25) as u8;
            }
        }
    }

    fn counter(&self, plane: &mut [u8], number: u32) {
        let (x, width, top, bottom) = COUNTER;
        let across = |at: usize| at * self.width / NOMINAL.0;
        let down = |at: usize| at * self.height / NOMINAL.1;
        let rows = down(bottom) - down(top);
        for row in plane
            .chunks_exact_mut(self.width)
            .skip(down(top))
            .take(rows)
        {
            for bit in 0..COUNTER_BITS {
                let shade = if number >> (COUNTER_BITS - 1 - bit) & 1 == 1 {
                    WHITE
                } else {
                    BLACK
                };
                let (from, to) = (across(x + width * bit), across(x + width * (bit + 1)));
                for luma in row.iter_mut().skip(from).take(to - from) {
                    *luma = shade;
                }
            }
        }
    }
}

/// A triangle between black and white.
fn shade(at: usize) -> u8 {
    let length = usize::from(WHITE - BLACK);
    let up = if at < length { at } else { 2 * length - at };
    BLACK + u8::try_from(up).unwrap_or(WHITE - BLACK)
}

/// Reads the frame number back from a luma plane of this width and height.
#[must_use]
pub fn read_counter(luma: &[u8], width: usize, height: usize) -> u32 {
    let (x, block, top, bottom) = COUNTER;
    let y = top.midpoint(bottom) * height / NOMINAL.1;
    (0..COUNTER_BITS).fold(0, |number, bit| {
        let at = (x + block * bit + block / 2) * width / NOMINAL.0;
        let lit = luma.get(y * width + at).is_some_and(|luma| *luma > 128);
        number << 1 | u32::from(lit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_flash_is_the_first_tenth_of_each_second() {
        let painter = Painter::new(1280, 720, 30);
        let lit = |number: u32| {
            let picture = painter.paint(number);
            (picture[121 * 1280 + 640], picture[719 * 1280 + 5])
        };
        for number in [0, 1, 2, 30, 62] {
            assert_eq!(lit(number), (WHITE, WHITE), "frame {number}");
        }
        for number in [3, 29, 33] {
            assert_ne!(lit(number), (WHITE, WHITE), "frame {number}");
        }
    }

    #[test]
    fn the_counter_stands_where_analysers_look_for_it() {
        let picture = Painter::new(1280, 720, 30).paint(0b1010);
        let block = |i: usize| picture[32 * 1280 + 8 + 24 * i + 12];
        assert_eq!(
            [block(19), block(20), block(21), block(22), block(23)],
            [BLACK, WHITE, BLACK, WHITE, BLACK]
        );
        assert_eq!(picture[16 * 1280 + 8 + 24 * 20], WHITE, "its corner");
        assert_ne!(picture[15 * 1280 + 8 + 24 * 20], BLACK, "above it");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_counter_reads_back(number in 0_u32..1 << 24, halved in any::<bool>()) {
            let (width, height) = if halved { (640, 360) } else { (1280, 720) };
            let picture = Painter::new(width, height, 30).paint(number);
            let (width, height) = (usize::from(width), usize::from(height));
            prop_assert_eq!(picture.len(), width * height * 3 / 2);
            prop_assert_eq!(read_counter(&picture, width, height), number);
        }
    }
}
