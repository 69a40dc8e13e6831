//! What becomes of the sound that the SDK has decoded.
//!
//! It comes without stamps, ten milliseconds at a time, so its samples are counted. What the SDK's
//! queue has dropped shows in that all that follows comes later than its count says.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::room::timeline::Timeline;
use crate::room::{AccessUnit, Codec, EventSender, ReceiverGone, TrackId};

/// Frames that may wait in the SDK's queue: half a second.
pub const SOUND_QUEUE: usize = 50;

/// What waits there can be so late.
const QUEUED: Duration = Duration::from_millis(500);

/// Sound that is less late than this is on its way.
const LATE: Duration = Duration::from_millis(60);

/// What is on its way has come by then; what is still late is so because something is missing.
const SETTLED: Duration = Duration::from_millis(400);

/// By how much libwebrtc hands sound over later than the picture that belongs to it, on a line that
/// delays neither: the least that its jitter buffer (`NetEq`) holds, and Opus' look-ahead. Measured by
/// `scripts/measure-sdk`.
const BEHIND: Duration = Duration::from_millis(50);

const RATE: u64 = 48_000;

/// The sound of one track, on its way to the room's task.
#[derive(Debug)]
pub struct Sound {
    id: TrackId,
    events: EventSender,
    timeline: Timeline,
    samples: Samples,
    stereo: bool,
    broken: bool,
}

impl Sound {
    /// Of a track; `epoch` is the zero of all tracks of the room.
    #[must_use]
    pub fn new(id: TrackId, epoch: Instant, stereo: bool, events: EventSender) -> Self {
        let mut timeline = Timeline::new(epoch);
        timeline.add_track(&id, "", Codec::Pcm);
        Self {
            id,
            events,
            timeline,
            samples: Samples::default(),
            stereo,
            broken: false,
        }
    }

    /// Channels to ask the SDK for.
    #[must_use]
    pub const fn channels(&self) -> u8 {
        if self.stereo { 2 } else { 1 }
    }

    /// The track is subscribed to anew.
    pub fn restart(&mut self) {
        self.timeline.add_track(&self.id, "", Codec::Pcm);
        self.samples.anew = true;
        self.broken = true;
    }

    /// Hands on sound that came `now`: samples at 48 kHz, of all channels in turn.
    ///
    /// # Errors
    /// When nobody takes events any more.
    pub fn take(&mut self, samples: &[i16], now: Instant) -> Result<(), ReceiverGone> {
        let of_each = samples.len() / usize::from(self.channels());
        let Some(stamp) = self.samples.stamp(of_each as u64, now) else {
            return Ok(());
        };
        let heard = now.checked_sub(BEHIND).unwrap_or(now);
        let Some(placed) = self.timeline.place(&self.id, stamp.rtp, heard, None) else {
            return Ok(());
        };
        let data: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        let unit = AccessUnit {
            at: placed.at,
            keyframe: true,
            contiguous: stamp.joins_on
                && !placed.discontinuity
                && !std::mem::take(&mut self.broken),
            data: Bytes::from(data),
        };
        self.events.offer(self.id.clone(), unit).map(drop)
    }
}

/// The samples of a track, counted.
#[derive(Debug, Default)]
struct Samples {
    began: Option<Instant>,
    /// How many there have been, and were lost.
    count: u64,
    /// Since when all is late, and by how much at least.
    late: Option<(Instant, Duration)>,
    /// Nothing waits: what comes next has just been heard.
    anew: bool,
}

/// Where some samples lie.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    rtp: u32,
    joins_on: bool,
}

impl Samples {
    /// Where so many samples lie that came `now`; nothing of none.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP time is the low 32 bits"
    )]
    fn stamp(&mut self, samples: u64, now: Instant) -> Option<Stamp> {
        if samples == 0 {
            return None;
        }
        let began = *self.began.get_or_insert(now);
        let due = began + length(self.count);
        let lost = self.lost(now.saturating_duration_since(due), now);
        self.count += in_samples(lost);
        let rtp = self.count as u32;
        self.count += samples;
        Some(Stamp {
            rtp,
            joins_on: lost.is_zero(),
        })
    }

    /// How much sound is missing in front of what comes so `late`.
    fn lost(&mut self, late: Duration, now: Instant) -> Duration {
        let queued = if std::mem::take(&mut self.anew) {
            Duration::ZERO
        } else {
            QUEUED
        };
        let beyond = late.saturating_sub(queued);
        if !beyond.is_zero() {
            self.late = None;
            return beyond;
        }
        if late < LATE {
            self.late = None;
            return Duration::ZERO;
        }
        let (since, least) = self.late.get_or_insert((now, late));
        *least = late.min(*least);
        let (since, least) = (*since, *least);
        if now.saturating_duration_since(since) < SETTLED {
            return Duration::ZERO;
        }
        self.late = None;
        least
    }
}

