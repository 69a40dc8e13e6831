//! Where the units of one track lie: arrival first, sender reports then, slewed in between.

use time::Duration as SignedDuration;

use super::arrival::{BELIEF, DelayFloor, RestartDetector};
use super::clock::ParticipantClock;
use super::report::{Reports, SenderReport, Verdict};
use super::rtp::RtpClock;
use super::{Counters, Placed};
use crate::room::{Codec, Kind, TrackId};

/// A correction moves by at most one part in this many of the media time that goes by.
const SLEW_DIVISOR: i32 = 20;

/// One tick of 90 kHz, rounded up: units this far apart have different PTS.
const TICK: SignedDuration = SignedDuration::nanoseconds(11_112);

/// What a track may keep of its place against arrivals when its stream begins anew.
const MOST_USUAL: SignedDuration = SignedDuration::milliseconds(500);

/// The clock of one track.
#[derive(Debug)]
pub struct TrackClock {
    id: TrackId,
    kind: Kind,
    rtp: RtpClock,
    reports: Reports,
    run: Option<Run>,
    out: Option<Out>,
    /// How far from the least delay the track lay when its stream last began anew.
    usual: SignedDuration,
    /// By how much the wall clock of the reports has been stepped.
    stepped: SignedDuration,
}

/// From one start of the sender's RTP clock to the next. Corrections are local time minus media
/// time.
#[derive(Debug)]
struct Run {
    floor: DelayFloor,
    detector: RestartDetector,
    newest: SignedDuration,
    correction: SignedDuration,
    /// The last correction that reports asked for and arrivals bore out.
    reported: Option<SignedDuration>,
    /// The delay floor when a report last fitted.
    fitted: SignedDuration,
    /// The least delay since a report is doubted.
    doubted: Option<SignedDuration>,
}

/// The last unit put out; none of it is ever taken back.
#[derive(Debug, Clone, Copy)]
struct Out {
    rtp: u32,
    at: SignedDuration,
}

impl TrackClock {
    pub fn new(id: TrackId, codec: Codec) -> Self {
        Self {
            id,
            kind: codec.kind(),
            rtp: RtpClock::new(codec),
            reports: Reports::default(),
            run: None,
            out: None,
            usual: SignedDuration::ZERO,
            stepped: SignedDuration::ZERO,
        }
    }

    /// The track was subscribed to anew. The server may go on with the sender's RTP stamps, and
    /// then what comes first may be what it repeats of the last seconds, all at once: that must
    /// not be taken for what is captured now. Where the stamps are others, the stream begins
    /// anew; until reports come again, the track is taken to lie where it lay against its
    /// arrivals: sound and picture of one publisher take ways of unequal length, and would step
    /// apart.
    pub fn reconnect(&mut self, codec: Codec) {
        let Some(run) = &mut self.run else {
            return;
        };
        self.usual = (run.correction - run.floor.get()).clamp(-MOST_USUAL, MOST_USUAL);
        run.detector = RestartDetector::anew();
        if !self.rtp.is_of(codec) {
            self.rtp = RtpClock::new(codec);
            self.reports = Reports::default();
            self.run = None;
        }
    }

    /// Places a unit that came `now`, both since the epoch.
    pub fn place(
        &mut self,
        clock: &mut ParticipantClock,
        counters: &mut Counters,
        rtp: u32,
        now: SignedDuration,
        report: Option<SenderReport>,
    ) -> Placed {
        let started = self.starts(rtp, now);
        if started {
            self.rtp.restart(rtp);
            self.reports.restart();
        } else {
            self.rtp.advance(rtp);
        }
        let media = self.rtp.media_time(rtp);
        let mut run = match self.run.take() {
            Some(run) if !started => run,
            _ => Run::new(now, media),
        };
        run.floor.note(now, now - media);
        run.doubted = run.doubted.map(|least| least.min(now - media));
        if let Some(report) = report {
            self.hear(&mut run, clock, counters, (now, media), report);
        }
        let target = self.target(&mut run, clock, counters, (now, media));
        if started {
            let least = self.out.map_or(SignedDuration::ZERO, |out| out.at + TICK);
            run.correction = target.max(least - media);
        } else {
            run.slew(media, target);
        }
        let discontinuity = started && self.out.is_some();
        if discontinuity {
            counters.restarts += 1;
        }
        let at = self.put_out(rtp, media + run.correction);
        self.run = Some(run);
        Placed { at, discontinuity }
    }

