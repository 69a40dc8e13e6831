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
use stage::reeld::{self, Reeld};
use stage::relay::Relay;
use stage::room;
use stage::scene::{ROOM, Scene, verify};
use stage::steady::steady;

const SMALL: [&str; 4] = ["--size", "640x360", "--codec", "h264"];

/// Somebody who is recorded. Signalling, not media, goes through a relay.
fn through_a_relay() -> (Scene, Relay, Reeld, Publisher) {
    let scene = Scene::set();
    let relay = Relay::start(scene.server.ends(), 1);
    let reeld = Reeld::record_at(&relay.url(), ROOM, &scene.output(), &[]);
    let publisher = scene.publish("survivor", &SMALL);
    (scene, relay, reeld, publisher)
}

fn await_logged(reeld: &Reeld, what: &str, limit: Duration) {
    stage::poll(what, limit, || reeld.log().contains(what).then_some(()));
}

#[test]
fn media_goes_on_while_signalling_is_cut_and_resumed() {
    steady(|| {
        let (scene, relay, reeld, mut publisher) = through_a_relay();
        publisher.await_second(5);
        relay.cut_signalling(Duration::from_secs(2));
        await_logged(&reeld, "connection interrupted", Duration::from_secs(2));
        await_logged(&reeld, "connection resumed", Duration::from_secs(10));
        publisher.await_second(16);
        let (_, film) = scene.judge("survivor", reeld, publisher);
        film.assert_whole();
        film.assert_begins(0.0);
    });
}

#[test]
fn a_session_that_can_not_be_resumed_costs_a_moment() {
    steady(|| {
        let (scene, relay, reeld, mut publisher) = through_a_relay();
        publisher.await_second(4);
        // Longer than resuming is tried: everything is connected anew, and until then media flows.
        relay.cut_signalling(Duration::from_secs(17));
        await_logged(&reeld, "joined anew", Duration::from_mins(1));
        await_logged(&reeld, "connection resumed", Duration::from_secs(10));
        publisher.await_more(8);
        // Where it goes on may be in the middle of a beep.
        let (_, film) = scene.judge_but_for(1, "survivor", reeld, publisher);
        film.assert_present(0.9, 0);
    });
}

#[test]
fn a_server_that_is_killed_and_restarted_interrupts_the_recording() {
    steady(|| {
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
        // Where it goes on may be in the middle of a beep.
        let (_, film) = scene.judge_but_for(1, "survivor", reeld, publisher);
        film.assert_present(0.5, 0);
    });
}

#[test]
fn who_is_put_out_by_a_namesake_waits_and_who_is_removed_goes() {
    steady(|| {
        const NAME: &str = "recorder";
        let scene = Scene::set();
        let token = room::token(NAME, room::member(ROOM), Duration::from_hours(1));
        let record = |dir: &str| {
            let (url, output) = (scene.server.url(), scene.output().join(dir));
            let token = [("LIVEKIT_TOKEN", token.as_str())];
            Reeld::record_configured(&url, ROOM, &output, &[], &token)
        };
        let mut publisher = scene.publish("survivor", &SMALL);
        let mut first = record("first");
        first.await_writing(1);
        let mut second = record("second");
        second.await_writing(1);
        let put_out = "reason=\"duplicate_identity\"";
        await_logged(&first, put_out, Duration::from_secs(5));
        publisher.await_more(5);
        let log = second.log();
        assert!(!log.contains("interrupted"), "put out in turn: {log}");
        // What it had until then is sealed.
        assert_eq!(first.stop().summary().recordings.len(), 1);

        room::remove(&scene.server, ROOM, NAME);
        let removed = second.finish(Duration::from_secs(20));
        removed.assert_no_panic();
        assert_eq!(removed.code, Some(5), "{}", removed.stderr);
        let sealed = reeld::sealed(&scene.output().join("second"));
        assert_eq!(sealed.len(), 1, "{sealed:?}");
        verify(&sealed[0]);
        publisher.stop();
    });
}
