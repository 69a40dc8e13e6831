//! Simulated senders and networks: what goes in is known, so what comes out can be judged.

use std::time::{Duration, Instant, SystemTime};

use super::{Placed, SenderReport, Timeline};
use crate::room::{Codec, TrackId};

pub(super) const MS: f64 = 1e-3;

/// What the simulated path and sender do to a track.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    pub(super) codec: Codec,
    /// Seconds of real time between units.
    pub(super) interval: f64,
    /// How fast the RTP clock runs against the sender's wall clock, less one.
    pub(super) drift: f64,
    pub(super) first_rtp: u32,
    /// When the first unit is captured, in seconds of real time since the epoch.
    pub(super) starts: f64,
    /// Least seconds from capture to arrival, and most jitter on top.
    pub(super) delay: f64,
    pub(super) jitter: f64,
    /// Seconds between reports, and how far each may be off.
    pub(super) report_every: f64,
    pub(super) report_noise: f64,
    /// How many of the reports are lost, and the most seconds that the others take: they may
    /// overtake each other.
    pub(super) report_loss: f64,
    pub(super) report_late: f64,
}

pub(super) const SOUND: Sender = Sender {
    codec: Codec::Opus,
    interval: 0.02,
    drift: 0.0,
    first_rtp: 1_000,
    starts: 0.1,
    delay: 0.03,
    jitter: 0.03,
    report_every: 5.0,
    report_noise: 0.0,
    report_loss: 0.0,
    report_late: 0.0,
};

pub(super) const PICTURES: Sender = Sender {
    codec: Codec::H264,
    interval: 1.0 / 30.0,
    drift: 0.0,
    first_rtp: u32::MAX - 1_000,
    starts: 0.4,
    delay: 0.09,
    jitter: 0.05,
    report_every: 5.0,
    report_noise: 0.0,
    report_loss: 0.0,
    report_late: 0.0,
};

pub(super) struct Stream {
    pub(super) sender: Sender,
    pub(super) track: TrackId,
    random: fastrand::Rng,
    pub(super) next: f64,
    pub(super) report: Option<SenderReport>,
    /// Reports that are on their way, and when they arrive.
    coming: Vec<(f64, SenderReport)>,
    reported: f64,
    /// Added to the sender's wall clock in reports made from now on.
    pub(super) wall_step: f64,
    /// RTP time that did not go by, in seconds.
    pub(super) stood_still: f64,
}

/// A unit as it was captured and as it was placed, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    captured: f64,
    pub(super) placed: Placed,
}

impl Outcome {
    pub(super) fn error(&self) -> f64 {
        self.placed.at.as_secs_f64() - self.captured
    }
}

