//! The software in an element, and its life.
//!
//! ```text
//! encoder    sink ─► [queue] videoconvert ─► x264enc ─► src
//! decoder    sink ─► [queue] identity ─► (chosen by its caps) ─► videoconvert ─► capsfilter ─► src
//! converter  sink ─► videoconvert ─► videoscale ─► src
//! ```

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::caps;
use crate::core::{Core, Flow, Inside};
use crate::plan::Fault;
use crate::spec::Job;
use crate::{front, output};

/// Pictures that a driver takes before it gives one back.
const POOL: u32 = 4;

/// Gives the element its pads.
pub fn pads(core: &Arc<Core>, element: &gst::Element) -> Result<(), glib::BoolError> {
    let template = |name: &str| {
        element
            .pad_template(name)
            .ok_or_else(|| glib::bool_error!("no template {name}"))
    };
    element.add_pad(&front::pad(core, &template("sink")?))?;
    element.add_pad(&output::pad(core, &template("src")?))
}

/// What is done before a change of state.
pub fn before(
    core: &Core,
    element: &gst::Element,
    change: gst::StateChange,
) -> Result<(), gst::StateChangeError> {
    match change {
        gst::StateChange::NullToReady => {
            if core.has(Fault::Noise) {
                println!("Opening in BLOCKING MODE \nNvMMLiteOpen : Block : BlockType = 4 ");
                println!("===== NvVideo: NVENC =====\n{{\"fps\": 0}}");
            }
            if core.has(Fault::Open) {
                core.facts.tell("fault open");
                gst::element_error!(
                    element,
                    gst::ResourceError::OpenReadWrite,
                    ("Could not open device '/dev/video11' for reading and writing.")
                );
                return Err(gst::StateChangeError);
            }
            build(core, element).map_err(|error| {
                gst::element_error!(element, gst::CoreError::MissingPlugin, ["{error}"]);
                gst::StateChangeError
            })
        }
        gst::StateChange::ReadyToPaused => {
            *core.flow() = Flow::default();
            core.tell_settings();
            if let (Some(coding), Some(codec)) = (core.coding(), core.codec()) {
                coding.apply(&codec);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What is done after it.
pub fn after(core: &Core, change: gst::StateChange) {
    if change == gst::StateChange::PausedToReady {
        let (taken, given) = {
            let mut flow = core.flow();
            flow.held.clear();
            (flow.taken, flow.given)
        };
        core.facts.tell(&format!("pictures in={taken} out={given}"));
    }
}

fn make(factory: &str) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make(factory).build()
}

fn bin(element: &gst::Element) -> Result<&gst::Bin, glib::BoolError> {
    element
        .downcast_ref()
        .ok_or_else(|| glib::bool_error!("it is not a bin"))
}

fn ghost(element: &gst::Element, name: &str) -> Result<gst::GhostPad, glib::BoolError> {
    element
        .static_pad(name)
        .and_then(|pad| pad.downcast().ok())
        .ok_or_else(|| glib::bool_error!("no ghost pad {name}"))
}

/// Puts the software in, the first time.
fn build(core: &Core, element: &gst::Element) -> Result<(), glib::BoolError> {
    let mut inside = core.inside();
    if inside.entry.is_some() {
        return Ok(());
    }
    let entry = if core.spec.threaded {
        gst::ElementFactory::make("queue")
            .property("max-size-buffers", POOL)
            .property("max-size-bytes", 0_u32)
            .property("max-size-time", 0_u64)
            .build()?
    } else {
        make("identity")?
    };
    let (first, last) = match core.spec.job {
        Job::Encode(_) => (make("videoconvert")?, make("x264enc")?),
        Job::Decode { raw } => {
            let filter = make("capsfilter")?;
            filter.set_property("caps", caps::parse(raw));
            (make("videoconvert")?, filter)
        }
        Job::Convert => (make("videoconvert")?, make("videoscale")?),
    };
    let bin = bin(element)?;
    bin.add_many([&entry, &first, &last])?;
    first.link(&last)?;
    let target = |element: &gst::Element, name: &str| element.static_pad(name);
    ghost(element, "sink")?.set_target(target(&entry, "sink").as_ref())?;
    ghost(element, "src")?.set_target(target(&last, "src").as_ref())?;
    *inside = match core.spec.job {
        Job::Decode { .. } => Inside {
            entry: Some(entry),
            exit: Some(first),
            codec: None,
        },
        Job::Encode(_) | Job::Convert => {
            entry.link(&first)?;
            Inside {
                entry: Some(entry),
                exit: None,
                codec: core.encoder().map(|_| last),
            }
        }
    };
    Ok(())
}

/// Puts the decoder for these caps in, the first time.
pub fn choose_decoder(
    core: &Core,
    element: &gst::Element,
    caps: &gst::Caps,
) -> Result<(), glib::BoolError> {
    let mut inside = core.inside();
    if inside.codec.is_some() {
        return Ok(());
    }
    let name = caps.structure(0).map_or("", |structure| structure.name());
    let chain: &[&str] = match name {
        "video/x-h264" => &["h264parse", "openh264dec"],
        "video/x-vp8" => &["vp8dec"],
        "video/x-vp9" => &["vp9dec"],
        "video/x-av1" => &["av1parse", "av1dec"],
        _ => return Err(glib::bool_error!("nothing in it decodes {name}")),
    };
    let (Some(entry), Some(exit)) = (inside.entry.clone(), inside.exit.clone()) else {
        return Err(glib::bool_error!("it is not open"));
    };
    let elements = chain
        .iter()
        .map(|factory| make(factory))
        .collect::<Result<Vec<_>, _>>()?;
    let mut before = entry;
    for element_inside in &elements {
        bin(element)?.add(element_inside)?;
        before.link(element_inside)?;
        before = element_inside.clone();
    }
    before.link(&exit)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    inside.codec = elements.last().cloned();
    Ok(())
}
