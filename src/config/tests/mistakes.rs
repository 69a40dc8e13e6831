//! What each mistake is answered: one line that says where, which key, and what is allowed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;

/// The answers that are not as expected.
fn differences(answers: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    answers
        .into_iter()
        .filter(|(found, expected)| found != expected)
        .collect()
}

/// Each file is answered with its message.
fn assert_answers(cases: &[(&str, &str)]) {
    let answers = cases.iter().map(|(text, message)| {
        let found = load_text(text).unwrap_err();
        (found, format!("reeld.toml:{message}"))
    });
    assert_eq!(differences(answers), []);
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let cases = [
        (
            "REELD_VIDEO__IN_FLIGHT",
            "9",
            "video.in_flight: invalid value: integer `9`, expected a whole number from 1 to 4 pictures",
        ),
        (
            "REELD_VIDEO__IN_FLIGHT",
            "two",
            "video.in_flight: invalid type: string \"two\", expected a whole number from 1 to 4 pictures",
        ),
        (
            "REELD_VIDEO__IN_FLITE",
            "2",
            "sets no key, did you mean REELD_VIDEO__IN_FLIGHT?",
        ),
        (
            "REELD_VIDEO_IN_FLIGHT",
            "2",
            "sets no key, did you mean REELD_VIDEO__IN_FLIGHT?",
        ),
        (
            "REELD_video__in_flight",
            "2",
            "sets no key: names are REELD_TABLE__KEY, and rooms stand in the file",
        ),
        (
            "REELD_",
            "2",
            "sets no key: names are REELD_TABLE__KEY, and rooms stand in the file",
        ),
        (
            "REELD_VIDEO",
            "2",
            "sets no key: names are REELD_TABLE__KEY, and rooms stand in the file",
        ),
        (
            "REELD_ROOM",
            "lobby",
            "sets no key: names are REELD_TABLE__KEY, and rooms stand in the file",
        ),
        (
            "REELD_ROOM__NAME",
            "lobby",
            "sets no key: names are REELD_TABLE__KEY, and rooms stand in the file",
        ),
        (
            "REELD_SELECT__SOURCES",
            "camera,radio",
            "select.sources: unknown variant `radio`, expected one of `camera`, `microphone`, `screen_share`, `screen_share_audio`",
        ),
        (
            "LIVEKIT_URL",
            "ftp://token@host",
            "livekit.url: has the scheme \"ftp\": write ws://, wss://, http:// or https:// and a host",
        ),
    ];
    let answers = cases.map(|(name, value, rest)| {
        let found = load_variables(&[(name, value)]).unwrap_err();
        (found, format!("environment variable {name}: {rest}"))
    });
    assert_eq!(differences(answers), []);
}

#[test]
fn a_variable_that_is_not_utf8_is_named_and_not_shown() {
    let secret = OsString::from_vec(b"s3cr3t\xff".to_vec());
    let error = load(&[], [("LIVEKIT_TOKEN".into(), secret)], Flags::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable LIVEKIT_TOKEN: is not valid UTF-8"
    );
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let mut flags = Flags::default();
    flags.set("--bitrate", "video.bitrate", 12);
    let error = load(&[], [], flags).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--bitrate: video.bitrate: invalid value: integer `12`, expected a whole number from \
         50000 to 50000000 bit/s"
    );
}

#[test]
fn an_unknown_key_in_the_file_is_answered_with_the_one_that_was_meant() {
    assert_answers(&[
        (
            "[video]\nin_flite = 2",
            "2:1: video.in_flite: unknown key, did you mean video.in_flight?",
        ),
        (
            "bitrate = 2",
            "1:1: bitrate: unknown key, did you mean audio.bitrate?",
        ),
        (
            "[log]\nlevel = \"info\"\n  colour = true",
            "3:3: log.colour: unknown key, allowed here: level",
        ),
        ("[vidoe]\n", "1:2: vidoe: unknown key, did you mean video?"),
        (
            "\"video.bitrate\" = 1",
            "1:1: video.bitrate: unknown key, allowed here: audio, gaps, jitter, limits, livekit, log, memory, output, room, segment, select, status, storage, video, writer",
        ),
        (
            "[[room]]\nname = \"a\"\n[[room]]\nname = \"b\"\nselect.sauces = []",
            "5:8: room[1].select.sauces: unknown key, did you mean room.select.sources?",
        ),
    ]);
}

