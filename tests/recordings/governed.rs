//! What is given up when the governor says so, and what comes back.

use reeld::daemon::settings::RoomSettings;
use reeld::governor::{Cause, Change, Door, Figures, Level, Orders, Reading};
use reeld::recorder::DropReason;
use reeld::room::{Codec, Source, TrackId};
use tokio::sync::watch;

use crate::files::Recording;
use crate::script::{Played, Room, ms, participant};
use crate::steady::steady;
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
    let decoded = codec == Codec::Vp8 && level >= Level::AudioOnly;
    // A decoder that has nothing to do keeps its memory: the segment of sound alone has none.
    let segments = if decoded { 3 } else { 1 };
    assert_eq!(recording.files.len(), segments, "{codec} at {level}");
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
    assert_eq!(
        sound.dropped.total(),
        0,
        "sound is never given up: {sound:?}, script late by {:?}",
        played.worst_lag
    );
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
    steady(|| {
        let (played, recording) = governed(Codec::Vp8, Level::HalfRate);
        let given_up = given_up(&played);
        assert!((38..=50).contains(&given_up), "{given_up}");
        assert!(recording.manifest.findings.gaps.is_empty());
        let (played, _) = governed(Codec::H264, Level::HalfRate);
        assert_eq!(self::given_up(&played), 0, "what is copied stays whole");
    });
}

#[test]
fn keyframes_alone_are_asked_for_again_and_again() {
    steady(|| {
        for codec in [Codec::Vp8, Codec::H264] {
            let (played, _) = governed(codec, Level::KeyframesOnly);
            let given_up = given_up(&played);
            // Of 90, without those that it asks for each second, and that come by themselves.
            assert!((75..=90).contains(&given_up), "{codec}: {given_up}");
            assert!(asked(&played) >= 3, "{codec}");
        }
    });
}

#[test]
fn sound_goes_on_alone_and_pictures_come_back_with_a_keyframe() {
    steady(|| {
        let each = |level| [(Codec::H264, level), (Codec::Vp8, level)];
        for (codec, level) in [Level::AudioOnly, Level::PauseVideo]
            .map(each)
            .as_flattened()
        {
            let (played, recording) = governed(*codec, *level);
            let given_up = given_up(&played);
            assert!((85..=100).contains(&given_up), "{level}: {given_up}");
            let gaps = &recording.manifest.findings.gaps;
            assert_eq!(gaps.len(), 1, "{gaps:?}");
            assert_eq!(gaps[0].reason.as_deref(), Some("governor"));
            assert!(gaps[0].duration >= ms(2_900) && gaps[0].duration < ms(3_500));
            assert!(asked(&played) >= 1);
        }
    });
}

/// Memory for one decoder: the second camera is heard at once, and seen when the first has left.
#[test]
fn a_picture_that_there_is_no_memory_for_waits_for_it() {
    steady(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let reading = |mebibytes: u64| {
            Some(Reading {
                used: Some(mebibytes << 20),
                ..Reading::default()
            })
        };
        let (readings, read) = watch::channel(reading(100));
        let door = {
            let _tokio = runtime.enter();
            Door::keep(120 << 20, read)
        };
        let output = output();
        let mut room = Room::open(RoomSettings {
            door,
            ..whole(&output)
        });
        let (ann, bob) = (participant("ann"), participant("bob"));
        room.publish(&ann, Source::Camera, "V", Codec::Vp8);
        room.microphone(&ann, "A");
        room.play(ms(2_000));
        room.publish(&bob, Source::Camera, "W", Codec::Vp8);
        room.microphone(&bob, "B");
        room.play(ms(3_000));
        room.leave(&ann);
        readings.send_replace(reading(40));
        room.play(ms(3_000));
        let played = room.close();

        let of = |who: &str| {
            let found = played.summaries.iter().find(|it| it.participant == who);
            let summary = found.unwrap();
            (summary, Recording::read(summary.dir.as_ref().unwrap()))
        };
        assert_eq!(of("ann").1.layouts(), ["h264+aac"]);
        let (summary, bobs) = of("bob");
        assert_eq!(
            bobs.layouts(),
            ["aac", "h264+aac"],
            "heard first, and seen later"
        );
        assert_eq!(
            summary.frames.audio.dropped.total(),
            0,
            "{summary:#?}, script late by {:?}",
            played.worst_lag
        );
        let spared = summary.frames.video.dropped.of(DropReason::Governor);
        assert!((80..=115).contains(&spared), "{spared} of three seconds");
        let gaps = &bobs.manifest.findings.gaps;
        assert!(
            gaps.iter()
                .all(|gap| gap.reason.as_deref() == Some("governor")),
            "{gaps:?}"
        );
    });
}

/// Keyframes that were asked for.
fn asked(played: &Played) -> u32 {
    let asked = played.asked.get(&TrackId::new("V"));
    asked.copied().unwrap_or(0)
}
