//! What each key may hold: one function a key, for serde's `deserialize_with`.
//!
//! Every message says what was found and what is allowed; who read the value adds where.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::connection::{SYNTHETIC, synthetic};
use super::schema::{AUTO, Client};
use super::units::{self, BitRate, ByteSize, Percent};
use crate::logging;
use crate::media::encoder::factories;
use crate::room::Source;

/// `livekit-server` refuses longer room names and identities by default
/// (`MaxRoomNameLength`, `MaxParticipantIdentityLength` in its `pkg/config/config.go`).
pub const LONGEST_NAME_BYTES: usize = 256;

/// MPEG-TS time wraps after 26 h 30 min: a longer file would hold the same stamp twice.
const SEGMENT: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(24);
const KEYFRAME_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(10);
const WARN_AFTER: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_mins(10);
const FLUSH_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(1);
const FLUSH_BYTES: RangeInclusive<ByteSize> =
    ByteSize::from_mebibytes(1)..=ByteSize::from_mebibytes(4);
const MAX_UNIT_BYTES: RangeInclusive<ByteSize> =
    ByteSize::from_bytes(64 << 10)..=ByteSize::from_mebibytes(8);
const HANDOVER_BYTES: RangeInclusive<ByteSize> =
    ByteSize::from_mebibytes(1)..=ByteSize::from_mebibytes(64);

const QUOTA: RangeInclusive<ByteSize> = ByteSize::from_mebibytes(16)..=LARGEST_DISK;
const MIN_FREE: RangeInclusive<ByteSize> = ByteSize::from_bytes(0)..=LARGEST_DISK;
const LARGEST_DISK: ByteSize = ByteSize::from_bytes(1 << 46);
const MAX_AGE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(87_600);

const BUDGET: RangeInclusive<ByteSize> =
    ByteSize::from_mebibytes(32)..=ByteSize::from_mebibytes(64 << 10);
const DWELL: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_mins(1);
const QUIET: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_mins(10);

pub(super) fn output<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    text(from, "a path in quotes", |path| {
        if path.is_empty() {
            return Err("is empty: name a directory".to_owned());
        }
        Ok(PathBuf::from(path))
    })
}

pub(super) fn ca_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    text(from, "a path in quotes", |path| {
        if path.is_empty() {
            return Err("is empty: name a file with certificates in PEM".to_owned());
        }
        Ok(Some(PathBuf::from(path)))
    })
}

/// `sun_path` has 108 bytes, the last of which is zero (unix(7)).
const LONGEST_SOCKET_BYTES: usize = 107;

pub(super) fn socket<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    text(from, "a path in quotes", |path| {
        if !path.starts_with('/') || path.len() > LONGEST_SOCKET_BYTES {
            return Err(format!(
                "is no path for a socket: name one from / on, of {LONGEST_SOCKET_BYTES} bytes at most"
            ));
        }
        Ok(Some(PathBuf::from(path)))
    })
}

pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    text(from, "an address and a port in quotes", |address| {
        let parsed = address.parse::<SocketAddr>().ok();
        let usable = parsed.filter(|it| it.port() != 0);
        usable
            .map(Some)
            .ok_or_else(|| "is no address with a port: write \"127.0.0.1:9108\"".to_owned())
    })
}

pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    text(from, "a URL in quotes", |url| {
        check_url(url)?;
        Ok(Some(url.to_owned()))
    })
}

/// The URL itself stays out of the messages: people paste tokens into URLs.
fn check_url(url: &str) -> Result<(), String> {
    const ALLOWED: &str = "ws://, wss://, http:// or https:// and a host";
    if url.starts_with(SYNTHETIC) {
        let what = "is no synthetic room: write \"synthetic:\", or with pixels \
                    \"synthetic:640x360\", the width a multiple of 8, the height even, both 160 to \
                    4096";
        return synthetic(url).map(drop).ok_or_else(|| what.to_owned());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("is no URL: write {ALLOWED}"));
    };
    if !["ws", "wss", "http", "https"].contains(&scheme) {
        return Err(format!("has the scheme {scheme:?}: write {ALLOWED}"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("carries a user name or password: LiveKit takes tokens and keys".to_owned());
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(format!("names no host: write {ALLOWED}"));
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("has a space or a control character in it".to_owned());
    }
    Ok(())
}

pub(super) fn encoder<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from, "\"auto\" or an encoder in quotes", |name| {
        if name == AUTO || factories().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        let known: Vec<_> = factories().collect();
        Err(format!(
            "is no encoder: write \"auto\" or one of {}",
            known.join(", ")
        ))
    })
}

