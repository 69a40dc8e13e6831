//! The sources together: what is loaded, and which is stronger.

mod layers;
mod memory;
mod mistakes;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::keys::Keys;
use super::*;
use crate::room::Source;

const ANNOTATED: &str = include_str!("../../../reeld.toml");

/// A `reeld.toml` in a directory of its own.
struct File {
    directory: TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let file = Self {
            directory: TempDir::new().unwrap(),
        };
        fs::write(file.path(), text).unwrap();
        file.allow(0o600);
        file
    }

    fn allow(&self, mode: u32) {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("reeld.toml")
    }

    fn load(&self, variables: &[(&str, &str)], flags: Flags) -> Result<Loaded, String> {
        load(&[self.path()], os(variables), flags).map_err(|error| self.shown(&error))
    }

    /// The message, with the directory left out.
    fn shown(&self, error: &ConfigError) -> String {
        let directory = format!("{}/", self.directory.path().display());
        error.to_string().replace(&directory, "")
    }
}

fn os(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let pairs = variables.iter();
    pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn load_text(text: &str) -> Result<Config, String> {
    let loaded = File::new(text).load(&[], Flags::default())?;
    Ok(loaded.config)
}

fn load_variables(variables: &[(&str, &str)]) -> Result<Config, String> {
    load(&[], os(variables), Flags::default())
        .map(|loaded| loaded.config)
        .map_err(|error| error.to_string())
}

/// The annotated file with its examples switched on: a line `#key = …` or `#[table]` is one, a
/// comment has a space after its `#`.
fn annotated_with_examples() -> String {
    let lines = ANNOTATED.lines().map(|line| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_annotated_file_is_the_defaults() {
    assert_eq!(load_text(ANNOTATED), Ok(Config::default()));
    assert_eq!(load_text(""), Ok(Config::default()));
}

#[test]
fn the_annotated_file_has_every_key_and_its_examples_load() {
    let text = annotated_with_examples();
    let table: toml::Table = text.parse().unwrap();
    let mut found = BTreeSet::new();
    written_keys("", &table.into(), &mut found);
    let known: BTreeSet<String> = Keys::new().unwrap().all().into_iter().collect();
    assert_eq!(found, known);

    let config = load_text(&text).unwrap();
    assert_eq!(config.rooms.len(), 1);
    assert_eq!(config.require_rooms().unwrap()[0].name, "lobby");
}

/// The default shown in the comments is the number in the schema; so must the ranges be.
#[test]
fn the_annotated_file_names_the_bounds_that_hold() {
    for (key, least, most) in [
        ("video.in_flight", "1", "4"),
        ("video.max_height", "90", "4320"),
        ("video.bitrate", "50000", "50000000"),
        ("video.keyframe_interval", "\"500ms\"", "\"10s\""),
        ("audio.bitrate", "16000", "320000"),
        ("segment.duration", "\"10s\"", "\"24h\""),
        ("gaps.warn_after", "\"500ms\"", "\"10m\""),
        ("writer.flush_bytes", "\"1MiB\"", "\"4MiB\""),
        ("writer.flush_interval", "\"100ms\"", "\"1s\""),
        ("storage.quota", "\"16MiB\"", "\"65536GiB\""),
        ("storage.min_free", "\"0B\"", "\"65536GiB\""),
        ("storage.max_age", "\"1m\"", "\"87600h\""),
        ("memory.budget", "\"32MiB\"", "\"64GiB\""),
        ("memory.dwell", "\"500ms\"", "\"1m\""),
        ("memory.quiet", "\"5s\"", "\"10m\""),
        ("select.max_participants", "1", "256"),
        ("jitter.max_frames", "5", "300"),
        ("livekit.queue_size_frames", "1", "30"),
        ("limits.max_tracks", "1", "1024"),
        ("limits.max_unit_bytes", "\"64KiB\"", "\"8MiB\""),
    ] {
        for bound in [least, most] {
            load_text(&format!("{key} = {bound}")).unwrap();
        }
        let unbroken = ANNOTATED.replace("\n# ", " ");
        assert!(unbroken.contains(&format!("{least} to {most}")), "{key}");
    }
}

fn written_keys(parent: &str, value: &toml::Value, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let key = super::keys::join(parent, name);
                written_keys(&key, value, keys);
                keys.insert(key);
            }
        }
        toml::Value::Array(items) => {
            for item in items {
                written_keys(parent, item, keys);
            }
        }
        _ => {}
    }
}

