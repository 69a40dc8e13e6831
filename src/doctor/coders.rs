//! What encodes and decodes here: the verdict of a trial on each encoder and decoder that is
//! installed.

use serde::Serialize;

use super::finding::Finding;
use crate::board::Expectation;
use crate::config::{Config, VideoMode};
use crate::daemon::equipment;
use crate::media::MediaError;
use crate::media::decoder::Decoder;
use crate::media::encoder::selection::{Choice, Tried, choose};
use crate::media::verdict::Verdict;
use crate::recorder::recording::one_line;
use crate::room::Codec;

/// What a camera sends, in pictures a second: less than that does not keep up.
const CAMERA: f64 = 30.0;

/// All that could be decoded.
const ALL: &[Codec] = equipment::decoded(VideoMode::Transcode);

/// The encoders and decoders that are installed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Coders {
    /// Each way to encode H.264, best first, with what a trial has shown.
    pub encoders: Vec<Encoder>,
    /// The decoders of each codec, best first, with what a trial has shown.
    pub decoders: Vec<DecoderTried>,
}

/// One way to encode, tried with 1920x1080.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Encoder {
    /// The element that encodes.
    pub factory: &'static str,
    /// The element that converts and scales in front of it.
    pub scaler: &'static str,
    /// Whether it is a piece of hardware.
    pub hardware: bool,
    /// What the trial has shown.
    pub verdict: Verdict,
    /// How fast it is, where it works.
    pub pictures_per_second: Option<f64>,
}

/// One decoder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecoderTried {
    /// What it decodes.
    pub codec: Codec,
    /// The element.
    pub factory: &'static str,
    /// Whether it is a piece of hardware.
    pub hardware: bool,
    /// What the trial has shown.
    pub verdict: Verdict,
    /// How fast it is, where it works.
    pub pictures_per_second: Option<f64>,
}

/// What was looked for and found.
#[derive(Debug)]
pub struct Looked {
    /// What was wanted of an encoder.
    choice: Choice,
    /// Each encoder with its verdict.
    tried: Result<Vec<Tried>, MediaError>,
    /// Each decoder with its verdict.
    decoders: Vec<DecoderTried>,
    /// The codecs that have to be decoded.
    decoded: &'static [Codec],
}

/// Tries every encoder and decoder that is installed, or with `fresh` even those that were tried
/// before. None where the configuration lets nothing be encoded. Blocks, for up to 5 s with each
/// one that hangs.
#[must_use]
pub fn look(config: &Config, fresh: bool) -> Option<Looked> {
    if config.video.mode == VideoMode::Passthrough {
        return None;
    }
    let decoded = equipment::decoded(config.video.mode);
    let wanted = equipment::wanted(config);
    let search = equipment::search(fresh);
    let found = search.run_all(&wanted);
    let decoders = search.all_decoders(ALL);
    Some(Looked {
        tried: found.map(|found| found.tried),
        choice: wanted.choice,
        // That GStreamer does not start is said of the encoders already.
        decoders: decoders
            .unwrap_or_default()
            .into_iter()
            .map(DecoderTried::of)
            .collect(),
        decoded,
    })
}

impl DecoderTried {
    fn of((decoder, verdict): (Decoder, Verdict)) -> Self {
        Self {
            codec: decoder.codec(),
            factory: decoder.factory(),
            hardware: decoder.is_hardware(),
            pictures_per_second: verdict.performance().map(|how| how.pictures_per_second),
            verdict,
        }
    }
}

impl Looked {
    /// What was found.
    #[must_use]
    pub fn coders(&self) -> Coders {
        let tried = self.tried.as_ref().map_or(&[][..], Vec::as_slice);
        let encoders = tried.iter().map(|one| Encoder {
            factory: one.path.factory(),
            scaler: one.path.scaler(),
            hardware: one.path.is_hardware(),
            pictures_per_second: one.verdict.performance().map(|how| how.pictures_per_second),
            verdict: one.verdict.clone(),
        });
        Coders {
            encoders: encoders.collect(),
            decoders: self.decoders.clone(),
        }
    }

    /// The line that says what would encode, one for each encoder, and one for the decoders.
    #[must_use]
    pub fn judge(&self, expectation: Expectation) -> Vec<Finding> {
        // That GStreamer does not start is said in its own line.
        let Ok(tried) = &self.tried else {
            return Vec::new();
        };
        let mut findings = vec![judge_encoding(tried, &self.choice, expectation)];
        let best = best_of_each(tried).into_iter();
        findings.extend(best.map(|one| judge_encoder(one, expectation)));
        let codecs = ALL.iter().filter_map(|codec| {
            let is_needed = self.decoded.contains(codec);
            judge_decoders(*codec, &self.decoders, is_needed)
        });
        findings.extend(codecs);
        findings
    }
}

