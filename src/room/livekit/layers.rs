//! Which layer of a publisher's picture to ask the server for.
//!
//! The server takes a quality as the highest that it may send, and sends less where the line is
//! too narrow (`pkg/rtc/subscribedtrack.go`, `applySettings`). Its own way from a size to a
//! quality looks for a layer that is no smaller than asked; we want none that is larger, so we
//! look ourselves.
//!
//! It keeps what is asked for behind, or even before, the subscription (`setSubscribedTrack` in
//! `pkg/rtc/subscriptionmanager.go`). Yet until it has measured the layers, about a second, it
//! forwards whichever of them has a keyframe first, larger ones included (`AllocateOptimal` in
//! `pkg/sfu/forwarder.go`: overshoot, which no setting of a client's turns off). Those pictures
//! are recorded: the manifest lists their size, and without them there would be none.

use std::num::NonZeroU32;

use livekit_protocol as proto;
use proto::{TrackInfo, TrackType, VideoLayer, VideoQuality};

use crate::room::Sending;

/// The sizes that a publisher's picture comes in; none of sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    is_video: bool,
    /// Quality and lines of each, where there is a choice.
    sizes: Vec<(VideoQuality, u32)>,
}

/// What to ask the server for of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The highest quality that it may send.
    pub quality: VideoQuality,
    /// The most pictures a second, where it can thin them; zero for all.
    pub pictures_per_second: u32,
    /// It is to send none.
    pub nothing: bool,
}

impl Asked {
    /// What the server sends unasked.
    pub const ALL: Self = Self {
        quality: VideoQuality::High,
        pictures_per_second: 0,
        nothing: false,
    };
}

impl Layers {
    /// The layers of a track.
    #[must_use]
    pub fn of(info: &TrackInfo) -> Self {
        if info.r#type() != TrackType::Video {
            return Self::default();
        }
        let usable = layers_of(info)
            .iter()
            .filter(|layer| layer.height > 0 && layer.quality() != VideoQuality::Off)
            .map(|layer| (layer.quality(), layer.height));
        Self {
            is_video: true,
            sizes: usable.collect(),
        }
    }

    /// What to ask for; nothing of sound.
    #[must_use]
    pub fn ask(&self, most_lines: Option<NonZeroU32>, sending: Sending) -> Option<Asked> {
        let lines = most_lines.into_iter().chain(sending.lines).min();
        self.is_video.then(|| Asked {
            quality: self.quality(lines).unwrap_or(VideoQuality::High),
            pictures_per_second: sending.pictures_per_second.unwrap_or(0),
            nothing: sending.nothing,
        })
    }

    /// The quality to ask for so that a picture has `most_lines` at most. Where all layers have
    /// more it is the one with the fewest lines; nothing where there is no choice, or no wish: then
    /// the server sends the highest (the same file, `Bound`).
    fn quality(&self, most_lines: Option<NonZeroU32>) -> Option<VideoQuality> {
        let most_lines = most_lines?.get();
        if self.sizes.len() < 2 {
            return None;
        }
        let by_size = |(quality, lines): &&(VideoQuality, u32)| (*lines, *quality as i32);
        let fits = self.sizes.iter().filter(|(_, lines)| *lines <= most_lines);
        let best = fits.max_by_key(by_size);
        let smallest = || self.sizes.iter().min_by_key(by_size);
        best.or_else(smallest).map(|(quality, _)| *quality)
    }
}

