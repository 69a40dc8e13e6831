//! One scene of a test: a server, a place to record to, and the checks that hold for every
//! recording made there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::analysis::{self, Continuity};
use super::decode;
use super::publisher::{Publisher, Report};
use super::reeld::{self, Recording, Reeld, Summary};
use super::server::Server;

/// The room of every scene; its name needs escaping on disk.
pub const ROOM: &str = "stage room";
/// How far the end of a file may be from what was published.
pub const DURATION_TOLERANCE_S: f64 = 0.5;
/// Picture and sound, the publisher's own offset taken off.
pub const WORST_OFFSET_MS: f64 = 45.0;
pub const OFFSET_DRIFT_MS: f64 = 20.0;
/// Until the first sender reports have come and the correction is slewed in, sound and picture lie
/// as they arrived: an encoder that starts slowly shows.
const SETTLED_S: u32 = 4;
const WORST_UNSETTLED_MS: f64 = 250.0;
/// From the first frame after joining to the first one recorded: subscription, connection and
/// a keyframe on demand.
pub const START_S: f64 = 2.0;

/// A server and a directory to record into, both gone when the test ends.
pub struct Scene {
    pub server: Server,
    dir: TempDir,
}

impl Scene {
    pub fn set() -> Self {
        Self::around(Server::start())
    }

    /// One whose server is reached through a relay only.
    pub fn behind_relay() -> Self {
        Self::around(Server::start_behind_relay())
    }

    /// One with that server.
    pub fn around(server: Server) -> Self {
        Self {
            server,
            dir: TempDir::new().unwrap(),
        }
    }

    /// Not there yet: `reeld` makes it.
    pub fn output(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    pub fn record(&self, options: &[&str]) -> Reeld {
        Reeld::record(&self.server, ROOM, &self.output(), options)
    }

    /// Records with settings of `reeld.toml`, as variables.
    pub fn record_set(&self, settings: &[(&str, &str)]) -> Reeld {
        Reeld::record_set(&self.server, ROOM, &self.output(), settings)
    }

    pub fn publish(&self, identity: &str, options: &[&str]) -> Publisher {
        Publisher::start(&self.server, ROOM, identity, options)
    }

    /// The one recording of `participant`.
    ///
    /// A second segment only where the sound came so late that the first had begun without.
    pub fn take(&self, summary: &Summary, participant: &str) -> Take {
        self.take_in_segments(summary, participant, 1..=2)
    }

    /// The one recording of `participant`, which has so many segments.
    pub fn take_in_segments(
        &self,
        summary: &Summary,
        participant: &str,
        segments: RangeInclusive<usize>,
    ) -> Take {
        let mut of_participant = summary.recordings.iter();
        let recording = of_participant
            .find(|recording| recording.participant == participant)
            .unwrap_or_else(|| panic!("no recording of {participant}: {summary:?}"));
        assert!(of_participant.all(|other| other.participant != participant));
        let take = Take::open(&self.output(), recording);
        assert!(segments.contains(&take.files.len()), "{:?}", take.files);
        take
    }

    /// Ends both; gives `reeld`'s log and the one recording, of `participant`, whose sound and
    /// picture are in step.
    pub fn judge(&self, participant: &str, reeld: Reeld, publisher: Publisher) -> (String, Film) {
        self.judge_but_for(0, participant, reeld, publisher)
    }

    /// The same, but for so many beeps of which the beginning may be lost: nobody repeats sound.
    pub fn judge_but_for(
        &self,
        beeps: usize,
        participant: &str,
        reeld: Reeld,
        publisher: Publisher,
    ) -> (String, Film) {
        let outcome = reeld.stop();
        println!("{}", outcome.stderr);
        let summary = outcome.summary();
        let report = publisher.stop();
        assert_eq!(summary.recordings.len(), 1, "{summary:?}");
        let take = self.take(&summary, participant);
        let film = take.film(&report);
        println!("{:?}", film.counters);
        film.assert_in_step_but_for(beeps, &take.sound(), &report);
        (outcome.stderr, film)
    }
}

/// One finished recording, checked for what holds for all of them.
pub struct Take {
    /// Its segments in order; their stamps run on from one to the next.
    files: Vec<PathBuf>,
    /// Pictures that reached the recorder, and those of them that it dropped, by reason.
    received: u64,
    dropped: BTreeMap<String, u64>,
}

impl Take {
    fn open(root: &Path, recording: &Recording) -> Self {
        let dir = recording.place(root);
        assert!(dir.starts_with(root), "{} is under the root", dir.display());
        let files = reeld::transport_streams(&dir);
        for (index, file) in files.iter().enumerate() {
            assert!(
                file.ends_with(format!("{index:05}.ts")),
                "sealed: {files:?}"
            );
        }
        let lengths = files.iter().map(|file| file.metadata().unwrap().len());
        assert_eq!(recording.bytes, lengths.sum::<u64>());
        verify(&dir);
        let manifest = reeld::manifest(&dir);
        assert_eq!(manifest["state"], "sealed");
        assert_eq!(manifest["participant"]["identity"], *recording.participant);
        let playlist = std::fs::read_to_string(dir.join("index.m3u8")).unwrap();
        assert!(playlist.contains("00000.ts") && playlist.contains("#EXT-X-ENDLIST"));
        let video = recording.frames.video.as_ref();
        Self {
            files,
            received: video.map_or(0, |video| video.received),
            dropped: video.map_or_else(BTreeMap::new, |video| video.dropped.clone()),
        }
    }

