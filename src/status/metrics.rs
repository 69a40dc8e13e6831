//! The same as text for Prometheus (version 0.0.4 of its exposition format).

use std::fmt::{self, Display, Write};

use super::snapshot::{RoomState, Status};
use super::told::Told;
use crate::governor::Level;
use crate::storage::StorageState;

/// Writes all of it.
pub(super) fn text(told: &Told) -> String {
    let mut out = Text::default();
    // A String takes whatever is written to it.
    let _ = write_all(&mut out, told);
    out.0
}

fn write_all(out: &mut Text, told: &Told) -> fmt::Result {
    let status = &told.status;
    let Status { memory, .. } = &**status;
    out.family("info", "gauge", "What runs; always 1.")?;
    out.sample("info", &[("version", status.version)], 1)?;
    out.single(
        "uptime_seconds",
        "counter",
        "Since the start.",
        status.uptime_s,
    )?;

    let healthy = u8::from(told.health.healthy);
    out.single("healthy", "gauge", "1 while nothing hangs.", healthy)?;
    disk(out, told)?;
    rooms(out, status)?;

    out.family("level", "gauge", "1 at the level of quality that holds.")?;
    for level in Level::ALL {
        let holds = u8::from(level == memory.level);
        out.sample("level", &[("level", level.as_str())], holds)?;
    }
    let name = "memory_budget_bytes";
    out.single(
        name,
        "gauge",
        "Memory that may be used.",
        memory.budget_bytes,
    )?;
    for (name, help, value) in [
        (
            "memory_used_bytes",
            "Memory that is used, without page cache.",
            memory.used_bytes,
        ),
        (
            "memory_limit_bytes",
            "The nearest limit of memory.",
            memory.limit_bytes,
        ),
        (
            "memory_limit_held_bytes",
            "Used of the nearest limit, by all under it.",
            memory.limit_held_bytes,
        ),
    ] {
        if let Some(value) = value {
            out.single(name, "gauge", help, value)?;
        }
    }
    out.single(
        "frames_total",
        "counter",
        "Pictures that came to be recorded.",
        status.frames,
    )?;
    out.single(
        "frames_dropped_backpressure_total",
        "counter",
        "Pictures dropped because encoder, queues or disk did not keep up.",
        status.frames_dropped_backpressure,
    )?;
    out.single(
        "bytes_written_total",
        "counter",
        "Bytes that reached files.",
        status.bytes_written,
    )?;
    out.single(
        "bytes_since_last_flush",
        "gauge",
        "Bytes that a power cut would cost.",
        status.bytes_since_last_flush,
    )?;
    out.single(
        "longest_gap_seconds",
        "gauge",
        "The longest gap in what is recorded now.",
        Milliseconds(status.longest_gap_ms),
    )?;
    buffers(out, status)?;
    recordings(out, status)
}

fn disk(out: &mut Text, told: &Told) -> fmt::Result {
    let disk = &told.disk;
    let ready = u8::from(disk.state == StorageState::Ready.as_str());
    out.single(
        "disk_ready",
        "gauge",
        "1 while the disk takes recordings.",
        ready,
    )?;
    for (name, help, value) in [
        ("disk_free_bytes", "Free for recordings.", disk.free_bytes),
        (
            "disk_floor_bytes",
            "Bytes that are to stay free.",
            disk.floor_bytes,
        ),
        (
            "disk_recordings_bytes",
            "What all recordings together take.",
            disk.recordings_bytes,
        ),
    ] {
        if let Some(value) = value {
            out.single(name, "gauge", help, value)?;
        }
    }
    Ok(())
}

fn rooms(out: &mut Text, status: &Status) -> fmt::Result {
    out.family("room_state", "gauge", "1 at the state that the room is in.")?;
    for it in &status.rooms {
        for state in RoomState::ALL {
            let labels = [("room", it.room.as_str()), ("state", state.as_str())];
            out.sample("room_state", &labels, u8::from(state == it.state))?;
        }
    }
    Ok(())
}

fn buffers(out: &mut Text, status: &Status) -> fmt::Result {
    type Of = fn(&crate::buffers::Buffer) -> u64;
    let families: [(&str, &str, &str, Of); 4] = [
        (
            "buffer_depth",
            "gauge",
            "How much waits in the fullest one.",
            |it| it.depth,
        ),
        (
            "buffer_high_water",
            "gauge",
            "The most that has waited in one.",
            |it| it.high_water,
        ),
        (
            "buffer_limit",
            "gauge",
            "The most that may wait in one.",
            |it| it.limit,
        ),
        (
            "buffer_dropped_total",
            "counter",
            "Units that found it full.",
            |it| it.dropped,
        ),
    ];
    for (name, kind, help, of) in families {
        out.family(name, kind, help)?;
        for buffer in &status.buffers {
            let it = &buffer.fullest;
            out.sample(
                name,
                &[("buffer", it.name), ("unit", it.unit.as_str())],
                of(it),
            )?;
        }
    }
    Ok(())
}

