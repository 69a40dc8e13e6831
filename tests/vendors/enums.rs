//! The vendors' enumerations: values and nicks as in their sources, type names of our own.

use gst::glib;
use gstreamer as gst;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInNvControlRate")]
pub enum NvControlRate {
    #[enum_value(name = "GST_V4L2_VIDENC_VARIABLE_BITRATE", nick = "variable_bitrate")]
    Variable = 0,
    #[default]
    #[enum_value(name = "GST_V4L2_VIDENC_CONSTANT_BITRATE", nick = "constant_bitrate")]
    Constant = 1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInNvPreset")]
pub enum NvPreset {
    #[enum_value(name = "Disable HW-Preset", nick = "DisablePreset")]
    Disable = 0,
    #[default]
    #[enum_value(name = "UltraFastPreset for high perf", nick = "UltraFastPreset")]
    UltraFast = 1,
    #[enum_value(name = "FastPreset", nick = "FastPreset")]
    Fast = 2,
    #[enum_value(name = "MediumPreset", nick = "MediumPreset")]
    Medium = 3,
    #[enum_value(name = "SlowPreset", nick = "SlowPreset")]
    Slow = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInNvProfile")]
pub enum NvProfile {
    #[default]
    #[enum_value(name = "GST_V4L2_H264_VIDENC_BASELINE_PROFILE", nick = "Baseline")]
    Baseline = 0,
    #[enum_value(name = "GST_V4L2_H264_VIDENC_MAIN_PROFILE", nick = "Main")]
    Main = 2,
    #[enum_value(name = "GST_V4L2_H264_VIDENC_HIGH_PROFILE", nick = "High")]
    High = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInV4l2IoMode")]
pub enum V4l2IoMode {
    #[default]
    #[enum_value(name = "GST_V4L2_IO_AUTO", nick = "auto")]
    Auto = 0,
    #[enum_value(name = "GST_V4L2_IO_RW", nick = "rw")]
    Rw = 1,
    #[enum_value(name = "GST_V4L2_IO_MMAP", nick = "mmap")]
    Mmap = 2,
    #[enum_value(name = "GST_V4L2_IO_USERPTR", nick = "userptr")]
    Userptr = 3,
    #[enum_value(name = "GST_V4L2_IO_DMABUF", nick = "dmabuf")]
    Dmabuf = 4,
    #[enum_value(name = "GST_V4L2_IO_DMABUF_IMPORT", nick = "dmabuf-import")]
    DmabufImport = 5,
}

/// `VA_RC_*` of libva.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInVaRateControl")]
pub enum VaRateControl {
    #[default]
    #[enum_value(name = "Constant Bitrate", nick = "cbr")]
    Cbr = 2,
    #[enum_value(name = "Variable Bitrate", nick = "vbr")]
    Vbr = 4,
    #[enum_value(name = "Video Conferencing Mode (Non HRD compliant)", nick = "vcm")]
    Vcm = 8,
    #[enum_value(name = "Constant Quantizer", nick = "cqp")]
    Cqp = 16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInMppHeaderMode")]
pub enum MppHeaderMode {
    #[default]
    #[enum_value(name = "Only in the first frame", nick = "first-frame")]
    FirstFrame = 0,
    #[enum_value(name = "In every IDR frames", nick = "each-idr")]
    EachIdr = 1,
}

/// `MppEncRcMode` of Rockchip's MPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInMppRateControl")]
pub enum MppRateControl {
    #[enum_value(name = "Variable bitrate", nick = "vbr")]
    Vbr = 0,
    #[default]
    #[enum_value(name = "Constant bitrate", nick = "cbr")]
    Cbr = 1,
    #[enum_value(name = "Fixed QP", nick = "fixqp")]
    FixQp = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInMppProfile")]
pub enum MppProfile {
    #[enum_value(name = "Baseline", nick = "baseline")]
    Baseline = 66,
    #[enum_value(name = "Main", nick = "main")]
    Main = 77,
    #[default]
    #[enum_value(name = "High", nick = "high")]
    High = 100,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInQtiRateControl")]
pub enum QtiRateControl {
    #[default]
    #[enum_value(name = "Disable RC", nick = "disable")]
    Disable = 0,
    #[enum_value(name = "Constant", nick = "constant")]
    Constant = 1,
    #[enum_value(name = "Constant bitrate, variable framerate", nick = "CBR-VFR")]
    CbrVfr = 2,
    #[enum_value(name = "Variable bitrate, constant framerate", nick = "VBR-CFR")]
    VbrCfr = 3,
    #[enum_value(name = "Variable bitrate, variable framerate", nick = "VBR-VFR")]
    VbrVfr = 4,
    #[enum_value(name = "Constant quality", nick = "CQ")]
    Cq = 5,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "StandInNvInterpolation")]
pub enum NvInterpolation {
    #[default]
    #[enum_value(name = "Nearest", nick = "Nearest")]
    Nearest = 0,
    #[enum_value(name = "Bilinear", nick = "Bilinear")]
    Bilinear = 1,
    #[enum_value(name = "5-Tap", nick = "5-Tap")]
    FiveTap = 2,
    #[enum_value(name = "10-Tap", nick = "10-Tap")]
    TenTap = 3,
    #[enum_value(name = "Smart", nick = "Smart")]
    Smart = 4,
    #[enum_value(name = "Nicest", nick = "Nicest")]
    Nicest = 5,
}
