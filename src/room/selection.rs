//! Which tracks of a room to subscribe: by identity, by source, for so many participants.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Limit, Source, TrackId};

/// Why a selection can't be made of what the configuration asks for.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// The list of participants is empty, so nobody would ever be recorded.
    #[error("no participant is asked for: give at least one pattern, \"*\" for everybody")]
    NoGlobs,
    /// The list of sources is empty, so nothing would ever be recorded.
    #[error(
        "no source is asked for: give at least one of camera, microphone, screen_share, screen_share_audio"
    )]
    NoSources,
    /// A pattern is not one.
    #[error("participant pattern \"{glob}\" is not valid, correct it")]
    BadGlob {
        /// The pattern as it was given.
        glob: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// All patterns together are too large to be matched.
    #[error("the participant patterns can't be used together, use fewer or shorter ones")]
    TooLarge(#[source] globset::Error),
}

/// Somebody in the room, as far as the choice depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The server's name for this stay in the room: a rejoin has another.
    pub sid: String,
    /// The application's name for the person; untrusted.
    pub identity: String,
    /// When they joined, in milliseconds since the Unix epoch by the server's clock. Only the
    /// order counts; of equal ones the lesser `sid` is first.
    pub joined_ms: i64,
    /// What they publish now, muted or not.
    pub publications: Vec<Publication>,
}

/// A track that can be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The track's name in the room.
    pub id: TrackId,
    /// What it shows or sounds.
    pub source: Source,
}

/// What to tell the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tracks that are wanted from now on.
    pub subscribe: Vec<TrackId>,
    /// Tracks that were wanted and no longer are, because they or their publisher are gone.
    pub unsubscribe: Vec<TrackId>,
    /// Tracks that would be wanted, had there been room for them, and where there is none. Each is
    /// named once, as long as it is refused.
    pub refused: Vec<(TrackId, Limit)>,
}

/// The choice, and what was chosen so far.
///
/// A participant takes a place with the first wanted track, so that people who only watch keep
/// nobody out, and holds it until they leave, so that a camera that is off for a while does not
/// lose it. A free place goes to who joined first.
#[derive(Debug)]
pub struct Selection {
    identities: GlobSet,
    sources: BTreeSet<Source>,
    most: NonZeroUsize,
    most_tracks: usize,
    places: BTreeSet<String>,
    chosen: BTreeSet<TrackId>,
    refused: BTreeMap<TrackId, Limit>,
}

impl Selection {
    /// A choice of everybody whose whole identity matches one of `globs`, of their tracks from
    /// `sources`, for at most `most` participants at a time.
    ///
    /// Patterns are case-sensitive, and `*` and `?` also stand for `/`.
    ///
    /// # Errors
    ///
    /// When `globs` or `sources` is empty or a pattern is malformed.
    pub fn new(
        globs: &[String],
        sources: &[Source],
        most: NonZeroUsize,
    ) -> Result<Self, SelectionError> {
        if globs.is_empty() {
            return Err(SelectionError::NoGlobs);
        }
        if sources.is_empty() {
            return Err(SelectionError::NoSources);
        }
        Ok(Self {
            identities: compile(globs)?,
            sources: sources.iter().copied().collect(),
            most,
            most_tracks: usize::MAX,
            places: BTreeSet::new(),
            chosen: BTreeSet::new(),
            refused: BTreeMap::new(),
        })
    }

    /// The same with so many tracks at a time at most, of all participants. Tracks that are
    /// chosen stay so; a free place goes to who joined first.
    #[must_use]
    pub fn with_most_tracks(mut self, most: NonZeroUsize) -> Self {
        self.most_tracks = most.get();
        self
    }

    /// Looks at all that are in the room now and says what has to change. The same room again
    /// changes nothing.
    pub fn update(&mut self, room: &[Present]) -> Changes {
        let wanted: BTreeMap<(i64, &str), Vec<&TrackId>> = room
            .iter()
            .filter(|present| self.identities.is_match(&present.identity))
            .map(|present| {
                (
                    (present.joined_ms, present.sid.as_str()),
                    self.wanted(present),
                )
            })
            .collect();
        self.places
            .retain(|sid| wanted.keys().any(|(_, present)| present == sid));
        let mut placed = Vec::new();
        let mut refused = BTreeMap::new();
        for ((_, sid), tracks) in wanted {
            if self.places.contains(sid) {
                placed.extend(tracks);
            } else if !tracks.is_empty() && self.places.len() < self.most.get() {
                self.places.insert(sid.to_owned());
                placed.extend(tracks);
            } else {
                let tracks = tracks.into_iter().cloned();
                refused.extend(tracks.map(|id| (id, Limit::Participants)));
            }
        }
        let (stay, new): (Vec<&TrackId>, Vec<&TrackId>) =
            placed.into_iter().partition(|id| self.chosen.contains(id));
        let mut chosen: BTreeSet<TrackId> = stay.into_iter().cloned().collect();
        for id in new {
            if chosen.len() < self.most_tracks {
                chosen.insert(id.clone());
            } else {
                refused.insert(id.clone(), Limit::Tracks);
            }
        }
        let changes = Changes {
            subscribe: chosen.difference(&self.chosen).cloned().collect(),
            unsubscribe: self.chosen.difference(&chosen).cloned().collect(),
            refused: refused
                .iter()
                .filter(|(id, _)| !self.refused.contains_key(id))
                .map(|(id, limit)| (id.clone(), *limit))
                .collect(),
        };
        self.chosen = chosen;
        self.refused = refused;
        changes
    }

