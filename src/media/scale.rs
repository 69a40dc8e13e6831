//! How large pictures may be, and how large that makes each of them. It may change at any time.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use super::MediaError;
use super::convert::Memory;
use super::elements::{pad, set};
use crate::bitstream::PictureSize;

/// H.264 in 4:2:0 has pictures of even sizes, and no encoder takes less than a macroblock.
const LEAST: u32 = 16;

/// The size that a picture gets: its own where it may, else the largest of the same shape. It
/// is even, and never larger than the picture but for that.
///
/// Lines are those of a picture that lies: one that stands may have as many across. None is
/// longer than a picture of 16:9 with that many lines, nor larger than the encoder takes.
pub(super) fn fit(from: PictureSize, lines: Option<NonZeroU32>, most: PictureSize) -> PictureSize {
    let (long, short) = (from.width.max(from.height), from.width.min(from.height));
    let wide = from.width >= from.height;
    let mut scale = Scale::ONE;
    if let Some(lines) = lines {
        let lines = u64::from(lines.get());
        scale = scale.at_most(short, lines);
        scale = scale.at_most(long, lines * 16 / 9);
    }
    scale = scale.at_most(from.width, u64::from(most.width));
    scale = scale.at_most(from.height, u64::from(most.height));
    let (long, short) = (scale.of(long), scale.of(short));
    let (width, height) = if wide { (long, short) } else { (short, long) };
    PictureSize { width, height }
}

/// A factor of at most one.
#[derive(Clone, Copy)]
struct Scale {
    to: u64,
    from: u64,
}

impl Scale {
    const ONE: Self = Self { to: 1, from: 1 };

    /// The lesser of this one and the one that makes `length` at most `most`.
    fn at_most(self, length: u32, most: u64) -> Self {
        let most = most & !1;
        let length = u64::from(length.max(1));
        if most * self.from < self.to * length {
            Self {
                to: most,
                from: length,
            }
        } else {
            self
        }
    }

    /// The length scaled, rounded to an even number.
    fn of(self, length: u32) -> u32 {
        let length = u64::from(length);
        let scaled = if self.to >= self.from {
            length
        } else {
            // To the nearest even number, halves up.
            (length * self.to + self.from) / (2 * self.from) * 2
        };
        u32::try_from(scaled).unwrap_or(u32::MAX).max(LEAST) & !1
    }
}

/// What is known of the pictures that come, and what is wanted of them.
#[derive(Debug)]
struct Wanted {
    from: Option<PictureSize>,
    lines: Option<NonZeroU32>,
}

/// Holds pictures to a number of lines in front of an encoder.
#[derive(Clone)]
pub(super) struct Scaler {
    wanted: Arc<Mutex<Wanted>>,
    filter: gst::glib::WeakRef<gst::Element>,
    form: Form,
    resized: Arc<dyn Fn(PictureSize) + Send + Sync>,
}

impl fmt::Debug for Scaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, form, .. } = self;
        f.debug_struct("Scaler")
            .field("wanted", wanted)
            .field("form", form)
            .finish_non_exhaustive()
    }
}

/// The pictures that an encoder takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) memory: Memory,
    pub(super) formats: &'static [&'static str],
    pub(super) most: PictureSize,
}