    /// Whether the unit is the first, or the first after the sender's RTP clock left its line.
    fn starts(&mut self, rtp: u32, now: SignedDuration) -> bool {
        let media = self.rtp.media_time(rtp);
        self.run.as_mut().is_none_or(|run| {
            let late = now - media - run.floor.get();
            run.detector.restarted(now, media - run.newest, late)
        })
    }

    fn hear(
        &mut self,
        run: &mut Run,
        clock: &mut ParticipantClock,
        counters: &mut Counters,
        (now, media): (SignedDuration, SignedDuration),
        report: SenderReport,
    ) {
        let Some(wall) = report.wall_clock() else {
            return;
        };
        let reported = self.rtp.media_time(report.rtp);
        let wall_at = |reports: &Reports| Some(reports.line()?.wall_at(reported));
        let before = wall_at(&self.reports);
        match self.reports.hear(report, reported, wall) {
            Verdict::Repeated => {}
            Verdict::Fits => run.fits(),
            Verdict::Doubtful => {
                counters.reports_doubted += 1;
                run.doubted = Some(now - media);
            }
            Verdict::First => {
                run.fits();
                self.stepped = clock.stepped();
                let wall = wall - self.stepped;
                if clock.is_set_by_first(self.kind) {
                    let local = reported + run.floor.get();
                    clock.set(&self.id, self.kind, now, wall, local);
                }
            }
            Verdict::NewLine => {
                let after = wall_at(&self.reports);
                let step = after.zip(before).map(|(after, before)| after - before);
                if let Some(step) = step.filter(|step| run.shows_wall_clock_step(*step)) {
                    let (stepped, news) = clock.step_to(self.stepped + step);
                    self.stepped = stepped;
                    counters.wall_clock_steps += u64::from(news);
                } else {
                    // RTP time stood still, or so it seems: let arrivals say.
                    run.floor = DelayFloor::new(now, now - media);
                    run.reported = None;
                }
                run.fits();
            }
        }
    }

    /// The correction that would be right: by reports where arrivals bear them out, or else by
    /// the least delay.
    fn target(
        &self,
        run: &mut Run,
        clock: &mut ParticipantClock,
        counters: &mut Counters,
        (now, media): (SignedDuration, SignedDuration),
    ) -> SignedDuration {
        let floor = run.floor.get();
        let usual = floor + self.usual;
        let line = self.reports.line();
        let wall = line.map(|line| line.wall_at(media) - self.stepped);
        let Some((wall, local)) = wall.and_then(|wall| Some((wall, clock.local(wall)?))) else {
            return usual;
        };
        let reported = local - media;
        if (reported - floor).abs() <= BELIEF {
            run.reported = Some(reported);
            clock.follow(&self.id, now, floor - reported);
        } else if run.reported.is_none() && clock.is_led_by(&self.id, now) {
            counters.wall_clock_steps += 1;
            clock.set(&self.id, self.kind, now, wall, media + floor);
            run.reported = Some(floor);
        }
        run.reported.unwrap_or(usual)
    }

    fn put_out(&mut self, rtp: u32, natural: SignedDuration) -> std::time::Duration {
        let at = match self.out {
            // A layer or a slice of the same picture.
            Some(out) if out.rtp == rtp => out.at,
            Some(out) => natural.max(out.at + TICK),
            None => natural.max(SignedDuration::ZERO),
        };
        self.out = Some(Out { rtp, at });
        at.unsigned_abs()
    }
}

impl Run {
    fn new(now: SignedDuration, media: SignedDuration) -> Self {
        let delay = now - media;
        Self {
            floor: DelayFloor::new(now, delay),
            detector: RestartDetector::default(),
            newest: media,
            correction: delay,
            reported: None,
            fitted: delay,
            doubted: None,
        }
    }

    /// A report says what was known.
    fn fits(&mut self) {
        self.fitted = self.floor.get();
        self.doubted = None;
    }

    /// Whether the wall clock was stepped by so much, and RTP time went on: then media comes as
    /// it came before. Had RTP time stood still, delay would have grown by as much.
    fn shows_wall_clock_step(&self, step: SignedDuration) -> bool {
        let Some(least) = self.doubted else {
            return false;
        };
        let growth = least - self.fitted;
        self.reported.is_some() && growth.abs() <= (growth - step).abs()
    }

    fn slew(&mut self, media: SignedDuration, target: SignedDuration) {
        let step = media - self.newest;
        if step.is_positive() {
            self.newest = media;
            let most = step / SLEW_DIVISOR;
            self.correction += (target - self.correction).clamp(-most, most);
        }
    }
}
