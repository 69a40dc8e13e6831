//! Looks after the output directory: what the keeper's thread does, one call at a time.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock::{Clock, Moment};
use super::inventory::Inventory;
use super::retention::{self, Circumstances, Limits, Reason, Stock};
use super::space;
use super::state::{Look, Storage, StorageState, Trouble, verdict};
use crate::events;
use crate::recorder::deletion::{self, Deletion, Pause};
use crate::recorder::recording::one_line;
use crate::recorder::{self, RecorderError};

/// Between two probe files while all is well. Each is a commit of the journal: on flash not more
/// often than that. What recordings themselves meet is told by their writers.
const PROBE: Duration = Duration::from_mins(1);

/// The same while the disk can't be used.
const PROBE_IN_TROUBLE: Duration = Duration::from_secs(5);

/// Between two counts of the recordings where they may be deleted.
const COUNT: Duration = Duration::from_secs(10);

/// The same while the floor of free space is close.
const COUNT_WHEN_LOW: Duration = Duration::from_secs(2);

/// The same where nothing may be deleted.
const COUNT_FOR_INFORMATION: Duration = Duration::from_mins(1);

/// Counting takes at most one part in this of the time: thousands of recordings on a slow box.
const SHARE: u32 = 100;

/// How long what can't be deleted is left alone.
const RETRY: Duration = Duration::from_mins(10);

/// The state of it all.
#[derive(Debug)]
pub struct Custodian {
    output: PathBuf,
    limits: Limits,
    inventory: Inventory,
    clock: Clock,
    /// What was last said.
    storage: Storage,
    /// A writer found no room since the last probe.
    no_room: bool,
    probed: Option<Instant>,
    counted: Option<Instant>,
    /// How long that took.
    counting: Duration,
    resumed: Option<Instant>,
    /// Recordings that could not be deleted, and since when.
    stuck: HashMap<PathBuf, Instant>,
    /// Folders that could not be read the last time.
    uncounted: usize,
}

impl Custodian {
    /// For the directory `output`, which should be there.
    #[must_use]
    pub fn new(output: PathBuf, limits: Limits) -> Self {
        let storage = Storage {
            mounted: recorder::is_mounted(&output),
            ..Storage::default()
        };
        Self {
            output,
            limits,
            inventory: Inventory::default(),
            clock: Clock::default(),
            storage,
            no_room: false,
            probed: None,
            counted: None,
            counting: Duration::ZERO,
            resumed: None,
            stuck: HashMap::new(),
            uncounted: 0,
        }
    }

    /// What was last said; before the first look, that it is ready.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A writer found no room: the next probe counts as if it had found none either.
    pub const fn found_no_room(&mut self) {
        self.no_room = true;
    }

    /// Whether there may be recordings. Mostly one question to the file system; now and then, and
    /// with `thorough` in any case, a probe file.
    pub fn look(&mut self, now: Moment, thorough: bool) -> &Storage {
        let every = if self.may_be_over() {
            PROBE_IN_TROUBLE
        } else {
            PROBE
        };
        let probe = thorough || is_due(self.probed, every, now.at);
        if probe {
            self.probed = Some(now.at);
        }
        let mut looked = if self.storage.mounted && !recorder::is_mounted(&self.output) {
            Err(Trouble::Missing)
        } else {
            space::look(&self.output, probe)
        };
        if probe
            && std::mem::take(&mut self.no_room)
            && let Ok(look) = &mut looked
        {
            look.full = true;
        }
        self.note(looked, now.at, probe);
        &self.storage
    }

    /// Whether the disk could not be used or was full, and a probe may show that this is over.
    fn may_be_over(&self) -> bool {
        match self.storage.state {
            StorageState::Ready | StorageState::OverQuota { .. } => false,
            StorageState::Low { .. } => self
                .storage
                .space
                .is_some_and(|space| space.free >= self.limits.enough(space.total)),
            StorageState::ReadOnly | StorageState::Missing | StorageState::Failing(_) => true,
        }
    }

    fn note(&mut self, looked: Result<Look, Trouble>, at: Instant, probed: bool) {
        let before = &self.storage.state;
        let used = self.storage.used;
        let now = verdict(looked.as_ref(), used, &self.limits, before);
        let was_usable = matches!(before, StorageState::Ready | StorageState::OverQuota { .. });
        // Only a probe can tell that the trouble is over.
        let is_usable = matches!(now, StorageState::Ready | StorageState::OverQuota { .. });
        if was_usable || probed || !is_usable {
            self.storage.state = now;
        }
        self.storage.space = looked.ok().map(|look| look.space);
        self.storage.floor = self
            .storage
            .space
            .map(|space| self.limits.floor(space.total));
        self.storage.looked = Some(at);
    }