    /// The segments with a stream of that kind.
    fn files_with(&self, kind: &str) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().filter(move |file| {
            let streams = decode::probe(file);
            streams.iter().any(|stream| stream.codec_type == kind)
        })
    }

    pub fn assert_streams(&self, expected: &[(&str, &str)]) {
        let streams = decode::probe(self.files.last().unwrap());
        let mut found: Vec<_> = streams
            .iter()
            .map(|stream| (stream.codec_type.as_str(), stream.codec_name.as_str()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        for audio in streams.iter().filter(|stream| stream.codec_type == "audio") {
            assert_eq!(audio.sample_rate.as_deref(), Some("48000"));
        }
    }

    /// All of its video has so many lines.
    pub fn assert_height(&self, lines: u32) {
        for file in self.files_with("video") {
            let streams = decode::probe(file);
            let heights: Vec<_> = streams.iter().filter_map(|stream| stream.height).collect();
            assert_eq!(heights, [lines], "{}", file.display());
        }
    }

    /// The one file that it consists of.
    pub fn file(&self) -> &Path {
        assert_eq!(self.files.len(), 1, "{:?}", self.files);
        &self.files[0]
    }

    pub fn film(&self, report: &Report) -> Film {
        let mut pictures = Vec::new();
        for file in self.files_with("video") {
            let decoded = decode::pictures(file);
            assert_eq!(decoded.errors, Vec::<String>::new());
            pictures.extend(decoded.pictures);
        }
        let foreign: Vec<_> = pictures.iter().filter(|p| !p.is_card()).collect();
        assert!(
            foreign.is_empty(),
            "pictures that nobody published (the server ends a track with tiny ones): {foreign:?}"
        );
        let all = pictures.len();
        pictures.retain(|picture| !picture.black);
        let counters = analysis::continuity(&pictures).expect("pictures");
        let (first, last) = (pictures.first(), pictures.last());
        Film {
            counters,
            black: all - pictures.len(),
            received: self.received,
            dropped: self.dropped.clone(),
            encoded: report.encoded_ratio(),
            fps: report.fps,
            start: first.unwrap().pts,
            end: last.unwrap().pts + 1.0 / f64::from(report.fps),
            flashes: analysis::flash_onsets(&pictures, report.fps),
        }
    }

    pub fn sound(&self) -> decode::Sound {
        let whole = self
            .files_with("audio")
            .map(|file| decode::sound(file))
            .reduce(decode::Sound::join)
            .expect("a segment with sound");
        assert_eq!(whole.errors, Vec::<String>::new());
        let hole = whole.longest_gap;
        assert!(hole < 0.05, "a hole of {hole} s");
        whole
    }
}

/// The video of a take.
pub struct Film {
    pub counters: Continuity,
    /// Black pictures: libwebrtc sends them of a muted camera until the server, told a moment
    /// later, forwards none.
    pub black: usize,
    received: u64,
    dropped: BTreeMap<String, u64>,
    /// Of the pictures handed to the publisher, how many it encoded.
    encoded: Option<f64>,
    pub fps: u32,
    pub start: f64,
    pub end: f64,
    flashes: Vec<(u32, f64)>,
}

impl Film {
    /// Nothing is missing but what libwebrtc's encoder left out, nothing comes twice.
    pub fn assert_whole(&self) {
        self.assert_encoded();
        self.assert_all_sent();
    }

    /// What the publisher's encoder did not leave out is there, and nothing comes twice.
    pub fn assert_encoded(&self) {
        // A stay is some ten seconds, and what libwebrtc leaves out is not spread evenly.
        let encoded = self.encoded.unwrap_or(1.0);
        self.assert_present(encoded * 0.99 - 0.03, 0);
        assert_eq!(
            self.black, 0,
            "black pictures of a camera that was never muted"
        );
    }

    /// Of the pictures that were sent at least 99 % are in the file, and none was lost on the way.
    /// The publisher's encoder leaves some out when its rate control says so; those sent and lost
    /// would show as a discontinuity.
    pub fn assert_all_sent(&self) {
        self.assert_sent(99);
        assert_eq!(self.dropped_by("discontinuity"), 0, "{:?}", self.dropped);
    }

    /// Of the pictures that were sent at least so many per cent are in the file, and only what
    /// was lost on the way is not.
    pub fn assert_sent(&self, percent: u64) {
        let lost: u64 = self.dropped.values().sum();
        let before_first = self.dropped_by("awaiting_keyframe");
        let on_the_way = self.dropped_by("discontinuity");
        assert_eq!(lost, before_first + on_the_way, "{:?}", self.dropped);
        let sent = self.received - before_first;
        let present = u64::from(self.counters.present);
        assert!(
            present * 100 >= sent * percent,
            "{present} of {sent} sent: {:?}",
            self.counters
        );
    }

    fn dropped_by(&self, reason: &str) -> u64 {
        self.dropped.get(reason).copied().unwrap_or(0)
    }

    /// Of the counters between first and last at least `ratio` are there, at most `repeats`
    /// pictures come twice or late, and their time is right.
    pub fn assert_present(&self, ratio: f64, repeats: u32) {
        assert!(
            self.counters.ratio() >= ratio,
            "{} of the pictures, not {ratio}; {:?} were encoded: {:?}",
            self.counters.ratio(),
            self.encoded,
            self.counters
        );
        assert!(
            self.counters.disordered <= repeats,
            "repeated, out of order, or the server's own at the end: {:?}",
            self.counters
        );
        let published = self.counters.span_s(self.fps);
        let recorded = self.end - self.start;
        assert!(
            (recorded - published).abs() < DURATION_TOLERANCE_S,
            "{published} s were published, {recorded} s are in the file"
        );
    }

    /// The first picture is one of the first after frame `due`.
    pub fn assert_begins(&self, due: f64) {
        let late = (f64::from(self.counters.first) - due) / f64::from(self.fps);
        assert!(late < START_S, "begins {late} s late: {:?}", self.counters);
    }

    /// The last picture is at frame `due` or nearly.
    pub fn assert_ends(&self, due: f64) {
        let early = (due - f64::from(self.counters.last)) / f64::from(self.fps);
        assert!(
            early.abs() < DURATION_TOLERANCE_S,
            "ends {early} s early: {:?}",
            self.counters
        );
    }

    /// Picture and sound belong together all the way, and are equally long.
    pub fn assert_in_step_with(&self, sound: &decode::Sound, report: &Report) {
        self.assert_in_step_but_for(0, sound, report);
    }

    /// The same, but for so many beeps of which the beginning may be lost: nobody repeats sound.
    pub fn assert_in_step_but_for(&self, beeps: usize, sound: &decode::Sound, report: &Report) {
        let apart =
            analysis::flash_after_beep_ms(&self.flashes, &sound.beeps, &report.own_offset_ms());
        let settled_from = apart.first().map_or(0, |(second, _)| second + SETTLED_S);
        let (unsettled, apart): (Vec<_>, Vec<_>) = apart
            .into_iter()
            .partition(|(second, _)| *second < settled_from);
        assert!(
            unsettled
                .iter()
                .all(|(_, ms)| ms.abs() < WORST_UNSETTLED_MS),
            "{unsettled:?}"
        );
        let offset = analysis::offset(&apart)
            .unwrap_or_else(|| panic!("too few flashes with a beep: {apart:?}"));
        println!("flash after beep: {offset:?}");
        println!("handed over late, flash and beep: {:?}", report.late_ms);
        let worse = apart.iter().filter(|(_, ms)| ms.abs() >= WORST_OFFSET_MS);
        assert!(worse.count() <= beeps, "{apart:?}");
        let drift = offset.end - offset.start;
        assert!(drift.abs() <= OFFSET_DRIFT_MS, "{offset:?}: {apart:?}");
        for (what, apart) in [
            ("start", sound.start - self.start),
            ("end", sound.end - self.end),
        ] {
            assert!(
                apart.abs() < DURATION_TOLERANCE_S,
                "{what}: sound {apart} s after the picture"
            );
        }
    }
}

/// The second command: what `reeld verify` says of a recording or a file, which must be sound.
pub fn verify(path: &Path) -> serde_json::Value {
    let mut command = reeld::command();
    command.arg("verify").arg(path).arg("--json");
    let outcome = reeld::run(&mut command, Duration::from_secs(30));
    assert_eq!(
        outcome.code,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let checked = report.as_array().map_or(0, Vec::len);
    assert!(checked > 0, "verify looked at nothing: {}", outcome.stdout);
    report
}