/// Of several ways to one encoder the first that works, else the first.
fn best_of_each(tried: &[Tried]) -> Vec<&Tried> {
    let mut best: Vec<&Tried> = Vec::new();
    for one in tried {
        let known = best
            .iter_mut()
            .find(|it| it.path.factory() == one.path.factory());
        match known {
            None => best.push(one),
            Some(known) if works(one) && !works(known) => *known = one,
            Some(_) => {}
        }
    }
    best
}

const fn works(one: &Tried) -> bool {
    one.verdict.performance().is_some()
}

/// What would encode, and whether it keeps up with a camera.
fn judge_encoding(tried: &[Tried], choice: &Choice, expectation: Expectation) -> Finding {
    const SUBJECT: &str = "encoding";
    let chosen = match choose(choice, tried) {
        Ok(chosen) => chosen,
        Err(error) => return judge_none(SUBJECT, choice, &error),
    };
    let first = chosen.first().and_then(|first| {
        let one = tried.iter().find(|one| {
            one.path.factory() == first.factory() && one.path.scaler() == first.scaler()
        })?;
        Some((one, one.verdict.performance()?.pictures_per_second))
    });
    let Some((one, speed)) = first else {
        return Finding::bad(SUBJECT, "nothing encodes", "please report this");
    };
    let kind = if one.path.is_hardware() {
        "in hardware"
    } else {
        "by the processor"
    };
    let what = format!("{} {kind}, {speed:.0} pictures/s of 1920x1080", one.path);
    if speed < CAMERA {
        return Finding::degraded(
            SUBJECT,
            format!("{what}: less than a camera sends"),
            "have cameras send H.264, which is copied, or smaller pictures; video.max_height = 480 \
             makes the encoder's work less",
        );
    }
    match expectation {
        Expectation::Element(element) if !one.path.is_hardware() => Finding::degraded(
            SUBJECT,
            format!("{what}, though the vendor says that there is an encoder ({element})"),
            "see the lines \"codec nodes\" and \"encoder\"; install the vendor's packages for \
             GStreamer, then `reeld doctor --fresh`",
        ),
        _ => Finding::good(SUBJECT, what),
    }
}

fn judge_none(subject: &'static str, choice: &Choice, error: &MediaError) -> Finding {
    let what = one_line(error);
    match choice {
        Choice::Auto => Finding::degraded(
            subject,
            format!("{what}; only H.264 and H.265 can be recorded"),
            "apt-get install gstreamer1.0-plugins-ugly (x264enc) or gstreamer1.0-plugins-bad \
             (openh264enc)",
        ),
        Choice::Forced(_) => Finding::bad(
            subject,
            what,
            "set video.encoder = \"auto\"; the line \"encoder\" of each says what works",
        ),
    }
}

/// One encoder. That one in hardware fails is as it should be where the vendor says that there is
/// none: its element may come with the system all the same.
fn judge_encoder(one: &Tried, expectation: Expectation) -> Finding {
    const SUBJECT: &str = "encoder";
    let what = format!("{}: {}", one.path, one.verdict);
    if works(one) {
        return Finding::good(SUBJECT, what);
    }
    if one.path.is_hardware() && expectation == Expectation::Software {
        return Finding::good(SUBJECT, format!("{what}; none is to be expected here"));
    }
    let advice = match one.verdict {
        Verdict::Failed { .. } => {
            "see that nothing else uses it, that its node may be opened (\"codec nodes\"), and the \
             kernel log; then `reeld doctor --fresh`"
                .to_owned()
        }
        _ => format!(
            "update {}, or leave it: it is not used; after an update `reeld doctor --fresh`",
            one.path.origin()
        ),
    };
    Finding::degraded(SUBJECT, what, advice)
}

