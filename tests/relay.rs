//! The relay of the network tests is tested itself: one that does nothing would let every
//! recording pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

mod stage;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use stage::relay::faults::{Cause, Fate, Faults, Line};
use stage::relay::{Ends, MEDIA, Relay};

const MS: Duration = Duration::from_millis(1);

/// The fates of `count` datagrams of 1000 bytes, one a millisecond.
fn fates(faults: &Faults, seed: u64, count: u32) -> Vec<(Instant, Fate)> {
    let start = Instant::now();
    let mut line = Line::new(seed);
    let one = |i| {
        let now = start + MS * i;
        (now, line.decide(faults, 1000, now))
    };
    (0..count).map(one).collect()
}

fn share(fates: &[(Instant, Fate)], wanted: impl Fn(&Fate) -> bool) -> f64 {
    let count = fates.iter().filter(|(_, fate)| wanted(fate)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(fates.len()).unwrap())
}

#[test]
fn a_clean_line_passes_everything_at_once() {
    for (now, fate) in fates(&Faults::default(), 1, 1000) {
        let (copy, held_back) = (None, false);
        assert_eq!(
            fate,
            Fate::Passed {
                at: now,
                copy,
                held_back
            }
        );
    }
}

#[test]
fn a_blackout_passes_nothing() {
    let faults = Faults {
        blackout: true,
        ..Faults::default()
    };
    let dropped = |fate: &Fate| *fate == Fate::Dropped(Cause::Blackout);
    assert!(fates(&faults, 1, 100).iter().all(|(_, fate)| dropped(fate)));
}

#[test]
fn shares_are_those_asked_for() {
    let faults = Faults {
        loss: 0.1,
        duplication: 0.05,
        reorder: 0.2,
        ..Faults::default()
    };
    let seen = fates(&faults, 7, 20_000);
    let lost = share(&seen, |fate| matches!(fate, Fate::Dropped(Cause::Loss)));
    assert!((0.09..0.11).contains(&lost), "{lost}");
    let twice = share(&seen, |fate| {
        matches!(fate, Fate::Passed { copy: Some(_), .. })
    });
    assert!((0.04..0.05).contains(&twice), "{twice}");
    let late = share(&seen, |fate| {
        matches!(
            fate,
            Fate::Passed {
                held_back: true,
                ..
            }
        )
    });
    assert!((0.17..0.19).contains(&late), "{late}");
}

#[test]
fn a_limited_rate_is_kept_and_its_queue_is_bounded() {
    let faults = Faults {
        rate: Some(500_000),
        ..Faults::default()
    };
    // 8 Mb/s come for 4 s; with headers 8224 bits each.
    let seen = fates(&faults, 1, 4000);
    let passed = share(&seen, |fate| matches!(fate, Fate::Passed { .. })) * 4000.0;
    assert!((240.0..280.0).contains(&passed), "{passed}");
    for (now, fate) in seen {
        if let Fate::Passed { at, .. } = fate {
            assert!(at - now < MS * 520, "{:?}", at - now);
        }
    }
}

proptest! {
    #[test]
    fn the_same_seed_has_the_same_fates(seed: u64, loss in 0.0..1.0f64, jitter in 0u32..100) {
        let faults = Faults { loss, jitter: MS * jitter, delay: MS * 50, ..Faults::default() };
        let relative = |fates: Vec<(Instant, Fate)>| -> Vec<Option<Duration>> {
            let after = |(now, fate)| match fate {
                Fate::Passed { at, .. } => Some(at - now),
                Fate::Dropped(_) => None,
            };
            fates.into_iter().map(after).collect()
        };
        let first = relative(fates(&faults, seed, 200));
        prop_assert_eq!(&first, &relative(fates(&faults, seed, 200)));
        let (least, most) = (MS * 50u32.saturating_sub(jitter), MS * (50 + jitter));
        prop_assert!(first.iter().flatten().all(|after| (least..=most).contains(after)));
    }
}

/// Sockets where a server would have them, and a relay in front of them.
fn set() -> (TcpListener, UdpSocket, Relay) {
    let signal = TcpListener::bind("127.0.0.1:0").unwrap();
    let media = UdpSocket::bind("127.0.0.1:0").unwrap();
    media
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let ends = Ends {
        signal: signal.local_addr().unwrap(),
        media: media.local_addr().unwrap(),
    };
    (signal, media, Relay::start(ends, 3))
}

#[test]
fn only_the_recorders_datagrams_suffer() {
    let (_signal, server, relay) = set();
    let place = (MEDIA, server.local_addr().unwrap().port());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(place).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let blackout = Faults {
        blackout: true,
        ..Faults::default()
    };
    relay.set(blackout);

    // Nobody is the recorder: it passes both ways.
    client.send(b"ask").unwrap();
    let mut buffer = [0; 16];
    let (len, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"ask");
    server.send_to(b"answer", from).unwrap();
    let len = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"answer");

    // This process is the recorder: a new socket of it is cut off until the line is cleared.
    relay.afflict(std::process::id());
    let victim = UdpSocket::bind("127.0.0.1:0").unwrap();
    victim.connect(place).unwrap();
    victim.send(b"lost").unwrap();
    stage::poll("a datagram is blacked out", Duration::from_secs(5), || {
        (relay.counts().blacked_out == 1).then_some(())
    });
    relay.clear();
    victim.send(b"found").unwrap();
    let len = server.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"found");
    let counts = relay.counts();
    assert_eq!(
        (counts.passed, counts.blacked_out, counts.overflowed),
        (1, 1, 0)
    );
}

#[test]
fn a_delayed_datagram_comes_later_and_twice_if_asked() {
    let (_signal, server, relay) = set();
    relay.afflict(std::process::id());
    relay.set(Faults {
        delay: MS * 80,
        duplication: 1.0,
        ..Faults::default()
    });
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = Instant::now();
    client
        .send_to(b"late", (MEDIA, server.local_addr().unwrap().port()))
        .unwrap();
    for _ in 0..2 {
        let mut buffer = [0; 16];
        let len = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"late");
        assert!(sent.elapsed() >= MS * 80, "{:?}", sent.elapsed());
    }
    assert_eq!(relay.counts().duplicated, 1);
}

fn ask(stream: &mut TcpStream) -> std::io::Result<[u8; 3]> {
    stream.write_all(b"ask")?;
    let mut answer = [0; 3];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[test]
fn signalling_passes_is_held_is_cut_and_comes_back() {
    let (listener, _media, relay) = set();
    // Echoes on each connection by turns.
    let echo = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 3];
            // A cut ends it with an error, which is what the test wants.
            while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
        }
    });
    let place = relay.url().strip_prefix("ws://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&place).unwrap();
    assert_eq!(&ask(&mut stream).unwrap(), b"ask");

    relay.hold_signalling(true);
    stream.set_read_timeout(Some(MS * 200)).unwrap();
    let held = ask(&mut stream).unwrap_err().kind();
    assert!(
        matches!(held, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{held}"
    );
    relay.hold_signalling(false);
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).unwrap();

    let refused = MS * 300;
    let cut = Instant::now();
    relay.cut_signalling(refused);
    assert_eq!(
        stream.read(&mut answer).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let mut again = stage::poll("the relay takes connections again", refused * 10, || {
        let mut again = TcpStream::connect(&place).ok()?;
        ask(&mut again).ok()?;
        Some(again)
    });
    assert!(cut.elapsed() >= refused);
    assert_eq!(&ask(&mut again).unwrap(), b"ask");
    drop(again);
    echo.join().unwrap();
}