impl Stream {
    fn new(timeline: &mut Timeline, name: &str, sender: Sender, seed: u64) -> Self {
        let track = TrackId::new(name);
        timeline.add_track(&track, "somebody", sender.codec);
        Self {
            sender,
            track,
            random: fastrand::Rng::with_seed(seed),
            next: sender.starts,
            report: None,
            coming: Vec::new(),
            reported: sender.starts - 1.5,
            wall_step: 0.0,
            stood_still: 0.0,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the tick a moment lies in")]
    #[expect(clippy::cast_sign_loss, reason = "moments lie after the start or wrap")]
    fn rtp(&self, real: f64) -> u32 {
        let rate = if self.sender.codec == Codec::Opus {
            48_000.0
        } else {
            90_000.0
        };
        let media = (real - self.sender.starts) * (1.0 + self.sender.drift) - self.stood_still;
        self.sender
            .first_rtp
            .wrapping_add((media * rate).round() as i64 as u32)
    }

    /// Captures and delivers the next unit.
    pub(super) fn step(&mut self, timeline: &mut Timeline, epoch: Instant) -> Outcome {
        let captured = self.next;
        let arrives = captured + self.sender.delay + self.random.f64() * self.sender.jitter;
        if captured - self.reported >= self.sender.report_every {
            self.reported = captured;
            let noise = (self.random.f64() * 2.0 - 1.0) * self.sender.report_noise;
            let wall = 1_800_000_000.25 + captured + self.wall_step + noise;
            let report = SenderReport {
                ntp: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(wall),
                rtp: self.rtp(captured),
            };
            let arrives = captured + self.random.f64() * self.sender.report_late;
            if self.random.f64() >= self.sender.report_loss {
                self.coming.push((arrives, report));
            }
        }
        for (_, report) in self.coming.extract_if(.., |(at, _)| *at <= captured) {
            self.report = Some(report);
        }
        self.next += self.sender.interval;
        let arrival = epoch + Duration::from_secs_f64(arrives);
        let placed = timeline
            .place(&self.track, self.rtp(captured), arrival, self.report)
            .unwrap();
        Outcome { captured, placed }
    }
}

/// Runs two senders side by side until `end`.
pub(super) fn run_both(
    timeline: &mut Timeline,
    epoch: Instant,
    streams: &mut [Stream; 2],
    end: f64,
) -> [Vec<Outcome>; 2] {
    let mut outcomes = [Vec::new(), Vec::new()];
    loop {
        let first = usize::from(streams[1].next < streams[0].next);
        if streams[first].next >= end {
            return outcomes;
        }
        outcomes[first].push(streams[first].step(timeline, epoch));
    }
}

pub(super) fn sound_and_pictures(
    sound: Sender,
    pictures: Sender,
) -> (Timeline, Instant, [Stream; 2]) {
    let epoch = Instant::now();
    let mut timeline = Timeline::new(epoch);
    let streams = [
        Stream::new(&mut timeline, "sound", sound, 1),
        Stream::new(&mut timeline, "pictures", pictures, 2),
    ];
    (timeline, epoch, streams)
}

/// The greatest difference of error between a unit of sound and the picture before it.
pub(super) fn worst_skew(outcomes: &[Vec<Outcome>; 2], from: f64) -> f64 {
    let [sound, pictures] = outcomes;
    let mut picture = pictures.iter().peekable();
    let mut worst: f64 = 0.0;
    for heard in sound.iter().filter(|heard| heard.captured >= from) {
        while picture
            .next_if(|seen| seen.captured < heard.captured - 0.04)
            .is_some()
        {}
        if let Some(seen) = picture.peek() {
            worst = worst.max((heard.error() - seen.error()).abs());
        }
    }
    assert!(worst > 0.0, "nothing compared");
    worst
}

fn worst_error(outcomes: &[Outcome], from: f64) -> f64 {
    outcomes
        .iter()
        .filter(|outcome| outcome.captured >= from)
        .map(|outcome| outcome.error().abs())
        .fold(0.0, f64::max)
}

#[test]
fn drifting_tracks_stay_together_for_hours() {
    let sound = Sender {
        drift: 200e-6,
        ..SOUND
    };
    let pictures = Sender {
        drift: -200e-6,
        ..PICTURES
    };
    let (mut timeline, epoch, mut streams) = sound_and_pictures(sound, pictures);
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 3.0 * 3_600.0);
    assert!(worst_skew(&outcomes, 20.0) < 5.0 * MS);
    assert!(worst_skew(&outcomes, 120.0) < MS);
    // Local time of capture is known but for the least delay of sound.
    assert!(worst_error(&outcomes[0], 60.0) < SOUND.delay + 5.0 * MS);
    assert_eq!(timeline.counters(), super::Counters::default());
}

#[test]
fn noisy_reports_do_not_make_sound_wander() {
    let noisy = |sender| Sender {
        report_noise: 5.0 * MS,
        ..sender
    };
    let (mut timeline, epoch, mut streams) = sound_and_pictures(noisy(SOUND), noisy(PICTURES));
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 1_800.0);
    assert!(worst_skew(&outcomes, 120.0) < 10.0 * MS);
}

