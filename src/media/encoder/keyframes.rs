//! Keyframes at a steady pace by the pictures' own time, whatever their rate, and whenever
//! something new begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::catalogue::Request;
use crate::media::MediaError;
use crate::media::elements::pad;

/// When the last keyframe was made or asked for.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    last: Option<Duration>,
}

impl Pace {
    /// Whether the picture at `at` is to be a keyframe that has to be asked for: the first one
    /// is one by itself.
    fn due(&mut self, at: Duration, wanted: bool) -> bool {
        let Some(last) = self.last else {
            self.last = Some(at);
            return false;
        };
        let due = wanted || at.saturating_sub(last) >= self.interval;
        if due {
            self.last = Some(at);
        }
        due
    }
}

/// Asks an encoder for a keyframe at the next picture.
#[derive(Debug, Clone)]
pub(in crate::media) struct KeyframeAsker(Arc<AtomicBool>);

impl KeyframeAsker {
    /// Asks `encoder` for keyframes at least each `interval`, and when told to.
    pub(in crate::media) fn install(
        encoder: &gst::Element,
        request: Request,
        interval: Duration,
    ) -> Result<Self, MediaError> {
        let wanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&wanted);
        let pace = std::sync::Mutex::new(Pace {
            interval,
            last: None,
        });
        let element = encoder.downgrade();
        pad(encoder, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |sink, info| {
            let at = info.buffer().and_then(|picture| picture.pts());
            let mut pace = pace
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(at) = at
                && pace.due(Duration::from(at), asked.swap(false, Relaxed))
                && let Some(element) = element.upgrade()
            {
                ask(&element, sink, request);
            }
            gst::PadProbeReturn::Ok
        });
        Ok(Self(wanted))
    }

    /// The next picture is to be a keyframe.
    pub(in crate::media) fn ask(&self) {
        self.0.store(true, Relaxed);
    }
}

fn ask(element: &gst::Element, sink: &gst::Pad, request: Request) {
    match request {
        Request::Event => {
            let unit = gst::Structure::builder("GstForceKeyUnit")
                .field("all-headers", true)
                .field("count", 0_u32);
            sink.send_event(gst::event::CustomDownstream::new(unit.build()));
        }
        Request::Signal(name) => {
            // Emitting one that is not there, or that wants to be told more, panics.
            let signal = glib::subclass::SignalId::lookup(name, element.type_());
            if signal.is_some_and(|signal| signal.query().n_params() == 0) {
                element.emit_by_name_with_values(name, &[]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframes_come_by_time_and_on_demand() {
        let mut pace = Pace {
            interval: Duration::from_secs(2),
            last: None,
        };
        let mut asked = Vec::new();
        // Five pictures a second; one is wanted at 3 s.
        for picture in 0..40_u64 {
            let at = Duration::from_millis(picture * 200);
            if pace.due(at, picture == 15) {
                asked.push(at.as_millis());
            }
        }
        assert_eq!(asked, [2_000, 3_000, 5_000, 7_000]);
    }
}