    /// Whether a track of this source from this participant is wanted, places aside.
    #[must_use]
    pub fn wants(&self, identity: &str, source: Source) -> bool {
        self.sources.contains(&source) && self.identities.is_match(identity)
    }

    /// All tracks that are wanted, to tell a server which has forgotten them.
    pub fn chosen(&self) -> impl Iterator<Item = &TrackId> {
        self.chosen.iter()
    }

    fn wanted<'a>(&self, present: &'a Present) -> Vec<&'a TrackId> {
        present
            .publications
            .iter()
            .filter(|publication| self.sources.contains(&publication.source))
            .map(|publication| &publication.id)
            .collect()
    }
}

fn compile(globs: &[String]) -> Result<GlobSet, SelectionError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let compiled = GlobBuilder::new(glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|source| SelectionError::BadGlob {
                glob: glob.clone(),
                source,
            })?;
        set.add(compiled);
    }
    set.build().map_err(SelectionError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selection(globs: &[&str], sources: &[Source], most: usize) -> Selection {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        Selection::new(&globs, sources, NonZeroUsize::new(most).unwrap()).unwrap()
    }

    fn present(identity: &str, joined_ms: i64, sources: &[Source]) -> Present {
        let publications = sources.iter().map(|source| Publication {
            id: TrackId::new(&format!("{identity}/{source}")),
            source: *source,
        });
        Present {
            sid: format!("PA_{identity}"),
            identity: identity.to_owned(),
            joined_ms,
            publications: publications.collect(),
        }
    }

    fn names(tracks: &[TrackId]) -> Vec<&str> {
        tracks.iter().map(TrackId::as_str).collect()
    }

    const BOTH: [Source; 2] = [Source::Camera, Source::Microphone];

    #[test]
    fn patterns_match_the_whole_identity() {
        let matches = |glob: &str, identity: &str| {
            let room = [present(identity, 0, &BOTH)];
            !selection(&[glob], &BOTH, 1)
                .update(&room)
                .subscribe
                .is_empty()
        };
        assert!(matches("*", "anybody"));
        assert!(matches("*", "../../etc/passwd"));
        assert!(matches("*", ".hidden"));
        assert!(matches("*", "two\nlines"));
        assert!(matches("*", ""));
        assert!(matches("site/*", "site/a/b"));
        assert!(matches("cam-[0-9]", "cam-7"));
        assert!(matches(r"a\*", "a*"));
        assert!(!matches("cam-?", "cam-12"));
        assert!(!matches("cam", "camera"));
        assert!(!matches("Cam*", "camera"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let bad = |globs: &[&str], sources: &[Source]| {
            let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
            let most = NonZeroUsize::MIN;
            Selection::new(&globs, sources, most).unwrap_err()
        };
        let error = bad(&["ok-*", "cam-[0-9"], &BOTH);
        assert!(matches!(&error, SelectionError::BadGlob { glob, .. } if glob == "cam-[0-9"));
        assert!(error.to_string().contains("\"cam-[0-9\""));
        assert!(matches!(bad(&[], &BOTH), SelectionError::NoGlobs));
        assert!(matches!(bad(&["*"], &[]), SelectionError::NoSources));
    }

    #[test]
    fn a_free_place_goes_to_the_next_who_waits() {
        let mut selection = selection(&["*"], &[Source::Camera], 1);
        let (ann, bob, cem) = (
            present("ann", 1, &BOTH),
            present("bob", 2, &BOTH),
            present("cem", 3, &BOTH),
        );
        let first = selection.update(&[cem.clone(), bob.clone(), ann]);
        assert_eq!(names(&first.subscribe), ["ann/camera"]);
        let second = selection.update(&[cem, bob]);
        assert_eq!(names(&second.unsubscribe), ["ann/camera"]);
        assert_eq!(names(&second.subscribe), ["bob/camera"]);
    }

    #[test]
    fn what_finds_no_room_is_refused_once_and_has_its_turn_later() {
        let most = NonZeroUsize::new(3).unwrap();
        let mut selection = selection(&["*"], &BOTH, 2).with_most_tracks(most);
        let (ann, bob, cem) = (
            present("ann", 1, &BOTH),
            present("bob", 2, &BOTH),
            present("cem", 3, &[Source::Camera]),
        );
        let all = [ann, bob.clone(), cem.clone()];
        let first = selection.update(&all);
        assert_eq!(
            names(&first.subscribe),
            ["ann/camera", "ann/microphone", "bob/camera"]
        );
        assert_eq!(
            first.refused,
            [
                (TrackId::new("bob/microphone"), Limit::Tracks),
                (TrackId::new("cem/camera"), Limit::Participants)
            ]
        );
        assert_eq!(selection.update(&all), Changes::default());

        let second = selection.update(&[bob, cem]);
        assert_eq!(names(&second.subscribe), ["bob/microphone", "cem/camera"]);
        assert!(second.refused.is_empty());
    }

    #[test]
    fn who_only_watches_takes_no_place_and_a_camera_off_keeps_it() {
        let mut selection = selection(&["*"], &[Source::Camera], 1);
        let watcher = present("watcher", 1, &[Source::Microphone]);
        let (on, off) = (present("ann", 2, &BOTH), present("ann", 2, &[]));
        let other = present("bob", 3, &BOTH);
        let first = selection.update(&[watcher.clone(), on.clone(), other.clone()]);
        assert_eq!(names(&first.subscribe), ["ann/camera"]);
        let second = selection.update(&[watcher.clone(), off, other.clone()]);
        assert_eq!(names(&second.unsubscribe), ["ann/camera"]);
        assert!(second.subscribe.is_empty());
        let third = selection.update(&[watcher, on, other]);
        assert_eq!(names(&third.subscribe), ["ann/camera"]);
    }

    const ALL: [Source; 4] = [
        Source::Camera,
        Source::Microphone,
        Source::ScreenShare,
        Source::ScreenShareAudio,
    ];

    /// A room of up to six people, each of whom publishes anything.
    fn room() -> impl Strategy<Value = Vec<Present>> {
        let person = (0_usize..6, prop::sample::subsequence(ALL.to_vec(), 0..=4));
        prop::collection::vec(person, 0..8).prop_map(|people| {
            let people: BTreeMap<usize, Vec<Source>> = people.into_iter().collect();
            people
                .iter()
                .map(|(number, sources)| {
                    // Joined in another order than that of their names.
                    let joined = i64::try_from((number * 5) % 6).unwrap();
                    let side = if number % 2 == 0 { "even" } else { "odd" };
                    present(&format!("{side}-{number}"), joined, sources)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_choice_keeps_to_what_was_asked(
            rooms in prop::collection::vec(room(), 1..12),
            sources in prop::sample::subsequence(ALL.to_vec(), 1..=4),
            most in 1_usize..4,
        ) {
            let mut selection = selection(&["even-*"], &sources, most);
            let mut subscribed = BTreeSet::new();
            for room in rooms {
                let changes = selection.update(&room);
                for id in &changes.unsubscribe {
                    prop_assert!(subscribed.remove(id), "{} was not subscribed", id);
                }
                for id in &changes.subscribe {
                    prop_assert!(subscribed.insert(id.clone()), "{} twice", id);
                }
                prop_assert!(selection.chosen().eq(&subscribed));

                let chosen = |present: &&Present| {
                    present.publications.iter().any(|one| subscribed.contains(&one.id))
                };
                let wants = |one: &&Publication| sources.contains(&one.source);
                prop_assert!(room.iter().filter(chosen).count() <= most);
                let mut expected = BTreeSet::new();
                for present in room.iter().filter(chosen) {
                    prop_assert!(present.identity.starts_with("even-"));
                    expected.extend(present.publications.iter().filter(wants).map(|one| one.id.clone()));
                }
                prop_assert_eq!(&subscribed, &expected);

                // Nobody waits while a place is free.
                let waits = room.iter().any(|present| {
                    present.identity.starts_with("even-")
                        && !chosen(&present)
                        && present.publications.iter().any(|one| wants(&one))
                });
                prop_assert!(!waits || selection.places.len() == most);

                prop_assert_eq!(selection.update(&room), Changes::default());
            }
        }
    }
}
