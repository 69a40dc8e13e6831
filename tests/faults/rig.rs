//! A room that is recorded onto a card as the daemon does it: its storage is looked after, what
//! fails is recovered, and a recording that is over is followed by another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reeld::daemon::care::Care;
use reeld::daemon::recovery::Recovery;
use reeld::daemon::settings::RoomSettings;
use reeld::recorder::recovery::{self, FolderState, Options};
use reeld::recorder::summary::RecordingSummary;
use reeld::room::Participant;
use reeld::storage::{Keeper, Limits};
use tokio::runtime::Runtime;

use crate::files::Recording;
use crate::script::{Room, ms, participant, settings};
use crate::stage::card::Card;
use crate::stage::poll;
use crate::stage::process::peak_memory;
use crate::stage::reeld::{files, sealed};

/// Longer than anything takes here: reaching it is a failure.
pub const LONG: Duration = Duration::from_secs(30);

/// A disk that can be used again is noticed by then, and recorded onto.
const SOON: Duration = Duration::from_secs(12);

/// What a fault may cost in memory, above what the card itself notes of its writes.
const GROWTH: u64 = 24 << 20;

/// The room, the card and who looks after it.
pub struct Rig {
    pub card: Card,
    pub room: Room,
    care: Care,
    /// Where `output` is below the card.
    below: PathBuf,
    /// Each state of the storage, in order.
    pub states: Vec<&'static str>,
    /// Sealed files, by their path below the output directory.
    sealed: BTreeMap<PathBuf, Vec<u8>>,
    memory: u64,
    runtime: Runtime,
}

/// What is left in the end: every recording, each of them sound.
pub struct Aftermath {
    pub recordings: Vec<Recording>,
    pub summaries: Vec<RecordingSummary>,
    pub states: Vec<&'static str>,
}

impl Rig {
    /// Ann is recorded, at the root of a card; none where there can be no card.
    pub fn on_card(bytes: u64, limits: Limits) -> Option<Self> {
        Self::start(bytes, limits, "", |settings| settings)
    }

    /// The same below a directory of the card, and set up by `change`.
    pub fn start(
        bytes: u64,
        limits: Limits,
        below: &str,
        change: impl FnOnce(RoomSettings) -> RoomSettings,
    ) -> Option<Self> {
        let card = Card::insert(bytes)
            .inspect_err(|reason| println!("skipped: {reason}"))
            .ok()?;
        let output = card.path().join(below);
        std::fs::create_dir_all(&output).unwrap();
        let keeper = Keeper::start(output.clone(), limits).unwrap();
        let recovery = Recovery::start(&output).unwrap();
        let looking_after = Care::new(keeper, recovery);
        let runtime = Runtime::new().unwrap();
        let watching = looking_after.clone();
        runtime.spawn(async move { watching.recover_what_comes_back().await });
        let noting = looking_after.clone();
        let settings = change(RoomSettings {
            storage: looking_after.watch(),
            ..settings(&output, ms(1_000))
        });
        let mut room = Room::open_telling(settings, move |summary| {
            println!("over: {:?}: {:?}", summary.dir, summary.error);
            noting.note(summary);
        });
        let ann = participant("ann");
        room.camera(&ann, "V");
        room.microphone(&ann, "A");
        let mut rig = Self {
            card,
            room,
            care: looking_after,
            below: below.into(),
            states: vec!["ready"],
            sealed: BTreeMap::new(),
            memory: 0,
            runtime,
        };
        rig.play(ms(1_500));
        rig.play_until_recorded();
        rig.note_sealed();
        rig.memory = peak_memory(std::process::id());
        Some(rig)
    }

    pub fn output(&self) -> PathBuf {
        self.card.path().join(&self.below)
    }