pub(super) fn identity<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from, "an identity in quotes", check_name)
}

pub(super) fn client<'de, D: Deserializer<'de>>(from: D) -> Result<Client, D::Error> {
    let client = Client::deserialize(from)?;
    if client == Client::Sdk && !cfg!(feature = "livekit-sdk") {
        return Err(de::Error::custom(
            "\"sdk\" is not in this build: build reeld with the feature livekit-sdk \
             (docs/sdk-source.md), or write \"built_in\"",
        ));
    }
    Ok(client)
}

pub(super) fn queue_size_frames<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    whole(from, " pictures", 1..=30)
}

pub(super) fn room_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from, "a room name in quotes", check_name)
}

fn check_name(name: &str) -> Result<String, String> {
    match name.len() {
        0 => Err(format!("is empty: write 1 to {LONGEST_NAME_BYTES} bytes")),
        1..=LONGEST_NAME_BYTES => Ok(name.to_owned()),
        long => Err(format!(
            "is {long} bytes long: LiveKit takes 1 to {LONGEST_NAME_BYTES}"
        )),
    }
}

/// One glob of `participants`, so that an error points at the one that is wrong.
#[derive(Deserialize)]
#[serde(transparent)]
struct Pattern(#[serde(deserialize_with = "pattern")] String);

fn pattern<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from, "a glob in quotes", |glob| {
        match globset::Glob::new(glob) {
            Ok(_) => Ok(glob.to_owned()),
            Err(error) => Err(format!("{glob:?} is no glob: {}", error.kind())),
        }
    })
}

pub(super) fn participants<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let patterns = Vec::<Pattern>::deserialize(from)?;
    if patterns.is_empty() {
        return Err(de::Error::custom(
            "is empty and selects nobody: write [\"*\"] for everybody",
        ));
    }
    Ok(patterns.into_iter().map(|pattern| pattern.0).collect())
}

pub(super) fn sources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Source>, D::Error> {
    let sources = Vec::<Source>::deserialize(from)?;
    if sources.is_empty() {
        return Err(de::Error::custom(
            "is empty and selects nothing: leave the key out for all sources",
        ));
    }
    Ok(sources)
}

pub(super) fn max_participants<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<NonZeroUsize, D::Error> {
    count(from, 1..=256)
}

pub(super) fn max_tracks<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroUsize, D::Error> {
    count(from, 1..=1024)
}

/// For ranges that begin above 0.
fn count<'de, D: Deserializer<'de>>(
    from: D,
    allowed: RangeInclusive<u64>,
) -> Result<NonZeroUsize, D::Error> {
    NonZeroUsize::new(whole(from, "", allowed)?).ok_or_else(|| de::Error::custom("is out of range"))
}

pub(super) fn max_unit_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    size(from, &MAX_UNIT_BYTES)
}

pub(super) fn max_frames<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    whole(from, " pictures", 5..=300)
}

pub(super) fn max_height<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<NonZeroU32>, D::Error> {
    whole(from, " lines", 90..=4320).map(NonZeroU32::new)
}

pub(super) fn in_flight<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    whole(from, " pictures", 1..=4)
}

pub(super) fn video_bitrate<'de, D: Deserializer<'de>>(from: D) -> Result<BitRate, D::Error> {
    bitrate(from, 50_000..=50_000_000)
}

pub(super) fn audio_bitrate<'de, D: Deserializer<'de>>(from: D) -> Result<BitRate, D::Error> {
    bitrate(from, 16_000..=320_000)
}

fn bitrate<'de, D: Deserializer<'de>>(
    from: D,
    allowed: RangeInclusive<u64>,
) -> Result<BitRate, D::Error> {
    whole(from, " bit/s", allowed).map(BitRate::from_bits_per_second)
}

pub(super) fn keyframe_interval<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &KEYFRAME_INTERVAL)
}

