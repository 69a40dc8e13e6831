//! Streams of units with holes in them.

use proptest::prelude::*;

use super::*;

const WARN: Duration = Duration::from_secs(2);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A recording whose camera and microphone have been sending since zero, up to `until`.
struct Stream {
    gaps: Gaps,
    found: Vec<Closed>,
    told: Vec<Gap>,
    now: u64,
}

impl Stream {
    fn new(until: u64) -> Self {
        let mut gaps = Gaps::new(WARN);
        for kind in [Kind::Video, Kind::Audio] {
            gaps.published(kind, false, Duration::ZERO);
        }
        let mut stream = Self {
            gaps,
            found: Vec::new(),
            told: Vec::new(),
            now: 0,
        };
        stream.play(until, true, true);
        stream
    }

    /// Goes on until `until`: a picture each 40 ms, sound each 20 ms, a tick each 100 ms.
    fn play(&mut self, until: u64, video: bool, audio: bool) {
        while self.now < until {
            self.now += 20;
            let at = ms(self.now);
            if video && self.now.is_multiple_of(40) {
                self.found.extend(self.gaps.written(Kind::Video, at, true));
            }
            if audio {
                self.found.extend(self.gaps.written(Kind::Audio, at, true));
            }
            if self.now.is_multiple_of(100) {
                self.told.extend(self.gaps.tick(at));
            }
        }
    }

    /// The gaps found: what, why, from when, how long.
    fn list(&self) -> Vec<(Kind, &'static str, u128, u128)> {
        let gaps = self.found.iter().map(|closed| closed.gap);
        gaps.map(|gap| {
            (
                gap.kind,
                gap.cause.as_str(),
                gap.start.as_millis(),
                gap.length.as_millis(),
            )
        })
        .collect()
    }
}

#[test]
fn nothing_is_missing_where_all_comes() {
    let mut stream = Stream::new(10_000);
    // Silence by DTX: a packet each 400 ms; and a picture held up for a moment.
    for step in 0..20 {
        let at = ms(10_000 + step * 400);
        assert_eq!(stream.gaps.written(Kind::Audio, at, true), None);
        assert_eq!(stream.gaps.written(Kind::Video, at, true), None);
        assert!(stream.gaps.tick(at).is_empty());
    }
    assert_eq!(stream.list(), []);
    assert_eq!(stream.gaps.finish(ms(17_900)), []);
}

#[test]
fn the_silences_have_their_names() {
    let mut stream = Stream::new(2_000);
    stream.gaps.muted(Kind::Video, true, ms(2_030));
    stream.play(5_000, false, true);
    stream.gaps.muted(Kind::Video, false, ms(4_990));
    stream.play(6_000, true, true);
    stream.gaps.paused(Kind::Video, true, ms(6_100));
    stream.play(7_000, false, true);
    stream.gaps.paused(Kind::Video, false, ms(7_000));
    stream.play(8_000, true, true);
    stream.gaps.unpublished(Kind::Audio, ms(8_000));
    stream.play(9_000, true, false);
    stream.gaps.published(Kind::Audio, false, ms(9_000));
    stream.play(10_000, true, true);
    let found = [
        (Kind::Video, "muted", 2_000, 3_040),
        (Kind::Video, "paused", 6_000, 1_040),
        (Kind::Audio, "unpublished", 8_000, 1_020),
    ];
    assert_eq!(stream.list(), found);
    // Only the first one is long, and was told while it lasted.
    let long: Vec<_> = stream
        .found
        .iter()
        .map(|gap| (gap.long, gap.told))
        .collect();
    assert_eq!(long, [(true, true), (false, false), (false, false)]);
    assert_eq!(stream.told.len(), 1);
    assert_eq!(stream.told[0].length, ms(2_000));
}

#[test]
fn pictures_that_come_late_for_long_are_told_of_once() {
    let mut gaps = Gaps::new(WARN);
    gaps.published(Kind::Video, false, Duration::ZERO);
    let mut told = 0;
    for step in 0..200 {
        let at = ms(step * 50);
        assert_eq!(gaps.written(Kind::Video, at, true), None);
        told += gaps.tick(at + ms(2_500)).len();
    }
    assert_eq!(told, 1);
    // They are punctual again, and then there is a gap.
    assert_eq!(
        gaps.written(Kind::Video, ms(12_500), true)
            .unwrap()
            .gap
            .length,
        ms(2_550)
    );
    assert_eq!(gaps.tick(ms(15_000)).len(), 1);
}

