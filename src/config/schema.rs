//! The schema: every key of `reeld.toml`, with its unit, its range and its default.
//!
//! The annotated `reeld.toml` at the top of the repository says the same for users; a test
//! holds the two together.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds;
use super::memory::Memory;
use super::secret::Secret;
use super::units::{self, BitRate, ByteSize};
use crate::room::Source;

/// Everything that `reeld` can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that recordings go under; made when it does not exist.
    #[serde(deserialize_with = "bounds::output")]
    pub output: PathBuf,
    /// The server, and who we are there.
    pub livekit: LiveKit,
    /// What to record of a room.
    pub select: Selection,
    /// How video is encoded, where it is encoded at all.
    pub video: Video,
    /// How sound is encoded.
    pub audio: Audio,
    /// How long lost packets are waited for.
    pub jitter: Jitter,
    /// What is refused because it is too much.
    pub limits: Limits,
    /// How a recording is cut into files.
    pub segment: Segment,
    /// What is said of missing picture or sound.
    pub gaps: Gaps,
    /// How files are written.
    pub writer: Writer,
    /// How much of the disk may be used, and what becomes of old recordings.
    pub storage: Storage,
    /// How much memory may be used, and when quality is given up for it.
    pub memory: Memory,
    /// Where the state is told.
    pub status: Status,
    /// What is logged.
    pub log: Log,
    /// The rooms that `reeld run` records: `[[room]]` in the file.
    #[serde(rename = "room")]
    pub rooms: Vec<Room>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output: PathBuf::from("/var/lib/reeld"),
            livekit: LiveKit::default(),
            select: Selection::default(),
            video: Video::default(),
            audio: Audio::default(),
            jitter: Jitter::default(),
            limits: Limits::default(),
            segment: Segment::default(),
            gaps: Gaps::default(),
            writer: Writer::default(),
            storage: Storage::default(),
            memory: Memory::default(),
            status: Status::default(),
            log: Log::default(),
            rooms: Vec::new(),
        }
    }
}

/// The server, and who we are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveKit {
    /// The server: `ws://`, `wss://`, `http://` or `https://`.
    #[serde(deserialize_with = "bounds::url")]
    pub url: Option<String>,
    /// Certificates of CAs (PEM) that are trusted next to the system's.
    #[serde(deserialize_with = "bounds::ca_file")]
    pub ca_file: Option<PathBuf>,
    /// The name of the key that tokens are signed with.
    pub api_key: Option<Secret>,
    /// The secret of that key.
    pub api_secret: Option<Secret>,
    /// A ready-made token; used instead of a key and its secret.
    pub token: Option<Secret>,
    /// Our identity in tokens that we sign, before a suffix of each stay's own; 1 to 256 bytes.
    #[serde(deserialize_with = "bounds::identity")]
    pub identity: String,
    /// Who talks to it.
    #[serde(deserialize_with = "bounds::client")]
    pub client: Client,
    /// The key that all participants share where a room is end-to-end encrypted; for
    /// [`Client::Sdk`].
    pub e2ee_key: Option<Secret>,
    /// Decoded pictures that may wait in the queue of [`Client::Sdk`]; 1 to 30. It takes 0 for no
    /// limit.
    #[serde(deserialize_with = "bounds::queue_size_frames")]
    pub queue_size_frames: u8,
}

/// Who talks to a LiveKit server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// `reeld` itself: what is sent comes encoded, and stays so where it can.
    BuiltIn,
    /// LiveKit's own SDK: all comes decoded, and what is end-to-end encrypted can be opened. Only
    /// in a build with the feature `livekit-sdk`.
    Sdk,
}

impl Default for LiveKit {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            api_key: None,
            api_secret: None,
            token: None,
            identity: "reeld".to_owned(),
            client: Client::BuiltIn,
            e2ee_key: None,
            queue_size_frames: 8,
        }
    }
}

/// What to record of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Globs (`*`, `?`, `[a-z]`, `{a,b}`) of participant identities; one match is enough.
    #[serde(deserialize_with = "bounds::participants")]
    pub participants: Vec<String>,
    /// The sources to record.
    #[serde(deserialize_with = "bounds::sources")]
    pub sources: Vec<Source>,
    /// How many participants are recorded at one time at most; 1 to 256.
    #[serde(deserialize_with = "bounds::max_participants")]
    pub max_participants: NonZeroUsize,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            participants: vec!["*".to_owned()],
            sources: vec![
                Source::Camera,
                Source::Microphone,
                Source::ScreenShare,
                Source::ScreenShareAudio,
            ],
            max_participants: NonZeroUsize::MIN.saturating_add(15),
        }
    }
}