#[test]
fn a_wrong_type_in_the_file_is_answered_with_the_right_one() {
    assert_answers(&[
        (
            "[video]\nin_flight = \"2\"",
            "2:13: video.in_flight: invalid type: string \"2\", expected a whole number from 1 to 4 pictures",
        ),
        (
            "[video]\nin_flight = 2.0",
            "2:13: video.in_flight: invalid type: floating point `2.0`, expected a whole number from 1 to 4 pictures",
        ),
        (
            "video = 3",
            "1:9: video: invalid type: integer, expected a table: [video]",
        ),
        (
            "[room]\nname = \"a\"",
            "1:1: room: invalid type: table, expected a list of tables: [[room]]",
        ),
        (
            "room = [1]",
            "1:9: room[0]: invalid type: integer, expected a table: [room]",
        ),
        (
            "select.sources = \"camera\"",
            "1:18: select.sources: invalid type: string, expected a list: [\"…\", \"…\"]",
        ),
        (
            "segment.duration = 3600",
            "1:20: segment.duration: invalid type: integer `3600`, expected a duration in quotes, such as \"30s\"",
        ),
        (
            "[livekit]\ntoken = 12345678",
            "2:9: livekit.token: invalid type, expected a string in quotes",
        ),
    ]);
}

#[test]
fn a_wrong_value_in_the_file_is_answered_with_what_is_allowed() {
    assert_answers(&[
        (
            "[video]\nin_flight = 0",
            "2:13: video.in_flight: invalid value: integer `0`, expected a whole number from 1 to 4 pictures",
        ),
        (
            "video.in_flight = -1",
            "1:19: video.in_flight: invalid value: integer `-1`, expected a whole number from 1 to 4 pictures",
        ),
        (
            "audio.bitrate = 1",
            "1:17: audio.bitrate: invalid value: integer `1`, expected a whole number from 16000 to 320000 bit/s",
        ),
        (
            "audio.codec = \"mp3\"",
            "1:15: audio.codec: unknown variant `mp3`, expected `aac` or `opus`",
        ),
        (
            "segment.duration = \"5s\"",
            "1:20: segment.duration: \"5s\" is out of range: 10s to 24h",
        ),
        (
            "segment.duration = \"1 hour\"",
            "1:20: segment.duration: \"1 hour\" is no duration: write whole numbers with h, m, s or ms, such as 1h30m or 500ms",
        ),
        (
            "writer.flush_bytes = \"8MiB\"",
            "1:22: writer.flush_bytes: \"8MiB\" is out of range: 1MiB to 4MiB",
        ),
        (
            "writer.flush_bytes = \"4M\"",
            "1:22: writer.flush_bytes: \"4M\" is no size: write a whole number with B, kB, MB, GB, KiB, MiB or GiB, such as 4MiB",
        ),
        ("output = \"\"", "1:10: output: is empty: name a directory"),
        (
            "livekit.url = \"localhost:7880\"",
            "1:15: livekit.url: is no URL: write ws://, wss://, http:// or https:// and a host",
        ),
        (
            "status.listen = \"localhost:9108\"",
            "1:17: status.listen: is no address with a port: write \"127.0.0.1:9108\"",
        ),
        (
            "status.listen = \"127.0.0.1:0\"",
            "1:17: status.listen: is no address with a port: write \"127.0.0.1:9108\"",
        ),
        (
            "livekit.url = \"ws://:7880\"",
            "1:15: livekit.url: names no host: write ws://, wss://, http:// or https:// and a host",
        ),
        (
            "livekit.url = \"ws://a b\"",
            "1:15: livekit.url: has a space or a control character in it",
        ),
        (
            "livekit.url = \"ws://me:pw@host\"",
            "1:15: livekit.url: carries a user name or password: LiveKit takes tokens and keys",
        ),
        (
            "livekit.token = \"\"",
            "1:17: livekit.token: is empty: leave the key out, or give a value",
        ),
        (
            "livekit.identity = \"\"",
            "1:20: livekit.identity: is empty: write 1 to 256 bytes",
        ),
        (
            "select.participants = [\"*\", \"a[\"]",
            "1:29: select.participants[1]: \"a[\" is no glob: unclosed character class; missing ']'",
        ),
        (
            "select.participants = []",
            "1:23: select.participants: is empty and selects nobody: write [\"*\"] for everybody",
        ),
        (
            "select.sources = []",
            "1:18: select.sources: is empty and selects nothing: leave the key out for all sources",
        ),
        (
            "livekit.queue_size_frames = 0",
            "1:29: livekit.queue_size_frames: invalid value: integer `0`, expected a whole number from 1 to 30 pictures",
        ),
        (
            "select.max_participants = 0",
            "1:27: select.max_participants: invalid value: integer `0`, expected a whole number from 1 to 256",
        ),
        (
            "log.level = \"inof\"",
            "1:13: log.level: \"inof\" is no log level: write off, error, warn, info, debug or trace, and after commas module=level",
        ),
        (
            "[[room]]\nurl = \"ws://a\"",
            "1:1: room[0]: missing field `name`",
        ),
        (
            "[[room]]\nname = \"\"",
            "2:8: room[0].name: is empty: write 1 to 256 bytes",
        ),
    ]);
}

