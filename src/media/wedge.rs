//! A graph that hangs, for tests of what finds it; no package is built with it.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;

/// Has the pad's thread hang for good once there is a file `wedge` in the directory that systemd
/// made for us.
pub(super) fn hang_when_told(pad: &gst::Pad) {
    let Some(directory) = std::env::var_os("RUNTIME_DIRECTORY") else {
        return;
    };
    let told = Path::new(&directory).join("wedge");
    pad.add_probe(gst::PadProbeType::DATA_DOWNSTREAM, move |_, _| {
        while told.exists() {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        gst::PadProbeReturn::Ok
    });
}