/// Which video is taken, and how it is encoded. H.264 and H.265 are copied, unless told: what
/// encodes touches VP8, VP9 and AV1 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Video {
    /// What is copied, and what is encoded again.
    pub mode: VideoMode,
    /// `auto`, or the one GStreamer element that may encode.
    #[serde(deserialize_with = "bounds::encoder")]
    pub encoder: String,
    /// Which of the layers that a publisher sends.
    pub prefer: Prefer,
    /// Of several layers none with more lines than this, where there is one; what is encoded again
    /// is scaled down to it. 90 to 4320. By default what [`Video::prefer`] says.
    #[serde(deserialize_with = "bounds::max_height")]
    pub max_height: Option<NonZeroU32>,
    /// What becomes of copied pictures after a loss, until the next keyframe.
    pub on_loss: OnLoss,
    /// Decoded pictures between decoder and encoder at most; 1 to 4. More are dropped.
    #[serde(deserialize_with = "bounds::in_flight")]
    pub in_flight: u8,
    /// What the encoder aims at; 50,000 to 50,000,000 bit/s.
    #[serde(deserialize_with = "bounds::video_bitrate")]
    pub bitrate: BitRate,
    /// Between keyframes at most; 500 ms to 10 s.
    #[serde(
        deserialize_with = "bounds::keyframe_interval",
        serialize_with = "units::serialize_duration"
    )]
    pub keyframe_interval: Duration,
}

impl Default for Video {
    fn default() -> Self {
        Self {
            mode: VideoMode::Auto,
            encoder: AUTO.to_owned(),
            prefer: Prefer::Full,
            max_height: None,
            on_loss: OnLoss::Wait,
            in_flight: 2,
            bitrate: BitRate::from_bits_per_second(2_500_000),
            keyframe_interval: Duration::from_secs(2),
        }
    }
}

impl Video {
    /// With `prefer = "lean"` no layer has more lines, if nothing else is said.
    const LEAN_HEIGHT: NonZeroU32 = NonZeroU32::MIN.saturating_add(719);

    /// The most lines that a picture is to have where there is a choice.
    #[must_use]
    pub fn most_lines(&self) -> Option<NonZeroU32> {
        let lean = (self.prefer == Prefer::Lean).then_some(Self::LEAN_HEIGHT);
        self.max_height.or(lean)
    }
}

/// The encoder that is chosen by trials.
pub const AUTO: &str = "auto";

/// What is copied, and what is encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoMode {
    /// H.264 and H.265 are copied, all else is encoded again.
    Auto,
    /// H.264 and H.265 are copied, nothing else is recorded.
    Passthrough,
    /// Everything is encoded again.
    Transcode,
}

/// Which of the layers that a publisher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The largest.
    Full,
    /// The largest of at most 720 lines.
    Lean,
}

/// What becomes of copied pictures after a loss, until the next keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// They are left out: the file shows nothing that is damaged.
    Wait,
    /// They are written: less is missing, and players show it damaged.
    Keep,
}

/// How long lost packets are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jitter {
    /// Pictures that wait for one before them at most; 5 to 300. Then it is given up.
    #[serde(deserialize_with = "bounds::max_frames")]
    pub max_frames: u16,
}

impl Default for Jitter {
    fn default() -> Self {
        Self { max_frames: 30 }
    }
}

/// What is refused because it is too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Tracks of a room recorded at one time at most, of all participants; 1 to 1024.
    #[serde(deserialize_with = "bounds::max_tracks")]
    pub max_tracks: NonZeroUsize,
    /// The largest encoded picture or packet of sound; 64 KiB to 8 MiB. Larger ones are dropped
    /// and counted as `too_large`.
    #[serde(deserialize_with = "bounds::max_unit_bytes")]
    pub max_unit_bytes: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tracks: NonZeroUsize::MIN.saturating_add(63),
            max_unit_bytes: ByteSize::from_mebibytes(4),
        }
    }
}

/// How sound is encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audio {
    /// What sound is in the files.
    pub codec: AudioCodec,
    /// What the AAC encoder aims at; 16,000 to 320,000 bit/s.
    #[serde(deserialize_with = "bounds::audio_bitrate")]
    pub bitrate: BitRate,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            codec: AudioCodec::Aac,
            bitrate: BitRate::from_bits_per_second(64_000),
        }
    }
}

