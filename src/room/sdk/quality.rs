//! In which order to tell the SDK how much of a picture is wanted.
//!
//! Its setters are traps: `set_video_quality` does nothing where a publication is not simulcast,
//! `set_enabled` and `update_video_dimensions` nothing before the track is subscribed to, and each
//! of them sends the server all of a track's settings, so that enabling a track forgets its quality
//! (`RemoteTrackPublication` in livekit 0.10).

use std::num::NonZeroU32;

use livekit_protocol::VideoQuality;

use crate::room::livekit::layers::Asked;

/// How much of a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// None of it.
    pub nothing: bool,
    /// As what.
    pub form: Form,
}

/// Which of a picture's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// This layer of several streams.
    Quality(VideoQuality),
    /// One stream, scaled to so many pixels across and down where it has layers.
    Size(u32, u32),
    /// As it comes.
    Whatever,
}

/// A call of the SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `set_enabled`
    Enable(bool),
    /// `set_video_quality`
    Quality(VideoQuality),
    /// `update_video_dimensions`
    Size(u32, u32),
}

/// What is wanted of a picture of `size` where `asked` is, and no more than `lines`.
#[must_use]
pub fn wish(
    asked: Asked,
    lines: Option<NonZeroU32>,
    simulcast: bool,
    (width, height): (u32, u32),
) -> Wish {
    let lines = lines.map_or(height, NonZeroU32::get);
    let form = if simulcast {
        Form::Quality(asked.quality)
    } else if lines < height {
        let across = u64::from(width) * u64::from(lines) / u64::from(height);
        Form::Size(u32::try_from(across).unwrap_or(width).max(1), lines)
    } else {
        Form::Whatever
    };
    Wish {
        nothing: asked.nothing,
        form,
    }
}

/// What to call so that what is subscribed to is as wanted; `before` is what was wanted of this
/// subscription, if anything.
#[must_use]
pub fn steps(before: Option<Wish>, now: Wish) -> Vec<Step> {
    if before == Some(now) {
        return Vec::new();
    }
    let was_on = !before.is_some_and(|it| it.nothing);
    if now.nothing {
        return was_on.then_some(Step::Enable(false)).into_iter().collect();
    }
    let enable = (!was_on).then_some(Step::Enable(true));
    let form = match now.form {
        Form::Quality(quality) => Some(Step::Quality(quality)),
        Form::Size(width, height) => Some(Step::Size(width, height)),
        Form::Whatever => None,
    };
    enable.into_iter().chain(form).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: (u32, u32) = (1280, 720);

    fn wanted(asked: Asked, lines: u32, simulcast: bool) -> Wish {
        wish(asked, NonZeroU32::new(lines), simulcast, HD)
    }

    fn of(quality: VideoQuality) -> Asked {
        Asked {
            quality,
            ..Asked::ALL
        }
    }

    const NOTHING: Asked = Asked {
        nothing: true,
        ..Asked::ALL
    };

    #[test]
    fn several_streams_are_chosen_from_and_one_is_scaled() {
        let medium = of(VideoQuality::Medium);
        let choice = wanted(medium, 360, true);
        assert_eq!(steps(None, choice), [Step::Quality(VideoQuality::Medium)]);
        assert_eq!(
            steps(None, wanted(medium, 360, false)),
            [Step::Size(640, 360)]
        );
        assert_eq!(steps(None, wanted(Asked::ALL, 0, false)), []);
        assert_eq!(steps(None, wanted(Asked::ALL, 1080, false)), []);
    }

    #[test]
    fn quality_is_said_again_once_a_track_is_enabled() {
        let low = wanted(of(VideoQuality::Low), 180, true);
        let none = wanted(NOTHING, 180, true);
        assert_eq!(steps(Some(low), low), []);
        assert_eq!(steps(Some(low), none), [Step::Enable(false)]);
        assert_eq!(
            steps(Some(none), low),
            [Step::Enable(true), Step::Quality(VideoQuality::Low)]
        );
        // A new subscription knows nothing of it.
        assert_eq!(steps(None, none), [Step::Enable(false)]);
    }

    #[test]
    fn a_picture_without_a_size_is_taken_as_it_comes() {
        let odd = wish(Asked::ALL, NonZeroU32::new(360), false, (0, 0));
        assert_eq!(odd.form, Form::Whatever);
    }
}
