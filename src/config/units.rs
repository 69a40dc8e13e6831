//! Durations, sizes and bit rates as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Why a duration, a size or a bit rate cannot be read. Quotes what was found and says what is
/// allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("{0:?} is no duration: write whole numbers with h, m, s or ms, such as 1h30m or 500ms")]
    Duration(String),
    /// Not a size.
    #[error(
        "{0:?} is no size: write a whole number with B, kB, MB, GB, KiB, MiB or GiB, such as 4MiB"
    )]
    Size(String),
    /// Not a bit rate.
    #[error("{0:?} is no bit rate: write whole bits per second, such as 2500000")]
    BitRate(String),
    /// More than a 64-bit number holds.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BitRate(u32);

impl BitRate {
    /// A bit rate from bits per second.
    #[must_use]
    pub const fn from_bits_per_second(bits: u32) -> Self {
        Self(bits)
    }

    /// Bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u32 {
        self.0
    }
}

impl FromStr for BitRate {
    type Err = UnitError;

    /// Whole bits per second, without a unit.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(UnitError::BitRate(text.to_owned()));
        }
        let bits = text.parse();
        bits.map(Self)
            .map_err(|_| UnitError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A share in whole percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// A share from percent.
    #[must_use]
    pub const fn new(percent: u8) -> Self {
        Self(percent)
    }

    /// Percent.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units of a size, the largest first, so that the first that divides writes it shortest.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// A size from bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size from mebibytes (2²⁰ bytes).
    #[must_use]
    pub const fn from_mebibytes(mebibytes: u32) -> Self {
        Self((mebibytes as u64) << 20)
    }

    /// Bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    /// A whole number and its unit: `4MiB` (2²⁰ bytes), `500kB` (1,000 bytes).
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Size(text.to_owned());
        let (number, unit) = split_number(text).ok_or_else(wrong)?;
        let (_, factor) = SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let bytes = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(*factor));
        bytes
            .map(Self)
            .ok_or_else(|| UnitError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS
            .iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        let (name, factor) = unit.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Units of a duration in milliseconds, in the order in which they are written.
const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `1h`, `30s`, `1h30m`, `500ms`: whole numbers, each unit at most once, the largest first.
///
/// # Errors
/// [`UnitError`] when the text is anything else, or longer than 2⁶⁴ milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = || UnitError::Duration(text.to_owned());
    let too_large = || UnitError::TooLarge(text.to_owned());
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() || text.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(wrong)?;
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| too_large())?;
        let length = number.checked_mul(*factor).ok_or_else(too_large)?;
        total = total.checked_add(length).ok_or_else(too_large)?;
        rest = next;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration so that [`parse_duration`] reads it back; what is below a millisecond is
/// cut off.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut part = |(unit, factor): (&str, u64)| {
        let count = rest / u128::from(factor);
        rest %= u128::from(factor);
        (count > 0).then(|| format!("{count}{unit}"))
    };
    let text: String = DURATION_UNITS.into_iter().filter_map(&mut part).collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// For `serialize_with`: [`format_duration`].
pub(super) fn serialize_duration<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration(*duration))
}

/// For `serialize_with`: [`format_duration`], where there is one.
#[expect(clippy::ref_option, reason = "serde gives the field by reference")]
pub(super) fn serialize_optional_duration<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(format_duration).serialize(serializer)
}

/// The digits that a text starts with, and what follows; none when either is empty.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("1h", 3_600_000),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1m1ms", 60_001),
            ("90m", 5_400_000),
            ("0s", 0),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_by_its_text() {
        for text in [
            "", "1", "h", "s1", "1.5s", "-1s", "1 s", "1s ", "1d", "1S", "1s1h", "1s1s", "1hm",
            "１s",
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error, UnitError::Duration(text.to_owned()));
        }
        for text in ["99999999999999999999s", "9999999999999999h"] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is too large"));
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("4MiB", 4 << 20),
            ("500kB", 500_000),
            ("188B", 188),
            ("1KiB", 1024),
            ("2MB", 2_000_000),
            ("1GiB", 1 << 30),
            ("3GB", 3_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize::from_bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_by_its_text() {
        for text in [
            "", "4", "MiB", "4mib", "4M", "4 MiB", "1.5MiB", "-1B", "4KB",
        ] {
            let error = text.parse::<ByteSize>().unwrap_err();
            assert_eq!(error, UnitError::Size(text.to_owned()));
        }
        let error = "99999999999999GiB".parse::<ByteSize>().unwrap_err();
        assert_eq!(error, UnitError::TooLarge("99999999999999GiB".to_owned()));
    }

    #[test]
    fn bit_rates_are_whole_bits_per_second() {
        assert_eq!("64000".parse(), Ok(BitRate::from_bits_per_second(64_000)));
        for text in ["", "64k", "-1", "+1", "1.5"] {
            let error = text.parse::<BitRate>().unwrap_err();
            assert_eq!(error, UnitError::BitRate(text.to_owned()));
        }
        let error = "4294967296".parse::<BitRate>().unwrap_err();
        assert_eq!(error, UnitError::TooLarge("4294967296".to_owned()));
    }

    proptest! {
        #[test]
        fn a_duration_survives_being_written(milliseconds: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_survives_being_written(factor in 0..7_usize, count in 0..1_u64 << 33) {
            let size = ByteSize::from_bytes(count * SIZE_UNITS[factor].1);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn a_bit_rate_survives_being_written(bits: u32) {
            let rate = BitRate::from_bits_per_second(bits);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{0,25}[a-zA-Z0-9 .]{0,8}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            }
            if let Ok(size) = text.parse::<ByteSize>() {
                prop_assert_eq!(size.to_string().parse(), Ok(size));
            }
        }
    }
}
