//! Tracks and units made up, and a cutter that is asked about them.

mod cuts;
mod losses;
mod model;
mod starts;

use super::*;
use crate::room::test_track::track;
use crate::room::{Codec, Source};

fn camera() -> Track {
    track("V", Source::Camera, Codec::H264)
}

fn microphone() -> Track {
    track("A", Source::Microphone, Codec::Opus)
}

fn unit(ms: u64, keyframe: bool) -> AccessUnit {
    AccessUnit {
        at: Duration::from_millis(ms),
        keyframe,
        contiguous: true,
        data: bytes::Bytes::from_static(&[0]),
    }
}

const BOTH: Layout = Layout {
    video: Some(Codec::H264),
    audio: Some(AudioIn {
        codec: Codec::Opus,
        stereo: false,
    }),
};
const SOUND: Layout = Layout {
    video: None,
    audio: Some(AudioIn {
        codec: Codec::Opus,
        stereo: false,
    }),
};
const PICTURE: Layout = Layout {
    video: Some(Codec::H264),
    audio: None,
};

struct Case {
    cutter: Cutter,
    start: Instant,
}

impl Case {
    fn new(tracks: &[Track]) -> Self {
        let start = Instant::now();
        let mut cutter = Cutter::new(Duration::from_mins(1), false, VideoMode::Auto);
        for track in tracks {
            cutter.track_added(track.clone(), start);
        }
        Self { cutter, start }
    }

    fn step(&mut self, id: &str, unit: &AccessUnit) -> Step {
        self.cutter.unit(&TrackId::new(id), unit).step
    }

    fn due(&self, ms: u64) -> Option<Layout> {
        self.cutter.due(self.start + Duration::from_millis(ms))
    }

    fn open(mut self, layout: Layout) -> Self {
        for active in [&mut self.cutter.video, &mut self.cutter.audio]
            .into_iter()
            .flatten()
        {
            active.waits = None;
            active.delivered = true;
        }
        self.cutter.opened(layout, Duration::ZERO);
        self
    }
}
