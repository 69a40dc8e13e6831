//! What the parameter sets of H.264 and H.265 say about the pictures.

use std::fmt;

use serde::Serialize;

use super::{h264, h265};

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

impl Picture {
    /// Reads a sequence parameter set, its NAL header included; none when it is malformed.
    #[must_use]
    pub fn read(coding: Coding, nal: &[u8]) -> Option<Self> {
        match coding {
            Coding::H264 => h264::parse(nal),
            Coding::H265 => h265::parse(nal),
        }
    }
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

/// A parameter set in hexadecimal, as it is shown.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(super) fn shown(coding: Coding, hex: &str) -> Option<String> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let nal: Vec<_> = (0..hex.len()).step_by(2).map(byte).collect();
    Picture::read(coding, &nal).map(|picture| picture.to_string())
}
