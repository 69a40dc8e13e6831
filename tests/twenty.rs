//! Twenty rooms in one process, and what each costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stage::card_files;
use stage::file_publisher::FilePublisher;
use stage::process::{memory_now, peak_memory};
use stage::reeld::{self, Reeld, gaps};
use stage::server::{API_KEY, API_SECRET, Server};
use stage::steady::steady;
use tempfile::TempDir;

const ROOMS: usize = 20;
/// What a room may cost above the first, in bytes.
const PER_ROOM: u64 = 6_000_000;
const SIZE: (u16, u16) = (1280, 720);
/// The clip is sent again and again, its sound once.
const CLIP_S: u32 = 4;
const SOUND_S: u32 = 90;
/// Long enough for all queues to have been full once: files are written out each second.
const RECORDED: Duration = Duration::from_secs(15);

/// What a process had in RAM, in bytes.
#[derive(Debug)]
struct Cost {
    resident: u64,
    anonymous: u64,
    peak: u64,
}

fn configuration(dir: &Path, server: &Server, rooms: &[String]) -> (PathBuf, PathBuf) {
    let output = dir.join("recordings");
    let file = dir.join("reeld.toml");
    let settings = format!(
        "output = '{}'\n[livekit]\nurl = '{}'\napi_key = '{API_KEY}'\napi_secret = '{API_SECRET}'\n",
        output.display(),
        server.url(),
    );
    let room = |name: &String| format!("[[room]]\nname = '{name}'\n");
    let tables: Vec<String> = rooms.iter().map(room).collect();
    fs::write(&file, settings + &tables.concat()).unwrap();
    (file, output)
}

/// Records so many rooms at once, each of which has a camera of 720p30 in H.264 and a microphone.
fn record(count: usize, files: &[&Path]) -> Cost {
    let dir = TempDir::new().unwrap();
    let server = Server::start();
    let rooms: Vec<String> = (0..count).map(|number| format!("room-{number}")).collect();
    let (config, output) = configuration(dir.path(), &server, &rooms);
    let publisher = FilePublisher::loop_everywhere(&server, &rooms, &["camera"], files);
    let mut daemon = Reeld::daemon(&config, &output);
    daemon.await_writing(count);
    std::thread::sleep(RECORDED);
    let (resident, anonymous) = memory_now(daemon.pid());
    let cost = Cost {
        resident,
        anonymous,
        peak: peak_memory(daemon.pid()),
    };
    println!("{count} rooms: {cost:?}");
    let outcome = daemon.terminate();
    drop(publisher);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.assert_no_panic();
    for room in &rooms {
        assert_whole(&output.join(room));
    }
    cost
}

/// One recording, sound, with all that was sent.
fn assert_whole(room: &Path) {
    let folders: Vec<_> = fs::read_dir(room).unwrap().flatten().collect();
    assert_eq!(folders.len(), 1, "{}", room.display());
    let folder = folders[0].path();
    let report = stage::scene::verify(&folder);
    assert!(gaps(&folder, "video").is_empty(), "{report:#}");
    assert!(gaps(&folder, "audio").is_empty(), "{report:#}");
    let streams = report[0]["streams"].as_array().unwrap();
    let video = streams.iter().find(|stream| stream["codec"] == "h264");
    let frames = video.unwrap()["frames"].as_u64().unwrap();
    let due = RECORDED.as_secs() * u64::from(card_files::FPS);
    assert!(frames >= due, "{frames} of {due}: {report:#}");
    let manifest = reeld::manifest(&folder);
    assert_eq!(manifest["state"], "sealed", "{manifest:#}");
}

#[test]
fn each_of_twenty_rooms_costs_little_above_the_first() {
    steady(|| {
        let clip = TempDir::new().unwrap();
        let pictures = clip.path().join("card.h264");
        let sound = clip.path().join("card.ogg");
        card_files::h264(&pictures, SIZE, CLIP_S);
        card_files::ogg(&sound, SOUND_S);
        let files: [&Path; 2] = [&pictures, &sound];
        let one = record(1, &files);
        let all = record(ROOMS, &files);
        let more = u64::try_from(ROOMS - 1).unwrap();
        for (what, first, last) in [
            ("resident", one.resident, all.resident),
            ("anonymous", one.anonymous, all.anonymous),
            ("peak", one.peak, all.peak),
        ] {
            let each = last.saturating_sub(first) / more;
            println!("{what}: {each} bytes each");
            assert!(each < PER_ROOM, "{what}: {each} bytes for each room more");
        }
    });
}
