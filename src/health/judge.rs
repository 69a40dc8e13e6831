//! What hangs; pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Something that moves as long as all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// What it is of, in a few words: the same from one look to the next.
    pub of: String,
    /// Any number that changes with each move; none when it is gone for good.
    pub moves: Option<u64>,
    /// It is to move: there is something for it to do.
    pub owes: bool,
    /// How long it may owe a move.
    pub patience: Duration,
}

/// What was made of all signs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What owes a move for longer than its patience, and for how long.
    pub wedged: Vec<(String, Duration)>,
    /// What is gone and can't come back in this process.
    pub dead: Vec<String>,
}

impl Verdict {
    /// Nothing hangs and nothing is gone.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.wedged.is_empty() && self.dead.is_empty()
    }
}

/// Watches signs.
#[derive(Debug)]
pub struct Judge {
    /// A look that comes later than this finds a process that was stopped, and nothing in it is to
    /// blame for not having moved.
    late: Duration,
    looked: Option<Instant>,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    moves: u64,
    /// When it moved last, or began to owe a move.
    since: Instant,
}

impl Judge {
    /// Looks come each `step`.
    #[must_use]
    pub const fn new(step: Duration) -> Self {
        Self {
            late: step.saturating_mul(3),
            looked: None,
            seen: BTreeMap::new(),
        }
    }

    /// Takes a look at `now`.
    pub fn look(&mut self, now: Instant, signs: &[Sign]) -> Verdict {
        let away = self
            .looked
            .map(|before| now.saturating_duration_since(before))
            .filter(|away| *away > self.late);
        self.looked = Some(now);
        let mut verdict = Verdict::default();
        let mut seen = BTreeMap::new();
        for sign in signs {
            let Some(moves) = sign.moves else {
                verdict.dead.push(sign.of.clone());
                continue;
            };
            let since = match self.seen.get(&sign.of) {
                Some(before) if sign.owes && before.moves == moves => {
                    before.since + away.unwrap_or_default()
                }
                _ => now,
            };
            let waited = now.saturating_duration_since(since);
            if waited >= sign.patience {
                verdict.wedged.push((sign.of.clone(), waited));
            }
            seen.insert(sign.of.clone(), Seen { moves, since });
        }
        self.seen = seen;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(10);

    fn sign(moves: u64, owes: bool) -> Sign {
        Sign {
            of: "the graph".to_owned(),
            moves: Some(moves),
            owes,
            patience: PATIENCE,
        }
    }

    /// What `signs` come to, one each second: the second of the first complaint.
    fn wedged_at(signs: impl IntoIterator<Item = Sign>) -> Option<u64> {
        let (mut judge, start) = (Judge::new(STEP), Instant::now());
        (0..)
            .zip(signs)
            .find(|(second, sign)| {
                let now = start + Duration::from_secs(*second);
                !judge.look(now, std::slice::from_ref(sign)).is_healthy()
            })
            .map(|(second, _)| second)
    }

    #[test]
    fn what_owes_a_move_and_makes_none_hangs_when_its_patience_is_over() {
        assert_eq!(wedged_at((0..60).map(|_| sign(7, true))), Some(10));
        // It moved until the fifth second.
        let until_five = (0..60).map(|second| sign(second.min(5), true));
        assert_eq!(wedged_at(until_five), Some(15));
    }

    #[test]
    fn what_owes_nothing_may_rest_for_ever() {
        assert_eq!(wedged_at((0..1000).map(|_| sign(7, false))), None);
        // Muted and unmuted: it begins to owe anew each time.
        let on_and_off = (0..1000).map(|second| sign(7, second % 10 != 0));
        assert_eq!(wedged_at(on_and_off), None);
    }

    #[test]
    fn a_slow_move_is_a_move() {
        assert_eq!(
            wedged_at((0..1000).map(|second| sign(second / 9, true))),
            None
        );
    }

    #[test]
    fn what_is_gone_is_dead_at_once() {
        let gone = Sign {
            moves: None,
            ..sign(0, false)
        };
        let verdict = Judge::new(STEP).look(Instant::now(), &[gone]);
        assert_eq!(verdict.dead, ["the graph"]);
        assert!(!verdict.is_healthy());
    }

    /// A process that was frozen, or a machine whose processors were taken away, hangs nowhere.
    #[test]
    fn nothing_is_to_blame_for_a_process_that_was_stopped() {
        let (mut judge, start) = (Judge::new(STEP), Instant::now());
        let mut look = |second: u64| {
            let now = start + Duration::from_secs(second);
            judge.look(now, &[sign(7, true)]).is_healthy()
        };
        assert!(look(0) && look(5) && look(600));
        // But what went on waiting afterwards counts.
        assert!((601..610).all(&mut look));
        assert!(!look(611));
    }

    #[test]
    fn each_is_judged_by_itself() {
        let (mut judge, start) = (Judge::new(STEP), Instant::now());
        for second in 0..=10 {
            let other = Sign {
                of: "the writer".to_owned(),
                ..sign(second, true)
            };
            let now = start + Duration::from_secs(second);
            let verdict = judge.look(now, &[sign(7, true), other]);
            let expected: &[&str] = if second < 10 { &[] } else { &["the graph"] };
            let wedged: Vec<_> = verdict.wedged.iter().map(|(of, _)| of.as_str()).collect();
            assert_eq!(wedged, expected);
        }
    }

    proptest! {
        /// Whatever comes, it complains exactly when something has owed a move, in looks that came
        /// in time, for as long as its patience.
        #[test]
        fn it_complains_when_patience_is_over_and_never_before(
            moves in prop::collection::vec((0_u64..3, any::<bool>()), 1..100)
        ) {
            let (mut judge, start) = (Judge::new(STEP), Instant::now());
            let mut owed = 0;
            let mut before = None;
            for (second, (number, owes)) in (0..).zip(moves) {
                let stands = before == Some(number) && owes;
                owed = if stands { owed + 1 } else { 0 };
                before = Some(number);
                let now = start + Duration::from_secs(second);
                let verdict = judge.look(now, &[sign(number, owes)]);
                prop_assert_eq!(verdict.is_healthy(), owed < 10);
            }
        }
    }
}