/// The layers of the codec that the track is announced with; older publishers name no codec.
#[expect(
    deprecated,
    reason = "older servers and publishers fill in nothing else"
)]
fn layers_of(info: &TrackInfo) -> &[VideoLayer] {
    let mut codecs = info.codecs.iter();
    let main = codecs.find(|codec| codec.mime_type.eq_ignore_ascii_case(&info.mime_type));
    match main {
        Some(codec) if !codec.layers.is_empty() => &codec.layers,
        _ => &info.layers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::SimulcastCodecInfo;

    fn quality_for(info: &TrackInfo, lines: Option<NonZeroU32>) -> Option<VideoQuality> {
        Layers::of(info).quality(lines)
    }

    fn layer(quality: VideoQuality, height: u32) -> VideoLayer {
        VideoLayer {
            quality: quality.into(),
            height,
            width: height * 16 / 9,
            ..Default::default()
        }
    }

    #[expect(deprecated, reason = "as in what is tested")]
    fn camera(layers: Vec<VideoLayer>) -> TrackInfo {
        TrackInfo {
            r#type: TrackType::Video.into(),
            mime_type: "video/H264".to_owned(),
            layers,
            ..Default::default()
        }
    }

    fn simulcast() -> TrackInfo {
        camera(vec![
            layer(VideoQuality::Low, 180),
            layer(VideoQuality::Medium, 360),
            layer(VideoQuality::High, 720),
        ])
    }

    #[test]
    fn the_largest_layer_that_fits_is_asked_for() {
        let asked = |lines| quality_for(&simulcast(), NonZeroU32::new(lines));
        assert_eq!(asked(1080), Some(VideoQuality::High));
        assert_eq!(asked(720), Some(VideoQuality::High));
        assert_eq!(asked(719), Some(VideoQuality::Medium));
        assert_eq!(asked(360), Some(VideoQuality::Medium));
        assert_eq!(asked(359), Some(VideoQuality::Low));
        // Nothing is that small: less than the smallest can't be had.
        assert_eq!(asked(90), Some(VideoQuality::Low));
    }

    #[test]
    fn without_a_choice_or_a_wish_nothing_is_asked_for() {
        let lines = NonZeroU32::new(360);
        let single = camera(vec![layer(VideoQuality::High, 720)]);
        assert_eq!(quality_for(&single, lines), None);
        assert_eq!(quality_for(&camera(Vec::new()), lines), None);
        assert_eq!(quality_for(&simulcast(), None), None);
        let sound = TrackInfo {
            r#type: TrackType::Audio.into(),
            ..simulcast()
        };
        assert_eq!(quality_for(&sound, lines), None);
    }

    #[test]
    fn the_layers_of_the_announced_codec_count() {
        let codec = |mime: &str, high| SimulcastCodecInfo {
            mime_type: mime.to_owned(),
            layers: vec![
                layer(VideoQuality::Low, high / 2),
                layer(VideoQuality::High, high),
            ],
            ..Default::default()
        };
        let info = TrackInfo {
            codecs: vec![codec("video/VP8", 1080), codec("video/h264", 480)],
            ..simulcast()
        };
        let lines = NonZeroU32::new(480);
        assert_eq!(quality_for(&info, lines), Some(VideoQuality::High));
    }

    #[test]
    fn what_is_to_be_saved_is_asked_for_on_top() {
        let sending = Sending {
            lines: NonZeroU32::new(480),
            pictures_per_second: Some(15),
            nothing: true,
        };
        let asked = Layers::of(&simulcast()).ask(NonZeroU32::new(720), sending);
        let expected = Asked {
            quality: VideoQuality::Medium,
            pictures_per_second: 15,
            nothing: true,
        };
        assert_eq!(asked, Some(expected));
        let asked = Layers::of(&simulcast()).ask(None, Sending::default());
        assert_eq!(asked, Some(Asked::ALL));
        let sound = TrackInfo {
            r#type: TrackType::Audio.into(),
            ..simulcast()
        };
        assert_eq!(Layers::of(&sound).ask(None, sending), None);
    }

    proptest! {
        /// Whatever a publisher says of its layers, what is asked for exists, and is too large
        /// only where everything is.
        #[test]
        fn what_is_asked_for_exists_and_fits(
            layers in prop::collection::vec((-1_i32..5, 0_u32..3_000), 0..6),
            lines in 1_u32..3_000,
        ) {
            let layers: Vec<VideoLayer> = layers
                .into_iter()
                .map(|(quality, height)| VideoLayer { quality, height, ..Default::default() })
                .collect();
            let info = camera(layers.clone());
            if let Some(quality) = quality_for(&info, NonZeroU32::new(lines)) {
                let mut of_quality = layers.iter().filter(|l| l.quality() == quality && l.height > 0);
                let fits = |layer: &VideoLayer| {
                    layer.height > 0 && layer.height <= lines && layer.quality() != VideoQuality::Off
                };
                prop_assert!(of_quality.any(|l| fits(l) || !layers.iter().any(fits)));
            }
        }
    }
}