fn room(name: &str) -> Room {
    Room {
        name: name.to_owned(),
        url: None,
        api_key: None,
        api_secret: None,
        token: None,
        select: None,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "each key is there once")]
fn every_key_is_read_from_the_file() {
    let config = load_text(
        r#"
        output = "/srv/rec"
        [livekit]
        url = "wss://example.org:7880/rtc"
        ca_file = "/etc/reeld/ca.pem"
        api_key = "key"
        api_secret = "secret"
        identity = "box-7"
        e2ee_key = "shared"
        queue_size_frames = 30
        [select]
        participants = ["door-*", "{anna,bob}"]
        sources = ["screen_share", "microphone"]
        max_participants = 3
        [video]
        prefer = "lean"
        max_height = 480
        mode = "transcode"
        encoder = "x264enc"
        on_loss = "keep"
        in_flight = 4
        bitrate = 1_000_000
        keyframe_interval = "1s500ms"
        [audio]
        codec = "opus"
        bitrate = 128_000
        [jitter]
        max_frames = 60
        [limits]
        max_tracks = 8
        max_unit_bytes = "1MiB"
        [segment]
        duration = "30m"
        on_resolution_change = "new"
        [gaps]
        warn_after = "5s"
        [writer]
        flush_bytes = "1MiB"
        flush_interval = "250ms"
        handover_bytes = "2MiB"
        [storage]
        quota = "32GB"
        min_free = "0B"
        max_age = "720h"
        [memory]
        budget = "96MiB"
        upper = 75
        lower = 50
        emergency = 90
        dwell = "3s"
        quiet = "1m"
        drop_warn = 3
        drop_error = 8
        [status]
        socket = "/run/reeld/a.sock"
        listen = "127.0.0.1:9108"
        [log]
        level = "warn,reeld=debug"
        [[room]]
        name = "lobby"
        [[room]]
        name = "garage"
        url = "ws://127.0.0.1:7880"
        token = "jwt"
        [room.select]
        participants = ["cam-?"]
        "#,
    )
    .unwrap();
    let expected = Config {
        output: "/srv/rec".into(),
        livekit: LiveKit {
            url: Some("wss://example.org:7880/rtc".to_owned()),
            ca_file: Some("/etc/reeld/ca.pem".into()),
            api_key: Some(Secret::new("key")),
            api_secret: Some(Secret::new("secret")),
            token: None,
            identity: "box-7".to_owned(),
            client: Client::BuiltIn,
            e2ee_key: Some(Secret::new("shared")),
            queue_size_frames: 30,
        },
        select: Selection {
            participants: vec!["door-*".to_owned(), "{anna,bob}".to_owned()],
            sources: vec![Source::ScreenShare, Source::Microphone],
            max_participants: 3.try_into().unwrap(),
        },
        video: Video {
            mode: VideoMode::Transcode,
            encoder: "x264enc".to_owned(),
            prefer: Prefer::Lean,
            max_height: Some(480.try_into().unwrap()),
            on_loss: OnLoss::Keep,
            in_flight: 4,
            bitrate: BitRate::from_bits_per_second(1_000_000),
            keyframe_interval: Duration::from_millis(1500),
        },
        audio: Audio {
            codec: AudioCodec::Opus,
            bitrate: BitRate::from_bits_per_second(128_000),
        },
        jitter: Jitter { max_frames: 60 },
        limits: Limits {
            max_tracks: 8.try_into().unwrap(),
            max_unit_bytes: ByteSize::from_mebibytes(1),
        },
        segment: Segment {
            duration: Duration::from_mins(30),
            on_resolution_change: ResolutionChange::New,
        },
        gaps: Gaps {
            warn_after: Duration::from_secs(5),
        },
        writer: Writer {
            flush_bytes: ByteSize::from_mebibytes(1),
            flush_interval: Duration::from_millis(250),
            handover_bytes: ByteSize::from_mebibytes(2),
        },
        storage: Storage {
            quota: Some(ByteSize::from_bytes(32_000_000_000)),
            min_free: Some(ByteSize::from_bytes(0)),
            max_age: Some(Duration::from_hours(720)),
        },
        memory: Memory {
            budget: Some(ByteSize::from_mebibytes(96)),
            upper: Percent::new(75),
            lower: Percent::new(50),
            emergency: Percent::new(90),
            dwell: Duration::from_secs(3),
            quiet: Duration::from_mins(1),
            drop_warn: Percent::new(3),
            drop_error: Percent::new(8),
        },
        status: Status {
            socket: Some("/run/reeld/a.sock".into()),
            listen: Some("127.0.0.1:9108".parse().unwrap()),
        },
        log: Log {
            level: "warn,reeld=debug".to_owned(),
        },
        rooms: vec![
            room("lobby"),
            Room {
                url: Some("ws://127.0.0.1:7880".to_owned()),
                token: Some(Secret::new("jwt")),
                select: Some(Selection {
                    participants: vec!["cam-?".to_owned()],
                    ..Selection::default()
                }),
                ..room("garage")
            },
        ],
    };
    assert_eq!(config, expected);
}

