use super::*;

const STEP: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

fn graph(moves: Option<u64>) -> Seen {
    Seen {
        signs: vec![Sign {
            of: "the graph".to_owned(),
            moves,
            owes: true,
            patience: PATIENCE,
        }],
        says: "1 recording".to_owned(),
    }
}

/// What is told in each of so many seconds; `moves` of the graph by the second.
fn told(watch: &mut Watch, seconds: u32, moves: impl Fn(u32) -> Option<u64>) -> Vec<Vec<Message>> {
    let start = Instant::now();
    (0..seconds)
        .map(|second| watch.look(start + STEP * second, graph(moves(second))).0)
        .collect()
}

fn alive(told: &[Vec<Message>]) -> Vec<usize> {
    let feeds = |messages: &[Message]| messages.contains(&Message::Alive);
    let seconds = told.iter().enumerate();
    seconds
        .filter(|(_, messages)| feeds(messages))
        .map(|(second, _)| second)
        .collect()
}

#[test]
fn the_watchdog_is_fed_while_all_moves_and_not_longer() {
    let mut watch = Watch::new(STEP, true);
    // It stands still from the 5th second to the 30th.
    let told = told(&mut watch, 40, |second| {
        Some(if (5..30).contains(&second) {
            5
        } else {
            second.into()
        })
    });
    let expected: Vec<usize> = (0..15).chain(30..40).collect();
    assert_eq!(alive(&told), expected);
    assert!(told.iter().flatten().all(|it| *it != Message::DeadEnd));
}

#[test]
fn the_status_is_told_when_it_changes() {
    let mut watch = Watch::new(STEP, true);
    let told = told(&mut watch, 30, |second| Some(second.min(5).into()));
    let says: Vec<&str> = told
        .iter()
        .flatten()
        .filter_map(|message| match message {
            Message::Status(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(says, ["1 recording", "the graph hangs; 1 recording"]);
}

#[test]
fn what_is_gone_ends_the_process_where_something_starts_it_anew() {
    let dead = |feeds| {
        let mut watch = Watch::new(STEP, feeds);
        let (messages, health) = watch.look(Instant::now(), graph(None));
        assert!(!health.healthy);
        assert_eq!(health.wedged, ["the graph"]);
        assert!(!messages.contains(&Message::Alive));
        messages.contains(&Message::DeadEnd)
    };
    assert!(dead(true));
    assert!(!dead(false));
}

#[test]
fn without_a_watchdog_it_is_not_fed() {
    let mut watch = Watch::new(STEP, false);
    let told = told(&mut watch, 5, |second| Some(second.into()));
    assert_eq!(alive(&told), [] as [usize; 0]);
}

#[test]
fn ending_asks_for_time_for_a_minute() {
    let mut watch = Watch::new(STEP, true);
    let start = Instant::now();
    assert_eq!(watch.turn(&Turn::Stopping, start), Some(Message::Stopping));
    let asks = (0..90).filter(|second| {
        let now = start + STEP * *second;
        let (messages, _) = watch.look(now, graph(Some(u64::from(*second))));
        messages.contains(&Message::NeedsTime(MORE_TIME))
    });
    assert_eq!(asks.collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
}

#[test]
fn it_complains_once_a_minute() {
    let mut watch = Watch::new(STEP, true);
    let start = Instant::now();
    let mut complaints = Vec::new();
    for second in 0..150 {
        let before = watch.complained;
        watch.look(start + STEP * second, graph(Some(0)));
        if watch.complained != before {
            complaints.push(second);
        }
    }
    assert_eq!(complaints, [10, 70, 130]);
}

#[test]
fn turns_have_their_messages() {
    let mut watch = Watch::new(STEP, true);
    let now = Instant::now();
    for (turn, message) in [
        (Turn::Ready, Some(Message::Ready)),
        (Turn::Reloading, Some(Message::Reloading)),
        (Turn::Reloaded, Some(Message::Ready)),
        (Turn::Over, None),
    ] {
        assert_eq!(watch.turn(&turn, now), message);
    }
}
