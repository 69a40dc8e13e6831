use super::*;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

fn told(json: &serde_json::Value) -> Told {
    Told::parse(&json.to_string()).unwrap()
}

#[test]
fn all_is_shown_in_eighty_columns() {
    let told = told(&serde_json::json!({
        "version": "1.2.3",
        "uptime_s": 3_725,
        "memory": {"level": "half_rate", "used_bytes": 50 << 20, "budget_bytes": 120 << 20},
        "frames": 9_000,
        "frames_dropped_backpressure": 12,
        "disk": {"state": "low", "says": "only 1 MiB are free and 2 MiB are to stay free: make \
            room, or set storage.quota so that old recordings are deleted",
            "free_bytes": 1 << 20, "floor_bytes": 2 << 20, "recordings_bytes": 3_u64 << 30},
        "rooms": [
            {"room": "lobby", "state": "recording", "state_s": 61},
            {"room": "garage", "state": "unreachable", "state_s": 7,
             "last_error": "can't reach a LiveKit server", "last_error_s": 5},
        ],
        "recordings": [{"room": "lobby", "participant": "ann", "source": "camera",
            "duration_ms": 61_000, "bytes_written": 15 << 20, "bits_per_second": 2_140_000,
            "video": {"dropped": {"backpressure": 3}}, "audio": {"dropped": {"late": 1}}}],
        "health": {"healthy": false, "says": "", "wedged": ["the writer of room \"lobby\""]},
    }));
    let expected = r#"reeld 1.2.3  up 1:02:05  NOT HEALTHY
    hangs: the writer of room "lobby"
memory  50.0 MiB of 120.0 MiB, quality half_rate
disk    low, 1.0 MiB free, floor 2.0 MiB, recordings 3.0 GiB
    only 1 MiB are free and 2 MiB are to stay free: make room, or set
    storage.quota so that old recordings are deleted
drops   12 of 9000 pictures because this box did not keep up

ROOM                                                   STATE                FOR
lobby                                                  recording        0:01:01
garage                                                 unreachable      0:00:07
    last error 0:00:05 ago: can't reach a LiveKit server

ROOM           PARTICIPANT      SOURCE         LENGTH       SIZE     RATE DROPS
lobby          ann              camera        0:01:01   15.0 MiB  2.1Mb/s     4
"#;
    assert_eq!(render(&told), expected);
}

#[test]
fn rates_and_counts_are_short() {
    for (bits, text) in [
        (0, "0.0kb/s"),
        (32_400, "32.4kb/s"),
        (640_000, "640kb/s"),
        (2_140_000, "2.1Mb/s"),
        (140_000_000, "140Mb/s"),
        (12_000_000_000, "12Gb/s"),
    ] {
        assert_eq!(rate(bits), text);
    }
    for (units, text) in [
        (0, "0"),
        (99_999, "99999"),
        (100_000, "100k"),
        (12_000_000, "12M"),
    ] {
        assert_eq!(count(units), text);
    }
}

#[test]
fn another_version_is_shown_as_far_as_it_goes() {
    let text = render(&told(&serde_json::json!({"version": "9.0.0", "more": [1]})));
    assert!(
        text.starts_with("reeld 9.0.0  up 0:00:00  healthy\n"),
        "{text}"
    );
    assert!(text.contains("nothing is recorded"), "{text}");
}

proptest! {
    /// Whatever strangers call themselves, lines keep to their width and steer nothing.
    #[test]
    fn names_break_nothing(name in any::<String>(), bytes in any::<u64>(), wide in "[会議室]{0,40}") {
        let told = told(&serde_json::json!({
            "version": name,
            "memory": {"level": name, "used_bytes": bytes, "budget_bytes": bytes},
            "disk": {"state": name, "says": name, "free_bytes": bytes},
            "rooms": [{"room": wide, "state": name, "last_error": name}],
            "recordings": [{"room": name, "participant": wide, "source": name,
                "duration_ms": 3_600_000, "bytes_written": bytes, "bits_per_second": bytes >> 30,
                "video": {"dropped": {"late": bytes}}}],
            "health": {"healthy": false, "says": name, "wedged": [name]},
        }));
        for line in render(&told).lines() {
            prop_assert!(line.width() <= COLUMNS, "{}", line);
            prop_assert!(!line.contains(char::is_control), "{:?}", line);
        }
    }
}
