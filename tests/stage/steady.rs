//! Tells a test that failed from a machine that stood still.
//!
//! What is judged here happens in real time: a virtual machine whose host takes its processors
//! away for a moment makes a publisher's flash late, or a server's packet. A test that fails while
//! that happened says nothing, and is tried again; one that fails on a steady machine fails.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A machine, or a publisher, that is this late at its work has not kept to real time.
/// (Two pictures are on their way to an encoder at most: the third comes after 67 ms.)
const STALL: Duration = Duration::from_millis(50);

/// How often a test is tried: on a busy host a try of 40 s is seldom without a stall.
const TRIES: u32 = 6;

/// How often the machine is asked whether it keeps time.
const BEAT: Duration = Duration::from_millis(10);

thread_local! {
    /// The most that a publisher of this test was late at handing something over.
    static LATEST_PUBLISHER: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs a test in real time.
///
/// # Panics
/// As the test does, when the machine was steady or all tries are used.
pub fn steady(test: impl Fn()) {
    for tried in 1..=TRIES {
        LATEST_PUBLISHER.set(Duration::ZERO);
        let metronome = Metronome::start();
        let outcome = catch_unwind(AssertUnwindSafe(&test));
        let machine = metronome.stop();
        let publisher = LATEST_PUBLISHER.get();
        let Err(panic) = outcome else {
            return;
        };
        let stalled = machine.max(publisher) >= STALL;
        println!("the machine stood still for {machine:?}, a publisher was {publisher:?} late");
        if !stalled || tried == TRIES {
            resume_unwind(panic);
        }
        // Past the capture of a test's output, which is shown of failed tests only.
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(
            std::io::stderr(),
            "{name}: tried again, the machine stood still for {machine:?}, a publisher was {publisher:?} late"
        );
    }
}

/// A publisher says by how much it was late at handing something over.
pub fn publisher_was_late(ms: f64) {
    let late = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    LATEST_PUBLISHER.set(LATEST_PUBLISHER.get().max(late));
}

/// A thread that measures by how much it is woken too late.
struct Metronome {
    stop: mpsc::SyncSender<()>,
    thread: JoinHandle<Duration>,
}

impl Metronome {
    fn start() -> Self {
        let (stop, stopped) = mpsc::sync_channel::<()>(1);
        let thread = std::thread::spawn(move || {
            let mut latest = Duration::ZERO;
            loop {
                let due = Instant::now() + BEAT;
                match stopped.recv_timeout(BEAT) {
                    Err(RecvTimeoutError::Timeout) => {
                        latest = latest.max(due.elapsed());
                    }
                    _ => return latest,
                }
            }
        });
        Self { stop, thread }
    }

    fn stop(self) -> Duration {
        drop(self.stop);
        self.thread.join().expect("the metronome does not panic")
    }
}