#[test]
fn flags_are_stronger_than_variables_and_those_than_the_file() {
    let file = File::new("[video]\nin_flight = 1\nbitrate = 100_000\n[livekit]\ntoken = \"file\"");
    let level = |variables: &[(&str, &str)], flag: Option<i64>| {
        let mut flags = Flags::default();
        if let Some(value) = flag {
            flags.set("--in-flight", "video.in_flight", value);
        }
        let config = file.load(variables, flags).unwrap().config;
        // What only the file says stays.
        assert_eq!(config.video.bitrate.bits_per_second(), 100_000);
        config.video.in_flight
    };
    assert_eq!(level(&[], None), 1);
    assert_eq!(level(&[("REELD_VIDEO__IN_FLIGHT", "3")], None), 3);
    assert_eq!(level(&[("REELD_VIDEO__IN_FLIGHT", "3")], Some(4)), 4);
    assert_eq!(level(&[("REELD_VIDEO__IN_FLIGHT", "")], None), 1);

    let token = |variables: &[(&str, &str)]| {
        let config = file.load(variables, Flags::default()).unwrap().config;
        config.livekit.token.unwrap().expose().to_owned()
    };
    let ours = ("REELD_LIVEKIT__TOKEN", "reeld");
    let livekit = ("LIVEKIT_TOKEN", "livekit");
    assert_eq!(token(&[]), "file");
    assert_eq!(token(&[livekit]), "livekit");
    assert_eq!(token(&[ours, livekit]), "reeld");
    assert_eq!(token(&[livekit, ours]), "reeld");
}

#[test]
fn variables_hold_numbers_words_and_lists() {
    let config = load_variables(&[
        ("LIVEKIT_URL", "ws://localhost:7880"),
        ("LIVEKIT_API_KEY", "314"),
        ("LIVEKIT_API_SECRET", "true"),
        ("REELD_OUTPUT", "/srv/rec"),
        ("REELD_SELECT__SOURCES", "camera, microphone"),
        ("REELD_SELECT__PARTICIPANTS", "a*"),
        ("REELD_VIDEO__BITRATE", "500000"),
        ("REELD_AUDIO__CODEC", "opus"),
        ("REELD_WRITER__FLUSH_INTERVAL", "500ms"),
        ("PATH", "/bin"),
        ("LIVEKIT_SOMETHING", "else"),
    ])
    .unwrap();
    assert_eq!(config.livekit.url.as_deref(), Some("ws://localhost:7880"));
    assert_eq!(config.livekit.api_key, Some(Secret::new("314")));
    assert_eq!(config.livekit.api_secret, Some(Secret::new("true")));
    assert_eq!(config.output, PathBuf::from("/srv/rec"));
    assert_eq!(config.select.sources, [Source::Camera, Source::Microphone]);
    assert_eq!(config.select.participants, ["a*"]);
    assert_eq!(config.video.bitrate.bits_per_second(), 500_000);
    assert_eq!(config.audio.codec, AudioCodec::Opus);
    assert_eq!(config.writer.flush_interval, Duration::from_millis(500));
}

