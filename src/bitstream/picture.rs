//! What the parameter sets of H.264 and H.265 say about the pictures.

use std::fmt;

use serde::Serialize;

/// Which standard a stream follows. Both stand in byte streams of NAL units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// What a sequence parameter set says about the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Whose profiles are meant.
    #[serde(skip)]
    pub coding: Coding,
    /// `profile_idc`: in H.264 66 Baseline, 77 Main, 100 High; in H.265 1 Main, 2 Main 10.
    pub profile: u8,
    /// Ten times the level, 31 for 3.1.
    pub level: u8,
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match profile_name(self.coding, self.profile) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "profile {}", self.profile)?,
        }
        write!(
            f,
            " {}.{}, {}x{}",
            self.level / 10,
            self.level % 10,
            self.width,
            self.height
        )
    }
}

/// H.264, A.2; H.265, A.3.
const fn profile_name(coding: Coding, profile: u8) -> Option<&'static str> {
    Some(match (coding, profile) {
        (Coding::H264, 66) => "Baseline",
        (Coding::H264, 77) | (Coding::H265, 1) => "Main",
        (Coding::H264, 88) => "Extended",
        (Coding::H264, 100) => "High",
        (Coding::H264, 110) => "High 10",
        (Coding::H264, 122) => "High 4:2:2",
        (Coding::H264, 244) => "High 4:4:4",
        (Coding::H265, 2) => "Main 10",
        (Coding::H265, 3) => "Main Still Picture",
        _ => return None,
    })
}
