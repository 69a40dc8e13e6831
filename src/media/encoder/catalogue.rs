//! The encoders that are known: what each is called, takes, is told and does not do.
//!
//! What a row says is what its vendor's sources say; whether it is so on a box, only a
//! [probe](super::trial) tells.

use crate::bitstream::PictureSize;
use crate::media::convert::Memory;

/// One encoder of H.264.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) struct EncoderRow {
    pub(in crate::media) factory: &'static str,
    /// Where to get it.
    pub(in crate::media) origin: &'static str,
    pub(in crate::media) hardware: bool,
    /// Where it takes pictures from, best first.
    pub(in crate::media) takes: &'static [Memory],
    /// In which formats, best first.
    pub(in crate::media) formats: &'static [&'static str],
    pub(in crate::media) most: PictureSize,
    pub(in crate::media) settings: &'static [Setting],
    pub(in crate::media) request: Request,
    /// It takes a level for its own that is too low, unless it is told one.
    pub(in crate::media) told_level: bool,
}

/// A property and what it is set to.
pub(in crate::media) type Setting = (&'static str, Value);

/// What a property is set to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) enum Value {
    /// Always the same, written as GStreamer reads values; enumerations by their number, which
    /// vendors change less than names.
    Fixed(&'static str),
    /// The bitrate in bit/s.
    Bits,
    /// The bitrate in kbit/s.
    Kilobits,
    /// Pictures from keyframe to keyframe.
    Interval,
    /// Controls of a V4L2 driver, by name.
    Controls(&'static [(&'static str, Control)]),
}

/// What a control of a driver is set to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) enum Control {
    Fixed(i32),
    /// The bitrate in bit/s, at most this much.
    BitsUpTo(i32),
    Interval,
}

/// How a keyframe is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Request {
    /// By the event `GstForceKeyUnit`.
    Event,
    /// By an action signal of this name.
    Signal(&'static str),
}

const ANY_SIZE: PictureSize = PictureSize {
    width: 4096,
    height: 4096,
};
const HD_WIDE: PictureSize = PictureSize {
    width: 1920,
    height: 1088,
};
const HD_SQUARE: PictureSize = PictureSize {
    width: 1920,
    height: 1920,
};

const UGLY: &str = "gstreamer1.0-plugins-ugly";
const BAD: &str = "gstreamer1.0-plugins-bad";
const GOOD: &str = "gstreamer1.0-plugins-good";

/// Every encoder, in the order in which they are tried: hardware first.
pub(in crate::media) const ENCODERS: [EncoderRow; 9] = [
    // Jetson. An interval of 256 IDRs is its default, and parameter sets at the start only; both
    // would leave a file that can be played from its beginning alone.
    EncoderRow {
        factory: "nvv4l2h264enc",
        origin: "nvidia-l4t-gstreamer",
        hardware: true,
        takes: &[Memory::Nvmm],
        formats: &["NV12", "I420"],
        most: ANY_SIZE,
        settings: &[
            ("bitrate", Value::Bits),
            ("control-rate", Value::Fixed("1")),
            ("iframeinterval", Value::Interval),
            ("idrinterval", Value::Interval),
            ("insert-sps-pps", Value::Fixed("true")),
            ("insert-vui", Value::Fixed("true")),
            ("num-B-Frames", Value::Fixed("0")),
        ],
        request: Request::Signal("force-IDR"),
        told_level: false,
    },
    // Raspberry Pi 3, 4 and Zero 2 W. Up to GStreamer 1.28 the first level that the driver
    // accepts is kept, which can be too low; more than 25 Mb/s fails at the start.
    EncoderRow {
        factory: "v4l2h264enc",
        origin: GOOD,
        hardware: true,
        takes: &[Memory::System],
        formats: &["I420", "NV12"],
        most: HD_SQUARE,
        settings: &[(
            "extra-controls",
            Value::Controls(&[
                ("video_bitrate", Control::BitsUpTo(20_000_000)),
                ("video_bitrate_mode", Control::Fixed(1)),
                ("h264_i_frame_period", Control::Interval),
                ("repeat_sequence_header", Control::Fixed(1)),
            ]),
        )],
        request: Request::Event,
        told_level: true,
    },
    va("vah264enc"),
    va("vah264lpenc"),
    // Rockchip.
    EncoderRow {
        factory: "mpph264enc",
        origin: "gstreamer1.0-rockchip",
        hardware: true,
        takes: &[Memory::System],
        formats: &["NV12", "I420"],
        most: HD_WIDE,
        settings: &[
            ("bps", Value::Bits),
            ("gop", Value::Interval),
            // Parameter sets in front of each IDR.
            ("header-mode", Value::Fixed("1")),
        ],
        request: Request::Event,
        told_level: false,
    },
    // Qualcomm.
    EncoderRow {
        factory: "qtic2venc",
        origin: "gstreamer1.0-plugins-qcom",
        hardware: true,
        takes: &[Memory::System],
        formats: &["NV12"],
        most: ANY_SIZE,
        settings: &[
            ("target-bitrate", Value::Bits),
            ("control-rate", Value::Fixed("constant")),
            ("idr-interval", Value::Interval),
        ],
        request: Request::Signal("trigger-iframe"),
        told_level: false,
    },
    // i.MX 8.
    EncoderRow {
        factory: "vpuenc_h264",
        origin: "imx-gst1.0-plugin",
        hardware: true,
        takes: &[Memory::System],
        formats: &["NV12", "I420"],
        most: HD_WIDE,
        settings: &[("bitrate", Value::Kilobits), ("gop-size", Value::Interval)],
        request: Request::Event,
        told_level: false,
    },
    X264,
    OPENH264,
];

