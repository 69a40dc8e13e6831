//! Which video units may enter a graph: decoding starts at a keyframe, and a hole is left until
//! the next one.

use serde::{Deserialize, Serialize};

/// Why a unit was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The stream has not reached its first keyframe.
    AwaitingKeyframe,
    /// Units before it were lost on the way; what follows cannot be decoded cleanly.
    Discontinuity,
    /// The graph is full because its encoder does not keep up.
    QueueFull,
    /// The graph is full because its output takes nothing at the moment.
    OutputBlocked,
    /// Its time has been written already, or lies before the segment.
    Late,
    /// The track was ended, or the graph has no track of this kind.
    NoTrack,
    /// Video gives it up for what keeps up ([`super::Saving`]).
    Spared,
}

impl DropReason {
    /// Every reason, in the order of [`DropReason::index`].
    pub const ALL: [Self; 7] = [
        Self::AwaitingKeyframe,
        Self::Discontinuity,
        Self::QueueFull,
        Self::OutputBlocked,
        Self::Late,
        Self::NoTrack,
        Self::Spared,
    ];

    /// The stable name used in counters and manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingKeyframe => "awaiting_keyframe",
            Self::Discontinuity => "discontinuity",
            Self::QueueFull => "queue_full",
            Self::OutputBlocked => "output_blocked",
            Self::Late => "late",
            Self::NoTrack => "no_track",
            Self::Spared => "spared",
        }
    }

    /// Whether a video stream goes on only with a keyframe, so that one should be asked for.
    #[must_use]
    pub const fn wants_keyframe(self) -> bool {
        matches!(
            self,
            Self::AwaitingKeyframe | Self::Discontinuity | Self::QueueFull | Self::OutputBlocked
        )
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// The state of a video stream at the entrance of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Units pass.
    Open,
    /// Only a keyframe passes; others are refused for this reason.
    Closed(DropReason),
}

impl Gate {
    /// The state before the first unit.
    pub(super) const fn new() -> Self {
        Self::Closed(DropReason::AwaitingKeyframe)
    }

    /// Video gives up what comes: it goes on with a keyframe.
    pub(super) const fn spare(&mut self) {
        *self = Self::Closed(DropReason::Spared);
    }

    /// Video gives up nothing any more that would be refused here: a keyframe is waited for.
    pub(super) fn spare_no_more(&mut self) {
        if *self == Self::Closed(DropReason::Spared) {
            *self = Self::Closed(DropReason::AwaitingKeyframe);
        }
    }

    /// Decides about a unit: whether decoding can start at it, whether nothing is missing
    /// before it, and whether the queue behind the gate has room for it or why it has none.
    pub(super) fn admit(
        &mut self,
        keyframe: bool,
        contiguous: bool,
        room: Result<(), DropReason>,
    ) -> Result<(), DropReason> {
        let next = match (*self, room) {
            (Self::Closed(reason), _) if !keyframe => Self::Closed(reason),
            // The output has begun to take what it filled the queue with.
            (Self::Closed(DropReason::OutputBlocked), Err(DropReason::QueueFull)) => *self,
            (_, Err(full)) => Self::Closed(full),
            (Self::Open, _) if !contiguous && !keyframe => Self::Closed(DropReason::Discontinuity),
            _ => Self::Open,
        };
        *self = next;
        match next {
            Self::Open => Ok(()),
            Self::Closed(reason) => Err(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reasons_index_themselves() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn a_full_queue_refuses_until_a_keyframe_that_finds_room() {
        const FULL: Result<(), DropReason> = Err(DropReason::QueueFull);
        const BLOCKED: Result<(), DropReason> = Err(DropReason::OutputBlocked);
        // Keyframe, contiguous, room; what comes of it.
        let steps = [
            (false, true, Ok(()), Err(DropReason::AwaitingKeyframe)),
            (true, true, Ok(()), Ok(())),
            (false, true, FULL, FULL),
            (false, true, Ok(()), FULL),
            (true, true, BLOCKED, BLOCKED),
            (false, true, FULL, BLOCKED),
            (true, true, FULL, BLOCKED),
            (true, false, Ok(()), Ok(())),
            (false, false, Ok(()), Err(DropReason::Discontinuity)),
        ];
        let mut gate = Gate::new();
        for (number, (keyframe, contiguous, room, expected)) in steps.into_iter().enumerate() {
            assert_eq!(gate.admit(keyframe, contiguous, room), expected, "{number}");
        }
    }

    proptest! {
        /// Whatever arrives, what passes can be decoded: it starts at a keyframe, and after
        /// any refused or lost unit it goes on with one.
        #[test]
        fn what_passes_can_be_decoded(
            units in prop::collection::vec(any::<(bool, bool, bool)>(), 0..200),
        ) {
            let mut gate = Gate::new();
            let mut whole = false;
            for (keyframe, contiguous, room) in units {
                let full = if room { Ok(()) } else { Err(DropReason::QueueFull) };
                let verdict = gate.admit(keyframe, contiguous, full);
                if verdict.is_ok() {
                    prop_assert!(room);
                    prop_assert!(keyframe || (whole && contiguous));
                    whole = true;
                } else {
                    whole = false;
                }
                // A keyframe with room always passes.
                prop_assert!(!(keyframe && room) || verdict.is_ok());
            }
        }
    }
}
