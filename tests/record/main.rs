//! Records real rooms: LiveKit's own server, libwebrtc as the publisher, the `reeld` binary;
//! and judges by what another decoder shows of the files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod codecs;
mod governed;
mod people;
#[path = "../stage/mod.rs"]
mod stage;
mod tracks;
mod trouble;

use std::time::Duration;

use stage::reeld::Recording;
use stage::scene::{Film, START_S, Scene};

/// `reeld` waits in an empty room, one participant comes with `options`, publishes for 17 s and
/// leaves: the recording is sealed with nobody's help.
fn whole_visit(options: &[&str]) -> Film {
    let scene = Scene::set();
    let mut reeld = scene.record(&[]);
    let options = [options, &["--secs", "17"]].concat();
    let publisher = scene.publish("visitor", &options);
    let report = publisher.finish(Duration::from_mins(1));
    reeld.await_sealed("visitor");
    let summary = reeld.stop().summary();

    let take = scene.take(&summary, "visitor");
    take.assert_streams(&[("audio", "aac"), ("video", "h264")]);
    let film = take.film(&report);
    film.assert_begins(0.0);
    film.assert_ends(f64::from(report.frames.unwrap()));
    assert!(film.end - film.start > 15.0 - START_S);
    film.assert_in_step_with(&take.sound(), &report);
    assert_counts_add_up(&summary.recordings[0]);
    film
}

/// Every unit that came is accounted for.
fn assert_counts_add_up(recording: &Recording) {
    let video = recording.frames.video.as_ref().expect("video is counted");
    let dropped: u64 = video.dropped.values().sum();
    // A re-encoded picture may be repeated or merged by the encoder; a copied one may not.
    assert!(
        video.written + dropped >= video.received,
        "lost without a reason: {video:?}"
    );
    assert!(recording.duration_s > 15.0 - START_S);
}
