//! What video gives up where the box does not keep up.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::InFlight;

/// What video gives up; nothing by default. What is copied cannot be made smaller or thinner here:
/// of it there is all, the keyframes, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saving {
    /// Pictures that are encoded again have no more lines.
    pub lines: Option<NonZeroU32>,
    /// Which pictures there are.
    pub pictures: Pictures,
    /// No more decoded pictures wait for the encoder.
    pub in_flight: Option<InFlight>,
}

/// Which pictures are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pictures {
    /// All that come.
    #[default]
    All,
    /// Every second one of those that are encoded again.
    Half,
    /// Those that decoding can start with.
    Keyframes,
    /// None.
    None,
}

impl Pictures {
    /// Whether a unit is left out before anything is done with it.
    pub(super) const fn refuse(self, keyframe: bool) -> bool {
        match self {
            Self::All | Self::Half => false,
            Self::Keyframes => !keyframe,
            Self::None => true,
        }
    }
}

/// Leaves out every second picture while it is told to.
#[derive(Debug, Default)]
pub(super) struct Thinning {
    on: AtomicBool,
    /// The last picture was kept.
    kept: Mutex<bool>,
}

impl Thinning {
    pub(super) fn set(&self, pictures: Pictures) {
        self.on.store(pictures == Pictures::Half, Relaxed);
    }

    /// Whether the next picture is to be left out.
    pub(super) fn leaves_out(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = !(self.on.load(Relaxed) && *kept);
        !*kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_picture_is_left_out_while_told_to() {
        let thinning = Thinning::default();
        let out = |n: u8| (0..n).map(|_| thinning.leaves_out()).collect::<Vec<_>>();
        assert_eq!(out(3), [false; 3]);
        thinning.set(Pictures::Half);
        assert_eq!(out(4), [true, false, true, false]);
        for all in [Pictures::All, Pictures::Keyframes] {
            thinning.set(all);
            assert_eq!(out(3), [false; 3]);
        }
    }

    #[test]
    fn what_no_picture_follows_from_is_refused_first() {
        for (pictures, keyframe, other) in [
            (Pictures::All, false, false),
            (Pictures::Half, false, false),
            (Pictures::Keyframes, false, true),
            (Pictures::None, true, true),
        ] {
            assert_eq!(
                (pictures.refuse(true), pictures.refuse(false)),
                (keyframe, other)
            );
        }
    }
}