#[test]
fn pictures_move_to_sound_and_sound_stays() {
    // Pictures come late and report first, as libwebrtc's do: each second against each five.
    let pictures = Sender {
        delay: 0.25,
        report_every: 1.0,
        ..PICTURES
    };
    let sound = Sender {
        jitter: 0.0,
        ..SOUND
    };
    let (mut timeline, epoch, mut streams) = sound_and_pictures(sound, pictures);
    streams[0].reported = 0.0;
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 30.0);
    assert!(worst_skew(&outcomes, 15.0) < 2.0 * MS);
    for heard in &outcomes[0] {
        assert!((heard.error() - SOUND.delay).abs() < 2.0 * MS);
    }
}

#[test]
fn the_sender_drifting_against_us_is_followed() {
    // One sender's whole machine is 100 ppm fast, for a day.
    let fast = 100e-6;
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    let [stream, _] = &mut streams;
    stream.sender.interval = 1.0;
    let mut last = 0.0;
    while stream.next < 86_400.0 {
        let real = stream.next;
        let sent = real * (1.0 + fast);
        let report = SenderReport {
            ntp: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(1_800_000_000.0 + sent),
            rtp: stream.rtp(sent),
        };
        let arrival = epoch + Duration::from_secs_f64(real + stream.sender.delay);
        let placed = timeline
            .place(&stream.track, stream.rtp(sent), arrival, Some(report))
            .unwrap();
        last = placed.at.as_secs_f64() - real;
        stream.next += stream.sender.interval;
    }
    assert!(last.abs() < 0.1, "{last} s off after a day");
}

#[test]
fn a_late_first_burst_is_made_good_without_a_jump() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    let [stream, _] = &mut streams;
    let mut last: Option<(u32, Placed)> = None;
    for unit in 0..1_000_u32 {
        let captured = f64::from(unit) * 0.02;
        let arrives = captured.max(0.5) + 0.03;
        let rtp = unit * 960;
        let arrival = epoch + Duration::from_secs_f64(arrives);
        let placed = timeline.place(&stream.track, rtp, arrival, None).unwrap();
        if let Some((_, before)) = last {
            let step = placed.at.checked_sub(before.at).unwrap();
            assert!(step >= Duration::from_millis(19) && step <= Duration::from_millis(21));
        }
        last = Some((rtp, placed));
        stream.next = captured;
    }
    let error = last.unwrap().1.at.as_secs_f64() - stream.next - 0.03;
    assert!(error.abs() < MS, "{error} s off");
}

#[test]
fn a_wall_clock_that_steps_moves_nothing() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    let mut outcomes = run_both(&mut timeline, epoch, &mut streams, 60.0);
    for stream in &mut streams {
        stream.wall_step = 3_600.0;
    }
    let after = run_both(&mut timeline, epoch, &mut streams, 180.0);
    for (all, after) in outcomes.iter_mut().zip(after) {
        all.extend(after);
    }
    assert!(worst_skew(&outcomes, 30.0) < 40.0 * MS);
    assert!(worst_skew(&outcomes, 100.0) < 2.0 * MS);
    assert!(worst_error(&outcomes[0], 30.0) < SOUND.delay + SOUND.jitter);
    assert_eq!(timeline.counters().wall_clock_steps, 1);
    assert_eq!(timeline.counters().restarts, 0);
}

#[test]
fn a_wall_clock_that_is_set_a_little_moves_nothing() {
    // As libwebrtc's: pictures report each second and notice it long before sound does.
    let pictures = Sender {
        report_every: 1.0,
        ..PICTURES
    };
    for step in [-1.5, -0.2, 0.42, 1.0] {
        let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, pictures);
        run_both(&mut timeline, epoch, &mut streams, 60.0);
        for stream in &mut streams {
            stream.wall_step = step;
        }
        let after = run_both(&mut timeline, epoch, &mut streams, 180.0);
        let skew = worst_skew(&after, 60.0);
        assert!(skew < 5.0 * MS, "stepped by {step} s: {skew} s apart");
        assert_eq!(timeline.counters().wall_clock_steps, 1);
    }
}

