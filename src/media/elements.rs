//! The elements that graphs are made of: their names, where to get them, how to set them up.

use std::collections::BTreeSet;
use std::fmt;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::convert::{CONVERTERS, Converter};
use super::copied::Copied;
use super::decoder::Decoder;
use super::treatment::{Treatment, VideoMode};
use super::{MediaError, Part, encoder};
use crate::room::{Codec, Kind};

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";

/// What every graph may need, with the Debian package that has it.
const REQUIRED: [(&str, &str); 12] = [
    ("appsrc", BASE),
    ("appsink", BASE),
    ("capsfilter", "libgstreamer1.0-0"),
    ("queue", "libgstreamer1.0-0"),
    ("videoconvert", BASE),
    ("videoscale", BASE),
    ("opusdec", BASE),
    ("opusparse", BAD),
    ("audiorate", BASE),
    ("aacparse", GOOD),
    ("h264parse", BAD),
    ("mpegtsmux", BAD),
];

/// AAC encoders, best first: `avenc_aac` is last because loading libav takes 40 MB.
pub(super) const AAC_ENCODERS: [&str; 3] = ["voaacenc", "fdkaacenc", "avenc_aac"];

/// Starts GStreamer and checks that what graphs need is installed. Cheap when called again.
///
/// # Errors
/// GStreamer does not start, or an element is missing: the error names its package.
pub fn init() -> Result<(), MediaError> {
    gst::init().map_err(MediaError::Init)?;
    for (element, package) in REQUIRED {
        require(element, package)?;
    }
    aac_encoder().map(|_| ())
}

/// Every element that a graph may be made of, installed or not.
#[must_use]
pub fn known() -> BTreeSet<&'static str> {
    let mut known: BTreeSet<_> = REQUIRED.iter().map(|(element, _)| *element).collect();
    known.extend(AAC_ENCODERS);
    known.extend(["audioconvert", "h265parse"]);
    known.extend(encoder::factories());
    known.extend(CONVERTERS.iter().flat_map(Converter::factories));
    known.extend(Decoder::factories());
    known
}

/// A version of GStreamer; in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1 since 2012.
    pub major: u32,
    /// Even in releases.
    pub minor: u32,
    /// The release of that series.
    pub micro: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// The version of the installed library, which need not be started for it.
#[must_use]
pub fn version() -> Version {
    let (major, minor, micro, _) = gst::version();
    Version {
        major,
        minor,
        micro,
    }
}

/// An element that must be there.
pub(super) fn require(element: &str, package: &'static str) -> Result<(), MediaError> {
    if gst::ElementFactory::find(element).is_some() {
        return Ok(());
    }
    Err(MediaError::MissingElement {
        element: element.to_owned(),
        package,
    })
}

/// The first AAC encoder that is installed.
pub(super) fn aac_encoder() -> Result<&'static str, MediaError> {
    first_of(&AAC_ENCODERS).ok_or_else(|| MediaError::MissingElement {
        element: AAC_ENCODERS.join(" or "),
        package: BAD,
    })
}

/// Whether tracks of this codec can be recorded with the installed GStreamer.
///
/// # Errors
/// It has no decoder or parser for the codec: the error names the package that has one.
pub fn records(codec: Codec, mode: VideoMode) -> Result<(), MediaError> {
    init()?;
    match Treatment::of(codec, mode) {
        _ if codec.kind() == Kind::Audio => Ok(()),
        Treatment::Copied(Copied::H264) => Ok(()),
        Treatment::Copied(Copied::H265) => require("h265parse", BAD),
        Treatment::Encoded => {
            if Decoder::of(codec).any(Decoder::is_installed) {
                return Ok(());
            }
            let package = Decoder::of(codec).last().map_or(BAD, Decoder::origin);
            Err(MediaError::NoDecoder { codec, package })
        }
        Treatment::Refused => Err(MediaError::Passthrough { codec }),
    }
}

