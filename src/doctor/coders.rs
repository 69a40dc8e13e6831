//! What encodes and decodes here: the verdict of a trial on each encoder that is installed, and
//! which decoder each codec would have.

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

/// What is decoded to be encoded again, unless told otherwise.
const DECODED: [Codec; 3] = [Codec::Vp8, Codec::Vp9, Codec::Av1];

/// The encoders and decoders that are installed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Coders {
    /// Each way to encode H.264, best first, with what a trial has shown.
    pub encoders: Vec<Encoder>,
    /// For each codec that is encoded again, the decoders, best first.
    pub decoders: Vec<Decoders>,
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

/// The decoders for a codec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decoders {
    /// The codec.
    pub codec: &'static str,
    /// Their elements, best first; which one works is seen when it is used.
    pub factories: Vec<&'static str>,
    /// The package with one in software.
    pub origin: &'static str,
}

/// What was looked for and found.
#[derive(Debug)]
pub struct Looked {
    /// What was wanted of an encoder.
    choice: Choice,
    /// Each encoder with its verdict.
    tried: Result<Vec<Tried>, MediaError>,
    /// The decoders.
    decoders: Vec<Decoders>,
}

/// Tries every encoder that is installed, or with `fresh` even those that were tried before.
/// None where the configuration lets nothing be encoded. Blocks, for up to 5 s with each encoder
/// that hangs.
#[must_use]
pub fn look(config: &Config, fresh: bool) -> Option<Looked> {
    if config.video.mode == VideoMode::Passthrough {
        return None;
    }
    let wanted = equipment::wanted(config);
    let found = equipment::search(fresh).run_all(&wanted);
    Some(Looked {
        tried: found.map(|found| found.tried),
        choice: wanted.choice,
        decoders: DECODED.into_iter().map(decoders).collect(),
    })
}

fn decoders(codec: Codec) -> Decoders {
    let installed = Decoder::of(codec).filter(|decoder| decoder.is_installed());
    Decoders {
        codec: codec.as_str(),
        factories: installed.map(Decoder::factory).collect(),
        origin: Decoder::of(codec).last().map_or("", Decoder::origin),
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
        findings.push(judge_decoders(&self.decoders));
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

fn judge_decoders(decoders: &[Decoders]) -> Finding {
    const SUBJECT: &str = "decoders";
    let told: Vec<String> = decoders
        .iter()
        .map(|one| {
            let names = one.factories.join(", ");
            let names = if names.is_empty() { "none" } else { &names };
            format!("{}: {names}", one.codec)
        })
        .collect();
    let what = told.join("; ");
    let missing: Vec<&str> = decoders
        .iter()
        .filter(|one| one.factories.is_empty())
        .map(|one| one.origin)
        .collect();
    if missing.is_empty() {
        return Finding::good(SUBJECT, what);
    }
    Finding::degraded(
        SUBJECT,
        what,
        format!("apt-get install {}", missing.join(" ")),
    )
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
        let decoders = vec![Decoders {
            codec: "vp8",
            factories: vec!["vp8dec"],
            origin: "gstreamer1.0-plugins-good",
        }];
        Looked {
            choice,
            tried: Ok(tried),
            decoders,
        }
        .judge(expectation)
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
        assert_eq!(grades(&findings), [Grade::Good; 4], "{findings:?}");
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
        assert_eq!(grades(&nano), [Grade::Good; 4], "{nano:?}");
        assert!(nano[1].what().contains("none is to be expected"));
        let orin_nx = judged(fails(), Choice::Auto, NVENC);
        let (degraded, good) = (Grade::Degraded, Grade::Good);
        assert_eq!(grades(&orin_nx), [degraded, degraded, good, good]);
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
    fn a_codec_without_a_decoder_says_what_to_install() {
        let finding = judge_decoders(&[
            Decoders {
                codec: "vp8",
                factories: vec!["v4l2slvp8dec", "vp8dec"],
                origin: "gstreamer1.0-plugins-good",
            },
            Decoders {
                codec: "av1",
                factories: Vec::new(),
                origin: "gstreamer1.0-plugins-bad",
            },
        ]);
        assert_eq!(finding.grade(), Grade::Degraded);
        assert_eq!(finding.what(), "vp8: v4l2slvp8dec, vp8dec; av1: none");
        assert!(finding.advice().unwrap().contains("plugins-bad"));
    }
}
