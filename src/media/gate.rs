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
    /// The graph is full because its output or its encoder does not keep up.
    QueueFull,
    /// Its time has been written already, or lies before the segment.
    Late,
    /// The track was ended, or the graph has no track of this kind.
    NoTrack,
}

impl DropReason {
    /// Every reason, in the order of [`DropReason::index`].
    pub const ALL: [Self; 5] = [
        Self::AwaitingKeyframe,
        Self::Discontinuity,
        Self::QueueFull,
        Self::Late,
        Self::NoTrack,
    ];

    /// The stable name used in counters and manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingKeyframe => "awaiting_keyframe",
            Self::Discontinuity => "discontinuity",
            Self::QueueFull => "queue_full",
            Self::Late => "late",
            Self::NoTrack => "no_track",
        }
    }

    /// Whether a video stream goes on only with a keyframe, so that one should be asked for.
    #[must_use]
    pub const fn wants_keyframe(self) -> bool {
        matches!(
            self,
            Self::AwaitingKeyframe | Self::Discontinuity | Self::QueueFull
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

    /// Decides about a unit: whether decoding can start at it, whether nothing is missing
    /// before it, and whether the queue behind the gate has room for it.
    pub(super) fn admit(
        &mut self,
        keyframe: bool,
        contiguous: bool,
        room: bool,
    ) -> Result<(), DropReason> {
        let next = match *self {
            Self::Closed(reason) if !keyframe => Self::Closed(reason),
            _ if !room => Self::Closed(DropReason::QueueFull),
            Self::Open if !contiguous && !keyframe => Self::Closed(DropReason::Discontinuity),
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
        let mut gate = Gate::new();
        assert_eq!(
            gate.admit(false, true, true),
            Err(DropReason::AwaitingKeyframe)
        );
        assert_eq!(gate.admit(true, true, true), Ok(()));
        assert_eq!(gate.admit(false, true, false), Err(DropReason::QueueFull));
        assert_eq!(gate.admit(false, true, true), Err(DropReason::QueueFull));
        assert_eq!(gate.admit(true, true, false), Err(DropReason::QueueFull));
        assert_eq!(gate.admit(true, false, true), Ok(()));
        assert_eq!(
            gate.admit(false, false, true),
            Err(DropReason::Discontinuity)
        );
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
                let verdict = gate.admit(keyframe, contiguous, room);
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
