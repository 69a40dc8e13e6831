//! Making an encoder of the catalogue, as far as the installed one can be set up.

use gstreamer as gst;

use super::catalogue::{Control, EncoderRow, Value};
use crate::bitstream::PictureSize;
use crate::media::MediaError;
use crate::media::elements::{make, set_named};

/// What an encoder is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Aim {
    /// Bits a second.
    pub(in crate::media) bitrate: u32,
    /// Pictures from keyframe to keyframe.
    pub(in crate::media) interval: u32,
}

/// An encoder, and the properties that it does not have as the catalogue says: a fact for the
/// log and for `reeld doctor`.
pub(in crate::media) struct Made {
    pub(in crate::media) element: gst::Element,
    pub(in crate::media) missing: Vec<&'static str>,
}

/// Makes the encoder of a row and sets what can be set.
pub(in crate::media) fn encoder(row: &EncoderRow, aim: Aim) -> Result<Made, MediaError> {
    let element = make(row.factory, "encoder")?;
    let mut missing = Vec::new();
    for (property, value) in row.settings {
        let text = written(value, aim);
        if set_named(&element, property, &text).is_err() {
            missing.push(*property);
        }
    }
    Ok(Made { element, missing })
}

/// A value as GStreamer reads it.
fn written(value: &Value, aim: Aim) -> String {
    match value {
        Value::Fixed(text) => (*text).to_owned(),
        Value::Bits => aim.bitrate.to_string(),
        Value::Kilobits => (aim.bitrate / 1000).max(1).to_string(),
        Value::Interval => aim.interval.to_string(),
        Value::Controls(controls) => {
            let set = controls.iter().map(|(name, control)| {
                let value = match control {
                    Control::Fixed(value) => *value,
                    Control::BitsUpTo(most) => number(aim.bitrate).min(*most),
                    Control::Interval => number(aim.interval),
                };
                format!(",{name}=(int){value}")
            });
            std::iter::once("controls".to_owned()).chain(set).collect()
        }
    }
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// What leaves an encoder: whole units with start codes, and a level where it has to be told.
pub(in crate::media) fn output_caps(row: &EncoderRow, size: PictureSize) -> gst::Caps {
    let mut caps = gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au");
    if row.told_level {
        caps = caps.field("profile", "high").field("level", level(size));
    }
    caps.build()
}

/// A level that this size has at 30 pictures a second (ITU-T H.264, table A-1).
fn level(size: PictureSize) -> &'static str {
    let macroblocks = size.width.div_ceil(16) * size.height.div_ceil(16);
    match macroblocks {
        0..=3_600 => "3.1",
        3_601..=8_192 => "4",
        _ => "5.1",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::catalogue::ENCODERS;
    use super::*;
    use gst::prelude::*;

    const AIM: Aim = Aim {
        bitrate: 2_500_000,
        interval: 60,
    };

    #[test]
    fn units_are_those_of_the_vendor() {
        let of = |factory: &str| {
            let row = ENCODERS.iter().find(|row| row.factory == factory).unwrap();
            let settings = row.settings.iter();
            let written = settings.map(|(name, value)| format!("{name}={}", written(value, AIM)));
            written.collect::<Vec<_>>().join(" ")
        };
        assert!(of("nvv4l2h264enc").contains("bitrate=2500000 "));
        assert!(of("nvv4l2h264enc").contains("idrinterval=60"));
        assert!(of("vah264enc").contains("bitrate=2500 "));
        let controls = of("v4l2h264enc");
        for part in [
            "video_bitrate=(int)2500000",
            "h264_i_frame_period=(int)60",
            "repeat_sequence_header=(int)1",
        ] {
            assert!(controls.contains(part), "{controls}");
        }
        let most = Aim {
            bitrate: 50_000_000,
            ..AIM
        };
        let row = ENCODERS.iter().find(|row| row.told_level).unwrap();
        let (_, value) = row.settings.first().unwrap();
        assert!(written(value, most).contains("video_bitrate=(int)20000000"));
    }

    #[test]
    fn what_an_encoder_does_not_have_is_left_out_and_named() {
        crate::media::init().unwrap();
        let row = EncoderRow {
            settings: &[
                ("no-such-property", Value::Bits),
                ("bitrate", Value::Kilobits),
                ("speed-preset", Value::Fixed("no-such-preset")),
            ],
            ..ENCODERS
                .into_iter()
                .find(|row| row.factory == "x264enc")
                .unwrap()
        };
        let made = encoder(&row, AIM).unwrap();
        assert_eq!(made.missing, ["no-such-property", "speed-preset"]);
        assert_eq!(made.element.property::<u32>("bitrate"), 2500);
    }

    #[test]
    fn the_level_is_high_enough() {
        let of = |width, height| level(PictureSize { width, height });
        assert_eq!(of(1280, 720), "3.1");
        assert_eq!(of(1920, 1080), "4");
        assert_eq!(of(1920, 1920), "5.1");
    }
}
