//! Converters: pictures from where a decoder leaves them to where an encoder takes them, at the
//! size that is wanted.

use gstreamer as gst;

use super::MediaError;
use super::elements::{make, set_named};

/// Where the pixels of a picture lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Where the processor reads them.
    System,
    /// NVIDIA's buffers on Jetson.
    Nvmm,
    /// A surface of the Video Acceleration API.
    Va,
}

impl Memory {
    /// The caps feature that says so; none for the processor's own.
    pub(super) const fn feature(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Nvmm => Some("memory:NVMM"),
            Self::Va => Some("memory:VAMemory"),
        }
    }

    /// Raw video here, in one of these formats.
    pub(super) fn caps(self, formats: &[&str], size: Option<(i32, i32)>) -> gst::Caps {
        let mut structure = gst::Structure::builder("video/x-raw")
            .field("format", gst::List::new(formats.iter().copied()));
        if let Some((width, height)) = size {
            structure = structure.field("width", width).field("height", height);
        }
        let features = self
            .feature()
            .map_or_else(gst::CapsFeatures::new_empty, |it| {
                gst::CapsFeatures::new([it])
            });
        let mut caps = gst::Caps::new_empty();
        if let Some(caps) = caps.get_mut() {
            if self.feature().is_some() {
                caps.append_structure_full(structure.build(), Some(features));
            } else {
                caps.append_structure(structure.build());
            }
        }
        caps
    }
}

/// A way to convert and scale pictures.
#[derive(Debug, PartialEq, Eq)]
pub struct Converter {
    /// Its name, which is that of its first element.
    pub(super) name: &'static str,
    /// Its elements, with the properties to set if they are there.
    elements: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    pub(super) hardware: bool,
    pub(super) takes: &'static [Memory],
    pub(super) gives: &'static [Memory],
}

const BOTH_NVMM: &[Memory] = &[Memory::Nvmm, Memory::System];

/// Best first.
pub(super) const CONVERTERS: [Converter; 5] = [
    // NVIDIA's DeepStream; `nvvidconv` is what a Jetson has without it.
    Converter {
        name: "nvvideoconvert",
        elements: &[("nvvideoconvert", &[])],
        hardware: true,
        takes: BOTH_NVMM,
        gives: BOTH_NVMM,
    },
    Converter {
        name: "nvvidconv",
        elements: &[("nvvidconv", &[])],
        hardware: true,
        takes: BOTH_NVMM,
        gives: BOTH_NVMM,
    },
    Converter {
        name: "vapostproc",
        elements: &[("vapostproc", &[])],
        hardware: true,
        takes: &[Memory::Va, Memory::System],
        gives: &[Memory::Va, Memory::System],
    },
    // A Raspberry Pi's ISP.
    Converter {
        name: "v4l2convert",
        elements: &[("v4l2convert", &[])],
        hardware: true,
        takes: &[Memory::System],
        gives: &[Memory::System],
    },
    SOFTWARE,
];

/// The processor.
pub(super) const SOFTWARE: Converter = Converter {
    name: "videoscale",
    // Scaled first: of fewer pixels all else is cheaper.
    elements: &[("videoscale", &[]), ("videoconvert", &[])],
    hardware: false,
    takes: &[Memory::System],
    gives: &[Memory::System],
};

impl Converter {
    pub(super) fn factories(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.elements.iter().map(|(factory, _)| *factory)
    }

    pub(super) fn is_installed(&self) -> bool {
        self.elements
            .iter()
            .all(|(factory, _)| gst::ElementFactory::find(factory).is_some())
    }

    /// The memory in which it hands pictures to whoever takes these.
    pub(super) fn into(&self, takers: &[Memory]) -> Option<Memory> {
        let mut wanted = takers.iter().copied();
        wanted.find(|memory| self.gives.contains(memory))
    }

    /// Makes its elements, to be linked in this order.
    pub(super) fn make(&self) -> Result<Vec<gst::Element>, MediaError> {
        let mut made = Vec::new();
        for (factory, settings) in self.elements {
            let element = make(factory, &format!("converter-{factory}"))?;
            for (property, value) in *settings {
                set_named(&element, property, value)?;
            }
            made.push(element);
        }
        Ok(made)
    }
}