pub(super) fn segment_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &SEGMENT)
}

pub(super) fn warn_after<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &WARN_AFTER)
}

pub(super) fn flush_interval<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &FLUSH_INTERVAL)
}

pub(super) fn flush_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    size(from, &FLUSH_BYTES)
}

pub(super) fn handover_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    size(from, &HANDOVER_BYTES)
}

pub(super) fn quota<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ByteSize>, D::Error> {
    size(from, &QUOTA).map(Some)
}

pub(super) fn min_free<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ByteSize>, D::Error> {
    size(from, &MIN_FREE).map(Some)
}

pub(super) fn max_age<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from, &MAX_AGE).map(Some)
}

pub(super) fn budget<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ByteSize>, D::Error> {
    size(from, &BUDGET).map(Some)
}

pub(super) fn upper<'de, D: Deserializer<'de>>(from: D) -> Result<Percent, D::Error> {
    percent(from, 30..=95)
}

pub(super) fn lower<'de, D: Deserializer<'de>>(from: D) -> Result<Percent, D::Error> {
    percent(from, 10..=90)
}

pub(super) fn emergency<'de, D: Deserializer<'de>>(from: D) -> Result<Percent, D::Error> {
    percent(from, 40..=100)
}

pub(super) fn drop_warn<'de, D: Deserializer<'de>>(from: D) -> Result<Percent, D::Error> {
    percent(from, 1..=50)
}

pub(super) fn drop_error<'de, D: Deserializer<'de>>(from: D) -> Result<Percent, D::Error> {
    percent(from, 2..=90)
}

fn percent<'de, D: Deserializer<'de>>(
    from: D,
    allowed: RangeInclusive<u64>,
) -> Result<Percent, D::Error> {
    whole(from, " percent", allowed).map(Percent::new)
}

pub(super) fn dwell<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &DWELL)
}

pub(super) fn quiet<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(from, &QUIET)
}

fn duration<'de, D: Deserializer<'de>>(
    from: D,
    allowed: &RangeInclusive<Duration>,
) -> Result<Duration, D::Error> {
    text(from, "a duration in quotes, such as \"30s\"", |text| {
        let duration = units::parse_duration(text).map_err(|error| error.to_string())?;
        within(text, duration, allowed, |end| units::format_duration(*end))
    })
}

fn size<'de, D: Deserializer<'de>>(
    from: D,
    allowed: &RangeInclusive<ByteSize>,
) -> Result<ByteSize, D::Error> {
    text(from, "a size in quotes, such as \"4MiB\"", |text| {
        let size = text
            .parse::<ByteSize>()
            .map_err(|error| error.to_string())?;
        within(text, size, allowed, ByteSize::to_string)
    })
}

pub(super) fn log_level<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from, "a log level in quotes", |level| {
        logging::check_level(level).map_err(|error| error.to_string())?;
        Ok(level.to_owned())
    })
}

fn within<T: PartialOrd>(
    found: &str,
    value: T,
    allowed: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<T, String> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (show(allowed.start()), show(allowed.end()));
    Err(format!("{found:?} is out of range: {least} to {most}"))
}

/// Reads a whole number in a range, all of which is in `T`.
fn whole<'de, D, T>(
    from: D,
    unit: &'static str,
    allowed: RangeInclusive<u64>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64, Error: fmt::Display>,
{
    let number = from.deserialize_any(Whole { unit, allowed })?;
    T::try_from(number).map_err(de::Error::custom)
}

struct Whole {
    unit: &'static str,
    allowed: RangeInclusive<u64>,
}

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.allowed.start(), self.allowed.end());
        write!(f, "a whole number from {least} to {most}{}", self.unit)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        if self.allowed.contains(&number) {
            return Ok(number);
        }
        Err(E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

/// Reads a string that `read` understands.
fn text<'de, D, T, F>(from: D, expected: &'static str, read: F) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    F: Fn(&str) -> Result<T, String>,
{
    from.deserialize_any(Text { expected, read })
}

struct Text<F> {
    expected: &'static str,
    read: F,
}

impl<T, F> Visitor<'_> for Text<F>
where
    F: Fn(&str) -> Result<T, String>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}
