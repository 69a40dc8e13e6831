use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// A link that is live, and the time at which it became so.
fn live() -> (Link, Instant) {
    let now = Instant::now();
    let mut link = Link::joined(now);
    assert_eq!(link.take(Input::MediaUp, now, 1.0), []);
    assert!(link.is_live());
    (link, now)
}

/// Lets time pass until the link's deadline; what it does then.
fn pass(link: &mut Link, now: &mut Instant) -> Vec<Action> {
    *now = link.deadline().unwrap();
    link.take(Input::Timer, *now, 1.0)
}

#[test]
fn lost_signalling_is_resumed_and_media_goes_on() {
    let (mut link, now) = live();
    let broken = link.take(Input::SignalLost, now, 1.0);
    let told = Action::TellInterrupted(Interruption::Signalling);
    assert_eq!(broken, [told, Action::Resume]);
    assert!(!link.takes_messages());
    assert_eq!(
        link.take(Input::Resumed, now + SECOND, 1.0),
        [Action::TellResumed]
    );
    assert!(link.is_live());
}

#[test]
fn a_lost_address_is_a_reason_to_resume() {
    let (mut link, now) = live();
    let told = Action::TellInterrupted(Interruption::Media);
    assert_eq!(link.take(Input::PathLost, now, 1.0), [told, Action::Resume]);
    // Until it was up once, there was no path to lose.
    let mut link = Link::joined(now);
    assert_eq!(link.take(Input::PathLost, now, 1.0), []);
}

