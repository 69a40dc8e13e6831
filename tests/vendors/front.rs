//! The sink pad: pictures come in, faults come out.

use std::sync::Arc;
use std::{process, thread};

use gst::prelude::*;
use gstreamer as gst;

use crate::core::Core;
use crate::plan::Fault;
use crate::spec::{Job, Named, Start};
use crate::{caps, inside, query};

type Flown = Result<gst::FlowSuccess, gst::FlowError>;

pub fn pad(core: &Arc<Core>, template: &gst::PadTemplate) -> gst::GhostPad {
    let (pictures, lists) = (Arc::clone(core), Arc::clone(core));
    let (events, queries) = (Arc::clone(core), Arc::clone(core));
    let inner = Arc::clone(core);
    gst::GhostPad::builder_from_template(template)
        .chain_function(move |pad, parent, picture| take(&pictures, pad, parent, picture))
        .chain_list_function(move |pad, parent, list| {
            for picture in &*list {
                take(&lists, pad, parent, picture.to_owned())?;
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |pad, parent, event| event_in(&events, pad, parent, event))
        .query_function(move |pad, parent, query| query::of_sink(&queries, pad, parent, query))
        .proxy_pad_query_function(move |proxy, parent, query| {
            query::of_inside(&inner, proxy, parent, query)
        })
        .build()
}

fn element(parent: Option<&gst::Object>) -> Option<&gst::Element> {
    parent.and_then(|parent| parent.downcast_ref())
}

fn take(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    picture: gst::Buffer,
) -> Flown {
    let (number, refusal) = {
        let mut flow = core.flow();
        flow.taken += 1;
        (flow.taken, flow.refusal.clone())
    };
    if let (Some(refusal), Some(element)) = (refusal, element(parent)) {
        core.facts.tell(&format!("refused {refusal}"));
        gst::element_error!(
            element,
            gst::ResourceError::Settings,
            ("Failed to allocate required memory."),
            ["Buffer pool activation failed"]
        );
        return Err(gst::FlowError::Error);
    }
    for fault in core.faults() {
        suffer(core, fault, number, element(parent))?;
    }
    if core.has(Fault::Silent) {
        return Ok(gst::FlowSuccess::Ok);
    }
    gst::ProxyPad::chain_default(pad, parent, picture)
}

/// What happens at a picture.
fn suffer(
    core: &Core,
    fault: Fault,
    number: u64,
    element: Option<&gst::Element>,
) -> Result<(), gst::FlowError> {
    match fault {
        Fault::Slow(time) => thread::sleep(time),
        Fault::Hang(at) if number >= at => {
            core.facts.tell(&format!("fault hang at {number}"));
            loop {
                thread::park();
            }
        }
        Fault::Die(at) if number >= at => {
            core.facts.tell(&format!("fault die at {number}"));
            process::abort();
        }
        Fault::Fail(at) if number >= at => {
            core.facts.tell(&format!("fault fail at {number}"));
            core.flow().failed = true;
            if let Some(element) = element {
                gst::element_error!(
                    element,
                    gst::ResourceError::Failed,
                    ("Failed to process frame."),
                    ["Maybe be due to not enough memory or failing driver"]
                );
            }
            return Err(gst::FlowError::Error);
        }
        _ => {}
    }
    Ok(())
}

pub fn is_request(event: &gst::EventRef) -> bool {
    event
        .structure()
        .is_some_and(|request| request.name() == "GstForceKeyUnit")
}

fn event_in(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    event: gst::Event,
) -> bool {
    let event = match event.view() {
        gst::EventView::Caps(at_pad) => {
            let at_pad = at_pad.caps_owned();
            if !element(parent).is_some_and(|element| start(core, element, &at_pad)) {
                return false;
            }
            gst::event::Caps::builder(&caps::plain(&at_pad))
                .seqnum(event.seqnum())
                .build()
        }
        gst::EventView::Segment(segment) => {
            let segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
            core.flow().segment = segment;
            event
        }
        gst::EventView::CustomDownstream(_) if core.encoder().is_some() && is_request(&event) => {
            let heard = core.hears_events();
            let answer = if heard { "served" } else { "ignored" };
            core.facts.tell(&format!("request event {answer}"));
            if !heard {
                return true;
            }
            event
        }
        _ => event,
    };
    gst::Pad::event_default(pad, parent, event)
}

/// New caps; false: they are refused.
fn start(core: &Core, element: &gst::Element, at_pad: &gst::Caps) -> bool {
    core.facts.tell(&format!("caps in {at_pad}"));
    if core.has(Fault::Start) {
        core.facts.tell("fault start");
        gst::element_error!(
            element,
            gst::ResourceError::Settings,
            ("Failed to allocate required memory."),
            ["Buffer pool activation failed"]
        );
        return false;
    }
    let size = caps::size(at_pad);
    let before = {
        let mut flow = core.flow();
        let before = flow.size;
        if before.is_some() && before != size && core.has(Fault::Stiff) {
            core.facts.tell("refused another size");
            return false;
        }
        flow.size = size;
        flow.memory = at_pad.features(0).map(ToOwned::to_owned);
        before
    };
    match core.spec.job {
        Job::Encode(_) => {
            if let Some((width, height)) = size.filter(|_| size != before) {
                core.facts.tell(&format!("size {width}x{height}"));
            }
            start_encoder(core, element, at_pad)
        }
        Job::Decode { .. } => inside::choose_decoder(core, element, at_pad)
            .inspect_err(|error| {
                gst::element_error!(element, gst::StreamError::CodecNotFound, ["{error}"]);
            })
            .is_ok(),
        Job::Convert => true,
    }
}

fn start_encoder(core: &Core, element: &gst::Element, at_pad: &gst::Caps) -> bool {
    let (Some(encoder), Some(coding)) = (core.encoder(), core.coding()) else {
        return false;
    };
    let Some(src) = element.static_pad("src") else {
        return false;
    };
    if query::allowed(core, &src).is_empty() {
        return false;
    }
    let level = match encoder.named {
        Named::FirstLevel => query::choices(core, &src, "level").into_iter().next(),
        Named::Neither | Named::Both => None,
    };
    let profile = query::profile(core, encoder, &coding, &src);
    let (width, height) = caps::size(at_pad).unwrap_or_default();
    let start = Start {
        width: width.unsigned_abs(),
        height: height.unsigned_abs(),
        rate: caps::rate(at_pad).unsigned_abs(),
        level: level.clone(),
    };
    let refusal = (encoder.refuses)(core, &start);
    let mut flow = core.flow();
    flow.refusal = refusal;
    flow.level = level;
    flow.profile = Some(profile);
    true
}
