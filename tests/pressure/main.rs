//! A recorder that has next to no memory, an encoder three times too slow and a disk that stalls,
//! all at once: it gives up quality, never itself.
//!
//! Needs root, a memory control group, FUSE and loop devices; says so where there is none of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod cage;
#[path = "../stage/mod.rs"]
mod stage;

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use cage::{Cage, Use};
use stage::card::Card;
use stage::card_files;
use stage::decode;
use stage::file_publisher::FilePublisher;
use stage::process::peak_memory;
use stage::reeld::{self, Outcome, Recording, Reeld, gaps};
use stage::scene::{ROOM, verify};
use stage::server::{API_KEY, API_SECRET, Server};
use stage::steady::steady;
use stage::vendors::Vendors;
use tempfile::TempDir;

const MB: u64 = 1_000_000;
const IDENTITIES: [&str; 3] = ["ann", "bob", "eve"];
const SIZE: (u16, u16) = (1920, 1080);
/// Of each camera there comes this much, and it is recorded until shortly before.
const SENT_S: u32 = 40;
/// Before the disk stalls, and after it has.
const QUIET: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(10);
/// One of these a picture, of which there are 30 a second.
const ENCODER: &str = "v4l2h264enc:slow=100";
/// Sound that is lost for one packet of Opus is heard; rounding to AAC's frames is not.
const UNBROKEN_S: f64 = 0.02;
/// Between two looks at what is used.
const LOOK: Duration = Duration::from_millis(50);

/// What the cameras and microphones send.
struct Clip {
    dir: TempDir,
}

static CLIP: LazyLock<Clip> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    let short = dir.path().join("short.ivf");
    card_files::vp8(&short, SIZE, 4);
    card_files::repeat(&short, &dir.path().join("card.ivf"), SENT_S / 4 - 1);
    card_files::ogg(&dir.path().join("card.ogg"), SENT_S);
    Clip { dir }
});

/// What came of it.
struct Aftermath {
    most: Use,
    resident: u64,
    killed: u64,
    outcome: Outcome,
}