fn recordings(out: &mut Text, status: &Status) -> fmt::Result {
    type Of = fn(&super::RecordingStatus) -> Milliseconds;
    let count = status.recordings.len();
    out.single("recordings", "gauge", "Recordings that are running.", count)?;
    let families: [(&str, &str, Of); 3] = [
        (
            "recording_encoder_lag_seconds",
            "How late pictures leave the encoder.",
            |it| Milliseconds(it.encoder_lag_ms),
        ),
        (
            "recording_disk_lag_seconds",
            "For how long bytes have waited for the disk.",
            |it| Milliseconds(it.disk_lag_ms),
        ),
        (
            "recording_longest_gap_seconds",
            "The longest gap so far.",
            |it| Milliseconds(it.longest_gap_ms),
        ),
    ];
    for (name, help, of) in families {
        out.family(name, "gauge", help)?;
        for it in &status.recordings {
            out.sample(name, &labels(it), of(it))?;
        }
    }
    let name = "recording_bytes_written_total";
    out.family(name, "counter", "Bytes that reached its files.")?;
    for it in &status.recordings {
        out.sample(name, &labels(it), it.bytes_written)?;
    }
    let name = "recording_units_dropped_total";
    out.family(
        name,
        "counter",
        "Pictures and packets of sound that are not in the file.",
    )?;
    for it in &status.recordings {
        for (kind, tally) in [("video", &it.video), ("audio", &it.audio)] {
            for (reason, units) in tally.dropped.iter() {
                let [room, participant, source] = labels(it);
                let labels = [
                    room,
                    participant,
                    source,
                    ("kind", kind),
                    ("reason", reason),
                ];
                out.sample(name, &labels, units)?;
            }
        }
    }
    Ok(())
}

fn labels(it: &super::RecordingStatus) -> [(&str, &str); 3] {
    [
        ("room", &it.room),
        ("participant", &it.participant),
        ("source", it.source.as_str()),
    ]
}

/// In seconds, as Prometheus wants all time to be.
#[derive(Clone, Copy)]
struct Milliseconds(u64);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) -> fmt::Result {
        self.family(name, kind, help)?;
        self.sample(name, &[], value)
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# HELP reeld_{name} {help}")?;
        writeln!(self.0, "# TYPE reeld_{name} {kind}")
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) -> fmt::Result {
        write!(self.0, "reeld_{name}")?;
        for (number, (label, value)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            write!(self.0, "{before}{label}=\"")?;
            self.escape(value);
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        writeln!(self.0, " {value}")
    }

    /// Participants call themselves what they like.
    fn escape(&mut self, value: &str) {
        for letter in value.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::super::{Known, MemoryStatus, RecordingStatus, RoomStatus};
    use super::*;
    use crate::buffers::{self, Buffer, Unit};
    use crate::health::Health;
    use crate::recorder::DropReason;
    use crate::recorder::tally::KindTally;
    use crate::room::Source;
    use crate::storage::{Space, Storage};

    fn told() -> Told {
        let storage = Storage {
            space: Some(Space {
                free: 5_000,
                total: 9_000,
            }),
            ..Storage::default()
        };
        let health = Health {
            healthy: true,
            ..Health::default()
        };
        let known = Known {
            status: watch::channel(Arc::new(status())).1,
            health: watch::channel(Arc::new(health)).1,
            storage: watch::channel(storage).1,
        };
        known.told()
    }

    fn status() -> Status {
        let mut video = KindTally::default();
        video.dropped.add(DropReason::Backpressure, 3);
        Status {
            version: "1.2.3",
            uptime_s: 61,
            memory: MemoryStatus {
                level: Level::HalfRate,
                used_bytes: Some(50_000_000),
                budget_bytes: 100_000_000,
                ..MemoryStatus::default()
            },
            frames: 900,
            frames_dropped_backpressure: 3,
            longest_gap_ms: 1_050,
            buffers: buffers::alike(&[Buffer {
                name: "inbox",
                unit: Unit::Bytes,
                depth: 1,
                high_water: 2,
                limit: 3,
                dropped: 4,
            }]),
            rooms: vec![RoomStatus {
                room: "lobby".to_owned(),
                state: RoomState::Recording,
                state_s: 60,
                last_error: None,
                last_error_s: None,
            }],
            recordings: vec![RecordingStatus {
                room: "lobby".to_owned(),
                participant: "a \"b\"\\c\nd".to_owned(),
                source: Source::Camera,
                duration_ms: 1,
                bytes_written: 7,
                bits_per_second: 2_000_000,
                bytes_since_last_flush: 0,
                encoder_lag_ms: 40,
                disk_lag_ms: 0,
                longest_gap_ms: 1_050,
                video,
                audio: KindTally::default(),
            }],
            ..Status::default()
        }
    }

    #[test]
    fn each_figure_has_its_line() {
        let text = text(&told());
        let who = r#"room="lobby",participant="a \"b\"\\c\nd",source="camera""#;
        for line in [
            r#"reeld_info{version="1.2.3"} 1"#,
            "# TYPE reeld_frames_dropped_backpressure_total counter",
            "reeld_frames_dropped_backpressure_total 3",
            "reeld_memory_used_bytes 50000000",
            "reeld_memory_budget_bytes 100000000",
            r#"reeld_level{level="half_rate"} 1"#,
            r#"reeld_level{level="normal"} 0"#,
            "reeld_longest_gap_seconds 1.050",
            "reeld_healthy 1",
            "reeld_disk_ready 1",
            "reeld_disk_free_bytes 5000",
            r#"reeld_room_state{room="lobby",state="recording"} 1"#,
            r#"reeld_room_state{room="lobby",state="refused"} 0"#,
            r#"reeld_buffer_high_water{buffer="inbox",unit="bytes"} 2"#,
            &format!("reeld_recording_bytes_written_total{{{who}}} 7"),
            &format!("reeld_recording_encoder_lag_seconds{{{who}}} 0.040"),
            &format!(
                "reeld_recording_units_dropped_total{{{who},kind=\"video\",reason=\"backpressure\"}} 3"
            ),
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        assert!(
            !text.contains("reeld_memory_limit_bytes"),
            "it is not known"
        );
    }

    /// Each line is of a family that was announced just before, once.
    #[test]
    fn families_stand_together() {
        let text = text(&told());
        let mut family = "";
        let mut seen = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap();
                assert!(seen.insert(family), "{family} twice");
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, family);
                assert!(
                    line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(),
                    "{line}"
                );
            }
        }
        assert!(seen.len() > 15);
    }
}
