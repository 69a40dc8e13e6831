//! A recorder that is far from its server, and what it may cost to be there.

use std::ops::Range;
use std::time::Duration;

use super::stage::process::{assert_grew_little, peak_memory};
use super::stage::publisher::{Publisher, Report};
use super::stage::reeld::{self, Gap, Reeld, Summary};
use super::stage::relay::faults::Faults;
use super::stage::relay::{Counts, Relay};
use super::stage::scene::{Film, ROOM, Scene};

/// The second of the test card at which recording has settled.
pub const SETTLED: u32 = 5;
/// What a gap costs more than the outage that made it, in seconds: a new connection and the wait for
/// a keyframe.
const EDGE_S: f64 = 1.5;

/// Of the ten beeps that are under way while a tenth of the packets is lost, one lacks its first two
/// (40 ms) in one run of ten.
const TORN_BEEPS: usize = 2;

/// Pictures that the publisher's encoder gets through while it shares two cores: what is missing
/// of them was lost on the way.
pub const SMALL: [&str; 2] = ["--size", "640x360"];

/// A scene with the relay between recorder and server.
pub struct Distance {
    pub scene: Scene,
    pub relay: Relay,
}

impl Distance {
    pub fn set(seed: u64) -> Self {
        let scene = Scene::behind_relay();
        let relay = Relay::start(scene.server.ends(), seed);
        Self { scene, relay }
    }

    /// Starts `reeld record` behind the relay, configured by `variables`.
    pub fn record(&self, variables: &[(&str, &str)]) -> Far {
        let output = self.scene.output();
        let reeld = Reeld::record_configured(&self.relay.url(), ROOM, &output, &[], variables);
        // It opens its sockets after it has joined: milliseconds from now.
        self.relay.afflict(reeld.pid());
        Far {
            reeld,
            peak_before: None,
        }
    }

    pub fn publish(&self, identity: &str, options: &[&str]) -> Publisher {
        self.scene.publish(identity, &[&SMALL, options].concat())
    }

    /// What the relay did; it was never short of room itself: what is missing was taken on
    /// purpose.
    pub fn counts(&self) -> Counts {
        let counts = self.relay.counts();
        println!("relay: {counts:?}");
        assert_eq!(counts.overflowed, 0, "{counts:?}");
        counts
    }

    /// The gaps of one kind of media that the manifest of the participant's recording lists.
    pub fn gaps(&self, summary: &Summary, participant: &str, kind: &str) -> Vec<Gap> {
        let mut all = summary.recordings.iter();
        let recording = all.find(|recording| recording.participant == participant);
        let dir = recording.expect("a recording").place(&self.scene.output());
        reeld::gaps(&dir, kind)
    }
}

/// The recorder behind the relay, and how much memory it had.
pub struct Far {
    pub reeld: Reeld,
    peak_before: Option<u64>,
}

impl Far {
    /// Call it when recording has settled and before anything goes wrong.
    pub fn remember_memory(&mut self) {
        self.peak_before = Some(peak_memory(self.reeld.pid()));
    }

    /// What went wrong has not cost memory.
    fn assert_memory(&self) {
        let before = self.peak_before.expect("remembered before the fault");
        assert_grew_little(self.reeld.pid(), before);
    }

    /// Waits until the participant's recording is sealed by itself, and ends the recorder.
    pub fn await_visit(mut self, participant: &str) -> Summary {
        self.reeld.await_sealed(participant);
        self.stop()
    }

    /// Ends the recorder in good order.
    pub fn stop(self) -> Summary {
        self.assert_memory();
        println!("reeld: {}", self.reeld.log());
        self.reeld.stop().summary()
    }
}

/// Somebody who comes, publishes while something goes wrong, and leaves.
pub struct Visit {
    pub distance: Distance,
    pub far: Far,
    pub publisher: Publisher,
    /// Beeps that may lack their beginning.
    torn_beeps: usize,
}

/// The name of who comes.
const VISITOR: &str = "visitor";

impl Visit {
    /// Returns when all goes well and is settled.
    pub fn begin(seed: u64, options: &[&str]) -> Self {
        let distance = Distance::set(seed);
        let mut far = distance.record(&[]);
        let mut publisher = distance.publish(VISITOR, options);
        publisher.await_second(SETTLED);
        far.remember_memory();
        Self {
            distance,
            far,
            publisher,
            torn_beeps: 0,
        }
    }

    /// The media suffers `faults` until that second of the test card.
    pub fn suffer_until(&mut self, faults: Faults, second: u32) {
        if faults.loss > 0.0 {
            self.torn_beeps = TORN_BEEPS;
        }
        self.distance.relay.set(faults);
        self.publisher.await_second(second);
        self.distance.relay.clear();
    }

    /// Waits for the end of it, and checks what holds whatever went wrong.
    pub fn end(self) -> Ended {
        let report = self.publisher.finish(Duration::from_mins(1));
        let summary = self.far.await_visit(VISITOR);
        Ended::judge(self.distance, summary, &report, self.torn_beeps)
    }
}

/// A visit that is over.
pub struct Ended {
    pub film: Film,
    pub counts: Counts,
    pub distance: Distance,
    summary: Summary,
}

impl Ended {
    fn judge(distance: Distance, summary: Summary, report: &Report, torn_beeps: usize) -> Self {
        let take = distance.scene.take(&summary, VISITOR);
        let film = take.film(report);
        println!("{:?}, {:?}", film.counters, summary.recordings[0].frames);
        film.assert_present(0.0, 0);
        film.assert_begins(0.0);
        film.assert_ends(f64::from(report.frames.unwrap()));
        film.assert_in_step_but_for(torn_beeps, &take.sound(), report);
        Self {
            film,
            counts: distance.counts(),
            distance,
            summary,
        }
    }

    /// One stretch of that many seconds is missing and nothing else, and the manifest says so
    /// with one of `causes`.
    pub fn assert_one_gap(&self, seconds: Range<f64>, causes: &[&str]) {
        let fps = f64::from(self.film.fps);
        let longest = f64::from(self.film.counters.longest_gap) / fps;
        assert!(seconds.contains(&longest), "{longest} s are missing");
        let others = f64::from(self.film.counters.missing) / fps - longest;
        assert!(
            others < EDGE_S,
            "{others} s more are missing: {:?}",
            self.film.counters
        );
        for kind in ["video", "audio"] {
            let gaps = self.distance.gaps(&self.summary, VISITOR, kind);
            let length_s = |gap: &Gap| Duration::from_millis(gap.duration_ms).as_secs_f64();
            let [gap] = gaps.as_slice() else {
                panic!("one gap of {kind}: {gaps:?}");
            };
            assert!((length_s(gap) - longest).abs() < 2.0 * EDGE_S, "{gap:?}");
            assert!(causes.contains(&gap.cause.as_str()), "{gap:?}");
        }
    }

    /// No picture and no sound was dropped for this reason.
    pub fn assert_nothing_dropped_by(&self, reason: &str) {
        let frames = &self.summary.recordings[0].frames;
        for units in [&frames.video, &frames.audio].into_iter().flatten() {
            assert_eq!(units.dropped.get(reason), None, "{frames:?}");
        }
    }

    /// Nothing is missing, and the manifest claims nothing else.
    pub fn assert_no_gap(&self) {
        self.film.assert_whole();
        for kind in ["video", "audio"] {
            let gaps = self.distance.gaps(&self.summary, VISITOR, kind);
            assert!(gaps.is_empty(), "{gaps:?}");
        }
    }
}
