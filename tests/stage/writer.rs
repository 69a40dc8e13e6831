//! A recording's writer without a recording: packets that tests make up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reeld::recorder::{
    Closed, RecorderError, RecordingIdentity, SegmentInput, SegmentLayout, WriterEvent,
    WriterHandle, WriterSettings,
};
use reeld::room::{Participant, Source};
use time::OffsetDateTime;
use tokio::sync::mpsc;

pub const PACKET: usize = 188;
/// Longer than anything takes here: reaching it is a failure.
pub const LONG: Duration = Duration::from_mins(1);

fn identity(name: &str) -> RecordingIdentity {
    RecordingIdentity {
        room: "room".to_owned(),
        room_sid: String::new(),
        participant: Arc::new(Participant {
            sid: String::new(),
            identity: name.to_owned(),
            name: String::new(),
        }),
        source: Source::Camera,
        started: OffsetDateTime::UNIX_EPOCH,
    }
}

/// Starts one below `output`.
pub fn start(
    output: &Path,
    flush_interval: Duration,
) -> Result<(WriterHandle, mpsc::Receiver<WriterEvent>), RecorderError> {
    let settings = WriterSettings {
        flush_interval,
        ..WriterSettings::default()
    };
    WriterHandle::create(output, &identity("../anna"), settings)
}

pub fn open(handle: &mut WriterHandle) -> SegmentInput {
    handle.open_segment(SegmentLayout::default()).unwrap()
}

/// The `n`-th packet: no two are alike.
pub fn packet(n: u64) -> [u8; PACKET] {
    let mut packet = [0xff; PACKET];
    packet[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    packet[4..12].copy_from_slice(&n.to_be_bytes());
    packet
}

pub async fn first_damage(events: &mut mpsc::Receiver<WriterEvent>) -> RecorderError {
    loop {
        let event = tokio::time::timeout(LONG, events.recv()).await;
        match event.expect("damage in time").expect("a writer") {
            WriterEvent::Damaged(_, error) => return error,
            WriterEvent::Finished => panic!("finished without damage"),
            _ => {}
        }
    }
}

/// Writes until a segment takes no more.
pub async fn write_until_refused(mut input: SegmentInput, packets: u64) {
    let writing =
        tokio::task::spawn_blocking(move || (0..packets).try_for_each(|n| input.write(&packet(n))));
    let result = tokio::time::timeout(LONG, writing).await.unwrap().unwrap();
    assert_eq!(result, Err(Closed), "{packets} packets were all accepted");
}
