//! A writer, and a whole `reeld demo`, on a card that fails them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::stage::card::{Card, Fault};
use crate::stage::process::Process;
use crate::stage::reeld::{Summary, Units, command, transport_streams};
use crate::stage::steady::steady;
use crate::stage::writer::{LONG, PACKET, first_damage, open, packet, start, write_until_refused};
use reeld::recorder::{
    RecorderError, SegmentCounts, SegmentIndex, SegmentInput, WriterEvent, WriterHandle,
};
use reeld::verify::{self, FileReport};
use tokio::sync::mpsc;

const INTERVAL: Duration = Duration::from_millis(20);
/// Packets of the segment that is sealed before anything happens.
const SEALED: u64 = 5_000;

fn card() -> Option<Card> {
    Card::insert(16 << 20)
        .inspect_err(|reason| println!("skipped: {reason}"))
        .ok()
}

/// A writer with one sealed segment.
struct Writer {
    handle: WriterHandle,
    events: mpsc::Receiver<WriterEvent>,
    folder: PathBuf,
}

impl Writer {
    async fn on(card: &Card) -> Self {
        let (mut handle, events) = start(card.path(), INTERVAL).unwrap();
        let input = open(&mut handle);
        let folder = handle
            .folder()
            .strip_prefix(card.path())
            .unwrap()
            .to_owned();
        let mut writer = Self {
            handle,
            events,
            folder,
        };
        writer.seal(input).await;
        writer
    }

    /// Writes and seals a segment.
    async fn seal(&mut self, mut input: SegmentInput) {
        (0..SEALED).for_each(|n| input.write(&packet(n)).unwrap());
        self.handle
            .close_segment(input.index(), SegmentCounts::default());
        loop {
            let event = tokio::time::timeout(LONG, self.events.recv())
                .await
                .unwrap();
            match event.expect("a writer") {
                WriterEvent::Sealed(..) => return,
                WriterEvent::Damaged(_, error) => panic!("{error}"),
                _ => {}
            }
        }
    }

    /// Has `fault` happen to a segment that is being written, and ends.
    async fn fail(mut self, card: &Card, fault: Fault) -> RecorderError {
        let mut torn = open(&mut self.handle);
        torn.write(&packet(0)).unwrap();
        let first_bytes = async {
            while !matches!(self.events.recv().await, Some(WriterEvent::FirstBytes(_))) {}
        };
        tokio::time::timeout(LONG, first_bytes).await.unwrap();
        card.fail(fault);
        // Whether it is still taken is a race.
        let _ = torn.write(&packet(1));
        let error = first_damage(&mut self.events).await;
        write_until_refused(torn, 1).await;
        self.finish().await;
        error
    }

    async fn finish(self) {
        let outcome = tokio::time::timeout(LONG, self.handle.finish()).await;
        let manifest = outcome.expect("an end").expect("a writer").manifest;
        assert!(!manifest.segments[0].damaged);
    }
}

/// What was sealed before is there to the last bit; nothing else claims to be.
fn assert_intact(folder: &Path) {
    assert_is_sealed(&folder.join("00000.ts"));
    assert!(!folder.join("00001.ts").exists());
}

fn assert_is_sealed(file: &Path) {
    let bytes = fs::read(file).unwrap();
    assert_eq!(bytes.len() as u64, SEALED * PACKET as u64);
    let mut packets = bytes.chunks(PACKET).zip(0..);
    assert!(
        packets.all(|(found, n)| found == packet(n)),
        "{}",
        file.display()
    );
}

/// Puts the card in again: it is as it was, and takes the next recording.
async fn assert_recovers(card: &mut Card, folder: &Path) {
    card.reinsert().unwrap();
    assert_intact(&card.path().join(folder));
    Writer::on(card).await.finish().await;
}

#[tokio::test]
async fn a_full_card_keeps_what_is_sealed_and_takes_more_when_there_is_room() {
    let Some(card) = card() else {
        return;
    };
    let mut writer = Writer::on(&card).await;
    let folder = card.path().join(&writer.folder);
    let torn = open(&mut writer.handle);
    write_until_refused(torn, 1_000_000).await;
    let error = first_damage(&mut writer.events).await;
    assert!(matches!(error, RecorderError::DiskFull { .. }), "{error}");
    writer
        .handle
        .close_segment(SegmentIndex(1), SegmentCounts::default());
    assert_intact(&folder);

    fs::remove_file(folder.join("00001.recording.ts")).unwrap();
    let next = open(&mut writer.handle);
    writer.seal(next).await;
    writer.finish().await;
    assert_intact(&folder);
    assert_is_sealed(&folder.join("00002.ts"));
}

#[tokio::test]
async fn a_card_that_fails_at_something_keeps_what_is_sealed() {
    for fault in [Fault::Writes, Fault::Flushes, Fault::Pulled] {
        let Some(mut card) = card() else {
            return;
        };
        let writer = Writer::on(&card).await;
        let folder = writer.folder.clone();
        let error = writer.fail(&card, fault).await;
        assert!(
            matches!(&error, RecorderError::Io { path, .. } if path.ends_with("00001.recording.ts")),
            "{fault:?}: {error}"
        );
        assert_recovers(&mut card, &folder).await;
    }
}

