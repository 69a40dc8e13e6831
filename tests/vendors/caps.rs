//! Caps with and without the vendors' memories. Inside a stand-in all memory is ordinary; only
//! the caps at its pads say otherwise.

use gstreamer as gst;

const SYSTEM: &str = "memory:SystemMemory";

pub fn parse(text: &str) -> gst::Caps {
    // The texts are our own constants; a wrong one gives empty caps, and no test passes.
    text.parse().unwrap_or_else(|_| gst::Caps::new_empty())
}

/// The same, in ordinary memory.
pub fn plain(caps: &gst::Caps) -> gst::Caps {
    if caps.is_any() {
        return caps.clone();
    }
    let mut all = gst::Caps::new_empty();
    for (structure, features) in caps.iter_with_features() {
        let memory_only = features
            .iter()
            .all(|feature| feature.starts_with("memory:"));
        if features.is_any() || memory_only {
            merge(&mut all, structure.to_owned(), None);
        }
    }
    all
}

/// Caps in ordinary memory, in each of the memories of a template.
pub fn in_memories_of(template: &gst::Caps, plain: &gst::Caps) -> gst::Caps {
    if plain.is_any() {
        return template.clone();
    }
    let mut all = gst::Caps::new_empty();
    for features in memories(template) {
        for structure in plain.iter() {
            merge(&mut all, structure.to_owned(), Some(features.clone()));
        }
    }
    all.intersect_with_mode(template, gst::CapsIntersectMode::First)
}

/// The memories of a template, in its order.
pub fn memories(template: &gst::Caps) -> Vec<gst::CapsFeatures> {
    let mut all: Vec<gst::CapsFeatures> = Vec::new();
    for (_, features) in template.iter_with_features() {
        if !all.iter().any(|known| known.is_equal(features)) {
            all.push(features.to_owned());
        }
    }
    all
}

/// Fixed caps in a memory.
pub fn in_memory(caps: &gst::Caps, features: &gst::CapsFeatures) -> gst::Caps {
    let mut all = gst::Caps::new_empty();
    for structure in caps.iter() {
        merge(&mut all, structure.to_owned(), Some(features.clone()));
    }
    all
}

fn merge(caps: &mut gst::Caps, structure: gst::Structure, features: Option<gst::CapsFeatures>) {
    let features = features.unwrap_or_else(|| gst::CapsFeatures::new([SYSTEM]));
    if let Some(caps) = caps.get_mut() {
        caps.append_structure_full(structure, Some(features));
    }
}

/// Width and height of fixed caps.
pub fn size(caps: &gst::Caps) -> Option<(i32, i32)> {
    let structure = caps.structure(0)?;
    Some((structure.get("width").ok()?, structure.get("height").ok()?))
}

/// Pictures a second of fixed caps, rounded up; 30 where they vary.
pub fn rate(caps: &gst::Caps) -> i32 {
    let rate = caps
        .structure(0)
        .and_then(|structure| structure.get::<gst::Fraction>("framerate").ok());
    match rate {
        Some(rate) if rate.numer() > 0 => (rate.numer() + rate.denom() - 1) / rate.denom(),
        _ => 30,
    }
}