#[test]
fn one_wrong_report_changes_nothing() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    run_both(&mut timeline, epoch, &mut streams, 60.0);
    streams[0].wall_step = 0.5;
    let mut outcomes = run_both(&mut timeline, epoch, &mut streams, 64.0);
    streams[0].wall_step = 0.0;
    let after = run_both(&mut timeline, epoch, &mut streams, 120.0);
    for (all, after) in outcomes.iter_mut().zip(after) {
        all.extend(after);
    }
    assert!(worst_skew(&outcomes, 0.0) < 2.0 * MS);
    assert_eq!(timeline.counters().reports_doubted, 1);
}

#[test]
fn sound_that_stood_still_goes_on_where_it_arrives() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    run_both(&mut timeline, epoch, &mut streams, 60.0);
    streams[0].next += 5.0;
    streams[0].stood_still = 5.0;
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 120.0);
    let restarts = outcomes[0].iter().filter(|unit| unit.placed.discontinuity);
    assert_eq!(restarts.count(), 1);
    assert!(worst_skew(&outcomes, 65.5) < SOUND.delay + SOUND.jitter + PICTURES.delay);
    assert!(worst_skew(&outcomes, 90.0) < 2.0 * MS);
}

#[test]
fn sound_that_stood_still_for_a_moment_is_slewed_and_moves_no_pictures() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    let before = run_both(&mut timeline, epoch, &mut streams, 60.0);
    streams[0].next += 1.5;
    streams[0].stood_still = 1.5;
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 180.0);
    assert_eq!(timeline.counters().restarts, 0);
    assert_eq!(timeline.counters().wall_clock_steps, 0);
    let settled = before[1].last().unwrap().error();
    for seen in &outcomes[1] {
        assert!((seen.error() - settled).abs() < 5.0 * MS);
    }
    // Two reports to notice, and then 20 times the gap.
    assert!(worst_skew(&outcomes, 61.5 + 10.0 + 30.0) < 2.0 * MS);
}

#[test]
fn a_track_of_another_wall_clock_lies_where_it_arrives() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    streams[1].wall_step = 86_400.0;
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 120.0);
    assert_eq!(timeline.counters().wall_clock_steps, 0);
    assert!(worst_error(&outcomes[0], 0.0) < SOUND.delay + SOUND.jitter);
    assert!(worst_error(&outcomes[1], 0.0) < PICTURES.delay + PICTURES.jitter);
}

#[test]
fn an_rtp_clock_that_starts_again_goes_on_where_it_arrives() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    run_both(&mut timeline, epoch, &mut streams, 60.0);
    streams[1].sender.first_rtp = 1 << 30;
    let outcomes = run_both(&mut timeline, epoch, &mut streams, 120.0);
    assert!(outcomes[1][0].placed.discontinuity);
    assert!(outcomes[1][0].error().abs() < PICTURES.delay + PICTURES.jitter);
    assert_eq!(timeline.counters().restarts, 1);
    assert!(worst_skew(&outcomes, 90.0) < 2.0 * MS);
}

#[test]
fn a_stall_of_the_network_moves_nothing() {
    let (mut timeline, epoch, mut streams) = sound_and_pictures(SOUND, PICTURES);
    run_both(&mut timeline, epoch, &mut streams, 60.0);
    let stalled_until = 66.0;
    let [sound, _] = &mut streams;
    while sound.next < 80.0 {
        let delay = (stalled_until - sound.next).max(0.03);
        (sound.sender.delay, sound.sender.jitter) = (delay, 0.001);
        let outcome = sound.step(&mut timeline, epoch);
        assert!(outcome.error().abs() < 35.0 * MS, "{}", outcome.error());
        assert!(!outcome.placed.discontinuity);
    }
}

#[test]
fn a_track_that_was_not_added_is_not_placed() {
    let mut timeline = Timeline::new(Instant::now());
    let track = TrackId::new("gone");
    assert_eq!(timeline.place(&track, 0, Instant::now(), None), None);
    timeline.add_track(&track, "somebody", Codec::Opus);
    assert!(timeline.place(&track, 0, Instant::now(), None).is_some());
    timeline.remove_track(&track);
    assert_eq!(timeline.place(&track, 0, Instant::now(), None), None);
    assert!(timeline.participants.is_empty());
}
