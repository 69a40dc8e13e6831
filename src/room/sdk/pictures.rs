//! What becomes of each picture that the SDK has decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::places::{Places, held};
use crate::bitstream::PictureSize;
use crate::bitstream::raw::{self, Plane, Turn};
use crate::room::timeline::Timeline;
use crate::room::{AccessUnit, Codec, EventSender, ReceiverGone, TrackId};

/// A recording can begin with any decoded picture. One in this time says so: files are cut there,
/// and they are what is left when all but keyframes are given up for memory.
const MARKED: Duration = Duration::from_secs(1);

/// A decoded picture, as the SDK gives it.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Before it is turned.
    pub size: PictureSize,
    /// Y, U and V.
    pub planes: [Plane<'a>; 3],
    /// How to turn it upright.
    pub turn: Turn,
    /// When it is to be shown, by the subscriber's clock; only differences mean anything.
    pub shown_us: i64,
}

/// The pictures of one track, on their way to the room's task.
#[derive(Debug)]
pub struct Pictures {
    id: TrackId,
    events: EventSender,
    places: Places,
    timeline: Timeline,
    marked: Option<(Instant, PictureSize)>,
    wanted: Arc<AtomicBool>,
    broken: bool,
}

impl Pictures {
    /// Of a track; `epoch` is the zero of all tracks of the room.
    #[must_use]
    pub fn new(id: TrackId, epoch: Instant, in_flight: u8, events: EventSender) -> Self {
        let mut timeline = Timeline::new(epoch);
        timeline.add_track(&id, "", Codec::I420);
        Self {
            id,
            events,
            places: Places::new(in_flight),
            timeline,
            marked: None,
            wanted: Arc::default(),
            broken: false,
        }
    }

    /// To be set when the next picture is to be one that a recording can begin with.
    #[must_use]
    pub fn wanted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.wanted)
    }

    /// The track is subscribed to anew.
    pub fn restart(&mut self) {
        self.timeline.add_track(&self.id, "", Codec::I420);
        self.broken = true;
    }

    /// Hands on a picture that came `now`; drops it where no place is free.
    ///
    /// # Errors
    /// When nobody takes events any more.
    pub fn take(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), ReceiverGone> {
        let placed = self
            .timeline
            .place(&self.id, rtp(frame.shown_us), now, None);
        let place = self.places.take();
        let (Some(placed), Some(place)) = (placed, place) else {
            return self.drop_one();
        };
        let Some(bytes) = raw::pack(frame.size, frame.planes, frame.turn) else {
            return self.drop_one();
        };
        let keyframe = self.mark(frame.size, now);
        let unit = AccessUnit {
            at: placed.at,
            keyframe,
            contiguous: !std::mem::take(&mut self.broken) && !placed.discontinuity,
            data: held(bytes, place),
        };
        self.events.offer(self.id.clone(), unit).map(drop)
    }

    fn drop_one(&mut self) -> Result<(), ReceiverGone> {
        self.events.lost(&self.id)
    }

    fn mark(&mut self, size: PictureSize, now: Instant) -> bool {
        let wanted = self.wanted.swap(false, Relaxed);
        let due = self.marked.is_none_or(|(last, before)| {
            wanted || before != size || now.saturating_duration_since(last) >= MARKED
        });
        if due {
            self.marked = Some((now, size));
        }
        due
    }
}

/// The subscriber's clock as a stamp of RTP: 90 kHz, the low 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "RTP time is the low 32 bits"
)]
const fn rtp(us: i64) -> u32 {
    (us as i128 * 90 / 1_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::{EventReceiver, RoomEvent};

    const SIZE: PictureSize = PictureSize {
        width: 4,
        height: 2,
    };

    struct Rig {
        pictures: Pictures,
        events: EventReceiver,
        epoch: Instant,
    }

    impl Rig {
        fn new() -> Self {
            let (sender, events) = EventSender::channel();
            let epoch = Instant::now();
            let pictures = Pictures::new(TrackId::new("V"), epoch, 2, sender);
            Self {
                pictures,
                events,
                epoch,
            }
        }

        fn take(&mut self, ms: u64, size: PictureSize) {
            let plane = Plane {
                bytes: &[7; 64],
                stride: 8,
            };
            let frame = Frame {
                size,
                planes: [plane; 3],
                turn: Turn::None,
                shown_us: i64::try_from(ms).unwrap() * 1_000 + 123_456_789_000,
            };
            let now = self.epoch + Duration::from_millis(ms);
            self.pictures.take(&frame, now).unwrap();
        }

        async fn next(&mut self) -> AccessUnit {
            loop {
                if let RoomEvent::Media { unit, .. } = self.events.recv().await.unwrap() {
                    return unit;
                }
            }
        }
    }

    #[tokio::test]
    async fn of_three_pictures_that_nobody_takes_the_last_is_dropped_and_counted() {
        let mut rig = Rig::new();
        for ms in [10, 43, 76] {
            rig.take(ms, SIZE);
        }
        let told = rig.events.recv().await.unwrap();
        let dropped = RoomEvent::UnitsDropped {
            id: TrackId::new("V"),
            units: 1,
        };
        assert_eq!(told, dropped);
        let first = rig.next().await;
        let second = rig.next().await;
        assert!(first.keyframe && first.contiguous && !second.keyframe);
        drop(first);
        rig.take(110, SIZE);
        assert!(!rig.next().await.contiguous);
    }

    #[tokio::test]
    async fn pictures_lie_where_the_subscribers_clock_puts_them() {
        let mut rig = Rig::new();
        let mut last = Duration::ZERO;
        for (ms, number) in (0_u64..).step_by(40).zip(0..50) {
            rig.take(ms, SIZE);
            let unit = rig.next().await;
            assert!(number == 0 || unit.at == last + Duration::from_millis(40));
            last = unit.at;
        }
    }

    #[tokio::test]
    async fn a_file_can_be_cut_each_second_and_where_the_size_changes_or_it_is_asked() {
        let mut rig = Rig::new();
        let small = PictureSize {
            width: 2,
            height: 2,
        };
        let mut marked = Vec::new();
        for (ms, size) in [
            (0, SIZE),
            (40, SIZE),
            (80, small),
            (120, small),
            (1_079, small),
            (1_080, small),
        ] {
            rig.take(ms, size);
            marked.push(rig.next().await.keyframe);
        }
        assert_eq!(marked, [true, false, true, false, false, true]);
        rig.pictures.wanted().store(true, Relaxed);
        rig.take(1_120, small);
        assert!(rig.next().await.keyframe);
    }

    #[test]
    fn stamps_wrap() {
        assert_eq!(rtp(1_000_000), 90_000);
        assert_eq!(rtp(-1_000), u32::MAX - 89);
        assert_eq!(rtp(47_721_858_845).wrapping_add(90), rtp(47_721_859_845));
    }
}