fn first_of(names: &[&'static str]) -> Option<&'static str> {
    names
        .iter()
        .copied()
        .find(|name| gst::ElementFactory::find(name).is_some())
}

/// Makes an element; errors and threads carry its name.
pub(super) fn make(factory: &str, name: &str) -> Result<gst::Element, MediaError> {
    gst::ElementFactory::make(factory)
        .name(name)
        .build()
        .map_err(|_| failed(factory, "creation"))
}

/// Sets a property that every supported version has; a missing one is an error, not a panic.
pub(super) fn set(
    element: &gst::Element,
    property: &'static str,
    value: impl Into<glib::Value>,
) -> Result<(), MediaError> {
    let value = value.into();
    let fits = element
        .find_property(property)
        .is_some_and(|spec| value.type_().is_a(spec.value_type()));
    if !fits {
        return Err(failed(&element.name(), property));
    }
    element.set_property_from_value(property, &value);
    Ok(())
}

/// Sets an enumeration or flags property by the names of its values.
pub(super) fn set_named(
    element: &gst::Element,
    property: &'static str,
    names: &str,
) -> Result<(), MediaError> {
    let spec = element
        .find_property(property)
        .ok_or_else(|| failed(&element.name(), property))?;
    let value = glib::Value::deserialize(names, spec.value_type())
        .map_err(|_| failed(&element.name(), property))?;
    element.set_property_from_value(property, &value);
    Ok(())
}

/// A pad that the element always has.
pub(super) fn pad(element: &gst::Element, name: &'static str) -> Result<gst::Pad, MediaError> {
    element
        .static_pad(name)
        .ok_or_else(|| failed(&element.name(), "finding its pad"))
}

/// Adds the elements to the pipeline and links each to the next.
pub(super) fn chain(
    pipeline: &gst::Pipeline,
    elements: &[&gst::Element],
) -> Result<(), MediaError> {
    for element in elements {
        pipeline
            .add(*element)
            .map_err(|_| failed(&element.name(), "adding"))?;
    }
    for (left, right) in elements.iter().zip(elements.iter().skip(1)) {
        left.link(*right)
            .map_err(|_| failed(&right.name(), "linking"))?;
    }
    Ok(())
}

/// The next error on the bus of a pipeline that nobody listens to.
pub(super) fn complaint(pipeline: &gst::Pipeline) -> Option<MediaError> {
    let bus = pipeline.bus()?;
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else {
        return None;
    };
    let element = error.src().map(|src| src.name().to_string());
    let detail = error.debug().map(|it| it.replace('\n', " "));
    Some(MediaError::Element {
        element: element.unwrap_or_default(),
        message: error.error().to_string(),
        detail: detail.unwrap_or_default(),
        part: Part::Other,
    })
}

/// A step of building a graph that an element refused.
pub(super) fn failed(element: &str, step: &'static str) -> MediaError {
    MediaError::Build {
        element: element.to_owned(),
        step,
        part: Part::of(element),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_mistyped_property_is_an_error_that_names_it() {
        init().unwrap();
        let queue = make("queue", "queue").unwrap();
        assert!(set(&queue, "max-size-buffers", 3_u32).is_ok());
        assert_eq!(queue.property::<u32>("max-size-buffers"), 3);
        for refused in [
            set(&queue, "no-such-property", 3_u32),
            set(&queue, "max-size-buffers", "three"),
            set_named(&queue, "leaky", "sideways"),
            set_named(&queue, "no-such-property", "x"),
        ] {
            let message = refused.unwrap_err().to_string();
            assert!(message.contains("queue"), "{message}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_says_what_to_do() {
        init().unwrap();
        for codec in [Codec::H264, Codec::H265, Codec::Vp8] {
            assert!(records(codec, VideoMode::Auto).is_ok(), "{codec}");
        }
        let refused = records(Codec::Vp8, VideoMode::Passthrough).unwrap_err();
        assert!(refused.to_string().contains("video.mode"), "{refused}");
        let missing = require("no-such-parser", BAD).unwrap_err().to_string();
        assert!(
            missing.contains("no-such-parser") && missing.contains(BAD),
            "{missing}"
        );
    }
}
