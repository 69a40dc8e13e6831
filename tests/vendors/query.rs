//! What the pads say of caps. A vendor's memory is in the caps at the pads and nowhere inside.

use gst::prelude::*;
use gstreamer as gst;

use crate::caps::{in_memories_of, plain};
use crate::coding::Coding;
use crate::core::Core;
use crate::spec::{Encoder, Job, Named};

/// Queries that the elements before it ask at its sink pad.
pub fn of_sink(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    query: &mut gst::QueryRef,
) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(asked) => {
            let takes = takes(core, pad, parent, asked.filter_owned().as_ref());
            asked.set_result(&takes);
            true
        }
        gst::QueryViewMut::AcceptCaps(asked) => {
            let takes = takes(core, pad, parent, None);
            asked.set_result(asked.caps().is_subset(&takes));
            true
        }
        // Its memory is its own: nobody is to use its pools, nor what a pool promises.
        gst::QueryViewMut::Allocation(_) => false,
        _ => gst::Pad::query_default(pad, parent, query),
    }
}

/// Queries that the elements behind it ask at its source pad.
pub fn of_src(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    query: &mut gst::QueryRef,
) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(asked) => {
            let filter = asked.filter_owned();
            let gives = match core.spec.job {
                Job::Convert => through(pad, parent, &core.src, filter.as_ref()),
                Job::Encode(_) | Job::Decode { .. } => core.src.clone(),
            };
            asked.set_result(&filtered(&gives, filter.as_ref()));
            true
        }
        _ => gst::Pad::query_default(pad, parent, query),
    }
}

/// Queries that the software inside asks of what is outside, on either side.
pub fn of_inside(
    core: &Core,
    proxy: &gst::ProxyPad,
    parent: Option<&gst::Object>,
    query: &mut gst::QueryRef,
) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(asked) => {
            let filter = asked.filter_owned();
            asked.set_result(&filtered(&outside(core, parent), filter.as_ref()));
            true
        }
        gst::QueryViewMut::AcceptCaps(asked) => {
            asked.set_result(asked.caps().can_intersect(&outside(core, parent)));
            true
        }
        gst::QueryViewMut::Allocation(_) => false,
        _ => gst::Pad::query_default(proxy, parent, query),
    }
}

/// What the elements on this side take or give, as the software inside is to see it.
fn outside(core: &Core, parent: Option<&gst::Object>) -> gst::Caps {
    let Some(pad) = parent.and_then(|parent| parent.downcast_ref::<gst::Pad>()) else {
        return gst::Caps::new_any();
    };
    let template = match pad.direction() {
        gst::PadDirection::Sink => &core.sink,
        _ => &core.src,
    };
    match (pad.direction(), core.encoder(), core.coding()) {
        (gst::PadDirection::Src, Some(encoder), Some(coding)) => {
            let profile = match profile(core, encoder, &coding, pad) {
                // What x264 calls it.
                named if named == "baseline" => "constrained-baseline".to_owned(),
                named => named,
            };
            gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .field("profile", profile)
                .build()
        }
        _ => plain(
            &pad.peer_query_caps(Some(template))
                .intersect_with_mode(template, gst::CapsIntersectMode::First),
        ),
    }
}

/// What the next elements take of what the template promises.
pub fn allowed(core: &Core, src: &gst::Pad) -> gst::Caps {
    src.peer_query_caps(Some(&core.src))
        .intersect_with_mode(&core.src, gst::CapsIntersectMode::First)
}

fn filtered(caps: &gst::Caps, filter: Option<&gst::Caps>) -> gst::Caps {
    match filter {
        Some(filter) => filter.intersect_with_mode(caps, gst::CapsIntersectMode::First),
        None => caps.clone(),
    }
}

fn takes(
    core: &Core,
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    filter: Option<&gst::Caps>,
) -> gst::Caps {
    let takes = match core.spec.job {
        Job::Encode(_) => encodes(core, parent),
        Job::Decode { .. } => core.sink.clone(),
        Job::Convert => through(pad, parent, &core.sink, filter),
    };
    filtered(&takes, filter)
}

/// As `gst_video_encoder_proxy_getcaps`: the sizes and rates that the next elements take.
fn encodes(core: &Core, parent: Option<&gst::Object>) -> gst::Caps {
    let src = parent
        .and_then(|parent| parent.downcast_ref::<gst::Element>())
        .and_then(|element| element.static_pad("src"));
    let Some(src) = src.filter(PadExt::is_linked) else {
        return core.sink.clone();
    };
    let allowed = allowed(core, &src);
    let mut takes = gst::Caps::new_empty();
    let Some(all) = takes.get_mut() else {
        return core.sink.clone();
    };
    for (structure, features) in core.sink.iter_with_features() {
        for next in allowed.iter() {
            let mut one = structure.to_owned();
            for field in ["width", "height", "framerate"] {
                if let Ok(value) = next.value(field) {
                    one.set_value(field, value.clone());
                }
            }
            all.append_structure_full(one, Some(features.to_owned()));
        }
    }
    takes.intersect_with_mode(&core.sink, gst::CapsIntersectMode::First)
}

/// What the converter inside makes of what is on its other side, in the memories of a template.
fn through(
    pad: &gst::GhostPad,
    parent: Option<&gst::Object>,
    template: &gst::Caps,
    filter: Option<&gst::Caps>,
) -> gst::Caps {
    let mut inner = gst::query::Caps::new(filter.map(plain).as_ref());
    if pad.target().is_some()
        && gst::Pad::query_default(pad, parent, &mut inner)
        && let Some(caps) = inner.result_owned()
    {
        return in_memories_of(template, &plain(&caps));
    }
    template.clone()
}

/// The profile, as caps are to name it.
pub fn profile(core: &Core, encoder: &Encoder, coding: &Coding, src: &gst::Pad) -> String {
    let choices = match encoder.named {
        Named::Neither => Vec::new(),
        Named::Both | Named::FirstLevel => choices(core, src, "profile"),
    };
    let has = |name: &str| choices.iter().any(|choice| choice == name);
    let own = coding.profile;
    if encoder.named == Named::Both && own == "constrained-baseline" && !has(own) && has("baseline")
    {
        return "baseline".to_owned();
    }
    let keeps_own = encoder.named != Named::FirstLevel && has(own);
    let first = choices.iter().find(|_| !keeps_own).cloned();
    first.unwrap_or_else(|| own.to_owned())
}

/// What the next elements let a field be, in the order of the template.
pub fn choices(core: &Core, src: &gst::Pad, field: &str) -> Vec<String> {
    let allowed = allowed(core, src);
    let Some(value) = allowed
        .structure(0)
        .and_then(|structure| structure.value(field).ok())
    else {
        return Vec::new();
    };
    if let Ok(one) = value.get::<String>() {
        return vec![one];
    }
    let list = value.get::<gst::List>();
    list.map_or_else(
        |_| Vec::new(),
        |list| list.iter().filter_map(|one| one.get().ok()).collect(),
    )
}
