//! The source pad: what the software inside gave is made into what the vendor's element gives.

use std::sync::Arc;

use gst::prelude::*;
use gstreamer as gst;

use crate::core::{Core, Flow, Held};
use crate::front::is_request;
use crate::plan::Fault;
use crate::spec::{Encoder, Job, Keyframes, Named};
use crate::{caps, query, units};

type Flown = Result<gst::FlowSuccess, gst::FlowError>;

pub fn pad(core: &Arc<Core>, template: &gst::PadTemplate) -> gst::GhostPad {
    let (given, lists) = (Arc::clone(core), Arc::clone(core));
    let (events, upstream) = (Arc::clone(core), Arc::clone(core));
    let (inner, outer) = (Arc::clone(core), Arc::clone(core));
    gst::GhostPad::builder_from_template(template)
        .proxy_pad_chain_function(move |proxy, parent, unit| give(&given, proxy, parent, unit))
        .proxy_pad_chain_list_function(move |proxy, parent, list| {
            for unit in &*list {
                give(&lists, proxy, parent, unit.to_owned())?;
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .proxy_pad_event_function(move |proxy, parent, event| {
            event_out(&events, proxy, parent, event)
        })
        .proxy_pad_query_function(move |proxy, parent, query| {
            query::of_inside(&inner, proxy, parent, query)
        })
        .event_function(move |pad, parent, event| event_back(&upstream, pad, parent, event))
        .query_function(move |pad, parent, query| query::of_src(&outer, pad, parent, query))
        .build()
}

/// A unit or a picture out of the software.
fn give(
    core: &Core,
    proxy: &gst::ProxyPad,
    parent: Option<&gst::Object>,
    unit: gst::Buffer,
) -> Flown {
    let unit = match core.encoder() {
        Some(encoder) => as_the_vendor(core, encoder, unit)?,
        None => unit,
    };
    let unit = if core.has(Fault::Garbage) {
        with_data(&unit, units::junk(unit.size()))
    } else {
        unit
    };
    let due = {
        let mut flow = core.flow();
        flow.held.push_back(Held::Unit(unit));
        due(&mut flow, core.spec.late)
    };
    push(core, proxy, parent, due)
}

/// What may go when `late` units are held back.
fn due(flow: &mut Flow, late: usize) -> Vec<Held> {
    let is_unit = |held: &&Held| matches!(held, Held::Unit(_));
    let mut waiting = flow.held.iter().filter(is_unit).count();
    let mut due = Vec::new();
    while waiting > late {
        let Some(held) = flow.held.pop_front() else {
            break;
        };
        waiting -= usize::from(is_unit(&&held));
        due.push(held);
    }
    due
}

fn push(core: &Core, proxy: &gst::ProxyPad, parent: Option<&gst::Object>, due: Vec<Held>) -> Flown {
    for held in due {
        match held {
            Held::Unit(unit) => {
                core.flow().given += 1;
                gst::ProxyPad::chain_default(proxy, parent, unit)?;
            }
            Held::Event(event) => {
                gst::Pad::event_default(proxy, parent, event);
            }
        }
    }
    Ok(gst::FlowSuccess::Ok)
}

fn drain(core: &Core, proxy: &gst::ProxyPad, parent: Option<&gst::Object>) {
    let due = {
        let mut flow = core.flow();
        if flow.failed {
            flow.held.clear();
        }
        std::mem::take(&mut flow.held).into()
    };
    // What is behind says so itself, and a drain has nobody to tell.
    if push(core, proxy, parent, due).is_err() {
        core.flow().held.clear();
    }
}

/// Stamps, parameters and flags.
fn as_the_vendor(
    core: &Core,
    encoder: &Encoder,
    unit: gst::Buffer,
) -> Result<gst::Buffer, gst::FlowError> {
    let data = {
        let data = unit.map_readable().map_err(|_| gst::FlowError::Error)?;
        data.as_slice().to_vec()
    };
    let idr = units::is_idr(&data);
    let coding = core.coding().ok_or(gst::FlowError::Error)?;
    let (strip, shift) = {
        let mut flow = core.flow();
        let repeated = flow.gave_parameters && !coding.repeats_parameters;
        flow.gave_parameters |= idr;
        (repeated || core.has(Fault::NoParameters), flow.shift)
    };
    let mut unit = if strip {
        with_data(&unit, units::without_parameters(&data))
    } else {
        unit
    };
    let buffer = unit.make_mut();
    let back = |stamp: Option<gst::ClockTime>| stamp.and_then(|stamp| stamp.checked_sub(shift));
    buffer.set_pts(back(buffer.pts()));
    buffer.set_dts(back(buffer.dts()));
    if idr && !encoder.marks_nothing {
        buffer.unset_flags(gst::BufferFlags::DELTA_UNIT);
    } else {
        buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    Ok(unit)
}

/// The same with other data: stamps and flags stay.
fn with_data(unit: &gst::Buffer, data: Vec<u8>) -> gst::Buffer {
    let mut other = gst::Buffer::from_mut_slice(data);
    let buffer = other.make_mut();
    buffer.set_pts(unit.pts());
    buffer.set_dts(unit.dts());
    buffer.set_duration(unit.duration());
    buffer.set_flags(unit.flags());
    other
}

fn event_out(
    core: &Core,
    proxy: &gst::ProxyPad,
    parent: Option<&gst::Object>,
    event: gst::Event,
) -> bool {
    match event.view() {
        gst::EventView::Caps(inner) => {
            drain(core, proxy, parent);
            let outer = outer_caps(core, parent, inner.caps());
            core.facts.tell(&format!("caps out {outer}"));
            let event = gst::event::Caps::builder(&outer).seqnum(event.seqnum());
            return gst::Pad::event_default(proxy, parent, event.build());
        }
        gst::EventView::Eos(_) => drain(core, proxy, parent),
        gst::EventView::FlushStop(_) => core.flow().held.clear(),
        gst::EventView::Segment(inner) if core.encoder().is_some() => {
            let event = unshifted(core, inner.segment()).unwrap_or_else(|| event.clone());
            return later(core, proxy, parent, event);
        }
        gst::EventView::CustomDownstream(_) if is_request(&event) => {
            let by_event = core.encoder().is_none_or(|encoder| {
                matches!(
                    encoder.keyframes,
                    Keyframes::Event | Keyframes::EventSince(_)
                )
            });
            return !by_event || later(core, proxy, parent, event);
        }
        _ if event.is_serialized() => return later(core, proxy, parent, event),
        _ => {}
    }
    gst::Pad::event_default(proxy, parent, event)
}

/// An event does not overtake what is held back.
fn later(
    core: &Core,
    proxy: &gst::ProxyPad,
    parent: Option<&gst::Object>,
    event: gst::Event,
) -> bool {
    {
        let mut flow = core.flow();
        if !flow.held.is_empty() {
            flow.held.push_back(Held::Event(event));
            return true;
        }
    }
    gst::Pad::event_default(proxy, parent, event)
}

/// `x264enc` shifts its stamps by 1000 hours; no vendor's encoder does.
fn unshifted(core: &Core, inner: &gst::Segment) -> Option<gst::Event> {
    let inner = inner.downcast_ref::<gst::ClockTime>()?;
    let mut flow = core.flow();
    let outer = flow.segment.clone()?;
    let (from, to) = (inner.start()?, outer.start()?);
    flow.shift = from.checked_sub(to)?;
    Some(gst::event::Segment::new(&outer))
}

/// The caps at the pad for those of the software.
fn outer_caps(core: &Core, parent: Option<&gst::Object>, inner: &gst::CapsRef) -> gst::Caps {
    let mut outer = inner.to_owned();
    if let Some(encoder) = core.encoder() {
        let (profile, level) = {
            let flow = core.flow();
            (flow.profile.clone(), flow.level.clone())
        };
        if let Some(structure) = outer.make_mut().structure_mut(0) {
            if encoder.named == Named::Neither {
                structure.remove_fields(["profile", "level"]);
                return outer;
            }
            if let Some(profile) = profile {
                structure.set("profile", profile);
            }
            if let Some(level) = level {
                structure.set("level", level);
            }
        }
        return outer;
    }
    let Some(src) = parent.and_then(|parent| parent.downcast_ref::<gst::Pad>()) else {
        return outer;
    };
    let own = core.flow().memory.clone();
    let same = own.filter(|_| matches!(core.spec.job, Job::Convert));
    let memories = caps::memories(&core.src);
    let all = same.into_iter().chain(memories.iter().cloned());
    let mut choices = all.map(|memory| caps::in_memory(&outer, &memory));
    let first = memories
        .first()
        .map(|memory| caps::in_memory(&outer, memory));
    choices
        .find(|caps| caps.is_subset(&core.src) && src.peer_query_accept_caps(caps))
        .or(first)
        .unwrap_or(outer)
}

/// An event from behind.
fn event_back(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    event: gst::Event,
) -> bool {
    if core.encoder().is_some() && is_request(&event) {
        let heard = core.hears_events();
        let answer = if heard { "served" } else { "ignored" };
        core.facts.tell(&format!("request event {answer}"));
        if !heard {
            return true;
        }
    }
    gst::Pad::event_default(pad, parent, event)
}
