//! The continuity counter of one PID (ISO/IEC 13818-1, 2.4.3.3).

/// What the counter of a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next packet.
    Next,
    /// The packet before once more, which is allowed once: skip it.
    Repeat,
    /// Something is missing in between.
    Jump { expected: u8, found: u8 },
}

/// Follows the counter of one PID.
#[derive(Debug, Default)]
pub(crate) struct Continuity {
    last: Option<u8>,
    /// Payload of the last packet that had one, to tell a repetition from sixteen lost packets.
    payload: Vec<u8>,
    repeated: bool,
}

impl Continuity {
    /// Takes the next packet's counter. `declared_break` is its `discontinuity_indicator`.
    pub(crate) fn step(&mut self, found: u8, payload: Option<&[u8]>, declared_break: bool) -> Step {
        let Some(last) = self.last.filter(|_| !declared_break) else {
            self.accept(found, payload);
            return Step::Next;
        };
        let Some(payload) = payload else {
            // The counter stands still in packets without payload.
            self.last = Some(found);
            return if found == last {
                Step::Next
            } else {
                Step::Jump {
                    expected: last,
                    found,
                }
            };
        };
        if found == last && !self.repeated && payload == self.payload {
            self.repeated = true;
            return Step::Repeat;
        }
        self.accept(found, Some(payload));
        let expected = (last + 1) & 0x0f;
        if found == expected {
            Step::Next
        } else {
            Step::Jump { expected, found }
        }
    }

    fn accept(&mut self, counter: u8, payload: Option<&[u8]>) {
        self.last = Some(counter);
        self.repeated = false;
        self.payload.clear();
        self.payload.extend_from_slice(payload.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through packets of (counter, payload, discontinuity indicator).
    fn steps(packets: &[(u8, Option<&[u8]>, bool)]) -> Vec<Step> {
        let mut continuity = Continuity::default();
        packets
            .iter()
            .map(|&(counter, payload, declared)| continuity.step(counter, payload, declared))
            .collect()
    }

    #[test]
    fn the_counter_wraps_and_stands_still_without_payload() {
        let packets: [(u8, Option<&[u8]>, bool); 5] = [
            (14, Some(b"a"), false),
            (15, Some(b"b"), false),
            (15, None, false),
            (0, Some(b"c"), false),
            (1, None, false),
        ];
        assert_eq!(
            steps(&packets),
            [
                Step::Next,
                Step::Next,
                Step::Next,
                Step::Next,
                Step::Jump {
                    expected: 0,
                    found: 1
                }
            ]
        );
    }

    #[test]
    fn one_identical_repetition_is_allowed() {
        let jump = Step::Jump {
            expected: 4,
            found: 3,
        };
        let same: (u8, Option<&[u8]>, bool) = (3, Some(b"a"), false);
        assert_eq!(steps(&[same, same, same]), [Step::Next, Step::Repeat, jump]);
        assert_eq!(steps(&[same, (3, Some(b"b"), false)]), [Step::Next, jump]);
    }

    #[test]
    fn a_jump_is_told_once_and_a_declared_one_not_at_all() {
        let from: (u8, Option<&[u8]>, bool) = (3, Some(b"a"), false);
        let jump = Step::Jump {
            expected: 4,
            found: 9,
        };
        assert_eq!(
            steps(&[from, (9, Some(b"b"), false), (10, Some(b"c"), false)]),
            [Step::Next, jump, Step::Next]
        );
        assert_eq!(
            steps(&[from, (9, Some(b"b"), true)]),
            [Step::Next, Step::Next]
        );
    }
}
