//! A GStreamer plugin of stand-ins: elements under the names of hardware vendors' elements, with
//! their properties, units, defaults, caps and traps, around software codecs. Tests run against
//! them what cannot run without a Jetson, a Raspberry Pi or an i.MX.
//!
//! `STAND_INS` lists what the plugin registers; without it, nothing. Names are separated by spaces,
//! and each may carry faults after a colon, separated by commas:
//!
//! ```text
//! STAND_INS="nvv4l2h264enc:noise nvvidconv v4l2h264enc:fail@100,slow=5"
//! ```
//!
//! | fault | what the element does |
//! |---|---|
//! | `open` | fails to open: no READY, and an element error |
//! | `start` | refuses its first caps, with an element error |
//! | `hang@N` | takes picture N (the first without `@N`) and never returns |
//! | `die@N` | ends the process at picture N |
//! | `fail@N` | an element error and a flow error at picture N |
//! | `garbage` | gives junk of the right size |
//! | `silent` | takes everything and gives nothing |
//! | `slow=MS` | blocks so long for each picture |
//! | `deaf` | ignores every request for a keyframe |
//! | `stiff` | refuses another size of picture in the middle |
//! | `no-parameters` | never gives an SPS or a PPS |
//! | `noise` | prints to the standard output, as NVIDIA's libraries do |
//! | `cuvid` | `nvv4l2h264enc` as it is on a discrete GPU: other properties, no `force-IDR` |
//!
//! With `STAND_INS_LOG=FILE` each element appends facts, one a line: its name, the process, and
//! what happened. See `facts.rs`.
//!
//! What the stand-ins cannot tell: how long hardware takes and how many pictures it holds, whether
//! memory is short (CMA, NVMM), whether a `memory:NVMM` picture can be mapped (here it is ordinary
//! memory under that name), what another release of a vendor's driver does, and what a picture
//! looks like. They prove that a program sets an element up right and survives its faults; the
//! rest needs the board.

#![allow(missing_docs, reason = "plugin_define! makes public items without any")]

mod caps;
mod class;
mod coding;
mod converters;
mod core;
mod decoders;
mod encoders;
mod enums;
mod facts;
mod front;
mod inside;
mod level;
mod nvidia;
mod output;
mod plan;
mod query;
mod spec;
mod units;
mod v4l2;

use gst::glib;
use gstreamer as gst;

use plan::{Plan, VARIABLE};

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    // A registry that was made under another value is asked anew.
    plugin.add_dependency_simple(
        Some(VARIABLE),
        None,
        None,
        gst::PluginDependencyFlags::empty(),
    );
    let plan = Plan::read().map_err(|error| {
        eprintln!("{VARIABLE}: {error}");
        glib::bool_error!("{VARIABLE}: {error}")
    })?;
    for (name, faults) in plan.elements() {
        let (spec, class) = class::find(name, faults)
            .ok_or_else(|| glib::bool_error!("{VARIABLE}: no stand-in for {name}"))?;
        gst::Element::register(Some(plugin), name, gst::Rank::from(spec.rank), class)?;
    }
    Ok(())
}

// The name is the file's: GStreamer asks `libvendors.so` for `gst_plugin_vendors_get_desc`.
gst::plugin_define!(
    vendors,
    "Stand-ins for hardware vendors' codecs",
    plugin_init,
    env!("CARGO_PKG_VERSION"),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "https://example.invalid/"
);
