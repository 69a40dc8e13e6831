//! What fails a recording, and what it must not take with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use reeld::daemon::settings::{OnFailure, RoomSettings};
use reeld::recorder::{DropReason, Manifest};
use reeld::room::{Codec, Source};
use reeld::verify;

use crate::files::{Recording, names, video};
use crate::script::{LONG, Room, ms, participant, settings};
use crate::steady::steady;
use crate::{LONG_SEGMENTS, output};

/// Where "who" is recorded at the moment.
fn folder_of(output: &Path, who: &str) -> PathBuf {
    let room = output.join("room");
    let found = names(&room, &format!("-{who}-camera"));
    assert_eq!(found.len(), 1, "{found:?}");
    room.join(&found[0])
}

#[test]
fn a_folder_that_is_taken_away_ends_its_recording_and_no_other() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(settings(output.path(), ms(1_000)));
        room.camera(&ann, "V1");
        room.microphone(&ann, "A1");
        room.camera(&bob, "V2");
        room.play(ms(1_500));
        let folder = folder_of(output.path(), "ann");
        std::fs::remove_dir_all(&folder).unwrap();
        let failed = room.play_until_finished();
        assert_eq!(failed.participant, "ann");
        let error = failed.error.unwrap();
        assert!(
            error.contains(folder.to_str().unwrap()) && error.contains("no such directory"),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
        assert!(!folder.exists(), "what was taken away is not made again");
        room.play(ms(500));
        assert!(room.is_recorded());
        let played = room.close();

        let recording = Recording::read(&played.folder("bob", Source::Camera));
        assert_eq!(recording.pictures(), played.sent("V2"));
        assert_eq!(played.only().error, None);
    });
}

#[test]
fn a_room_that_is_watched_ends_with_its_output_directory() {
    steady(|| {
        let parent = output();
        let output = parent.path().join("output");
        std::fs::create_dir(&output).unwrap();
        let ann = participant("ann");
        let mut room = Room::open(RoomSettings {
            on_failure: OnFailure::Stop,
            ..settings(&output, ms(1_000))
        });
        room.camera(&ann, "V");
        room.play(ms(1_500));
        std::fs::remove_dir_all(&output).unwrap();
        room.play(LONG);
        assert!(!room.is_recorded(), "nobody was told");
        let played = room.close();

        let error = played.only().error.as_ref().unwrap();
        assert!(error.contains("no such directory"), "{error}");
        assert!(
            !output.exists(),
            "a missing card must not be filled in by a folder"
        );
    });
}

/// A file system of its own, gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user can't mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(mounted) if mounted.status.success() => Some(Self(at.to_owned())),
            Ok(refused) => {
                let why = String::from_utf8_lossy(&refused.stderr).into_owned();
                eprintln!("skipped, a small disk can't be mounted: {why}");
                None
            }
            Err(error) => {
                eprintln!("skipped, a small disk can't be mounted: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}

#[test]
fn a_full_disk_is_named_and_what_it_holds_stays() {
    steady(|| {
        let output = output();
        let Some(_disk) = SmallDisk::mount(output.path(), "128k") else {
            return;
        };
        let mut room = Room::open_with_ann(RoomSettings {
            on_failure: OnFailure::Stop,
            ..settings(output.path(), ms(1_000))
        });
        room.play(LONG);
        assert!(!room.is_recorded(), "nobody was told");
        let played = room.close();

        let summary = played.only();
        let error = summary.error.as_ref().unwrap();
        assert!(error.contains("the disk is full"), "{error}");
        let folder = summary.dir.as_ref().unwrap();
        let sealed: Vec<_> = names(folder, ".ts")
            .into_iter()
            .filter(|name| !name.ends_with(".recording.ts"))
            .collect();
        assert!(!sealed.is_empty(), "a second has 50 kB");
        for name in &sealed {
            let file = verify::verify_file(&folder.join(name), false).unwrap();
            assert!(file.sound, "{file:#?}");
        }
        for name in names(folder, ".recording.ts") {
            let left = std::fs::metadata(folder.join(&name)).unwrap().len();
            println!("{name}: {left} bytes are left for recovery");
        }
        // The manifest on the disk is whole, be it an older one.
        Manifest::read(&folder.join("manifest.json")).unwrap();
    });
}

#[test]
fn what_cannot_be_decoded_fails_alone_and_leaves_no_file() {
    steady(|| {
        let output = output();
        let (ann, bob) = (participant("ann"), participant("bob"));
        let mut room = Room::open(settings(output.path(), LONG_SEGMENTS));
        room.camera(&bob, "V2");
        // A camera that says that it sends Opus: nothing can ever decode its pictures.
        room.publish(&ann, Source::Camera, "V1", Codec::Opus);
        let failed = room.play_until_finished();
        assert_eq!(failed.participant, "ann");
        let error = failed.error.unwrap();
        assert!(!error.contains('\n') && !error.is_empty(), "{error}");
        assert!(failed.segments.is_empty());
        let pictures = &failed.frames.video;
        assert_eq!(
            pictures.received,
            pictures.written + pictures.dropped.total()
        );
        if let Some(folder) = &failed.dir {
            assert_eq!(names(folder, ".ts"), [] as [&str; 0]);
        }
        room.play(ms(1_000));
        let played = room.close();

        let recording = Recording::read(&played.folder("bob", Source::Camera));
        assert_eq!(recording.pictures(), played.sent("V2"));
        assert!(recording.files.iter().all(|file| video(file).is_some()));
    });
}

#[test]
fn damaged_pictures_are_kept_where_that_is_asked_for() {
    steady(|| {
        let output = output();
        let ann = participant("ann");
        let mut settings = settings(output.path(), LONG_SEGMENTS);
        settings.graph.keep_damaged = true;
        let mut room = Room::open(settings);
        room.camera(&ann, "V");
        room.play(ms(1_200));
        room.lose("V", 2);
        room.play(ms(1_500));
        let played = room.close();

        let recording = Recording::read(&played.folder("ann", Source::Camera));
        assert_eq!(recording.pictures(), played.sent("V"));
        assert_eq!(recording.manifest.totals.drops.total(), 0);
        assert!(played.asked("V") >= 1, "a keyframe ends the damage");
    });
}

#[test]
fn units_that_are_too_large_are_left_out_and_counted() {
    steady(|| {
        let output = output();
        let mut room = Room::open_with_ann(RoomSettings {
            max_unit_bytes: 1_000,
            ..settings(output.path(), LONG_SEGMENTS)
        });
        room.play(ms(4_000));
        let played = room.close();

        assert!(played.asked("V") >= 1);
        let frames = &played.only().frames;
        let (picture, sound) = (&frames.video, &frames.audio);
        let too_large = picture.dropped.of(DropReason::TooLarge);
        assert!(too_large >= 2, "{frames:?}");
        // What is asked for in its place may be small enough.
        assert_eq!(
            picture.received,
            picture.written + picture.dropped.total(),
            "{frames:?}"
        );
        assert!(sound.written > 100, "{frames:?}");
        assert_eq!(sound.dropped.of(DropReason::TooLarge), 0);
    });
}