/// The decoders of one codec; nothing of one that has none and needs none.
fn judge_decoders(codec: Codec, all: &[DecoderTried], is_needed: bool) -> Option<Finding> {
    const SUBJECT: &str = "decoder";
    let tried: Vec<&DecoderTried> = all.iter().filter(|one| one.codec == codec).collect();
    let told: Vec<String> = tried
        .iter()
        .map(|one| format!("{} {}", one.factory, one.verdict))
        .collect();
    let works = tried.iter().any(|one| one.pictures_per_second.is_some());
    if !works && is_needed {
        let told = if told.is_empty() {
            "none is installed".to_owned()
        } else {
            told.join("; ")
        };
        let origin = Decoder::of(codec).last().map_or("", Decoder::origin);
        return Some(Finding::degraded(
            SUBJECT,
            format!("{codec}: {told}; it can't be recorded"),
            format!("apt-get install {origin}, or what has it in your distribution"),
        ));
    }
    (!told.is_empty()).then(|| Finding::good(SUBJECT, format!("{codec}: {}", told.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;
    use crate::media::encoder::EncoderPath;
    use crate::media::verdict::Performance;
    use std::time::Duration;

    fn tried(factory: &str, scaler: &str, verdict: Verdict) -> Tried {
        let path = EncoderPath::all()
            .find(|path| path.factory() == factory && path.scaler() == scaler)
            .unwrap();
        Tried { path, verdict }
    }

    fn passed(pictures_per_second: f64) -> Verdict {
        Verdict::Passed(Performance {
            pictures_per_second,
            first: Duration::ZERO,
            on_request: true,
            missing: Vec::new(),
        })
    }

    fn judged(tried: Vec<Tried>, choice: Choice, expectation: Expectation) -> Vec<Finding> {
        let looked = Looked {
            choice,
            tried: Ok(tried),
            decoders: Vec::new(),
            decoded: &[],
        };
        looked.judge(expectation)
    }

    fn decoder(factory: &'static str, verdict: Verdict) -> DecoderTried {
        DecoderTried {
            codec: Codec::Vp8,
            factory,
            hardware: factory != "vp8dec",
            pictures_per_second: verdict.performance().map(|how| how.pictures_per_second),
            verdict,
        }
    }

    fn grades(findings: &[Finding]) -> Vec<Grade> {
        findings.iter().map(Finding::grade).collect()
    }

    const NVENC: Expectation = Expectation::Element("nvv4l2h264enc");

    #[test]
    fn hardware_that_works_is_good_by_whichever_way() {
        let findings = judged(
            vec![
                tried("nvv4l2h264enc", "nvvideoconvert", Verdict::Silent),
                tried("nvv4l2h264enc", "nvvidconv", passed(240.0)),
                tried("x264enc", "videoscale", passed(20.0)),
            ],
            Choice::Auto,
            NVENC,
        );
        assert_eq!(grades(&findings), [Grade::Good; 3], "{findings:?}");
        assert_eq!(
            findings[0].what(),
            "nvv4l2h264enc behind nvvidconv in hardware, 240 pictures/s of 1920x1080"
        );
    }

    /// The trap: an Orin Nano may have the element of an encoder that it does not have.
    #[test]
    fn hardware_that_fails_is_judged_by_what_is_to_be_expected() {
        let fails = || {
            vec![
                tried("nvv4l2h264enc", "nvvidconv", Verdict::Hung),
                tried("x264enc", "videoscale", passed(90.0)),
            ]
        };
        let nano = judged(fails(), Choice::Auto, Expectation::Software);
        assert_eq!(grades(&nano), [Grade::Good; 3], "{nano:?}");
        assert!(nano[1].what().contains("none is to be expected"));
        let orin_nx = judged(fails(), Choice::Auto, NVENC);
        let (degraded, good) = (Grade::Degraded, Grade::Good);
        assert_eq!(grades(&orin_nx), [degraded, degraded, good]);
        assert!(orin_nx[0].what().contains("though the vendor says"));
    }

    #[test]
    fn what_does_not_keep_up_with_a_camera_is_degraded() {
        for (speed, grade) in [(29.9, Grade::Degraded), (30.0, Grade::Good)] {
            let tried = vec![tried("x264enc", "videoscale", passed(speed))];
            let findings = judged(tried, Choice::Auto, Expectation::Software);
            assert_eq!(findings[0].grade(), grade);
        }
    }

    #[test]
    fn without_any_encoder_h264_is_recorded_unless_one_was_forced() {
        let none = judged(Vec::new(), Choice::Auto, Expectation::Unknown);
        assert_eq!(none[0].grade(), Grade::Degraded);
        assert!(none[0].advice().unwrap().contains("x264enc"));
        let forced = Choice::Forced("x264enc".to_owned());
        let tried = vec![tried("x264enc", "videoscale", Verdict::NoStart)];
        let forced = judged(tried, forced, Expectation::Unknown);
        assert_eq!(forced[0].grade(), Grade::Bad, "{forced:?}");
    }

    #[test]
    fn a_codec_that_nothing_decodes_says_what_to_install() {
        let hung = decoder("v4l2slvp8dec", Verdict::Hung);
        let both = [hung.clone(), decoder("vp8dec", passed(300.0))];
        let judged = |all: &[DecoderTried], is_needed| judge_decoders(Codec::Vp8, all, is_needed);
        let works = judged(&both, true).unwrap();
        assert_eq!(works.grade(), Grade::Good);
        assert!(works.what().contains("v4l2slvp8dec hung"), "{works:?}");
        assert!(works.what().contains("vp8dec works, 300"), "{works:?}");
        for (all, word) in [(&[hung][..], "hung"), (&[], "none is installed")] {
            let finding = judged(all, true).unwrap();
            assert_eq!(finding.grade(), Grade::Degraded);
            assert!(finding.what().contains(word), "{finding:?}");
            assert!(finding.advice().unwrap().contains("plugins-good"));
        }
        assert_eq!(judged(&[], false), None);
    }
}
