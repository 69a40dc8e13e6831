//! Whole days of bad senders on bad networks, in properties.

use proptest::prelude::*;

use super::simulation::{MS, Outcome, PICTURES, SOUND, Sender, sound_and_pictures};

const DAY: f64 = 86_400.0;

/// Until the first reports have come and what they say is slewed in.
const SETTLED: f64 = 60.0;

/// What goes wrong in a day.
#[derive(Debug, Clone)]
struct Day {
    /// How fast the RTP clocks run, in millionths: sound's and the pictures'.
    drifts: [f64; 2],
    /// When the sender's wall clock steps, and by how many seconds.
    steps: Vec<(f64, f64)>,
    report_loss: f64,
    report_late: f64,
}

fn day() -> impl Strategy<Value = Day> {
    let step = prop_oneof![-0.9..0.9, -4_000.0..4_000.0];
    (
        prop::array::uniform2(-200.0..200.0),
        prop::collection::vec((0.0..DAY, step), 0..6),
        0.0..0.5,
        0.0..12.0,
    )
        .prop_map(|(drifts, mut steps, report_loss, report_late)| {
            steps.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            Day {
                drifts,
                steps,
                report_loss,
                report_late,
            }
        })
}

/// Lives through a day; the greatest distance of sound and picture, in seconds.
fn worst_of(day: &Day) -> Result<f64, TestCaseError> {
    let sender = |mut sender: Sender, interval, drift: f64| {
        sender.interval = interval;
        sender.drift = drift * 1e-6;
        sender.report_loss = day.report_loss;
        sender.report_late = day.report_late;
        sender
    };
    // Fewer units than there are in a day: what matters is how much time lies between reports.
    let sound = sender(SOUND, 0.2, day.drifts[0]);
    let pictures = sender(PICTURES, 0.25, day.drifts[1]);
    let (mut timeline, epoch, mut streams) = sound_and_pictures(sound, pictures);
    let mut steps = day.steps.iter().peekable();
    let mut last: [Option<Outcome>; 2] = [None; 2];
    let mut worst: f64 = 0.0;
    while streams.iter().any(|stream| stream.next < DAY) {
        let which = usize::from(streams[1].next < streams[0].next);
        let now = streams[which].next;
        while let Some((_, step)) = steps.next_if(|(at, _)| *at <= now) {
            for stream in &mut streams {
                stream.wall_step += step;
            }
        }
        let outcome = streams[which].step(&mut timeline, epoch);
        if let Some(before) = last[which].replace(outcome) {
            prop_assert!(
                outcome.placed.at > before.placed.at,
                "time went back at {now}"
            );
        }
        if let [Some(heard), Some(seen)] = &last
            && now > SETTLED
        {
            worst = worst.max((heard.error() - seen.error()).abs());
        }
    }
    Ok(worst)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn sound_and_picture_stay_together_for_a_day(day in day()) {
        let worst = worst_of(&day)?;
        prop_assert!(worst <= 40.0 * MS, "{worst} s apart");
    }
}
