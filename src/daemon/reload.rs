//! What another configuration changes while rooms are recorded; pure.

use std::collections::BTreeMap;

use crate::config::Config;

/// Each room by its name, with the configuration that is its own: it has no other room.
pub type Rooms = BTreeMap<String, Config>;

/// What another configuration comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// How rooms are to be recorded from now on.
    pub rooms: Rooms,
    /// Keys that are another's now and hold only after the next start.
    pub later: Vec<&'static str>,
}

/// The rooms of `config`.
#[must_use]
pub fn rooms(config: &Config) -> Rooms {
    let own = config.rooms.iter().map(|room| {
        let own = Config {
            rooms: vec![room.clone()],
            ..config.clone()
        };
        (room.name.clone(), own)
    });
    own.collect()
}

/// What `next` comes to where `running` was started. What belongs to the whole process, and not to
/// one room, stays as it is until the next start.
#[must_use]
pub fn plan(running: &Config, next: &Config) -> Reload {
    let mut taken = next.clone();
    let mut later = Vec::new();
    keep("output", &running.output, &mut taken.output, &mut later);
    keep("storage", &running.storage, &mut taken.storage, &mut later);
    keep("memory", &running.memory, &mut taken.memory, &mut later);
    keep("status", &running.status, &mut taken.status, &mut later);
    keep("log", &running.log, &mut taken.log, &mut later);
    let (ours, theirs) = (&running.livekit.ca_file, &mut taken.livekit.ca_file);
    keep("livekit.ca_file", ours, theirs, &mut later);
    let (ours, theirs) = (&running.video.encoder, &mut taken.video.encoder);
    keep("video.encoder", ours, theirs, &mut later);
    Reload {
        rooms: rooms(&taken),
        later,
    }
}

fn keep<T: Clone + PartialEq>(
    key: &'static str,
    running: &T,
    next: &mut T,
    later: &mut Vec<&'static str>,
) {
    if running != next {
        next.clone_from(running);
        later.push(key);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{self, Flags};

    const TWO: &str = "[livekit]\nurl = 'ws://a'\ntoken = 't'\n\
                       [[room]]\nname = 'lobby'\n[[room]]\nname = 'stage'\n";

    fn config(text: &str) -> Config {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("reeld.toml");
        std::fs::write(&file, text).unwrap();
        let nothing: [(OsString, OsString); 0] = [];
        config::load(&[file], nothing, Flags::default())
            .unwrap()
            .config
    }

    /// The rooms that are the same before and after.
    fn untouched(before: &Config, after: &Reload) -> Vec<String> {
        let before = rooms(before);
        let same = after
            .rooms
            .iter()
            .filter(|(name, own)| before.get(*name) == Some(own));
        same.map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn a_room_that_is_changed_touches_no_other() {
        let before = config(TWO);
        let after = plan(
            &before,
            &config(&format!("{TWO}select = {{ sources = ['microphone'] }}\n")),
        );
        assert_eq!(untouched(&before, &after), ["lobby"]);
        assert_eq!(after.rooms.len(), 2);
        let after = plan(&before, &config(&format!("{TWO}[[room]]\nname = 'hall'\n")));
        assert_eq!(untouched(&before, &after), ["lobby", "stage"]);
        assert_eq!(after.rooms.len(), 3);
        let one = TWO.replace("[[room]]\nname = 'lobby'\n", "");
        let after = plan(&before, &config(&one));
        assert_eq!(untouched(&before, &after), ["stage"]);
        assert_eq!(after.rooms.len(), 1);
    }

    #[test]
    fn what_holds_for_all_rooms_changes_all_of_them() {
        let before = config(TWO);
        let after = plan(
            &before,
            &config(&format!("{TWO}[segment]\nduration = '10m'\n")),
        );
        assert!(untouched(&before, &after).is_empty());
        assert!(after.later.is_empty());
    }

    #[test]
    fn what_belongs_to_the_process_waits_for_the_next_start() {
        let before = config(TWO);
        let next = format!(
            "output = '/other'\n{TWO}[storage]\nquota = '1GiB'\n[memory]\nbudget = '99MiB'\n\
             [log]\nlevel = 'debug'\n[status]\nsocket = '/s'\n[video]\nencoder = 'x264enc'\n"
        );
        let after = plan(&before, &config(&next));
        assert_eq!(untouched(&before, &after), ["lobby", "stage"]);
        let later = [
            "output",
            "storage",
            "memory",
            "status",
            "log",
            "video.encoder",
        ];
        assert_eq!(after.later, later);
        assert_eq!(plan(&before, &before).later, [""; 0]);
    }
}