fn length(samples: u64) -> Duration {
    Duration::from_secs(samples / RATE)
        + Duration::from_nanos(samples % RATE * 1_000_000_000 / RATE)
}

fn in_samples(length: Duration) -> u64 {
    length.as_secs() * RATE + u64::from(length.subsec_nanos()) * RATE / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{EventReceiver, RoomEvent};

    const MS: Duration = Duration::from_millis(1);

    /// Stamps, in ms, of frames of 10 ms that come at these times.
    fn stamps(arrivals: impl IntoIterator<Item = u64>) -> Vec<(u64, bool)> {
        let mut samples = Samples::default();
        let began = Instant::now();
        let stamp = |ms: u64| {
            let stamp = samples
                .stamp(480, began + Duration::from_millis(ms))
                .unwrap();
            (u64::from(stamp.rtp) / 48, stamp.joins_on)
        };
        arrivals.into_iter().map(stamp).collect()
    }

    #[test]
    fn a_stall_moves_nothing() {
        // Forty frames wait for 400 ms and come at once.
        let arrivals = (0..20)
            .map(|n| n * 10)
            .chain([600; 40])
            .chain((61..100).map(|n| n * 10));
        for (number, stamp) in (0..).zip(stamps(arrivals)) {
            assert_eq!(stamp, (number * 10, true));
        }
    }

    #[test]
    fn what_is_missing_is_left_free() {
        // 200 ms are gone: seen once nothing catches up.
        let gone = stamps((0..20).chain(40..120).map(|n| n * 10));
        let jumps: Vec<_> = gone.iter().filter(|(_, joins_on)| !joins_on).collect();
        assert_eq!(jumps, [&(800, false)]);
        assert_eq!(gone.last(), Some(&(1_190, true)));
        // A minute: nothing that waits is so late.
        let away = stamps((0..20).chain(6_000..6_100).map(|n| n * 10));
        assert_eq!(away.get(20), Some(&(59_500, false)));
        assert_eq!(away.last(), Some(&(60_990, true)));
    }

    #[test]
    fn lengths_and_samples_agree_for_years() {
        for count in [0, 1, 480, 48_001, 48_000 * 86_400 * 3_650 + 7] {
            assert!(in_samples(length(count)).abs_diff(count) <= 1, "{count}");
        }
    }

    async fn next(events: &mut EventReceiver) -> AccessUnit {
        match events.recv().await {
            Some(RoomEvent::Media { unit, .. }) => unit,
            other => panic!("{other:?}"),
        }
    }

    /// Frames come up to 15 ms late, as from a loaded machine: after a while sound lies where the
    /// most punctual ones do.
    #[tokio::test]
    async fn uneven_arrivals_move_sound_by_little() {
        let (sender, mut events) = EventSender::channel();
        let epoch = Instant::now();
        let mut sound = Sound::new(TrackId::new("A"), epoch, false, sender);
        let mut late = fastrand::Rng::with_seed(7);
        for number in 0..4_000_u32 {
            let heard = 10 * MS * number + BEHIND;
            let now = epoch + heard + late.u32(..15) * MS;
            sound.take(&[0; 480], now).unwrap();
            let unit = next(&mut events).await;
            let off = unit.at.abs_diff(10 * MS * number);
            assert!(number < 1_000 || off <= 2 * MS, "{number}: {off:?}");
        }
    }

    #[tokio::test]
    async fn sound_goes_on_where_it_was_when_it_is_subscribed_to_anew() {
        let (sender, mut events) = EventSender::channel();
        let epoch = Instant::now();
        let mut sound = Sound::new(TrackId::new("A"), epoch, true, sender);
        assert_eq!(sound.channels(), 2);
        let frame = [0x0102_i16; 960];
        sound.take(&frame, epoch + 500 * MS).unwrap();
        let first = next(&mut events).await;
        assert_eq!((first.at, first.data.len()), (450 * MS, 1_920));
        assert_eq!(first.data[..2], [2, 1]);
        sound.restart();
        sound.take(&[], epoch + 900 * MS).unwrap();
        sound.take(&frame, epoch + 1_000 * MS).unwrap();
        let again = next(&mut events).await;
        assert!(!again.contiguous);
        assert!(
            again.at >= 940 * MS && again.at <= 960 * MS,
            "{:?}",
            again.at
        );
    }
}
