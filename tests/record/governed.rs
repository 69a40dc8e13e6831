//! What a real server makes of it when memory is short.

use std::time::Duration;

use super::stage::reeld;
use super::stage::scene::Scene;
use super::stage::steady::steady;

/// A recorder that uses more than it should from its first picture on gives up one level after the
/// other: the server is asked for a smaller layer, and sends it.
#[test]
fn a_server_sends_the_layer_that_is_left_when_memory_is_short() {
    steady(|| {
        let scene = Scene::set();
        // A decoder and an encoder take more than 30 % of that, but not all of it.
        let reeld = scene.record_set(&[
            ("REELD_MEMORY__BUDGET", "60MiB"),
            ("REELD_MEMORY__LOWER", "10"),
            ("REELD_MEMORY__UPPER", "30"),
            ("REELD_MEMORY__EMERGENCY", "100"),
            ("REELD_MEMORY__DWELL", "4s"),
        ]);
        let publisher = scene.publish("ann", &["--codec", "vp8", "--simulcast", "--secs", "18"]);
        publisher.finish(Duration::from_mins(1));
        let summary = reeld.stop().summary();
        let recording = &summary.recordings[0];
        let manifest = reeld::manifest(&recording.place(&scene.output()));
        let levels = manifest["levels"].as_array().unwrap();
        let reached = |level: &str| levels.iter().find(|it| it["to"] == level);
        assert_eq!(reached("lower_layer").unwrap()["cause"], "memory_use");
        let half = &reached("half_rate").unwrap()["at_ms"];
        let layers = manifest["layers"].as_array().unwrap();
        let smaller = layers.iter().find(|layer| {
            layer["at_ms"].as_u64() > half.as_u64() && layer["height"].as_u64() == Some(360)
        });
        assert!(smaller.is_some(), "{levels:#?}, {layers:#?}");
        let sound = recording.frames.audio.as_ref().unwrap();
        assert_eq!(sound.dropped.get("governor"), None, "{sound:?}");
    });
}