#[test]
fn an_interruption_that_is_noticed_late_is_the_cause() {
    let mut stream = Stream::new(2_000);
    stream.play(9_000, false, false);
    let cause = Some(Interruption::Media);
    stream.gaps.interrupted(cause, ms(9_000));
    stream.play(12_000, false, false);
    stream.gaps.interrupted(None, ms(12_000));
    stream.play(13_000, true, true);
    let found = [
        (Kind::Audio, "media", 2_000, 10_020),
        (Kind::Video, "media", 2_000, 10_040),
    ];
    assert_eq!(stream.list(), found);
    // Told at two seconds, when nobody knew why.
    let told: Vec<_> = stream.told.iter().map(|gap| gap.cause).collect();
    assert_eq!(told, [Cause::Unknown; 2]);
}

#[test]
fn an_interruption_through_which_media_flows_is_no_gap() {
    let mut stream = Stream::new(2_000);
    let cause = Some(Interruption::Signalling);
    stream.gaps.interrupted(cause, ms(2_000));
    stream.play(9_000, true, true);
    stream.gaps.interrupted(None, ms(9_000));
    stream.play(10_000, true, true);
    assert_eq!(stream.list(), []);
}

#[test]
fn a_muted_track_is_muted_whatever_happens_meanwhile() {
    let mut stream = Stream::new(2_000);
    stream.gaps.muted(Kind::Video, true, ms(2_000));
    let cause = Some(Interruption::ServerAway);
    stream.gaps.interrupted(cause, ms(9_000));
    stream.gaps.interrupted(None, ms(12_000));
    stream.gaps.muted(Kind::Video, false, ms(30_000));
    let closed = stream.gaps.written(Kind::Video, ms(30_040), false).unwrap();
    assert_eq!(closed.gap.cause, Cause::Muted);
}

#[test]
fn units_that_were_lost_or_dropped_say_why() {
    let mut stream = Stream::new(2_000);
    let gaps = &mut stream.gaps;
    // Lost, and then thrown away until the next keyframe.
    for at in [2_400, 2_440, 2_480] {
        gaps.dropped(Kind::Video, ms(at), DropReason::Discontinuity);
    }
    let lost = gaps.written(Kind::Video, ms(2_600), true).unwrap();
    assert_eq!(lost.gap.cause, Cause::PacketLoss);
    assert_eq!(lost.gap.length, ms(600));
    let lost = gaps.written(Kind::Video, ms(3_300), false).unwrap();
    assert_eq!(lost.gap.cause, Cause::PacketLoss);
    for step in 0..100 {
        gaps.dropped(Kind::Video, ms(3_340 + step * 40), DropReason::QueueFull);
    }
    gaps.dropped(Kind::Video, ms(7_340), DropReason::AwaitingKeyframe);
    let dropped = gaps.written(Kind::Video, ms(7_400), true).unwrap().gap;
    assert_eq!(dropped.cause, Cause::Dropped(DropReason::QueueFull));
    assert_eq!(dropped.cause.as_str(), "dropped");
    assert_eq!(dropped.cause.reason(), Some(DropReason::QueueFull));
    gaps.dropped_unseen(Kind::Video, DropReason::QueueFull);
    gaps.dropped(Kind::Video, ms(8_000), DropReason::Discontinuity);
    let dropped = gaps.written(Kind::Video, ms(8_400), true).unwrap().gap;
    assert_eq!(dropped.cause, Cause::Dropped(DropReason::QueueFull));
}

#[test]
fn waiting_for_a_keyframe_is_not_why_there_was_no_track() {
    let mut stream = Stream::new(2_000);
    stream.gaps.unpublished(Kind::Video, ms(2_000));
    stream.gaps.published(Kind::Video, false, ms(9_000));
    stream
        .gaps
        .dropped(Kind::Video, ms(9_200), DropReason::AwaitingKeyframe);
    let closed = stream.gaps.written(Kind::Video, ms(9_400), true).unwrap();
    assert_eq!(closed.gap.cause, Cause::Unpublished);
}

#[test]
fn a_stall_is_known_although_older_units_come_after_it() {
    let mut stream = Stream::new(2_000);
    stream.gaps.stalled(ms(2_010), ms(22_010));
    stream.play(2_100, true, true);
    stream.now = 22_000;
    stream.play(23_000, true, true);
    let found = [
        (Kind::Audio, "recorder_stalled", 2_100, 19_920),
        (Kind::Video, "recorder_stalled", 2_080, 19_960),
    ];
    assert_eq!(stream.list(), found);
    // Nobody could tell of it while it lasted.
    assert!(stream.found.iter().all(|gap| gap.long && !gap.told));
}