#[test]
fn values_that_do_not_go_together_are_refused_at_their_place() {
    assert_answers(&[
        (
            "[writer]\nhandover_bytes = \"1MiB\"",
            "2:18: writer.handover_bytes: 1MiB is less than writer.flush_bytes, 4MiB: a full write would never gather",
        ),
        (
            "[[room]]\nname = \"a\"\n[[room]]\nname = \"a\"",
            "4:8: room[1].name: \"a\" is configured twice: remove one",
        ),
    ]);
}

#[test]
fn what_is_no_toml_is_refused_without_its_text() {
    assert_answers(&[
        (
            "[video\nin_flight = 2",
            "1:7: not valid TOML: unclosed table, expected `]`",
        ),
        (
            "[video]\nin_flight = ",
            "2:13: not valid TOML: string values must be quoted, expected literal string",
        ),
        (
            "[livekit]\ntoken = s3cr3t",
            "2:9: not valid TOML: string values must be quoted, expected literal string",
        ),
        (
            "[log]\nlevel = \"info\"\nlevel = \"warn\"",
            "3:1: not valid TOML: duplicate key",
        ),
        (
            "# ü\nü = 1",
            "2:1: not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_`",
        ),
    ]);
}

#[test]
fn a_long_room_name_is_refused_as_the_server_would() {
    let room = |length: usize| format!("[[room]]\nname = \"{}\"", "é".repeat(length));
    load_text(&room(128)).unwrap();
    assert_eq!(
        load_text(&room(150)).unwrap_err(),
        "reeld.toml:2:8: room[0].name: is 300 bytes long: LiveKit takes 1 to 256"
    );
    let mut flags = Flags::default();
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), "x".repeat(300).into());
    flags.set("--room", "room", vec![table]);
    assert_eq!(
        load(&[], [], flags).unwrap_err().to_string(),
        "--room: room: is 300 bytes long: LiveKit takes 1 to 256"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cause() {
    let error = check(&["/nonexistent/reeld.toml".into()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/reeld.toml: cannot read the configuration"
    );
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "No such file or directory (os error 2)");
}

#[test]
fn a_room_that_cannot_be_joined_says_what_is_missing() {
    let room = "[[room]]\nname = \"a\"\n";
    let server = "url = \"ws://x\"\n";
    for (text, message) in [
        (
            String::new(),
            "no room is configured: add [[room]] with a name to the configuration",
        ),
        (
            format!("{room}token = \"t\""),
            "room \"a\": no server: set livekit.url, LIVEKIT_URL or --url",
        ),
        (
            format!("{room}{server}"),
            "room \"a\": no token and no key: set livekit.api_key and livekit.api_secret \
             (LIVEKIT_API_KEY, LIVEKIT_API_SECRET), or livekit.token (LIVEKIT_TOKEN)",
        ),
        (
            format!("{room}{server}api_key = \"k\""),
            "room \"a\": api_key is set without api_secret: set both or neither",
        ),
        (
            format!("{room}{server}api_secret = \"s\""),
            "room \"a\": api_secret is set without api_key: set both or neither",
        ),
    ] {
        let config = load_text(&text).unwrap();
        assert_eq!(config.require_rooms().unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn any_file_loads_or_is_refused_in_one_line(text in "([a-z_.\\[\\]\"=# \n0-9é-]|video|room|in_flight){0,60}") {
        if let Err(message) = load_text(&text) {
            prop_assert!(message.starts_with("reeld.toml:"), "{message}");
            prop_assert_eq!(message.lines().count(), 1, "{}", message);
        }
    }
}

#[cfg(not(feature = "livekit-sdk"))]
#[test]
fn a_source_that_was_not_built_is_answered_with_how_to_get_it() {
    assert_answers(&[(
        "livekit.client = \"sdk\"",
        "1:18: livekit.client: \"sdk\" is not in this build: build reeld with the feature \
         livekit-sdk (docs/sdk-source.md), or write \"built_in\"",
    )]);
}