/// What sound is in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum AudioCodec {
    /// AAC-LC at 48 kHz: every player of MPEG-TS knows it.
    Aac,
    /// Opus as it came: cheaper, and fewer players know it in MPEG-TS.
    Opus,
}

/// How a recording is cut into files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Segment {
    /// After this long the next keyframe starts a new file; 10 s to 24 h.
    #[serde(
        deserialize_with = "bounds::segment_duration",
        serialize_with = "units::serialize_duration"
    )]
    pub duration: Duration,
    /// Where a picture of another size goes.
    pub on_resolution_change: ResolutionChange,
}

/// Where a picture of another size goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionChange {
    /// Into the same file, from a keyframe on.
    Same,
    /// Into a new file.
    New,
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            duration: Duration::from_hours(1),
            on_resolution_change: ResolutionChange::Same,
        }
    }
}

/// What is said of missing picture or sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gaps {
    /// When more than this lies between two frames, and the publisher has not muted them, a
    /// warning is logged; 500 ms to 10 min. The manifest lists gaps whatever stands here.
    #[serde(
        deserialize_with = "bounds::warn_after",
        serialize_with = "units::serialize_duration"
    )]
    pub warn_after: Duration,
}

impl Default for Gaps {
    fn default() -> Self {
        Self {
            warn_after: Duration::from_secs(2),
        }
    }
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writer {
    /// Written out when this much has gathered; 1 to 4 MiB.
    #[serde(deserialize_with = "bounds::flush_bytes")]
    pub flush_bytes: ByteSize,
    /// Written out and synced after this long at the latest; 100 ms to 1 s. It is what a
    /// power cut can cost.
    #[serde(
        deserialize_with = "bounds::flush_interval",
        serialize_with = "units::serialize_duration"
    )]
    pub flush_interval: Duration,
    /// Muxed bytes that may wait for a slow disk, for each recording; 1 to 64 MiB and no less
    /// than `flush_bytes`.
    #[serde(deserialize_with = "bounds::handover_bytes")]
    pub handover_bytes: ByteSize,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            flush_bytes: ByteSize::from_mebibytes(4),
            flush_interval: Duration::from_secs(1),
            handover_bytes: ByteSize::from_mebibytes(8),
        }
    }
}

/// How much of the disk may be used, and what becomes of old recordings. Without a quota and an
/// age nothing is ever deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// What all recordings together may have; 16 MiB to 65536 GiB. Beyond it the oldest are
    /// deleted. By default there is no such limit.
    #[serde(deserialize_with = "bounds::quota")]
    pub quota: Option<ByteSize>,
    /// What is to stay free on the file system; up to 65536 GiB. By default the lesser of a
    /// tenth of it and 1 GiB.
    #[serde(deserialize_with = "bounds::min_free")]
    pub min_free: Option<ByteSize>,
    /// Recordings that ended longer ago are deleted; 1 min to 87600 h. By default none are.
    #[serde(
        deserialize_with = "bounds::max_age",
        serialize_with = "units::serialize_optional_duration"
    )]
    pub max_age: Option<Duration>,
}

/// Where the state is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Status {
    /// A Unix socket, made at the start; by default `reeld.sock` in the directory that systemd
    /// makes (`RuntimeDirectory=`), and none without it.
    #[serde(deserialize_with = "bounds::socket")]
    pub socket: Option<PathBuf>,
    /// An address and a port beside it, such as `127.0.0.1:9108`.
    #[serde(deserialize_with = "bounds::listen")]
    pub listen: Option<SocketAddr>,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`, and after commas the same for one
    /// module: `info,reeld::room=debug`.
    #[serde(deserialize_with = "bounds::log_level")]
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
        }
    }
}

/// A room that `reeld run` records. What is left out comes from `[livekit]` and `[select]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// The room's name; 1 to 256 bytes.
    #[serde(deserialize_with = "bounds::room_name")]
    pub name: String,
    /// Instead of `livekit.url`.
    #[serde(default, deserialize_with = "bounds::url")]
    pub url: Option<String>,
    /// Instead of `livekit.api_key`.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Instead of `livekit.api_secret`.
    #[serde(default)]
    pub api_secret: Option<Secret>,
    /// Instead of `livekit.token`; used instead of a key and its secret.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Instead of the whole of `[select]`.
    #[serde(default)]
    pub select: Option<Selection>,
}
