//! The events that matter: one id each, by which the journal finds them and explains them
//! (`journalctl -x`, `journalctl MESSAGE_ID=…`).
//!
//! An id goes into an event as its field `message_id`, together with `room`, `participant`, `track`,
//! `segment` and `reason` as far as they are known. `systemd/reeld.catalog` explains each, and
//! `docs/operations.md` lists them. They never change: others look for them.

/// `reeld run` has begun.
pub const STARTED: &str = "b96c1ec0ff8d41d08026a942bf1326af";

/// The end was asked for: what is open is sealed.
pub const STOPPING: &str = "727c4291b62c4a42989a488cf51388fe";

/// Everything is sealed, and the process ends.
pub const STOPPED: &str = "d191e5173fab42cab379f3c78fa809fb";

/// The configuration was read again and holds.
pub const RELOADED: &str = "6886f7dac0e240c682753155f08e4ba6";

/// The configuration was read again and is wrong: all goes on as before.
pub const RELOAD_REFUSED: &str = "574b5dacebbe448280fe141a13bc04d1";

/// A part hangs that a new start would mend.
pub const WEDGED: &str = "8e84bc48358a4ed99497cb69a5bb4000";

/// A thread or task has died: a bug.
pub const DIED: &str = "d9d6287c104944eaac6554e4fe9e4bc9";

/// Lines of one kind were held back, because there were too many.
pub const HELD_BACK: &str = "cc0aa892e67640b0ae3a76a6bbbfe28c";

/// The state is told to others than this box.
pub const STATUS_OPEN: &str = "565cbd1a96934afb8c8a2512802a9302";

/// A room was joined.
pub const JOINED: &str = "7564dfce6c74488e803532a59175c294";

/// A room has closed, or is not there yet.
pub const WAITING: &str = "30641077d25e4b2c8624a1746beb8415";

/// The server of a room can't be reached, or was lost.
pub const UNREACHABLE: &str = "63309b7216c84a4ebead2dc332a2e27a";

/// The server does not let us in: somebody has to change something.
pub const REFUSED: &str = "92225f0830c64e02822752c801ec2b88";

/// The connection to a room is broken; it is being mended.
pub const INTERRUPTED: &str = "56c02b0a806942de81f5cedb340b003c";

/// The connection to a room holds again.
pub const RESUMED: &str = "29f7b1b2ede746bf8c3e8dcd694c54b1";

/// A track is not recorded.
pub const TRACK_REFUSED: &str = "7ce53c6ab29342fcada4669c673359c3";

/// A recording has its folder.
pub const RECORDING_BEGUN: &str = "a0bd1a5e36e94a09ab9d5f5299d5a323";

/// A file is complete and has its final name.
pub const SEGMENT_SEALED: &str = "d70c85cb06cd45f79d82575d4ffc2187";

/// A recording is over and complete.
pub const RECORDING_SEALED: &str = "48b7d4a1d09b4d98bd5da97061d6cd93";

/// A file ended before its time; the recording goes on in a new one.
pub const SEGMENT_FAILED: &str = "b385e0f75ed54e2ab151b90495184e56";

/// A recording ended with an error; it is tried again.
pub const RECORDING_FAILED: &str = "14ab5249797e411e885ba009d75543f0";

/// A recording takes nothing any more: its disk hangs.
pub const RECORDING_HANGS: &str = "9fe2bce056184e94894231815c291142";

/// Picture or sound is missing for longer than `gaps.warn_after`.
pub const GAP: &str = "77d9db08b8b44861b815c2cdc7e12fb6";

/// The wall clock of the box was set during a recording.
pub const CLOCK_SET: &str = "6cf960275148436fa80f67e52fcdfff2";

/// The disk takes no recordings: too little is free, or it fails.
pub const STORAGE_PAUSED: &str = "f2634fa5baba4aa7bff892ab1f9ca4e6";

/// The disk takes recordings again.
pub const STORAGE_BACK: &str = "15610db0664e4e2c904575a7d4fb37af";

/// A recording was deleted, as `[storage]` asks.
pub const RECORDING_DELETED: &str = "f50ccc9240304294aea343e1b339cff2";

/// What a crash has left of a file is whole again.
pub const RECOVERED: &str = "c46ede996d3d46d88a71260549fb1b76";

/// Nothing of a file that a crash has left can be decoded: it is set aside.
pub const DAMAGED: &str = "97836d7ecf5f4a4faec3bd76c5211b07";

/// What a crash has left could not be made whole.
pub const NOT_RECOVERED: &str = "a8e98fd324944103a894974d01766448";

/// Quality is given up.
pub const QUALITY_REDUCED: &str = "d4579480290a43bfbad83306b29a15b9";

/// Quality comes back.
pub const QUALITY_RESTORED: &str = "f843e838c5c04877bd8820d2ab7ac8c6";

/// Many pictures are dropped.
pub const DROPPING: &str = "e7130e287eb6445ea4a408276972d9cb";

/// There is no memory to encode this picture.
pub const NO_MEMORY: &str = "57aa31a18b8743f9a133c8855cb5f183";

/// An encoder was found for what has to be encoded.
pub const ENCODER_CHOSEN: &str = "57a266ecfd564a9a9ceadffa10fc1ffb";

/// No encoder in hardware works here.
pub const NO_HARDWARE: &str = "29967b869108488c92b0ba5be4029917";

/// An encoder or decoder has failed, and another one takes over.
pub const CODER_REPLACED: &str = "2ac9e7f581b94a1187c9ea318901a56a";

/// No encoder works here at all.
pub const NO_ENCODER: &str = "bdbc03be4c5549579eb0ffeff67b829f";