/// Records so many people under a limit, through a stall.
fn record(limit: u64, people: &[&str]) {
    let (cage, card) = match (Cage::new(limit), Card::insert(256 << 20)) {
        (Ok(cage), Ok(card)) => (cage, card),
        (Err(reason), _) | (_, Err(reason)) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let files = ["card.ivf", "card.ogg"].map(|name| CLIP.dir.path().join(name));
    let server = Server::start();
    let publisher = FilePublisher::loop_everywhere(
        &server,
        &[ROOM.to_owned()],
        people,
        &[&files[0], &files[1]],
    );
    let after = endure(&cage, &card, &server, people.len());
    drop(publisher);
    println!(
        "limit {} MB, {} at once: held {:.1} MB, with page cache {:.1} MB, resident {:.1} MB, \
         {} killed",
        limit / MB,
        people.len(),
        megabytes(after.most.held),
        megabytes(after.most.all),
        megabytes(after.resident),
        after.killed
    );
    println!("{}", after.outcome.stderr);
    assert_eq!(after.killed, 0, "the kernel killed it");
    assert!(after.most.held < limit, "{:?} of {limit}", after.most);
    let summary = after.outcome.summary();
    assert_eq!(summary.recordings.len(), people.len(), "{summary:#?}");
    let pictures = |it: &Recording| it.frames.video.as_ref().map_or(0, |units| units.written);
    let seen = summary.recordings.iter().filter(|it| pictures(it) > 0);
    assert!(seen.count() > 0, "there is memory for one of them");
    for recording in &summary.recordings {
        assert_heard(recording, card.path());
    }
}

/// Runs the recorder until it has had enough. It is one process all the time: nothing here would
/// start another.
fn endure(cage: &Cage, card: &Card, server: &Server, people: usize) -> Aftermath {
    let vendors = Vendors::new(ENCODER);
    let cache = TempDir::new().unwrap();
    let mut command = reeld::command();
    vendors
        .host(&mut command)
        .args(["record", "--json", "--url", &server.url(), "--room", ROOM])
        .arg("--output")
        .arg(card.path())
        .env("LIVEKIT_API_KEY", API_KEY)
        .env("LIVEKIT_API_SECRET", API_SECRET)
        .env("REELD_VIDEO__ENCODER", "v4l2h264enc")
        .env("REELD_VIDEO__MAX_HEIGHT", "720")
        .env("CACHE_DIRECTORY", cache.path());
    let mut reeld = Reeld::start(&mut cage.around(&command), card.path());
    reeld.await_writing(people);
    let mut most = watch(cage, &mut reeld, QUIET);
    card.stall(STALL);
    most = most.max(watch(cage, &mut reeld, STALL + QUIET));
    let resident = peak_memory(reeld.pid());
    let outcome = reeld.stop();
    Aftermath {
        most,
        resident,
        killed: cage.killed(),
        outcome,
    }
}

/// The most that was used in that time, of all looks.
fn watch(cage: &Cage, reeld: &mut Reeld, length: Duration) -> Use {
    let until = Instant::now() + length;
    let mut most = Use::default();
    while Instant::now() < until {
        most = most.max(cage.now());
        let killed = cage.killed();
        assert_eq!(killed, 0, "the kernel killed it at {most:?}");
        assert!(reeld.is_running(), "reeld ended: {}", reeld.log());
        std::thread::sleep(LOOK);
    }
    most
}

/// Its file is sound, and there is a beep for each second of it, whatever became of the picture.
fn assert_heard(recording: &Recording, root: &Path) {
    let dir = recording.place(root);
    verify(&dir);
    let files = reeld::sealed(&dir);
    let sounds = files.iter().map(|file| decode::sound(file));
    let sound = sounds.reduce(decode::Sound::join).unwrap();
    let length = sound.end - sound.start;
    println!(
        "{}: {length:.1} s of sound, longest gap {:.3} s, {} beeps; {:?}",
        recording.participant,
        sound.longest_gap,
        sound.beeps.len(),
        recording.frames.video
    );
    assert_eq!(sound.errors, [] as [String; 0]);
    let recorded = (QUIET + STALL + QUIET).as_secs_f64();
    assert!(length >= recorded, "{length} s of {recorded} s");
    assert!(sound.longest_gap <= UNBROKEN_S, "{} s", sound.longest_gap);
    let apart = |pair: &[f64]| pair[1] - pair[0];
    let steps: Vec<f64> = sound.beeps.windows(2).map(apart).collect();
    // In the first moments of a file nobody can tell the beginning of a beep.
    let longer = steps.iter().filter(|step| (*step - 1.0).abs() > 0.1);
    assert!(longer.count() < files.len(), "{steps:?}");
    assert!(sound.beeps.len() + files.len() > 29, "{:?}", sound.beeps);
    let silent = gaps(&dir, "audio");
    assert!(silent.is_empty(), "{silent:?}");
}

#[expect(clippy::cast_precision_loss, reason = "for people's eyes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MB as f64
}

/// What it does where nothing is short: otherwise the machine is tested, not the recorder.
#[test]
fn three_recordings_with_memory_to_spare() {
    steady(|| {
        record(1_000 * MB, &IDENTITIES);
    });
}

#[test]
fn one_recording_in_64_megabytes() {
    steady(|| {
        record(64 * MB, &IDENTITIES[..1]);
    });
}

#[test]
fn three_recordings_in_64_megabytes() {
    steady(|| {
        record(64 * MB, &IDENTITIES);
    });
}

#[test]
fn three_recordings_in_96_megabytes() {
    steady(|| {
        record(96 * MB, &IDENTITIES);
    });
}

#[test]
fn three_recordings_in_128_megabytes() {
    steady(|| {
        record(128 * MB, &IDENTITIES);
    });
}

/// Trap: a limit that nobody enforces would prove nothing.
#[test]
fn what_needs_more_than_the_limit_is_killed() {
    let cage = match Cage::new(32 * MB) {
        Ok(cage) => cage,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    // A line without an end, which tail(1) has to keep.
    let mut greedy = Command::new("sh");
    greedy.args(["-c", "head -c 100000000 /dev/zero | tail >/dev/null"]);
    let status = cage.around(&greedy).status().expect("sh runs");
    println!("{status}");
    assert!(cage.killed() > 0, "{:?}", cage.now());
}
