//! What is given up when the governor says so, and what comes back.

use reeld::daemon::settings::RoomSettings;
use reeld::governor::{Cause, Change, Figures, Level, Orders};
use reeld::recorder::DropReason;
use reeld::room::{Codec, Source, TrackId};
use tokio::sync::watch;

use crate::files::Recording;
use crate::script::{Played, Room, ms, participant};
use crate::{anns, output, whole};

/// Two seconds as usual, three at `level`, and two as usual again.
fn governed(codec: Codec, level: Level) -> (Played, Recording) {
    let output = output();
    let (governor, orders) = watch::channel(Orders::default());
    let ann = participant("ann");
    let mut room = Room::open(RoomSettings {
        orders,
        ..whole(&output)
    });
    room.publish(&ann, Source::Camera, "V", codec);
    room.microphone(&ann, "A");
    room.play(ms(2_000));
    let say = |from, to, cause| {
        let figures = Figures::default();
        let change = Some(Change {
            from,
            to,
            cause,
            figures,
        });
        governor.send_replace(Orders { change });
    };
    say(Level::Normal, level, Cause::MemoryUse);
    room.play(ms(3_000));
    say(level, Level::Normal, Cause::Quiet);
    room.play(ms(2_000));
    assert_eq!(room.sending, [level.sending(), Level::Normal.sending()]);
    let played = room.close();
    let recording = anns(&played);
    assert_eq!(recording.files.len(), 1, "one segment throughout");
    let levels: Vec<_> = recording.manifest.findings.levels.iter().collect();
    let said: Vec<_> = levels
        .iter()
        .map(|it| (it.change.to, it.change.cause))
        .collect();
    assert_eq!(
        said,
        [(level, Cause::MemoryUse), (Level::Normal, Cause::Quiet)]
    );
    let length = levels[1].at.saturating_sub(levels[0].at);
    assert!(length.abs_diff(ms(3_000)) < ms(500), "{length:?}");
    let sound = &played.only().frames.audio;
    assert_eq!(sound.dropped.total(), 0, "sound is never given up");
    (played, recording)
}

fn given_up(played: &Played) -> u64 {
    let video = &played.only().frames.video;
    assert_eq!(
        video.dropped.total(),
        video.dropped.of(DropReason::Governor)
    );
    video.dropped.of(DropReason::Governor)
}

#[test]
fn at_half_rate_every_second_picture_that_is_encoded_again_is_left_out() {
    let (played, recording) = governed(Codec::Vp8, Level::HalfRate);
    let given_up = given_up(&played);
    assert!((38..=50).contains(&given_up), "{given_up}");
    assert!(recording.manifest.findings.gaps.is_empty());
    let (played, _) = governed(Codec::H264, Level::HalfRate);
    assert_eq!(self::given_up(&played), 0, "what is copied stays whole");
}

#[test]
fn keyframes_alone_are_asked_for_again_and_again() {
    for codec in [Codec::Vp8, Codec::H264] {
        let (played, _) = governed(codec, Level::KeyframesOnly);
        let given_up = given_up(&played);
        // Of 90, without those that it asks for each second, and that come by themselves.
        assert!((75..=90).contains(&given_up), "{codec}: {given_up}");
        assert!(asked(&played) >= 3, "{codec}");
    }
}

#[test]
fn sound_goes_on_alone_and_pictures_come_back_with_a_keyframe() {
    for level in [Level::AudioOnly, Level::PauseVideo] {
        let (played, recording) = governed(Codec::H264, level);
        let given_up = given_up(&played);
        assert!((85..=100).contains(&given_up), "{level}: {given_up}");
        let gaps = &recording.manifest.findings.gaps;
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].reason.as_deref(), Some("governor"));
        assert!(gaps[0].duration >= ms(2_900) && gaps[0].duration < ms(3_500));
        assert!(asked(&played) >= 1);
    }
}

/// Keyframes that were asked for.
fn asked(played: &Played) -> u32 {
    let asked = played.asked.get(&TrackId::new("V"));
    asked.copied().unwrap_or(0)
}