    /// Lets the room go on, and watches the storage.
    pub fn play(&mut self, length: Duration) {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.room.play(ms(20));
            self.look();
        }
    }

    /// Lets it go on until the storage is said to be `state`.
    pub fn play_until(&mut self, state: &str) {
        self.play_while(&format!("the storage is {state}"), |rig| {
            rig.states.last() != Some(&state)
        });
    }

    /// Lets it go on until another file is sealed.
    pub fn play_until_recorded(&mut self) {
        let before = self.sealed();
        self.play_while("a new file is sealed", |rig| {
            rig.sealed().iter().all(|file| before.contains(file))
        });
    }

    pub fn play_while(&mut self, what: &str, waits: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while waits(self) {
            assert!(
                begun.elapsed() < SOON,
                "{what}: not soon: {:?}",
                self.states
            );
            self.play(ms(20));
        }
        println!("{what} after {:.1?}", begun.elapsed());
    }

    fn look(&mut self) {
        let state = self.care.watch().borrow().state.as_str();
        if self.states.last() != Some(&state) {
            self.states.push(state);
        }
    }

    /// What is sealed by now has to stay as it is.
    pub fn note_sealed(&mut self) {
        for file in self.sealed() {
            let name = file.strip_prefix(self.output()).unwrap().to_owned();
            self.sealed.insert(name, std::fs::read(file).unwrap());
        }
    }

    /// Nothing that was sealed before counts any more.
    pub fn forget_sealed(&mut self) {
        self.sealed.clear();
    }

    fn sealed(&self) -> Vec<PathBuf> {
        sealed(&self.output())
    }

    /// The folders of recordings.
    pub fn folders(&self) -> Vec<PathBuf> {
        folders(&self.output())
    }

    pub fn publish(&mut self, who: &str, id: &str) -> std::sync::Arc<Participant> {
        let who = participant(who);
        self.room.camera(&who, id);
        who
    }

    /// Ends the room, has everything recovered and judges what is there.
    pub fn finish(self) -> Aftermath {
        let output = self.output();
        let played = self.room.close();
        for summary in &played.summaries {
            assert!(
                summary.error.is_none() || summary.is_of_the_disk(),
                "{summary:#?}"
            );
        }
        // By the daemon's own recovery, not by one that we call.
        let whole = || is_whole(&output).then_some(());
        poll("everything is recovered", LONG, whole);
        for (name, bytes) in &self.sealed {
            let found = std::fs::read(output.join(name)).unwrap();
            assert!(found == *bytes, "{} is not what it was", name.display());
        }
        let recordings = folders(&output)
            .iter()
            .map(|it| Recording::read(it))
            .collect();
        let open = files(&output).into_iter().filter(|file| is_left_over(file));
        assert_eq!(open.collect::<Vec<_>>(), [] as [PathBuf; 0]);
        let grown = peak_memory(std::process::id()).saturating_sub(self.memory);
        println!("{:?}; {} KiB of memory more", self.states, grown >> 10);
        assert!(grown < GROWTH, "{grown} bytes");
        drop(self.runtime);
        Aftermath {
            recordings,
            summaries: played.summaries,
            states: self.states,
        }
    }
}

impl Aftermath {
    /// The recordings of a participant, by their folders.
    pub fn of(&self, who: &str) -> Vec<&Recording> {
        let name = format!("-{who}-");
        let of_them = |it: &&Recording| it.folder.to_string_lossy().contains(&name);
        self.recordings.iter().filter(of_them).collect()
    }

    /// Pictures of a participant in all files.
    pub fn pictures(&self, who: &str) -> u64 {
        self.of(who).iter().map(|it| it.pictures()).sum()
    }
}

/// Whether there is nothing to recover.
fn is_whole(output: &Path) -> bool {
    let options = Options {
        dry_run: true,
        ..Options::IN_BACKGROUND
    };
    let mut whole = true;
    let report = recovery::run(output, options, |it| {
        whole &= it.state == FolderState::Whole && it.errors.is_empty();
    });
    report.unwrap();
    whole
}

fn is_left_over(file: &Path) -> bool {
    let name = file.to_string_lossy();
    name.ends_with(".tmp") || name.contains(".recording") || name.contains(".reeld-probe")
}

fn folders(output: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // Gone at times, which is what these tests are about.
    for entry in std::fs::read_dir(output.join("room")).into_iter().flatten() {
        found.extend(entry.map(|entry| entry.path()));
    }
    found.sort();
    found
}