#[test]
fn resuming_is_given_up_after_a_while() {
    let (mut link, start) = live();
    let mut now = start;
    let _ = link.take(Input::SignalLost, now, 1.0);
    let mut tries = 1;
    loop {
        assert_eq!(link.take(Input::ResumeFailed(Refusal::Later), now, 1.0), []);
        match pass(&mut link, &mut now).as_slice() {
            [Action::Resume] => tries += 1,
            [Action::Connect] => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(tries > 3, "{tries}");
    assert!(now - start <= RESUME_FOR + FIRST_WAIT, "{:?}", now - start);
}

#[test]
fn a_session_that_is_gone_is_not_resumed_again() {
    let (mut link, mut now) = live();
    let _ = link.take(Input::SignalLost, now, 1.0);
    assert_eq!(link.take(Input::ResumeFailed(Refusal::Gone), now, 1.0), []);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
    assert_eq!(link.take(Input::Joined, now, 1.0), []);
    assert_eq!(link.take(Input::MediaUp, now, 1.0), [Action::TellResumed]);
}

#[test]
fn media_lost_while_resuming_means_everything_anew() {
    let (mut link, mut now) = live();
    let _ = link.take(Input::SignalLost, now, 1.0);
    assert_eq!(link.take(Input::MediaLost, now, 1.0), []);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
    // The resume's late answer concerns nobody.
    assert_eq!(link.take(Input::Resumed, now, 1.0), []);
    assert!(!link.is_live());
}

#[test]
fn lost_media_waits_for_the_servers_word() {
    let (mut link, now) = live();
    assert_eq!(link.take(Input::MediaLost, now, 1.0), []);
    let closed = Leave::End(RoomEnd::Closed);
    let ended = Action::End(RoomEnd::Closed);
    assert_eq!(link.take(Input::Leave(closed), now, 1.0), [ended]);

    let (mut link, mut now) = live();
    let _ = link.take(Input::MediaLost, now, 1.0);
    let told = Action::TellInterrupted(Interruption::Media);
    assert_eq!(pass(&mut link, &mut now), [told]);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);

    // A path that comes back in time is no interruption.
    let (mut link, now) = live();
    let _ = link.take(Input::MediaLost, now, 1.0);
    assert_eq!(link.take(Input::MediaUp, now, 1.0), []);
    assert!(link.is_live());
}

#[test]
fn media_that_does_not_come_up_is_tried_anew() {
    let mut now = Instant::now();
    let mut link = Link::joined(now);
    // ICE may try one path after another.
    assert_eq!(link.take(Input::MediaLost, now, 1.0), []);
    let told = Action::TellInterrupted(Interruption::Media);
    assert_eq!(pass(&mut link, &mut now), [told]);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
    assert_eq!(link.take(Input::Joined, now, 1.0), []);
    // Said once for one interruption.
    assert_eq!(pass(&mut link, &mut now), []);
}

#[test]
fn waits_grow_while_nothing_holds_and_are_short_after_a_good_connection() {
    let (mut link, mut now) = live();
    let mut waits = Vec::new();
    for held in [SECOND, SECOND, SECOND, GOOD] {
        now += held;
        let _ = link.take(Input::MediaSilent, now, 1.0);
        waits.push(link.deadline().unwrap() - now);
        let _ = pass(&mut link, &mut now);
        let _ = link.take(Input::Joined, now, 1.0);
        let _ = link.take(Input::MediaUp, now, 1.0);
    }
    assert_eq!(waits, [SECOND, SECOND * 2, SECOND * 4, SECOND]);
}

#[test]
fn a_taken_identity_is_not_taken_back_at_once() {
    let (mut link, now) = live();
    let taken = Leave::Reconnect(Interruption::DuplicateIdentity);
    let told = Action::TellInterrupted(Interruption::DuplicateIdentity);
    assert_eq!(link.take(Input::Leave(taken), now, 0.0), [told]);
    assert!(link.deadline().unwrap() - now >= DUPLICATE_WAIT);
}

#[test]
fn told_to_resume_it_resumes_and_told_to_reconnect_it_connects_anew() {
    let (mut link, now) = live();
    let migration = Leave::Resume(Interruption::Migration);
    let told = Action::TellInterrupted(Interruption::Migration);
    let moved = link.take(Input::Leave(migration), now, 1.0);
    assert_eq!(moved, [told, Action::Resume]);
    assert_eq!(link.take(Input::Resumed, now, 1.0), [Action::TellResumed]);
    assert!(link.is_live());

    let (mut link, mut now) = live();
    let away = Leave::Reconnect(Interruption::ServerAway);
    let told = Action::TellInterrupted(Interruption::ServerAway);
    assert_eq!(link.take(Input::Leave(away), now, 1.0), [told]);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
    assert_eq!(link.take(Input::Joined, now, 1.0), []);
    assert_eq!(link.take(Input::MediaUp, now, 1.0), [Action::TellResumed]);
    assert!(link.is_live());
}

#[test]
fn told_to_resume_what_was_never_whole_it_connects_anew() {
    let mut now = Instant::now();
    let mut link = Link::joined(now);
    let migration = Leave::Resume(Interruption::Migration);
    let told = Action::TellInterrupted(Interruption::Migration);
    assert_eq!(link.take(Input::Leave(migration), now, 1.0), [told]);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
}

#[test]
fn a_server_that_refuses_to_take_over_is_joined_anew() {
    let (mut link, mut now) = live();
    let migration = Leave::Resume(Interruption::Migration);
    let _ = link.take(Input::Leave(migration), now, 1.0);
    // The new node does not know the session, and says so as a leave request of its own.
    let anew = Leave::Reconnect(Interruption::ServerAway);
    assert_eq!(link.take(Input::Leave(anew), now, 1.0), []);
    assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
    // The resume that was on its way concerns nobody any more.
    assert_eq!(link.take(Input::Resumed, now, 1.0), []);
    assert!(!link.is_live());
}

#[test]
fn of_a_connection_that_was_given_up_only_the_end_of_the_room_counts() {
    for tries in [false, true] {
        let (mut link, mut now) = live();
        let _ = link.take(Input::MediaSilent, now, 1.0);
        if tries {
            assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
        }
        let due = link.deadline();
        for leave in [
            Leave::Resume(Interruption::Migration),
            Leave::Reconnect(Interruption::ServerAway),
        ] {
            assert_eq!(link.take(Input::Leave(leave), now, 1.0), []);
            assert_eq!(link.deadline(), due);
        }
        let removed = Leave::End(RoomEnd::Removed);
        let ended = Action::End(RoomEnd::Removed);
        assert_eq!(link.take(Input::Leave(removed), now, 1.0), [ended]);
    }
}

#[test]
fn only_what_nobody_can_mend_ends_it() {
    let (mut link, mut now) = live();
    let _ = link.take(Input::MediaSilent, now, 1.0);
    let _ = pass(&mut link, &mut now);
    let gone = link.take(Input::ConnectFailed(Refusal::Gone), now, 1.0);
    assert_eq!(gone, [Action::End(RoomEnd::Closed)]);
    assert_eq!(link.deadline(), None);

    let (mut link, mut now) = live();
    let _ = link.take(Input::MediaSilent, now, 1.0);
    for _ in 0..100 {
        assert_eq!(pass(&mut link, &mut now), [Action::Connect]);
        let failed = Input::ConnectFailed(Refusal::Later);
        assert_eq!(link.take(failed, now, 1.0), []);
    }
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![6 => Just(Refusal::Later), 2 => Just(Refusal::Gone)]
}

fn input() -> impl Strategy<Value = Input> {
    let leave = prop_oneof![
        1 => Just(Leave::End(RoomEnd::Removed)),
        4 => Just(Leave::Resume(Interruption::Migration)),
        4 => Just(Leave::Reconnect(Interruption::ServerAway)),
        2 => Just(Leave::Reconnect(Interruption::DuplicateIdentity)),
    ];
    prop_oneof![
        4 => Just(Input::Joined),
        2 => refusal().prop_map(Input::ConnectFailed),
        3 => Just(Input::Resumed),
        2 => refusal().prop_map(Input::ResumeFailed),
        3 => Just(Input::SignalLost),
        4 => Just(Input::MediaUp),
        3 => Just(Input::MediaLost),
        2 => Just(Input::MediaSilent),
        2 => Just(Input::PathLost),
        1 => leave.prop_map(Input::Leave),
        9 => Just(Input::Timer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens in whatever order: it is live, or something is due, or it is over; and
    /// what the room's task is told alternates and agrees with the state.
    #[test]
    fn nothing_is_waited_for_in_vain(
        inputs in prop::collection::vec((input(), 0_u64..40_000, 0.0..1.0_f64), 1..80),
    ) {
        let mut now = Instant::now();
        let mut link = Link::joined(now);
        let mut interrupted = false;
        let mut ended = false;
        for (input, later, random) in inputs {
            now += Duration::from_millis(later);
            for action in link.take(input, now, random) {
                prop_assert!(!ended, "{action:?} after the end");
                match action {
                    Action::TellInterrupted(_) => {
                        prop_assert!(!interrupted);
                        interrupted = true;
                    }
                    Action::TellResumed => {
                        prop_assert!(interrupted && link.is_live());
                        interrupted = false;
                    }
                    Action::End(_) => ended = true,
                    Action::Resume | Action::Connect => prop_assert!(interrupted),
                }
            }
            prop_assert_eq!(link.deadline().is_none(), link.is_live() || ended);
            if let Some(due) = link.deadline() {
                prop_assert!(due <= now + CONNECT.max(LONGEST_WAIT), "{:?}", link.state);
            }
            prop_assert!(!(link.is_live() && interrupted));
        }
    }

    /// With nothing but time going by, it connects again and again, within bounds.
    #[test]
    fn it_is_tried_for_ever(random in 0.0..1.0_f64, tries in 1_usize..60) {
        let (mut link, mut now) = live();
        let _ = link.take(Input::MediaSilent, now, random);
        for _ in 0..tries {
            let due = link.deadline().unwrap();
            prop_assert!(due - now >= FIRST_WAIT / 2 && due - now <= LONGEST_WAIT);
            now = due;
            prop_assert_eq!(link.take(Input::Timer, now, random), vec![Action::Connect]);
            let _ = link.take(Input::ConnectFailed(Refusal::Later), now, random);
        }
    }
}
