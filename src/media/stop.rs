//! Stopping a pipeline joins its streaming threads and may hang for ever, so it happens on a
//! thread of its own that is there from the start.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::oneshot;

use super::MediaError;
use super::elements::failed;

/// Owns the pipeline. Dropping it makes its thread stop the pipeline: dropping neither waits nor
/// starts anything, and a pipeline that hangs keeps that thread and its memory for ever.
#[derive(Debug)]
pub(super) struct Stopper {
    order: mpsc::SyncSender<oneshot::Sender<()>>,
}

impl Stopper {
    /// Takes the pipeline over, on a new thread that sleeps until the end. `blocking` is the
    /// element whose pusher may wait for room.
    pub(super) fn start(
        pipeline: gst::Pipeline,
        blocking: Option<gst::Element>,
    ) -> Result<Self, MediaError> {
        let (order, orders) = mpsc::sync_channel::<oneshot::Sender<()>>(1);
        thread::Builder::new()
            .name("reeld-graph".to_owned())
            .spawn(move || {
                // An error says that the graph was dropped, which is an order too.
                let reply = orders.recv().ok();
                stop(&pipeline, blocking.as_ref());
                // Whoever waits may rely on the output having been let go.
                drop((pipeline, blocking));
                if let Some(reply) = reply {
                    // Nobody waits any longer when the deadline has passed.
                    let _ = reply.send(());
                }
            })
            .map_err(|_| failed("pipeline", "starting a thread"))?;
        Ok(Self { order })
    }

    /// Stops the pipeline.
    ///
    /// # Errors
    /// It has not stopped after `patience`; it is left behind.
    pub(super) async fn stop(self, patience: Duration) -> Result<(), MediaError> {
        let (reply, stopped) = oneshot::channel();
        let wedged = MediaError::Wedged { waited: patience };
        self.order.try_send(reply).map_err(|_| wedged.clone())?;
        match tokio::time::timeout(patience, stopped).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(wedged),
        }
    }
}

fn stop(pipeline: &gst::Pipeline, blocking: Option<&gst::Element>) {
    // A sink is stopped before a source: an encoder's sink that waits for room in the source
    // behind it would never be left. Flushing wakes it.
    if let Some(element) = blocking {
        element.send_event(gst::event::FlushStart::new());
    }
    if pipeline.set_state(gst::State::Null).is_err() {
        tracing::warn!("media graph: the pipeline did not stop cleanly");
    }
    if let Some(bus) = pipeline.bus() {
        bus.unset_sync_handler();
    }
}
