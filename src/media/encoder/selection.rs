//! Which encoders are used, in which order.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::EncoderPath;
use crate::bitstream::PictureSize;
use crate::media::MediaError;
use crate::media::scale::fit;
use crate::media::verdict::Verdict;

/// The encoder that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best one that works.
    #[default]
    Auto,
    /// This one or none.
    Forced(String),
}

/// What is wanted of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub choice: Choice,
    /// Pictures have no more lines, if there is a limit.
    pub lines: Option<NonZeroU32>,
    /// Bits a second.
    pub bitrate: u32,
}

/// The pictures that trials are made with: the largest that a camera in a room commonly sends.
pub const TRIAL_SIZE: PictureSize = PictureSize {
    width: 1920,
    height: 1080,
};

/// An encoder, and what is thought of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What was tried.
    pub path: EncoderPath,
    /// What came of it.
    pub verdict: Verdict,
}

/// The ways to encode that may be tried, best first.
#[must_use]
pub fn candidates(choice: &Choice, installed: impl Fn(EncoderPath) -> bool) -> Vec<EncoderPath> {
    let wanted = |path: &EncoderPath| match choice {
        Choice::Auto => true,
        Choice::Forced(factory) => path.factory() == factory,
    };
    let paths = EncoderPath::all().filter(wanted);
    paths.filter(|path| installed(*path)).collect()
}

/// Tries the candidates in their order until one in software works: after that, none is better.
/// Of an encoder that works behind one scaler, others are not tried.
pub fn climb(
    candidates: &[EncoderPath],
    attempt: &mut dyn FnMut(EncoderPath) -> Verdict,
) -> Vec<Tried> {
    let mut tried: Vec<Tried> = Vec::new();
    for path in candidates.iter().copied() {
        let works = |one: &&Tried| one.verdict.performance().is_some();
        let mut found = tried.iter().filter(works);
        if found.any(|one| !one.path.is_hardware() || one.path.factory() == path.factory()) {
            continue;
        }
        let verdict = attempt(path);
        tried.push(Tried { path, verdict });
    }
    tried
}

/// Those that work, best first.
///
/// # Errors
/// None does: the error says what became of each.
pub fn choose(choice: &Choice, tried: &[Tried]) -> Result<Vec<EncoderPath>, MediaError> {
    let works = tried.iter().filter_map(|one| {
        let how = one.verdict.performance()?;
        Some(one.path.answering(how.on_request))
    });
    let works: Vec<_> = works.collect();
    if !works.is_empty() {
        return Ok(works);
    }
    let told = tell(tried);
    Err(match choice {
        Choice::Auto => MediaError::NoEncoder { tried: told },
        Choice::Forced(factory) => MediaError::ForcedEncoder {
            factory: factory.clone(),
            tried: told,
        },
    })
}

/// What became of each, on one line.
#[must_use]
pub fn tell(tried: &[Tried]) -> String {
    let mut told = String::new();
    for one in tried {
        let separator = if told.is_empty() { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(told, "{separator}{}: {}", one.path, one.verdict);
    }
    if told.is_empty() {
        told.push_str("none is installed");
    }
    told
}

/// The size of the pictures that come out of a trial.
#[must_use]
pub fn trial_output(path: EncoderPath, lines: Option<NonZeroU32>) -> (u32, u32) {
    let size = fit(TRIAL_SIZE, lines, path.row.most);
    (size.width, size.height)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::media::verdict::Performance;
    use proptest::prelude::*;

    fn works() -> Verdict {
        Verdict::Passed(Performance {
            pictures_per_second: 30.0,
            first: std::time::Duration::ZERO,
            on_request: false,
            missing: Vec::new(),
        })
    }

    fn names(paths: &[EncoderPath]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    fn jetson(path: EncoderPath) -> bool {
        ["nvv4l2h264enc", "x264enc", "openh264enc"].contains(&path.factory())
            && ["nvvidconv", "videoscale"].contains(&path.scaler())
    }

    #[test]
    fn the_best_that_works_is_taken_and_one_in_software_stands_behind_it() {
        let candidates = candidates(&Choice::Auto, jetson);
        let tried = climb(&candidates, &mut |_| works());
        let chosen = choose(&Choice::Auto, &tried).unwrap();
        assert_eq!(chosen.len(), 2, "{chosen:?}");
        assert!(chosen[0].is_hardware() && !chosen[1].is_hardware());
        assert!(!chosen[0].on_request, "as the trial found");
    }

    #[test]
    fn where_hardware_fails_software_is_left_and_its_scaler_may_be_the_hardwares() {
        let candidates = candidates(&Choice::Auto, jetson);
        let tried = climb(&candidates, &mut |path| {
            if path.is_hardware() {
                Verdict::Hung
            } else {
                works()
            }
        });
        let chosen = choose(&Choice::Auto, &tried).unwrap();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].scaler(), "nvvidconv");
        assert!(tell(&tried).contains("nvv4l2h264enc behind nvvidconv: hung"));
    }

    #[test]
    fn a_forced_one_works_or_it_is_an_error_that_says_why() {
        let choice = Choice::Forced("nvv4l2h264enc".to_owned());
        let one = candidates(&choice, jetson);
        assert_eq!(names(&one), ["nvv4l2h264enc behind nvvidconv"]);
        let error = choose(&choice, &climb(&one, &mut |_| Verdict::Silent)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("nvv4l2h264enc") && text.contains("silent"),
            "{text}"
        );
        assert!(text.contains("\"auto\""), "{text}");
        let none = choose(&Choice::Auto, &[]).unwrap_err().to_string();
        assert!(
            none.contains("none is installed") && none.contains("gstreamer1.0-plugins-ugly"),
            "{none}"
        );
    }

    proptest! {
        #[test]
        fn whatever_works_the_chosen_are_few_and_in_order(
            installed in any::<u64>(),
            working in any::<u64>(),
        ) {
            let all: Vec<_> = EncoderPath::all().collect();
            let bit = |of: u64, path: EncoderPath| {
                let at = all.iter().position(|it| *it == path).unwrap_or(0);
                of >> at & 1 == 1
            };
            let candidates = candidates(&Choice::Auto, |path| bit(installed, path));
            let tried = climb(&candidates, &mut |path| {
                if bit(working, path) { works() } else { Verdict::Silent }
            });
            let could = candidates.iter().any(|path| bit(working, *path));
            match choose(&Choice::Auto, &tried) {
                Ok(chosen) => {
                    prop_assert!(chosen.iter().filter(|path| !path.is_hardware()).count() <= 1);
                    prop_assert!(chosen.is_sorted_by_key(|path| !path.is_hardware()));
                    prop_assert!(chosen.iter().all(|path| bit(working, *path)
                        || all.iter().any(|it| it.factory() == path.factory())));
                }
                Err(_) => prop_assert!(!could),
            }
        }
    }
}