/// Intel and AMD through the Video Acceleration API.
const fn va(factory: &'static str) -> EncoderRow {
    EncoderRow {
        factory,
        origin: BAD,
        hardware: true,
        takes: &[Memory::Va, Memory::System],
        formats: &["NV12"],
        most: ANY_SIZE,
        settings: &[
            ("bitrate", Value::Kilobits),
            ("rate-control", Value::Fixed("cbr")),
            ("key-int-max", Value::Interval),
            ("b-frames", Value::Fixed("0")),
        ],
        request: Request::Event,
        told_level: false,
    }
}

const X264: EncoderRow = EncoderRow {
    factory: "x264enc",
    origin: UGLY,
    hardware: false,
    takes: &[Memory::System],
    formats: &["I420"],
    most: ANY_SIZE,
    settings: &[
        // Half the time of superfast. The preset leaves deblocking out, which costs a tenth and
        // is seen most.
        ("speed-preset", Value::Fixed("ultrafast")),
        ("option-string", Value::Fixed("deblock=0,0")),
        ("tune", Value::Fixed("zerolatency")),
        // Two seconds instead of 600 ms: nobody waits for the picture, and what scrolls or turns
        // pages is 1 to 2 dB better.
        ("vbv-buf-capacity", Value::Fixed("2000")),
        // Of a picture that stands still, nothing finer is seen; it would be filled up with the
        // sender's coding noise until the bitrate is spent.
        ("qp-min", Value::Fixed("20")),
        ("threads", Value::Fixed("1")),
        ("bframes", Value::Fixed("0")),
        ("ref", Value::Fixed("1")),
        ("rc-lookahead", Value::Fixed("0")),
        ("bitrate", Value::Kilobits),
        ("key-int-max", Value::Interval),
    ],
    request: Request::Event,
    told_level: false,
};

const OPENH264: EncoderRow = EncoderRow {
    factory: "openh264enc",
    origin: BAD,
    hardware: false,
    takes: &[Memory::System],
    formats: &["I420"],
    most: ANY_SIZE,
    settings: &[
        ("bitrate", Value::Bits),
        ("rate-control", Value::Fixed("bitrate")),
        ("complexity", Value::Fixed("low")),
        ("gop-size", Value::Interval),
        ("multi-thread", Value::Fixed("1")),
        // Pictures are dropped before the encoder or not at all.
        ("enable-frame-skip", Value::Fixed("false")),
    ],
    request: Request::Event,
    told_level: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_bitrate_and_an_interval_and_hardware_comes_first() {
        for row in &ENCODERS {
            let says = |what: &Value| match what {
                Value::Bits | Value::Kilobits => [true, false],
                Value::Interval => [false, true],
                Value::Fixed(_) => [false, false],
                Value::Controls(controls) => [
                    controls
                        .iter()
                        .any(|(_, it)| matches!(it, Control::BitsUpTo(_))),
                    controls
                        .iter()
                        .any(|(_, it)| matches!(it, Control::Interval)),
                ],
            };
            let said = row.settings.iter().map(|(_, value)| says(value));
            let said = said.fold([false; 2], |all, one| [all[0] | one[0], all[1] | one[1]]);
            assert_eq!(said, [true; 2], "{}", row.factory);
            assert!(!row.takes.is_empty() && !row.formats.is_empty());
        }
        assert!(ENCODERS.is_sorted_by_key(|row| !row.hardware));
    }
}