impl Scaler {
    /// Watches what enters `first`, and sets the caps of `filter`, behind the converter; before
    /// that, `resized` is told of each new size.
    pub(super) fn install(
        first: &gst::Element,
        filter: &gst::Element,
        form: Form,
        lines: Option<NonZeroU32>,
        resized: impl Fn(PictureSize) + Send + Sync + 'static,
    ) -> Result<Self, MediaError> {
        set(filter, "caps", form.memory.caps(form.formats, None))?;
        let scaler = Self {
            wanted: Arc::new(Mutex::new(Wanted { from: None, lines })),
            filter: filter.downgrade(),
            form,
            resized: Arc::new(resized),
        };
        let watching = scaler.clone();
        pad(first, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(size) = info.event().and_then(size_of) {
                watching.change(|wanted| wanted.from = Some(size));
            }
            gst::PadProbeReturn::Ok
        });
        Ok(scaler)
    }

    /// From the next picture on none has more lines; true when that changes their size.
    pub(super) fn limit(&self, lines: Option<NonZeroU32>) -> bool {
        self.change(|wanted| wanted.lines = lines)
    }

    fn change(&self, how: impl FnOnce(&mut Wanted)) -> bool {
        // Held until the caps are set, so that the later change wins on both sides.
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |wanted: &Wanted| {
            let from = wanted.from?;
            Some(fit(from, wanted.lines, self.form.most))
        };
        let before = size(&wanted);
        how(&mut wanted);
        let after = size(&wanted);
        let (Some(after), Some(filter)) = (after, self.filter.upgrade()) else {
            return false;
        };
        if before == Some(after) {
            return false;
        }
        let pixels = (after.width.cast_signed(), after.height.cast_signed());
        let caps = self.form.memory.caps(self.form.formats, Some(pixels));
        (self.resized)(after);
        filter.set_property("caps", caps);
        true
    }
}

/// The size that a caps event announces.
fn size_of(event: &gst::Event) -> Option<PictureSize> {
    let gst::EventView::Caps(caps) = event.view() else {
        return None;
    };
    size_in(caps.caps())
}

/// The size that caps of raw video say.
pub(super) fn size_in(caps: &gst::CapsRef) -> Option<PictureSize> {
    let caps = caps.structure(0)?;
    let pixels = |name| u32::try_from(caps.get::<i32>(name).ok()?).ok();
    Some(PictureSize {
        width: pixels("width")?,
        height: pixels("height")?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANY: PictureSize = PictureSize {
        width: 4096,
        height: 4096,
    };

    fn fitted(width: u32, height: u32, lines: u32) -> (u32, u32) {
        let size = fit(PictureSize { width, height }, NonZeroU32::new(lines), ANY);
        (size.width, size.height)
    }

    #[test]
    fn pictures_keep_their_shape() {
        for (from, to) in [
            ((1920, 1080), (1280, 720)),
            ((1280, 720), (1280, 720)),
            ((640, 360), (640, 360)),
            // Standing.
            ((1080, 1920), (720, 1280)),
            // 4:3, wider than 16:9, square.
            ((1440, 1080), (960, 720)),
            ((2560, 1080), (1280, 540)),
            ((1080, 1080), (720, 720)),
            // A shared window: odd, and very long.
            ((1367, 769), (1280, 720)),
            ((3000, 20), (1280, 16)),
            ((641, 361), (640, 360)),
        ] {
            assert_eq!(fitted(from.0, from.1, 720), to, "{from:?}");
        }
        // Without a limit of lines.
        assert_eq!(fitted(1921, 1081, 0), (1920, 1080));
    }

    #[test]
    fn an_encoder_is_given_no_more_than_it_takes() {
        let most = PictureSize {
            width: 1920,
            height: 1088,
        };
        let size = |width, height| fit(PictureSize { width, height }, None, most);
        assert_eq!(size(3840, 2160), size(1920, 1080));
        let stands = size(1080, 1920);
        assert_eq!((stands.width, stands.height), (612, 1088));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_even_and_small_enough(
            width in 1_u32..20_000,
            height in 1_u32..20_000,
            lines in prop::option::of(90_u32..4_400),
        ) {
            let from = PictureSize { width, height };
            let lines = lines.and_then(NonZeroU32::new);
            let size = fit(from, lines, ANY);
            prop_assert_eq!((size.width % 2, size.height % 2), (0, 0));
            prop_assert!(size.width >= LEAST && size.height >= LEAST);
            prop_assert!(size.width <= width.max(LEAST) && size.height <= height.max(LEAST));
            prop_assert!(size.width <= ANY.width && size.height <= ANY.height);
            if let Some(lines) = lines {
                prop_assert!(size.width.min(size.height) <= lines.get());
            }
            // Fitting is done once: what fits stays.
            prop_assert_eq!(fit(size, lines, ANY), size);
        }
    }
}
