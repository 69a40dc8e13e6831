//! A test's box is a process of its own, because what GStreamer finds hangs on the environment:
//! the test's program is started again, on the box, for the same test.

use std::env;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSink;

use crate::stage::process::Process;
use crate::stage::vendors::Vendors;

/// Set where a test runs on its box.
const ON_THE_BOX: &str = "STANDINS_ON_THE_BOX";

/// The longest that a test's process may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// How a test's process ended, and what its elements told.
pub struct Visit {
    pub box_: Vendors,
    pub stdout: String,
    pub stderr: String,
    pub success: bool,
}

impl Visit {
    pub fn facts(&self, name: &str) -> Vec<String> {
        self.box_.facts(name)
    }

    #[track_caller]
    pub fn tells(&self, name: &str, fact: &str) {
        let facts = self.facts(name);
        assert!(
            facts.iter().any(|known| known == fact),
            "{fact}: {facts:#?}"
        );
    }
}

/// Runs `body` on a box with these stand-ins, and comes back with what happened; on the box
/// itself, with nothing. `test` is the test's full name.
///
/// # Panics
/// The test fails on the box.
pub fn on_box(test: &str, stand_ins: &str, body: impl FnOnce()) -> Option<Visit> {
    let visit = try_on_box(test, stand_ins, body)?;
    assert!(visit.success, "{}\n{}", visit.stdout, visit.stderr);
    assert!(
        visit.stdout.contains("1 passed"),
        "no test is called {test}"
    );
    Some(visit)
}

/// The same, for a box on which the process may end badly.
pub fn try_on_box(test: &str, stand_ins: &str, body: impl FnOnce()) -> Option<Visit> {
    if env::var_os(ON_THE_BOX).is_some() {
        gst::init().unwrap();
        body();
        return None;
    }
    Some(visit(Vendors::new(stand_ins), test))
}

/// Runs a test on a box that is there.
pub fn visit(box_: Vendors, test: &str) -> Visit {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env(ON_THE_BOX, "1")
        .stdin(Stdio::null());
    let mut process = Process::spawn("a test on its box", box_.host(&mut command));
    let (stdout, status) = process.wait(LIMIT);
    Visit {
        box_,
        stdout: stdout.join("\n"),
        stderr: process.stderr(),
        success: status.success(),
    }
}

/// A unit that came out.
pub struct Unit {
    pub at: gst::ClockTime,
    /// Whether the buffer is marked as one to begin with.
    pub marked: bool,
    pub data: Vec<u8>,
}

impl Unit {
    fn has(&self, kind: u8) -> bool {
        let starts = self.data.windows(4);
        starts
            .filter(|bytes| bytes[..3] == [0, 0, 1])
            .any(|bytes| bytes[3] & 0x1f == kind)
    }

    pub fn is_idr(&self) -> bool {
        self.has(5)
    }

    pub fn has_parameters(&self) -> bool {
        self.has(7) && self.has(8)
    }
}

/// What a pipeline gave until its end.
pub struct Played {
    pub units: Vec<Unit>,
    pub caps: Option<gst::Caps>,
    /// Who failed first, and how.
    pub error: Option<(String, String)>,
}

impl Played {
    /// The numbers of the IDRs.
    pub fn idrs(&self) -> Vec<usize> {
        self.numbers(Unit::is_idr)
    }

    pub fn numbers(&self, is: impl Fn(&Unit) -> bool) -> Vec<usize> {
        let numbered = self.units.iter().enumerate();
        numbered
            .filter(|(_, unit)| is(unit))
            .map(|(at, _)| at)
            .collect()
    }

    pub fn bytes(&self, range: Range<usize>) -> usize {
        self.units[range].iter().map(|unit| unit.data.len()).sum()
    }

    #[track_caller]
    pub fn sound(self) -> Self {
        assert!(self.error.is_none(), "{:?}", self.error);
        self
    }

    #[track_caller]
    pub fn failed(&self) -> &str {
        &self.error.as_ref().expect("no error").1
    }
}

/// So many pictures of a size, 30 a second.
pub fn card(pictures: u32, width: u32, height: u32) -> String {
    format!(
        "videotestsrc num-buffers={pictures} pattern=ball ! \
         video/x-raw,format=NV12,width={width},height={height},framerate=30/1"
    )
}

/// Plays a pipeline to its end.
pub fn play(description: &str) -> Played {
    play_with(description, |_, _| {})
}

/// Plays a pipeline to its end; `heard` is told of each unit that came out, by its number.
pub fn play_with(description: &str, mut heard: impl FnMut(&gst::Pipeline, usize)) -> Played {
    let description = format!(
        "{description} ! appsink name=out sync=false max-buffers=1 enable-last-sample=false"
    );
    let pipeline = match gst::parse::launch(&description) {
        Ok(pipeline) => pipeline.downcast::<gst::Pipeline>().unwrap(),
        Err(error) => return never_played(("the parser".to_owned(), error.to_string())),
    };
    let sink = pipeline
        .by_name("out")
        .unwrap()
        .downcast::<AppSink>()
        .unwrap();
    let started = pipeline.set_state(gst::State::Playing);
    let mut played = Played {
        units: Vec::new(),
        caps: None,
        error: None,
    };
    while started.is_ok() && !sink.is_eos() {
        if let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
            played.caps = sample.caps().map(ToOwned::to_owned);
            played.units.push(read(&sample));
            heard(&pipeline, played.units.len() - 1);
        }
        played.error = error(&pipeline);
        if played.error.is_some() {
            break;
        }
    }
    played.error = played.error.or_else(|| error(&pipeline));
    if started.is_err() && played.error.is_none() {
        played.error = Some(("the pipeline".to_owned(), "does not start".to_owned()));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    played
}

fn never_played(error: (String, String)) -> Played {
    Played {
        units: Vec::new(),
        caps: None,
        error: Some(error),
    }
}

fn read(sample: &gst::Sample) -> Unit {
    let buffer = sample.buffer().unwrap();
    Unit {
        at: buffer.pts().unwrap(),
        marked: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        data: buffer.map_readable().unwrap().to_vec(),
    }
}

pub fn error(pipeline: &gst::Pipeline) -> Option<(String, String)> {
    let message = pipeline
        .bus()
        .unwrap()
        .pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else {
        return None;
    };
    let from = message
        .src()
        .map_or_else(String::new, |from| from.name().to_string());
    Some((from, error.error().to_string()))
}

/// Asks an encoder for a keyframe as GStreamer does it.
pub fn ask_by_event(pipeline: &gst::Pipeline) {
    let request = gst::Structure::builder("GstForceKeyUnit")
        .field("all-headers", true)
        .build();
    let sink = pipeline.by_name("out").unwrap();
    sink.send_event(gst::event::CustomUpstream::new(request));
}
