//! What each level asks of those that record.

use std::num::NonZeroU32;

use super::{Change, Level};
use crate::media::{InFlight, Pictures, Saving};
use crate::room::Sending;

/// What is to be given up, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orders {
    /// The last change of level; none as long as nothing was ever given up.
    pub change: Option<Change>,
}

impl Orders {
    /// The level that holds. Each gives up all that the one before it does.
    #[must_use]
    pub fn level(&self) -> Level {
        self.change.map_or(Level::Normal, |change| change.to)
    }
}

/// Lines of a picture that is encoded again, below the first level.
const LINES: Option<NonZeroU32> = NonZeroU32::new(720);

/// Lines of the layers that the server is asked for at the levels below that.
const FEWER_LINES: Option<NonZeroU32> = NonZeroU32::new(480);
const FEWEST_LINES: Option<NonZeroU32> = NonZeroU32::new(360);

/// Half of what cameras send.
const HALF_RATE: u32 = 15;

impl Level {
    /// What is left out of the video that comes.
    #[must_use]
    pub fn saving(self) -> Saving {
        let pictures = match self {
            Self::Normal | Self::LowerLayer => Pictures::All,
            Self::HalfRate => Pictures::Half,
            Self::KeyframesOnly => Pictures::Keyframes,
            Self::AudioOnly | Self::PauseVideo => Pictures::None,
        };
        Saving {
            lines: LINES.filter(|_| self > Self::Normal),
            pictures,
            in_flight: InFlight::new(1).filter(|_| self.is_tight()),
        }
    }

    /// What the server is to send.
    #[must_use]
    pub const fn sending(self) -> Sending {
        let (lines, pictures_per_second) = match self {
            Self::Normal => (None, None),
            Self::LowerLayer => (LINES, None),
            Self::HalfRate => (FEWER_LINES, Some(HALF_RATE)),
            Self::KeyframesOnly | Self::AudioOnly | Self::PauseVideo => {
                (FEWEST_LINES, Some(HALF_RATE))
            }
        };
        Sending {
            lines,
            pictures_per_second,
            nothing: matches!(self, Self::PauseVideo),
        }
    }

    /// Whether what waits is to be as little as can be, also on its way to the disk.
    #[must_use]
    pub fn is_tight(self) -> bool {
        self >= Self::HalfRate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_gives_up_what_the_one_before_does() {
        let fewer = |before: Option<u32>, after: Option<u32>| {
            assert!(after.unwrap_or(u32::MAX) <= before.unwrap_or(u32::MAX));
        };
        let lines = |lines: Option<NonZeroU32>| lines.map(NonZeroU32::get);
        let pairs = Level::ALL.iter().zip(Level::ALL.iter().skip(1));
        for (before, after) in pairs {
            let (less, least) = (before.saving(), after.saving());
            fewer(lines(less.lines), lines(least.lines));
            assert!(least.pictures >= less.pictures);
            assert!(least.in_flight.is_some() >= less.in_flight.is_some());
            let (sent, asked) = (before.sending(), after.sending());
            fewer(lines(sent.lines), lines(asked.lines));
            fewer(sent.pictures_per_second, asked.pictures_per_second);
            assert!(asked.nothing >= sent.nothing);
            assert_ne!((less, sent), (least, asked));
        }
        assert_eq!(Level::Normal.sending(), Sending::default());
        assert_eq!(Level::Normal.saving(), Saving::default());
    }
}
