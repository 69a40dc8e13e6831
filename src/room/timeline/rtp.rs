//! RTP time: 32-bit stamps that count on for ever.

use time::Duration as SignedDuration;

use crate::room::Codec;

/// RTP ticks a second of `codec`: 90 kHz for every video format (RFC 6184, 8.2.1; RFC 7741, 6.1;
/// RFC 7798, 7.1), 48 kHz for Opus whatever it samples at (RFC 7587, 4.1).
const fn ticks_per_second(codec: Codec) -> i64 {
    match codec {
        Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::I420 => 90_000,
        Codec::Opus | Codec::Pcm => 48_000,
    }
}

/// Turns the RTP stamps of one stream into media time: time since the first stamp taken.
///
/// Stamps wrap after 13 h of video and 25 h of Opus, so each is read as the one nearest to the
/// newest stamp taken so far.
#[derive(Debug)]
pub struct RtpClock {
    ticks_per_second: i64,
    newest: Option<(u32, i64)>,
}

impl RtpClock {
    /// A clock that has seen nothing yet.
    pub fn new(codec: Codec) -> Self {
        Self {
            ticks_per_second: ticks_per_second(codec),
            newest: None,
        }
    }

    /// Whether stamps of `codec` count alike.
    pub const fn is_of(&self, codec: Codec) -> bool {
        self.ticks_per_second == ticks_per_second(codec)
    }

    /// The media time of `rtp`; negative when it lies before the first stamp taken.
    pub fn media_time(&self, rtp: u32) -> SignedDuration {
        let ticks = self.ticks(rtp);
        let part = ticks.rem_euclid(self.ticks_per_second) * 1_000_000_000 / self.ticks_per_second;
        SignedDuration::seconds(ticks.div_euclid(self.ticks_per_second))
            + SignedDuration::nanoseconds(part)
    }

    /// Takes `rtp` as the newest stamp, unless it is older than the one before.
    pub fn advance(&mut self, rtp: u32) {
        let ticks = self.ticks(rtp);
        if self.newest.is_none_or(|(_, newest)| ticks > newest) {
            self.newest = Some((rtp, ticks));
        }
    }

    /// Takes `rtp` as the first stamp of a clock that has started again: media time zero.
    pub fn restart(&mut self, rtp: u32) {
        self.newest = Some((rtp, 0));
    }

    fn ticks(&self, rtp: u32) -> i64 {
        self.newest.map_or(0, |(newest, ticks)| {
            ticks + i64::from(rtp.wrapping_sub(newest).cast_signed())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn media_time_goes_on_through_any_number_of_wraps(
            start in any::<u32>(),
            steps in prop::collection::vec(0_u32..1 << 31, 1..40),
        ) {
            let mut clock = RtpClock::new(Codec::Vp8);
            clock.advance(start);
            let mut total = 0_u64;
            let mut rtp = start;
            for step in steps {
                total += u64::from(step);
                rtp = rtp.wrapping_add(step);
                clock.advance(rtp);
                let nanoseconds = u128::from(total) * 1_000_000_000 / 90_000;
                prop_assert_eq!(
                    clock.media_time(rtp).whole_nanoseconds().unsigned_abs(),
                    nanoseconds
                );
            }
        }
    }

    #[test]
    fn an_older_stamp_lies_before_and_moves_nothing() {
        let mut clock = RtpClock::new(Codec::Opus);
        clock.advance(100);
        clock.advance(100_u32.wrapping_sub(48_000));
        assert_eq!(
            clock.media_time(100_u32.wrapping_sub(48_000)),
            SignedDuration::seconds(-1)
        );
        assert_eq!(clock.media_time(48_100), SignedDuration::SECOND);
    }
}