#[tokio::test]
async fn a_card_that_became_read_only_is_said_to_be_and_used_again_when_it_is_not() {
    let Some(card) = card() else {
        return;
    };
    let mut writer = Writer::on(&card).await;
    let folder = card.path().join(&writer.folder);
    // Not while the writer has its manifest in hand, which nothing announces.
    crate::stage::poll("a read-only card", LONG, || card.read_only().ok());
    let refused = open(&mut writer.handle);
    let error = first_damage(&mut writer.events).await;
    assert!(
        matches!(error, RecorderError::NotWritable { .. }),
        "{error}"
    );
    write_until_refused(refused, 1).await;
    writer
        .handle
        .close_segment(SegmentIndex(1), SegmentCounts::default());
    assert_intact(&folder);

    card.writable().unwrap();
    let next = open(&mut writer.handle);
    writer.seal(next).await;
    writer.finish().await;
    assert_is_sealed(&folder.join("00002.ts"));
}

/// What came of a recording of a test card onto a memory card that stalled.
struct Stalled {
    /// By reeld's own count, of pictures and of sound.
    pictures: Units,
    sound: Units,
    report: FileReport,
}

/// Pictures that are sent meanwhile.
const PICTURES: u64 = 15 * 30;

/// Records while the card stalls for ten seconds, configured by `variables`.
fn record_stalled(variables: &[(&str, &str)]) -> Option<Stalled> {
    let card = Card::insert(64 << 20)
        .inspect_err(|reason| println!("skipped: {reason}"))
        .ok()?;
    let mut process = Process::spawn(
        "reeld demo",
        command()
            .args(["demo", "--json", "--duration", "15s", "--output"])
            .arg(card.path())
            .envs(variables.iter().copied()),
    );
    crate::stage::poll("a recording", LONG, || {
        (!transport_streams(card.path()).is_empty()).then_some(())
    });
    let stall = Duration::from_secs(10);
    card.stall(stall);
    let (stdout, status) = process.wait(LONG);
    assert!(status.success(), "{status}: {}", process.stderr());
    let mut summary: Summary = serde_json::from_str(&stdout.join("\n")).unwrap();
    assert_eq!(summary.recordings.len(), 1);
    let files = transport_streams(card.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let report = verify::verify_file(&files[0], false).unwrap();

    let log = card.eject().entries;
    let pauses = log.windows(2).map(|pair| pair[1].at - pair[0].at);
    let longest = pauses.max().unwrap();
    assert!(longest >= stall, "it did not stall: {longest:?}");
    let frames = summary.recordings.remove(0).frames;
    Some(Stalled {
        pictures: frames.video.unwrap(),
        sound: frames.audio.unwrap(),
        report,
    })
}

impl Stalled {
    /// The segment is sound and has each picture that is said to be in it.
    fn assert_honest(&self) {
        let report = &self.report;
        assert!(report.sound && report.sealed, "{:?}", report.problems);
        let pictures = report.streams.iter().find(|it| it.keyframes.is_some());
        assert_eq!(pictures.unwrap().frames, self.pictures.written);
        let dropped: u64 = self.pictures.dropped.values().sum();
        assert_eq!(self.pictures.written + dropped, PICTURES);
        assert_eq!(self.pictures.received, PICTURES);
    }

    /// Why something was dropped: pictures, and sound.
    fn reasons(&self) -> [Vec<&str>; 2] {
        println!("pictures: {:?}, sound: {:?}", self.pictures, self.sound);
        [&self.pictures, &self.sound].map(|it| it.dropped.keys().map(String::as_str).collect())
    }
}

#[test]
fn a_stall_of_ten_seconds_costs_nothing() {
    steady(|| {
        let Some(stalled) = record_stalled(&[]) else {
            return;
        };
        stalled.assert_honest();
        assert_eq!(stalled.reasons(), [[""; 0]; 2]);
    });
}

#[test]
fn a_stall_that_the_hand_over_cannot_hold_costs_what_is_counted_as_disk() {
    steady(|| {
        let small = [
            ("REELD_WRITER__HANDOVER_BYTES", "1MiB"),
            ("REELD_WRITER__FLUSH_BYTES", "1MiB"),
        ];
        let Some(stalled) = record_stalled(&small) else {
            return;
        };
        stalled.assert_honest();
        let [pictures, sound] = stalled.reasons();
        assert_eq!(pictures, ["disk"]);
        // Its queue may just hold it.
        assert!(sound.iter().all(|reason| *reason == "disk"), "{sound:?}");
        // It goes on with the card: the last picture is in.
        assert!(stalled.report.duration_ms >= 14_500, "{:?}", stalled.report);
    });
}
