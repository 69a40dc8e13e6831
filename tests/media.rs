//! The media graph against real GStreamer: access units in, a file out, read back by ffprobe.
#![allow(missing_docs)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use reeld::media::test_card::{CardVideo, TestCard};
use reeld::media::{
    AudioIn, AudioOut, Finished, Graph, GraphSettings, InFlight, Layout, Output, OutputClosed,
};
use reeld::room::Codec;

const SETTINGS: GraphSettings = GraphSettings {
    in_flight: match InFlight::new(2) {
        Some(in_flight) => in_flight,
        None => panic!(),
    },
    video_bitrate: 2_000_000,
    keyframe_interval: Duration::from_secs(2),
    audio: AudioOut::Aac { bitrate: 64_000 },
};

struct Disk(File);
impl Output for Disk {
    fn write(&mut self, packets: &[u8]) -> Result<(), OutputClosed> {
        assert_eq!(packets.len() % 188, 0);
        self.0.write_all(packets).map_err(|_| OutputClosed)
    }
}

fn record(path: &Path, seconds: u64) -> Finished {
    let mut card = TestCard::new(Some(CardVideo::default()), true).unwrap();
    let layout = Layout {
        video: Some(Codec::H264),
        audio: Some(AudioIn { stereo: false }),
    };
    let output = Box::new(Disk(File::create(path).unwrap()));
    let mut graph = Graph::start(layout, &SETTINGS, Duration::ZERO, output).unwrap();
    let mut to = Duration::ZERO;
    while to < Duration::from_secs(seconds) {
        to += Duration::from_millis(100);
        for (kind, unit) in card.next_units(to).unwrap() {
            graph.push(kind, unit.at, &unit);
        }
        graph.advance(to);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(graph.finish(to, Duration::from_secs(5)))
}

#[test]
fn h264_and_aac() {
    let finished = record(Path::new("/tmp/media-skeleton.ts"), 5);
    println!("{finished:?}");
    finished.result.unwrap();
}