    /// Counts what is there and deletes what is to go, when that is due. True when it was: look
    /// again. It can take minutes; `pause` is called between its steps.
    pub fn tidy(&mut self, now: Moment, pause: &mut Pause<'_>) -> bool {
        let wall = self.clock.look(now);
        let Some(space) = self.storage.space else {
            return false;
        };
        let every = if self.limits.asks_for_room(space) {
            COUNT_WHEN_LOW
        } else if self.limits.allow_deletion() {
            COUNT
        } else {
            COUNT_FOR_INFORMATION
        };
        let every = every.max(self.counting * SHARE);
        if self.storage.state.is_gone() || !is_due(self.counted, every, now.at) {
            return false;
        }
        self.counted = Some(now.at);
        self.stuck
            .retain(|_, since| !is_due(Some(*since), RETRY, now.at));
        if is_due(self.resumed, RETRY, now.at) {
            self.resumed = Some(now.at);
            self.resume(pause);
        }
        let circumstances = Circumstances {
            space,
            now: wall,
            was_over: matches!(self.storage.state, StorageState::OverQuota { .. }),
        };
        let begun = Instant::now();
        let inventory = self.inventory.take(&self.output, now.wall.into());
        self.counting = begun.elapsed();
        match inventory {
            Ok(taken) => {
                self.say_uncounted(&taken.errors);
                self.storage.used = Some(self.make_room(taken.stock, circumstances, now.at, pause));
            }
            Err(error) => self.say_uncounted(&[error]),
        }
        true
    }

    /// Each that can't be read had its warning when there was one more of them.
    fn say_uncounted(&mut self, errors: &[RecorderError]) {
        if errors.len() > self.uncounted {
            for error in errors {
                tracing::warn!("a recording is not counted: {}", one_line(error));
            }
        }
        self.uncounted = errors.len();
    }

    /// Deletes what is to go, and returns the bytes of what stays.
    fn make_room(
        &mut self,
        mut stock: Vec<Stock>,
        mut circumstances: Circumstances,
        at: Instant,
        pause: &mut Pause<'_>,
    ) -> u64 {
        for one in &mut stock {
            one.busy = self.stuck.contains_key(&one.path);
        }
        loop {
            let plan = retention::plan(&stock, &self.limits, circumstances);
            if plan.is_empty() {
                break;
            }
            let mut gone = HashSet::new();
            let mut stopped = false;
            for (place, reason) in plan {
                let Some(one) = stock.get_mut(place) else {
                    continue;
                };
                match self.delete(one, reason, at, pause) {
                    Done::Gone => {
                        let free = &mut circumstances.space.free;
                        *free = free.saturating_add(one.bytes);
                        gone.insert(place);
                    }
                    // Others have to go in its place.
                    Done::Stays => {
                        one.busy = true;
                        break;
                    }
                    Done::Stopped => {
                        stopped = true;
                        break;
                    }
                }
            }
            let mut place = 0;
            stock.retain(|_| {
                let stays = !gone.contains(&place);
                place += 1;
                stays
            });
            if stopped {
                break;
            }
        }
        stock
            .iter()
            .fold(0, |sum: u64, one| sum.saturating_add(one.bytes))
    }

    fn delete(&mut self, one: &Stock, reason: Reason, at: Instant, pause: &mut Pause<'_>) -> Done {
        let folder = one.path.display();
        match deletion::delete(&self.output, &one.path, pause) {
            Ok(Deletion::Deleted) => {
                tracing::info!(
                    message_id = events::RECORDING_DELETED,
                    %folder, bytes = one.bytes, reason = reason.as_str(),
                    "recording deleted"
                );
                Done::Gone
            }
            Ok(Deletion::Stripped) => {
                tracing::warn!(
                    message_id = events::RECORDING_DELETED,
                    %folder, bytes = one.bytes, reason = reason.as_str(),
                    "recording deleted; its folder stays because of files that are not ours"
                );
                Done::Gone
            }
            Ok(Deletion::Gone) => Done::Gone,
            Ok(Deletion::Busy | Deletion::Kept) => Done::Stays,
            Ok(Deletion::Interrupted) => Done::Stopped,
            Err(error) => {
                tracing::warn!("a recording can't be deleted: {}", one_line(&error));
                self.stuck.insert(one.path.clone(), at);
                Done::Stays
            }
        }
    }

    /// Goes on with deletions that did not come to their end.
    fn resume(&self, pause: &mut Pause<'_>) {
        match deletion::resume(&self.output, pause) {
            Ok(done) => done
                .iter()
                .for_each(|(folder, outcome)| say_resumed(folder, outcome)),
            Err(error) => tracing::warn!(
                "what was left of deletions can't be looked for: {}",
                one_line(&error)
            ),
        }
    }
}

/// What became of one recording.
enum Done {
    Gone,
    Stays,
    Stopped,
}

fn say_resumed(folder: &Path, outcome: &Result<Deletion, RecorderError>) {
    let folder = folder.display();
    match outcome {
        Ok(outcome) => tracing::info!(%folder, ?outcome, "went on with a deletion"),
        Err(error) => tracing::warn!(
            %folder,
            "a deletion can't be brought to its end: {}",
            one_line(error)
        ),
    }
}

fn is_due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= every)
}
