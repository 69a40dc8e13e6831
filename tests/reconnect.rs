//! Connections that break, against LiveKit's own server: the recording goes on, and shows what
//! was published while it could.
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
use stage::scene::{Film, ROOM, Scene, Take};

const SMALL: [&str; 4] = ["--size", "640x360", "--codec", "h264"];

/// A recorder whose signalling, not its media, goes through a relay.
fn record_through(relay: &Relay, scene: &Scene) -> Reeld {
    Reeld::record_at(&relay.url(), ROOM, &scene.output(), &[])
}

fn await_logged(reeld: &Reeld, what: &str, limit: Duration) {
    stage::poll(what, limit, || reeld.log().contains(what).then_some(()));
}

/// Ends both and gives the one recording, with sound and picture in step.
fn judge(scene: &Scene, reeld: Reeld, publisher: Publisher) -> (Take, Film) {
    let outcome = reeld.stop();
    println!("{}", outcome.stderr);
    let summary = outcome.summary();
    let report = publisher.stop();
    assert_eq!(summary.recordings.len(), 1, "{summary:?}");
    let take = scene.take(&summary, "survivor");
    let film = take.film(&report);
    println!("{:?}", film.counters);
    film.assert_in_step_with(&take.sound(), &report);
    (take, film)
}

#[test]
fn media_goes_on_while_signalling_is_cut_and_resumed() {
    let scene = Scene::set();
    let relay = Relay::start(scene.server.ends(), 1);
    let reeld = record_through(&relay, &scene);
    let mut publisher = scene.publish("survivor", &SMALL);
    publisher.await_second(5);
    relay.cut_signalling(Duration::from_secs(2));
    await_logged(&reeld, "connection interrupted", Duration::from_secs(2));
    await_logged(&reeld, "connection resumed", Duration::from_secs(10));
    publisher.await_second(16);
    let (_, film) = judge(&scene, reeld, publisher);
    film.assert_whole();
    film.assert_begins(0.0);
}

#[test]
fn a_session_that_can_not_be_resumed_costs_a_moment() {
    let scene = Scene::set();
    let relay = Relay::start(scene.server.ends(), 1);
    let reeld = record_through(&relay, &scene);
    let mut publisher = scene.publish("survivor", &SMALL);
    publisher.await_second(4);
    // Longer than resuming is tried: everything is connected anew, and until then media flows.
    relay.cut_signalling(Duration::from_secs(17));
    await_logged(&reeld, "joined anew", Duration::from_mins(1));
    await_logged(&reeld, "connection resumed", Duration::from_secs(10));
    publisher.await_more(8);
    let (_, film) = judge(&scene, reeld, publisher);
    film.assert_present(0.9, 0);
}

#[test]
fn a_server_that_is_killed_and_restarted_interrupts_the_recording() {
    let mut scene = Scene::set();
    let reeld = scene.record(&[]);
    let mut publisher = scene.publish("survivor", &SMALL);
    publisher.await_second(6);
    scene.server.kill();
    await_logged(&reeld, "connection interrupted", Duration::from_secs(10));
    std::thread::sleep(Duration::from_secs(3));
    scene.server.start_again();
    await_logged(&reeld, "joined anew", Duration::from_mins(1));
    publisher.await_more(15);
    let (_, film) = judge(&scene, reeld, publisher);
    film.assert_present(0.5, 0);
}
