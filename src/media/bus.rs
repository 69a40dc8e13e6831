//! What elements report, and what follows from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::watch;

use super::counts::Counters;
use super::elements::failed;
use super::{Ending, MediaError, Part};

/// A message from the bus, without GStreamer's types.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Notice {
    /// Every track's end has reached the output.
    End,
    Error(Complaint),
    Warning(Complaint),
    /// Nothing that changes anything.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Complaint {
    element: String,
    part: Part,
    message: String,
    detail: String,
    /// A parser that saw not a single frame before the end of its track.
    no_frames: bool,
}

/// What a message means to the graph.
#[derive(Debug, Clone)]
enum Meaning {
    Nothing,
    Warn(Complaint),
    Over(Ending),
}

/// Decides what a message means. `asked` says whether the graph was told to end.
fn classify(notice: Notice, asked: bool) -> Meaning {
    match notice {
        Notice::Other => Meaning::Nothing,
        Notice::End if asked => Meaning::Over(Ending::Complete),
        Notice::End => Meaning::Over(Ending::Failed(MediaError::UnexpectedEnd)),
        Notice::Warning(complaint) => Meaning::Warn(complaint),
        // A track that never brought a usable unit has ended: the other one is complete.
        Notice::Error(complaint) if complaint.no_frames && asked => Meaning::Warn(complaint),
        Notice::Error(complaint) => Meaning::Over(Ending::Failed(MediaError::Element {
            element: complaint.element,
            message: complaint.message,
            detail: complaint.detail,
            part: complaint.part,
        })),
    }
}

/// Where the streaming threads report that the graph is over. The first report stands.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    ending: watch::Sender<Ending>,
    asked: Arc<AtomicBool>,
}

impl Reporter {
    pub(super) fn new() -> Self {
        Self {
            ending: watch::Sender::new(Ending::Running),
            asked: Arc::new(AtomicBool::new(false)),
        }
    }

    /// From now on the end of all tracks is what was asked for.
    pub(super) fn ask(&self) {
        self.asked.store(true, Relaxed);
    }

    pub(super) fn end(&self, how: Ending) {
        self.ending.send_if_modified(|ending| {
            let first = matches!(ending, Ending::Running);
            if first {
                *ending = how;
            }
            first
        });
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Ending> {
        self.ending.subscribe()
    }

    /// Why a step failed at an element: what was reported, if anything was.
    pub(super) fn failure(&self, element: &str, step: &'static str) -> MediaError {
        match &*self.ending.borrow() {
            Ending::Failed(error) => error.clone(),
            Ending::Running | Ending::Complete => failed(element, step),
        }
    }

    /// Takes every message where it is posted, so that none is queued.
    pub(super) fn listen(&self, bus: &gst::Bus, counters: &Arc<Counters>) {
        let reporter = self.clone();
        let counters = Arc::clone(counters);
        bus.set_sync_handler(move |_, message| {
            match classify(read(message), reporter.asked.load(Relaxed)) {
                Meaning::Nothing => {}
                Meaning::Warn(complaint) => {
                    counters.warnings.add(1);
                    tracing::debug!(
                        element = complaint.element,
                        detail = complaint.detail,
                        "media graph: {}",
                        complaint.message
                    );
                }
                Meaning::Over(ending) => reporter.end(ending),
            }
            gst::BusSyncReply::Drop
        });
    }
}

fn read(message: &gst::Message) -> Notice {
    match message.view() {
        gst::MessageView::Eos(_) => Notice::End,
        gst::MessageView::Error(error) => {
            Notice::Error(complaint(message, &error.error(), error.debug()))
        }
        gst::MessageView::Warning(warning) => {
            Notice::Warning(complaint(message, &warning.error(), warning.debug()))
        }
        _ => Notice::Other,
    }
}

fn complaint(
    message: &gst::Message,
    error: &gst::glib::Error,
    debug: Option<gst::glib::GString>,
) -> Complaint {
    let (element, part) = message.src().map_or_else(
        || ("unknown".to_owned(), Part::Other),
        |src| (src.name().to_string(), part_of(src)),
    );
    Complaint {
        element,
        part,
        message: error.message().to_owned(),
        detail: debug.map_or_else(String::new, |debug| debug.replace('\n', " ")),
        no_frames: error.matches(gst::StreamError::WrongType),
    }
}

/// The part that an object belongs to; what is inside an element of ours belongs to it.
fn part_of(object: &gst::Object) -> Part {
    let mut next = Some(object.clone());
    while let Some(object) = next {
        let part = Part::of(&object.name());
        if part != Part::Other {
            return part;
        }
        next = object.parent();
    }
    Part::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(no_frames: bool) -> Complaint {
        Complaint {
            element: "h264parse".into(),
            part: Part::Other,
            message: "broken".into(),
            detail: String::new(),
            no_frames,
        }
    }

    #[test]
    fn an_end_is_good_only_when_it_was_asked_for() {
        assert!(matches!(
            classify(Notice::End, true),
            Meaning::Over(Ending::Complete)
        ));
        assert!(matches!(
            classify(Notice::End, false),
            Meaning::Over(Ending::Failed(MediaError::UnexpectedEnd))
        ));
    }

    #[test]
    fn errors_end_the_graph_and_warnings_do_not() {
        assert!(matches!(
            classify(Notice::Warning(complaint(false)), false),
            Meaning::Warn(_)
        ));
        let Meaning::Over(Ending::Failed(error)) = classify(Notice::Error(complaint(false)), true)
        else {
            panic!("an error has to end the graph");
        };
        assert!(error.to_string().contains("h264parse"));
        assert!(matches!(
            classify(Notice::Error(complaint(true)), true),
            Meaning::Warn(_)
        ));
        assert!(matches!(
            classify(Notice::Error(complaint(true)), false),
            Meaning::Over(Ending::Failed(_))
        ));
    }

    #[test]
    fn the_first_ending_stands() {
        let reporter = Reporter::new();
        reporter.end(Ending::Failed(MediaError::OutputClosed));
        reporter.end(Ending::Complete);
        assert!(matches!(
            *reporter.subscribe().borrow(),
            Ending::Failed(MediaError::OutputClosed)
        ));
    }
}
