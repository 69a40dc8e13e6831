//! The ways to the server, against LiveKit's own: media over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::time::Duration;

use stage::publisher::Publisher;
use stage::reeld::Reeld;
use stage::relay::Relay;
use stage::scene::{Film, ROOM, Scene};
use stage::server::Server;

const SMALL: [&str; 4] = ["--size", "640x360", "--codec", "h264"];

/// Publishes for some seconds, and checks the one recording made of it.
fn judge(scene: &Scene, reeld: Reeld) -> String {
    let mut publisher = scene.publish("visitor", &SMALL);
    publisher.await_second(14);
    let (log, film) = finish(scene, reeld, publisher);
    film.assert_whole();
    log
}

/// Ends both and gives the log and the one recording, with sound and picture in step.
fn finish(scene: &Scene, reeld: Reeld, publisher: Publisher) -> (String, Film) {
    let outcome = reeld.stop();
    println!("{}", outcome.stderr);
    let summary = outcome.summary();
    let report = publisher.stop();
    assert_eq!(summary.recordings.len(), 1, "{summary:?}");
    let take = scene.take(&summary, "visitor");
    let film = take.film(&report);
    println!("{:?}", film.counters);
    film.assert_in_step_with(&take.sound(), &report);
    (outcome.stderr, film)
}

#[test]
fn where_udp_finds_no_way_media_comes_over_tcp() {
    let scene = Scene::around(Server::start_without_udp());
    let reeld = scene.record(&[]);
    let log = judge(&scene, reeld);
    assert!(log.contains("media may go over TCP"), "{log}");
}

#[test]
fn media_over_tcp_outlives_a_lost_signalling_connection() {
    let scene = Scene::around(Server::start_without_udp());
    let relay = Relay::start(scene.server.ends(), 1);
    let reeld = Reeld::record_at(&relay.url(), ROOM, &scene.output(), &[]);
    let mut publisher = scene.publish("visitor", &SMALL);
    publisher.await_second(6);
    // The server looks for a path anew, and takes other connections for it.
    relay.cut_signalling(Duration::from_secs(1));
    publisher.await_second(16);
    let (log, film) = finish(&scene, reeld, publisher);
    assert!(log.contains("connection resumed"), "{log}");
    assert!(!log.contains("joined anew"), "{log}");
    film.assert_present(0.9, 0);
}
