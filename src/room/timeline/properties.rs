//! What holds for the timeline whatever comes in.

use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::{Placed, SenderReport, Timeline};
use crate::room::{Codec, TrackId};

/// Anything a network could deliver: stamps, milliseconds between arrivals, reports.
type Input = (u32, u64, Option<(u64, u32)>);

fn anything() -> impl Strategy<Value = Vec<Input>> {
    let rtp = prop_oneof![any::<u32>(), 0_u32..200_000];
    let wait = prop_oneof![0_u64..50, 0_u64..20_000, any::<u32>().prop_map(u64::from)];
    let wall = prop_oneof![any::<u64>(), 0_u64..5, 1_800_000_000_u64..1_800_000_100];
    let report = prop::option::of((wall, any::<u32>()));
    prop::collection::vec((rtp, wait, report), 1..200)
}

/// A well-behaved stream: steps of RTP time, arrival jitter in milliseconds, and now and then a
/// report, off by so many milliseconds.
fn stream() -> impl Strategy<Value = Vec<(u32, u64, Option<u64>)>> {
    let report = prop::option::weighted(0.1, 0_u64..3_000);
    prop::collection::vec((90_u32..90_000, 0_u64..500, report), 2..200)
}

/// Places a [`stream`] whose RTP time starts at `start`; with each unit its media time in ticks.
fn place_stream(units: &[(u32, u64, Option<u64>)], start: u32) -> Vec<(u64, Placed)> {
    let epoch = Instant::now();
    let mut timeline = Timeline::new(epoch);
    let track = TrackId::new("pictures");
    timeline.add_track(&track, "somebody", Codec::Vp8);
    let (mut ticks, mut report) = (0_u64, None);
    let mut placed = Vec::new();
    for (step, jitter, off) in units {
        ticks += u64::from(*step);
        let captured = Duration::from_micros(ticks * 100 / 9);
        let rtp = start.wrapping_add(u32::try_from(ticks % (1 << 32)).unwrap());
        if let Some(off) = off {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) + captured;
            report = Some(SenderReport {
                ntp: wall + Duration::from_millis(*off),
                rtp,
            });
        }
        let arrival = epoch + captured + Duration::from_millis(*jitter);
        placed.push((ticks, timeline.place(&track, rtp, arrival, report).unwrap()));
    }
    placed
}

proptest! {
    #[test]
    fn whatever_comes_nothing_goes_back(
        units in anything(),
        codec in prop_oneof![Just(Codec::Opus), Just(Codec::H264)],
    ) {
        let epoch = Instant::now();
        let mut timeline = Timeline::new(epoch);
        let tracks = [TrackId::new("a"), TrackId::new("b")];
        for track in &tracks {
            timeline.add_track(track, "somebody", codec);
        }
        let mut arrival = epoch;
        let mut last = [None::<(u32, Duration)>; 2];
        for (index, (rtp, wait, report)) in units.into_iter().enumerate() {
            arrival += Duration::from_millis(wait);
            let report = report.and_then(|(wall, rtp)| {
                let ntp = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(wall))?;
                Some(SenderReport { ntp, rtp })
            });
            let placed = timeline.place(&tracks[index % 2], rtp, arrival, report).unwrap();
            if let Some((before, at)) = last[index % 2].replace((rtp, placed.at)) {
                let tick = Duration::from_nanos(u64::from(before != rtp) * 11_112);
                prop_assert!(placed.at >= at + tick);
            }
        }
    }

    #[test]
    fn corrections_are_slewed(units in stream()) {
        let placed = place_stream(&units, 0);
        for pair in placed.windows(2) {
            let media = i128::from(pair[1].0 - pair[0].0) * 1_000_000_000 / 90_000;
            let out = pair[1].1.at.checked_sub(pair[0].1.at).unwrap();
            let moved = i128::try_from(out.as_nanos()).unwrap() - media;
            prop_assert!(!pair[1].1.discontinuity);
            prop_assert!(moved.abs() <= media / 20 + 11_112, "{media} ns came out {out:?}");
        }
    }

    #[test]
    fn where_rtp_time_starts_and_wraps_makes_no_difference(
        units in stream(),
        start in any::<u32>(),
    ) {
        prop_assert_eq!(place_stream(&units, 0), place_stream(&units, start));
    }
}
