//! MPEG-TS time: 90 kHz ticks in 33 bits, which wrap after 26 h 30 min.

use std::time::Duration;

/// Ticks a second of PTS and DTS (ISO/IEC 13818-1, 2.4.3.7).
pub const TICKS_PER_SECOND: u64 = 90_000;

/// A PTS or DTS as it stands in the stream: 90 kHz ticks, always below 2³³.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Pts(u64);

impl Pts {
    /// Where the clock wraps to zero.
    pub const MODULUS: u64 = 1 << 33;

    /// Takes the low 33 bits of `ticks`.
    #[must_use]
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks % Self::MODULUS)
    }

    /// The stamp of a moment `since_zero` after tick zero, wrapped as often as needed.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "reduced below 2³³ first")]
    pub const fn from_duration(since_zero: Duration) -> Self {
        let ticks = since_zero.as_nanos() * TICKS_PER_SECOND as u128 / 1_000_000_000;
        Self((ticks % Self::MODULUS as u128) as u64)
    }

    /// The 33-bit value.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// Ticks from `earlier` to `self` by the shorter way round: negative when `self` comes first.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "both are below 2³³")]
    pub const fn ticks_since(self, earlier: Self) -> i64 {
        let forward = (self.0 + Self::MODULUS - earlier.0) % Self::MODULUS;
        if forward < Self::MODULUS / 2 {
            forward as i64
        } else {
            forward as i64 - Self::MODULUS as i64
        }
    }
}

/// Turns wrapping stamps into ticks that only count on, counted from the first stamp seen.
#[derive(Debug, Default, Clone)]
pub struct PtsUnwrapper {
    last: Option<(Pts, i64)>,
}

impl PtsUnwrapper {
    /// Ticks of `pts` since the first stamp; negative when it lies before it.
    pub fn unwrap(&mut self, pts: Pts) -> i64 {
        let ticks = match self.last {
            None => 0,
            Some((last, ticks)) => ticks + pts.ticks_since(last),
        };
        self.last = Some((pts, ticks));
        ticks
    }
}

/// A length in ticks as a [`Duration`]; negative lengths are zero.
#[must_use]
pub fn duration_of_ticks(ticks: i64) -> Duration {
    let ticks = u64::try_from(ticks).unwrap_or(0);
    Duration::from_secs(ticks / TICKS_PER_SECOND)
        + Duration::from_nanos(ticks % TICKS_PER_SECOND * 1_000_000_000 / TICKS_PER_SECOND)
}

/// A length of time in whole milliseconds, as it is told to people and programs.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_clock_wraps_after_26_hours() {
        let before = Pts::from_duration(Duration::from_secs(95_443));
        let after = Pts::from_duration(Duration::from_secs(95_444));
        assert!(after.ticks() < before.ticks());
        assert_eq!(after.ticks_since(before), 90_000);
        assert_eq!(before.ticks_since(after), -90_000);
    }

    proptest! {
        #[test]
        fn unwrapping_restores_any_rising_clock(
            start in 0..Pts::MODULUS,
            steps in prop::collection::vec(0..Pts::MODULUS / 2, 1..50),
        ) {
            let mut unwrapper = PtsUnwrapper::default();
            prop_assert_eq!(unwrapper.unwrap(Pts::from_ticks(start)), 0);
            let mut total = 0;
            for step in steps {
                total += step;
                let unwrapped = unwrapper.unwrap(Pts::from_ticks(start + total));
                prop_assert_eq!(unwrapped, i64::try_from(total).unwrap());
            }
        }
    }
}
