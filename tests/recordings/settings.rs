//! How the scripts are recorded.

use std::path::Path;
use std::time::Duration;

use reeld::daemon::settings::{OnFailure, RoomSettings, Turnover};
use reeld::governor::{Door, Orders};
use reeld::media::{
    AudioOut, Equipment, EquipmentWatch, GraphSettings, InFlight, Saving, VideoMode,
};
use reeld::recorder::WriterSettings;
use reeld::storage::Storage;
use tokio::sync::watch;

use crate::script::ms;

/// Recordings below `root`, cut each `segment`.
pub fn settings(root: &Path, segment: Duration) -> RoomSettings {
    RoomSettings {
        root: root.to_owned(),
        room: "room".to_owned(),
        equipment: EquipmentWatch::known(Equipment::installed(|it| !it.is_hardware()).unwrap()),
        graph: GraphSettings {
            mode: VideoMode::Auto,
            coders: None,
            max_lines: None,
            in_flight: InFlight::default(),
            saving: Saving::default(),
            video_bitrate: 500_000,
            keyframe_interval: ms(1_000),
            audio: AudioOut::Aac { bitrate: 64_000 },
            keep_damaged: false,
        },
        writer: WriterSettings {
            segment_duration: segment,
            flush_interval: ms(200),
            ..WriterSettings::default()
        },
        cut_on_resize: false,
        max_unit_bytes: 4 << 20,
        warn_after: ms(2_000),
        turnover: Turnover {
            after: Duration::from_hours(24),
            bytes: None,
        },
        orders: watch::channel(Orders::default()).1,
        door: Door::open(),
        // Nobody looks after it: it is ready for ever.
        storage: watch::channel(Storage::default()).1,
        on_failure: OnFailure::Retry,
    }
}