#[test]
fn lean_video_has_720_lines_at_most_unless_something_else_is_said() {
    for (video, lines) in [
        ("", None),
        ("prefer = \"lean\"", Some(720)),
        ("max_height = 360", Some(360)),
        ("prefer = \"lean\"\nmax_height = 1080", Some(1080)),
    ] {
        let config = load_text(&format!("[video]\n{video}")).unwrap();
        let found = config.video.most_lines().map(std::num::NonZeroU32::get);
        assert_eq!(found, lines, "{video}");
    }
    let config = load_variables(&[("REELD_VIDEO__MAX_HEIGHT", "360")]).unwrap();
    assert_eq!(config.video.max_height.unwrap().get(), 360);
}

#[test]
fn a_secret_in_a_file_that_everybody_may_read_is_warned_of() {
    let file = File::new("[[room]]\nname = \"a\"\ntoken = \"jwt\"");
    let warnings = |mode| {
        file.allow(mode);
        file.load(&[], Flags::default()).unwrap().warnings
    };
    let path = file.path();
    let expected = Warning::ReadableSecret {
        path: path.clone(),
        key: "room[0].token".to_owned(),
    };
    assert_eq!(
        expected.to_string(),
        format!(
            "{0}: room[0].token is a secret and everybody may read the file: chmod o-r {0}",
            path.display()
        )
    );
    assert_eq!(warnings(0o644), [expected]);
    assert_eq!(warnings(0o640), []);
    let harmless = File::new("[livekit]\nidentity = \"a\"");
    harmless.allow(0o644);
    let loaded = harmless.load(&[], Flags::default()).unwrap();
    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_configuration_shows_no_secret() {
    let text = "[livekit]\ntoken = \"s3cr3t\"\napi_secret = \"s3cr3t\"\napi_key = \"s3cr3t\"\n\
                [[room]]\nname = \"a\"\ntoken = \"s3cr3t\"";
    let loaded = File::new(text)
        .load(&[("LIVEKIT_TOKEN", "s3cr3t")], Flags::default())
        .unwrap();
    assert_eq!(loaded.config.livekit.token, Some(Secret::new("s3cr3t")));
    assert!(!format!("{loaded:?}").contains("s3cr3t"));
    let json = serde_json::to_string(&loaded.config).unwrap();
    assert!(!json.contains("s3cr3t"), "{json}");
    let mut flags = Flags::default();
    flags.set("--token", "livekit.token", "s3cr3t");
    assert!(!format!("{flags:?}").contains("s3cr3t"));
}

#[test]
fn a_room_is_joined_by_what_is_nearest_to_it() {
    let config = load_text(
        r#"
        [livekit]
        url = "ws://general"
        api_key = "key"
        api_secret = "secret"
        [[room]]
        name = "plain"
        [[room]]
        name = "own"
        url = "ws://own"
        token = "jwt"
        "#,
    )
    .unwrap();
    let rooms = config.require_rooms().unwrap();
    assert_eq!(
        config.connection(&rooms[0]).unwrap(),
        Connection {
            url: "ws://general",
            room: "plain",
            identity: "reeld",
            credentials: Credentials::Key {
                api_key: &Secret::new("key"),
                api_secret: &Secret::new("secret"),
            },
        }
    );
    assert_eq!(
        config.connection(&rooms[1]).unwrap(),
        Connection {
            url: "ws://own",
            room: "own",
            identity: "reeld",
            credentials: Credentials::Token(&Secret::new("jwt")),
        }
    );
}