#[test]
fn a_screen_that_stands_still_has_no_gaps() {
    let mut gaps = Gaps::new(WARN);
    gaps.published(Kind::Video, false, Duration::ZERO);
    let mut found = Vec::new();
    for second in 0..60 {
        found.extend(gaps.written(Kind::Video, ms(second * 1_000), true));
        assert!(gaps.tick(ms(second * 1_000 + 900)).is_empty());
    }
    assert!(found.len() <= 5, "until its step is known: {found:?}");
    let closed = gaps.written(Kind::Video, ms(69_000), true).unwrap();
    assert_eq!(closed.gap.cause, Cause::Unknown);
}

#[test]
fn what_is_missing_at_the_end_is_missing() {
    let mut stream = Stream::new(2_000);
    stream.gaps.unpublished(Kind::Video, ms(2_000));
    stream.play(5_000, false, true);
    let open = stream.gaps.finish(ms(5_000));
    let gap = Gap {
        kind: Kind::Video,
        cause: Cause::Unpublished,
        start: ms(2_000),
        length: ms(3_000),
    };
    assert_eq!(open, [gap]);
}

#[test]
fn before_the_first_unit_nothing_is_missing() {
    let mut gaps = Gaps::new(WARN);
    gaps.published(Kind::Video, true, Duration::ZERO);
    assert!(gaps.tick(ms(60_000)).is_empty());
    assert_eq!(gaps.written(Kind::Video, ms(60_000), false), None);
    assert_eq!(gaps.finish(ms(60_100)), []);
}

/// Anything that may happen; times are steps in milliseconds.
#[derive(Debug, Clone)]
enum Happening {
    Written(bool),
    Dropped(DropReason),
    Muted(bool),
    Paused(bool),
    Published,
    Unpublished,
    Interrupted(Option<Interruption>),
    Stalled(u64),
    Tick,
}

fn happening() -> impl Strategy<Value = Happening> {
    let interruption = prop_oneof![
        Just(None),
        Just(Some(Interruption::Media)),
        Just(Some(Interruption::Signalling)),
    ];
    let reason = prop::sample::select(DropReason::ALL.to_vec());
    prop_oneof![
        8 => any::<bool>().prop_map(Happening::Written),
        2 => reason.prop_map(Happening::Dropped),
        1 => any::<bool>().prop_map(Happening::Muted),
        1 => any::<bool>().prop_map(Happening::Paused),
        1 => Just(Happening::Published),
        1 => Just(Happening::Unpublished),
        1 => interruption.prop_map(Happening::Interrupted),
        1 => (0_u64..30_000).prop_map(Happening::Stalled),
        4 => Just(Happening::Tick),
    ]
}

proptest! {
    /// Whatever happens: gaps lie between units, one behind the other, none is told twice, and
    /// what is kept is bounded.
    #[test]
    fn gaps_lie_between_units_and_are_told_once(
        steps in prop::collection::vec((0_u64..900, happening()), 0..300),
    ) {
        let mut gaps = Gaps::new(WARN);
        let (mut now, mut written, mut told) = (Duration::ZERO, None, 0);
        gaps.published(Kind::Video, false, now);
        for (step, happening) in steps {
            now += ms(step);
            match happening {
                Happening::Written(contiguous) => {
                    let closed = gaps.written(Kind::Video, now, contiguous);
                    if let Some(Closed { gap, told: was_told, long }) = closed {
                        prop_assert_eq!(Some(gap.start), written);
                        prop_assert_eq!(gap.start + gap.length, now);
                        prop_assert!(gap.length > REPORT_FROM);
                        prop_assert_eq!(was_told, told == 1);
                        prop_assert!(long || !was_told);
                    } else {
                        prop_assert_eq!(told, 0);
                    }
                    (written, told) = (Some(now), 0);
                }
                Happening::Dropped(reason) => gaps.dropped(Kind::Video, now, reason),
                Happening::Muted(muted) => gaps.muted(Kind::Video, muted, now),
                Happening::Paused(paused) => gaps.paused(Kind::Video, paused, now),
                Happening::Published => gaps.published(Kind::Video, false, now),
                Happening::Unpublished => gaps.unpublished(Kind::Video, now),
                Happening::Interrupted(what) => gaps.interrupted(what, now),
                Happening::Stalled(length) => {
                    gaps.stalled(now, now + ms(length));
                    now += ms(length);
                }
                Happening::Tick => {
                    let long = gaps.tick(now);
                    told += long.len();
                    prop_assert!(told <= 1, "told again");
                    prop_assert!(long.iter().all(|gap| gap.length >= WARN));
                }
            }
            prop_assert!(gaps.video.spans.len() <= MOST_SPANS);
        }
    }
}
