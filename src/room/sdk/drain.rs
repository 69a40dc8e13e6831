//! Takes what the SDK has decoded out of its queues, each on a task of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use livekit::webrtc::audio_stream::native::{NativeAudioStream, NativeAudioStreamOptions};
use livekit::webrtc::prelude::{RtcAudioTrack, RtcVideoTrack};
use livekit::webrtc::video_frame::{BoxVideoFrame, I420Buffer};
use livekit::webrtc::video_stream::native::{NativeVideoStream, NativeVideoStreamOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::pictures::{Frame, Pictures};
use super::sound::{SOUND_QUEUE, Sound};
use super::translate::turn;
use crate::bitstream::PictureSize;
use crate::bitstream::raw::Plane;
use crate::room::ReceiverGone;

/// How long a drain may take to end: it waits for nothing but the SDK.
const END: Duration = Duration::from_secs(1);

/// What takes the media of a track.
pub enum Taker {
    Pictures(Box<Pictures>),
    Sound(Box<Sound>),
}

impl Taker {
    /// The track is subscribed to anew.
    pub fn restart(&mut self) {
        match self {
            Self::Pictures(pictures) => pictures.restart(),
            Self::Sound(sound) => sound.restart(),
        }
    }

    /// To be set when the next picture is to be one that a recording can begin with.
    pub fn wanted(&self) -> Option<Arc<AtomicBool>> {
        match self {
            Self::Pictures(pictures) => Some(pictures.wanted()),
            Self::Sound(_) => None,
        }
    }
}

/// A task that drains one stream.
pub struct Drain {
    stop: CancellationToken,
    task: JoinHandle<Taker>,
    pub wanted: Option<Arc<AtomicBool>>,
}

impl Drain {
    /// Of a picture's track. No limit of `queue` would be none at all.
    pub fn pictures(track: RtcVideoTrack, queue: usize, pictures: Box<Pictures>) -> Self {
        let options = NativeVideoStreamOptions {
            queue_size_frames: Some(queue.max(1)),
        };
        let stream = NativeVideoStream::with_options(track, options);
        let taker = Taker::Pictures(pictures);
        Self::start(stream, taker, |taker, frame, now| match taker {
            Taker::Pictures(pictures) => picture(pictures, &frame, now),
            Taker::Sound(_) => Ok(()),
        })
    }

    /// Of a track of sound.
    pub fn sound(track: RtcAudioTrack, sound: Box<Sound>) -> Self {
        let channels = i32::from(sound.channels());
        let options = NativeAudioStreamOptions {
            queue_size_frames: Some(SOUND_QUEUE),
        };
        let stream = NativeAudioStream::with_options(track, 48_000, channels, options);
        let taker = Taker::Sound(sound);
        Self::start(stream, taker, |taker, frame, now| match taker {
            Taker::Sound(sound) => sound.take(&frame.data, now),
            Taker::Pictures(_) => Ok(()),
        })
    }

    fn start<S>(
        mut stream: S,
        mut taker: Taker,
        take: fn(&mut Taker, S::Item, Instant) -> Result<(), ReceiverGone>,
    ) -> Self
    where
        S: futures_util::Stream<Item: Send> + Unpin + Send + 'static,
    {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let wanted = taker.wanted();
        let task = tokio::spawn(async move {
            loop {
                let item = tokio::select! {
                    biased;
                    () = stopped.cancelled() => break,
                    item = stream.next() => item,
                };
                let Some(item) = item else { break };
                if take(&mut taker, item, Instant::now()).is_err() {
                    break;
                }
            }
            taker
        });
        Self { stop, task, wanted }
    }

    /// Ends it; nothing of the track comes any more. Gives what took it, for the next stream.
    pub async fn stop(self) -> Option<Taker> {
        self.stop.cancel();
        let ended = tokio::time::timeout(END, self.task).await;
        ended.ok()?.ok()
    }
}

fn picture(
    pictures: &mut Pictures,
    frame: &BoxVideoFrame,
    now: Instant,
) -> Result<(), ReceiverGone> {
    let converted;
    let buffer: &I420Buffer = if let Some(buffer) = frame.buffer.as_i420() {
        buffer
    } else {
        converted = frame.buffer.to_i420();
        &converted
    };
    let (y, u, v) = buffer.data();
    let (of_y, of_u, of_v) = buffer.strides();
    let plane = |bytes, stride: u32| Plane {
        bytes,
        stride: usize::try_from(stride).unwrap_or(usize::MAX),
    };
    let frame = Frame {
        size: PictureSize {
            width: frame.buffer.width(),
            height: frame.buffer.height(),
        },
        planes: [plane(y, of_y), plane(u, of_u), plane(v, of_v)],
        turn: turn(frame.rotation),
        shown_us: frame.timestamp_us,
    };
    pictures.take(&frame, now)
}
