//! The decoders that are known.

use crate::media::convert::Memory;
use crate::room::Codec;

/// One decoder for one codec.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) struct DecoderRow {
    pub(in crate::media) codec: Codec,
    pub(in crate::media) factory: &'static str,
    /// Where to get it.
    pub(in crate::media) origin: &'static str,
    pub(in crate::media) hardware: bool,
    /// The parser that has to stand in front.
    pub(in crate::media) parser: Option<&'static str>,
    /// Where its pictures lie.
    pub(in crate::media) gives: Memory,
}

const CORE: &str = "libgstreamer1.0-0";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const LIBAV: &str = "gstreamer1.0-libav";
const NVIDIA: &str = "nvidia-l4t-gstreamer";

const H264_PARSER: Option<&str> = Some("h264parse");
const H265_PARSER: Option<&str> = Some("h265parse");
const VP9_PARSER: Option<&str> = Some("vp9parse");
const AV1_PARSER: Option<&str> = Some("av1parse");

pub(in crate::media) const COUNT: usize = 28;

/// Every decoder, for each codec in the order in which they are tried: hardware first. Drivers
/// with state (`v4l2…dec`: Raspberry Pi, Qualcomm) stand before those without (`v4l2sl…dec`:
/// Rockchip, i.MX 8M).
pub(in crate::media) const DECODERS: [DecoderRow; COUNT] = [
    hardware(
        Codec::H264,
        "nvv4l2decoder",
        NVIDIA,
        H264_PARSER,
        Memory::Nvmm,
    ),
    hardware(
        Codec::H264,
        "v4l2h264dec",
        GOOD,
        H264_PARSER,
        Memory::System,
    ),
    hardware(
        Codec::H264,
        "v4l2slh264dec",
        BAD,
        H264_PARSER,
        Memory::System,
    ),
    hardware(Codec::H264, "vah264dec", BAD, H264_PARSER, Memory::Va),
    software(Codec::H264, "avdec_h264", LIBAV, H264_PARSER),
    software(Codec::H264, "openh264dec", BAD, H264_PARSER),
    hardware(
        Codec::H265,
        "nvv4l2decoder",
        NVIDIA,
        H265_PARSER,
        Memory::Nvmm,
    ),
    hardware(
        Codec::H265,
        "v4l2h265dec",
        GOOD,
        H265_PARSER,
        Memory::System,
    ),
    hardware(
        Codec::H265,
        "v4l2slh265dec",
        BAD,
        H265_PARSER,
        Memory::System,
    ),
    hardware(Codec::H265, "vah265dec", BAD, H265_PARSER, Memory::Va),
    software(Codec::H265, "avdec_h265", LIBAV, H265_PARSER),
    hardware(Codec::Vp8, "nvv4l2decoder", NVIDIA, None, Memory::Nvmm),
    hardware(Codec::Vp8, "v4l2vp8dec", GOOD, None, Memory::System),
    hardware(Codec::Vp8, "v4l2slvp8dec", BAD, None, Memory::System),
    hardware(Codec::Vp8, "vavp8dec", BAD, None, Memory::Va),
    software(Codec::Vp8, "vp8dec", GOOD, None),
    hardware(
        Codec::Vp9,
        "nvv4l2decoder",
        NVIDIA,
        VP9_PARSER,
        Memory::Nvmm,
    ),
    hardware(Codec::Vp9, "v4l2vp9dec", GOOD, VP9_PARSER, Memory::System),
    hardware(Codec::Vp9, "v4l2slvp9dec", BAD, VP9_PARSER, Memory::System),
    hardware(Codec::Vp9, "vavp9dec", BAD, VP9_PARSER, Memory::Va),
    software(Codec::Vp9, "vp9dec", GOOD, None),
    hardware(
        Codec::Av1,
        "nvv4l2decoder",
        NVIDIA,
        AV1_PARSER,
        Memory::Nvmm,
    ),
    hardware(Codec::Av1, "v4l2av1dec", GOOD, AV1_PARSER, Memory::System),
    hardware(Codec::Av1, "v4l2slav1dec", BAD, AV1_PARSER, Memory::System),
    hardware(Codec::Av1, "vaav1dec", BAD, AV1_PARSER, Memory::Va),
    software(
        Codec::Av1,
        "dav1ddec",
        "gstreamer1.0-plugins-rs",
        AV1_PARSER,
    ),
    software(Codec::Av1, "av1dec", BAD, AV1_PARSER),
    // What a source has decoded passes as it is.
    software(Codec::I420, "identity", CORE, None),
];

const fn hardware(
    codec: Codec,
    factory: &'static str,
    origin: &'static str,
    parser: Option<&'static str>,
    gives: Memory,
) -> DecoderRow {
    DecoderRow {
        codec,
        factory,
        origin,
        hardware: true,
        parser,
        gives,
    }
}

const fn software(
    codec: Codec,
    factory: &'static str,
    origin: &'static str,
    parser: Option<&'static str>,
) -> DecoderRow {
    DecoderRow {
        codec,
        factory,
        origin,
        hardware: false,
        parser,
        gives: Memory::System,
    }
}
