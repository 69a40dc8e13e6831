//! Keeps a track of sound unbroken: where nothing was captured (mute, DTX, loss, a track that
//! starts late or ends early), packets of silence take its place.

use std::time::Duration;

use super::opus::SILENCE;

/// Decides what a track of sound is made of. It knows up to when the sound is complete; the
/// owner offers units and says how far capture has got.
///
/// Nothing is decided for the owner: [`Filler::due`] proposes a packet of silence and
/// [`Filler::filled`] records that it was taken, so a full queue leaves a hole that is filled
/// later.
#[derive(Debug, Clone)]
pub(super) struct Filler {
    covered: Duration,
    begun: bool,
}

impl Filler {
    /// A track whose sound must be complete from `base` on.
    pub(super) const fn new(base: Duration) -> Self {
        Self {
            covered: base,
            begun: false,
        }
    }

    /// Where the next packet of silence belongs, if one fits whole before `until`. A rest that
    /// is shorter than a packet is tolerated: clocks are slewed by up to 5 %, and units meet
    /// only roughly.
    pub(super) fn due(&self, until: Duration) -> Option<Duration> {
        (self.covered + SILENCE <= until).then_some(self.covered)
    }

    /// Where a packet of silence belongs before the very first unit, at `at`, although it does
    /// not fit whole: the mux describes the stream in front of the first sound, so no picture
    /// may come before it.
    pub(super) fn lead_in(&self, at: Duration) -> Option<Duration> {
        let short = !self.begun && self.covered < at && at < self.covered + SILENCE;
        short.then_some(self.covered)
    }

    /// Records that a packet of silence was put at [`Filler::due`].
    pub(super) fn filled(&mut self) {
        self.covered += SILENCE;
        self.begun = true;
    }

    /// Whether a unit at `at` of this length still has its place: at most half of it may lie
    /// in what is complete already.
    pub(super) fn has_place(&self, at: Duration, length: Duration) -> bool {
        at + length / 2 >= self.covered
    }

    /// Records a unit that was taken.
    pub(super) fn taken(&mut self, at: Duration, length: Duration) {
        self.covered = at + length;
        self.begun = true;
    }

    /// Where the last packet of silence belongs when the track ends at `end`: the end is met
    /// as closely as whole packets can.
    pub(super) fn due_at_end(&self, end: Duration) -> Option<Duration> {
        self.due(end + SILENCE / 2)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One packet of the output: when, how long, whether silence.
    type Packet = (Duration, Duration, bool);

    /// Runs a track: each unit is offered after the silence before it was filled.
    fn run(base: Duration, units: &[(Duration, Duration)], end: Duration) -> Vec<Packet> {
        let mut filler = Filler::new(base);
        let mut packets = Vec::new();
        for &(at, length) in units {
            while let Some(silence) = filler.due(at) {
                packets.push((silence, SILENCE, true));
                filler.filled();
            }
            if filler.has_place(at, length) {
                packets.push((at, length, false));
                filler.taken(at, length);
            }
        }
        while let Some(silence) = filler.due_at_end(end) {
            packets.push((silence, SILENCE, true));
            filler.filled();
        }
        packets
    }

    #[test]
    fn a_late_start_and_an_early_end_are_silent() {
        let packets = run(ms(100), &[(ms(150), ms(20)), (ms(170), ms(20))], ms(250));
        let times: Vec<_> = packets.iter().map(|p| (p.0.as_millis(), p.2)).collect();
        assert_eq!(
            times,
            [
                (100, true),
                (120, true),
                (150, false),
                (170, false),
                (190, true),
                (210, true),
                (230, true)
            ]
        );
    }

    #[test]
    fn sound_begins_at_the_base_even_where_no_whole_packet_fits() {
        let mut filler = Filler::new(ms(100));
        assert_eq!(filler.lead_in(ms(100)), None);
        assert_eq!(filler.lead_in(ms(120)), None);
        assert_eq!(filler.lead_in(ms(107)), Some(ms(100)));
        filler.taken(ms(107), ms(20));
        assert_eq!(filler.lead_in(ms(130)), None);
    }

    #[test]
    fn a_late_unit_has_no_place() {
        let mut filler = Filler::new(ms(0));
        for _ in 0..5 {
            filler.filled();
        }
        assert!(!filler.has_place(ms(60), ms(20)));
        assert!(!filler.has_place(ms(89), ms(20)));
        assert!(filler.has_place(ms(90), ms(20)));
    }

    proptest! {
        /// A clock slewed by up to 5 % never makes silence, nor does it lose a unit.
        #[test]
        fn slewed_clocks_are_left_alone(steps in prop::collection::vec(19_000_u64..=21_000, 1..500)) {
            let mut at = Duration::ZERO;
            let mut units = Vec::new();
            for step in steps {
                units.push((at, ms(20)));
                at += Duration::from_micros(step);
            }
            let packets = run(Duration::ZERO, &units, units.last().unwrap().0 + ms(20));
            prop_assert_eq!(packets.len(), units.len());
            prop_assert!(packets.iter().all(|p| !p.2));
        }

        /// Whatever is missing, the output is in order, has no hole as long as a packet, no
        /// overlap longer than half a packet, starts at the base and ends at the end.
        #[test]
        fn the_output_is_unbroken(
            base in 0_u64..200_000,
            units in prop::collection::vec(
                (0_u64..400_000, prop::sample::select(vec![2_500_u64, 10_000, 20_000, 60_000])),
                0..60,
            ),
            tail in 0_u64..500_000,
        ) {
            let base = Duration::from_micros(base);
            let mut at = Duration::ZERO;
            let mut placed = Vec::new();
            for (step, length) in units {
                at += Duration::from_micros(step);
                placed.push((at, Duration::from_micros(length)));
            }
            let end = at.max(base) + Duration::from_micros(tail);
            let packets = run(base, &placed, end);
            let mut covered = base;
            let mut last = None;
            for (at, length, _) in packets {
                prop_assert!(last.is_none_or(|last| at > last), "out of order");
                prop_assert!(at < covered + SILENCE, "a hole of a packet");
                prop_assert!(at + length / 2 >= covered, "overlap");
                covered = at + length;
                last = Some(at);
            }
            prop_assert!(covered + SILENCE > end, "ends {:?} before {:?}", covered, end);
        }
    }
}
