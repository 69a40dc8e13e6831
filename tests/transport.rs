//! The ways to the server, against LiveKit's own: IPv6, media over TCP, signalling under a private
//! CA.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;
#[path = "stage/tls.rs"]
mod tls;

use std::net::IpAddr;
use std::time::Duration;

use stage::reeld::{self, Outcome, Reeld};
use stage::relay::Relay;
use stage::scene::{ROOM, Scene};
use stage::server::{API_KEY, API_SECRET, Server};
use stage::steady::steady;
use tls::Front;

const SMALL: [&str; 4] = ["--size", "640x360", "--codec", "h264"];

/// Publishes for some seconds, and checks the one recording made of it.
fn judge(scene: &Scene, reeld: Reeld) -> String {
    let mut publisher = scene.publish("visitor", &SMALL);
    publisher.await_second(14);
    let (log, film) = scene.judge("visitor", reeld, publisher);
    film.assert_whole();
    log
}

/// An IPv6 address of this machine that a server takes.
fn own_ipv6() -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let mut usable = addresses.filter(|address| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    });
    usable.next()
}

/// Needs an IPv6 address of this machine that is not loopback or link-local.
#[test]
fn a_server_that_has_ipv6_only_is_recorded() {
    steady(|| {
        let Some(address) = own_ipv6() else {
            println!("left out: this machine has no IPv6 address that livekit-server takes");
            return;
        };
        let scene = Scene::around(Server::start_at(address));
        let reeld = scene.record(&[]);
        let log = judge(&scene, reeld);
        assert!(!log.contains("over TCP"), "{log}");
    });
}

#[test]
fn where_udp_finds_no_way_media_comes_over_tcp() {
    steady(|| {
        let scene = Scene::around(Server::start_without_udp());
        let reeld = scene.record(&[]);
        let log = judge(&scene, reeld);
        assert!(log.contains("media may go over TCP"), "{log}");
    });
}

#[test]
fn media_over_tcp_outlives_a_lost_signalling_connection() {
    steady(|| {
        let scene = Scene::around(Server::start_without_udp());
        let relay = Relay::start(scene.server.ends(), 1);
        let reeld = Reeld::record_at(&relay.url(), ROOM, &scene.output(), &[]);
        let mut publisher = scene.publish("visitor", &SMALL);
        publisher.await_second(6);
        // The server looks for a path anew, and takes other connections for it.
        relay.cut_signalling(Duration::from_secs(1));
        publisher.await_second(16);
        // Until the new path is found nothing comes: it may be found in the middle of a beep.
        let (log, film) = scene.judge_but_for(1, "visitor", reeld, publisher);
        assert!(log.contains("connection resumed"), "{log}");
        assert!(!log.contains("joined anew"), "{log}");
        film.assert_present(0.9, 0);
    });
}

#[test]
fn a_servers_certificate_of_a_private_ca_is_trusted_when_told() {
    steady(|| {
        let scene = Scene::around(Server::start());
        let front = Front::start(scene.server.address());
        let ca_file = front.ca_file();
        let options = ["--ca-file", ca_file.to_str().unwrap()];
        let reeld = Reeld::record_at(&front.url(), ROOM, &scene.output(), &options);
        judge(&scene, reeld);
    });
}

/// `reeld record` that is expected to end by itself at once.
fn refused(front: &Front, options: &[&str], secret: &str) -> Outcome {
    let dir = tempfile::TempDir::new().unwrap();
    let mut command = reeld::command();
    command
        .args(["record", "--url", &front.url(), "--room", ROOM, "--output"])
        .arg(dir.path())
        .args(options)
        .env("LIVEKIT_API_KEY", API_KEY)
        .env("LIVEKIT_API_SECRET", secret);
    reeld::run(&mut command, Duration::from_secs(30))
}

#[test]
fn nobody_elses_certificate_is_trusted_and_the_reason_is_told() {
    steady(|| {
        let server = Server::start();
        let front = Front::start(server.address());
        let ca_file = front.ca_file();
        let ca_option = ["--ca-file", ca_file.to_str().unwrap()];

        let unknown = refused(&front, &[], API_SECRET);
        assert_eq!(unknown.code, Some(4), "{}", unknown.stderr);
        assert!(unknown.stderr.contains("ca_file"), "{}", unknown.stderr);

        let wrong = refused(&front, &ca_option, "a-secret-that-the-server-does-not-know");
        assert_eq!(wrong.code, Some(5), "{}", wrong.stderr);

        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), "no certificate\n").unwrap();
        let other = other.path().to_str().unwrap();
        let bad = refused(&front, &["--ca-file", other], API_SECRET);
        assert_eq!(bad.code, Some(3), "{}", bad.stderr);
        assert!(bad.stderr.contains(other), "{}", bad.stderr);
        assert_eq!(bad.stderr.trim().lines().count(), 1, "{}", bad.stderr);
    });
}
