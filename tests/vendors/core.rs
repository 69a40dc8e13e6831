//! The state of one element: what was set, what is inside, and what is on its way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::coding::Coding;
use crate::facts::Facts;
use crate::plan::{Fault, Plan};
use crate::spec::{Encoder, Job, Keyframes, Spec};
use crate::v4l2;

/// One element. Its pads' functions hold it; it holds no pad.
pub struct Core {
    pub spec: &'static Spec,
    pub facts: Facts,
    pub sink: gst::Caps,
    pub src: gst::Caps,
    faults: Vec<Fault>,
    values: Mutex<BTreeMap<String, Setting>>,
    inside: Mutex<Inside>,
    flow: Mutex<Flow>,
}

/// A value as text: `glib::Value` belongs to one thread.
struct Setting {
    class: glib::Type,
    text: Option<String>,
    set: bool,
}

impl Setting {
    fn value(&self) -> Option<glib::Value> {
        glib::Value::deserialize(self.text.as_deref()?, self.class).ok()
    }
}

/// The software in it.
#[derive(Default)]
pub struct Inside {
    /// Where pictures or units go in.
    pub entry: Option<gst::Element>,
    /// What follows a decoder.
    pub exit: Option<gst::Element>,
    /// The encoder or decoder.
    pub codec: Option<gst::Element>,
}

/// What came and what is to go.
#[derive(Default)]
pub struct Flow {
    pub taken: u64,
    pub given: u64,
    pub gave_parameters: bool,
    pub memory: Option<gst::CapsFeatures>,
    pub size: Option<(i32, i32)>,
    /// As the caps name them.
    pub profile: Option<String>,
    pub level: Option<String>,
    /// Why the driver will not start.
    pub refusal: Option<String>,
    pub segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// By how much the codec shifts its stamps.
    pub shift: gst::ClockTime,
    pub held: VecDeque<Held>,
    /// The driver has failed: it gives nothing back any more.
    pub failed: bool,
}

pub enum Held {
    Unit(gst::Buffer),
    Event(gst::Event),
}

impl Core {
    pub fn new(spec: &'static Spec) -> Self {
        let values = (spec.properties)()
            .iter()
            .map(|property| {
                let setting = Setting {
                    class: property.value_type(),
                    text: text(property.default_value()),
                    set: false,
                };
                (property.name().to_owned(), setting)
            })
            .collect();
        Self {
            spec,
            facts: Facts::of(spec.factory),
            sink: crate::caps::parse(spec.sink),
            src: crate::caps::parse(spec.src),
            // The plugin was loaded with the same plan, or it would not have registered this.
            faults: Plan::read().map_or_else(|_| Vec::new(), |plan| plan.faults(spec.factory)),
            values: Mutex::new(values),
            inside: Mutex::default(),
            flow: Mutex::default(),
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.faults.iter().copied()
    }

    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held while something is pushed.
    pub fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Setting>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn codec(&self) -> Option<gst::Element> {
        self.inside().codec.clone()
    }

    pub fn encoder(&self) -> Option<&'static Encoder> {
        match &self.spec.job {
            Job::Encode(encoder) => Some(encoder),
            Job::Decode { .. } | Job::Convert => None,
        }
    }

    pub fn coding(&self) -> Option<Coding> {
        self.encoder().map(|encoder| (encoder.coding)(self))
    }

    /// A property's value; `None` where it is unset or of another type.
    pub fn get<T: for<'v> glib::value::FromValue<'v>>(&self, name: &str) -> Option<T> {
        let value = self.values().get(name)?.value();
        value?.get::<T>().ok()
    }

    pub fn uint(&self, name: &str) -> u32 {
        self.get(name).unwrap_or_default()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name).unwrap_or_default()
    }

    pub fn property(&self, spec: &glib::ParamSpec) -> glib::Value {
        let known = self.values().get(spec.name()).and_then(Setting::value);
        known.unwrap_or_else(|| spec.default_value().clone())
    }

    /// Takes a property's value; while it runs, the codec gets it at once. `GObject` sets
    /// construct properties itself: those values are not what anybody set.
    pub fn set_property(&self, spec: &glib::ParamSpec, value: &glib::Value, running: bool) {
        let name = spec.name();
        {
            let mut values = self.values();
            let Some(setting) = values.get_mut(name) else {
                return;
            };
            let constructing = spec.flags().contains(glib::ParamFlags::CONSTRUCT) && !setting.set;
            let own = setting.text == text(value);
            setting.set = !(constructing && own);
            setting.text = text(value);
        }
        if self.asks_by(name) && value.get() == Ok(true) {
            self.ask("property", running && !self.has(Fault::Deaf));
        }
        if running {
            self.tell_setting(name, value);
            if let (Some(coding), Some(codec)) = (self.coding(), self.codec()) {
                codec.set_property("bitrate", coding.kbits.max(1));
            }
        }
    }

    fn asks_by(&self, property: &str) -> bool {
        self.encoder().is_some_and(
            |encoder| matches!(encoder.keyframes, Keyframes::Property(name) if name == property),
        )
    }

    /// Tells what was set.
    pub fn tell_settings(&self) {
        for (name, setting) in self.values().iter() {
            if let Some(value) = setting.value().filter(|_| setting.set) {
                self.tell_setting(name, &value);
            }
        }
    }

    fn tell_setting(&self, name: &str, value: &glib::Value) {
        let Ok(Some(controls)) = value.get::<Option<gst::Structure>>() else {
            let value = text(value).unwrap_or_default();
            self.facts.tell(&format!("set {name}={value}"));
            return;
        };
        for (control, value) in controls.iter() {
            let value = text(value).unwrap_or_default();
            self.facts.tell(&format!("set {name}.{control}={value}"));
        }
        for control in v4l2::ignored_controls(&controls) {
            self.facts
                .tell(&format!("warning control {control} is ignored"));
        }
    }

    /// Whether the encoder does what `GstForceKeyUnit` asks for.
    pub fn hears_events(&self) -> bool {
        let hears = match self.encoder().map(|encoder| encoder.keyframes) {
            Some(Keyframes::Event) => true,
            Some(Keyframes::EventSince(minor)) => gst::version().1 >= minor,
            Some(Keyframes::Signal { .. } | Keyframes::Property(_)) | None => false,
        };
        hears && !self.has(Fault::Deaf)
    }

    /// The action signal that asks for a keyframe.
    pub fn signal(&self) {
        let Some(Keyframes::Signal { after_output, .. }) =
            self.encoder().map(|encoder| encoder.keyframes)
        else {
            return;
        };
        let ready = !after_output || self.flow().given > 0;
        if !ready {
            println!("Error while signalling force IDR");
        }
        self.ask("signal", ready && !self.has(Fault::Deaf));
    }

    /// A keyframe was asked for.
    pub fn ask(&self, how: &str, heard: bool) {
        let answer = if heard { "served" } else { "ignored" };
        self.facts.tell(&format!("request {how} {answer}"));
        let Some(codec) = self.codec().filter(|_| heard) else {
            return;
        };
        let request = gst::Structure::builder("GstForceKeyUnit")
            .field("running-time", gst::ClockTime::NONE)
            .field("all-headers", true)
            .field("count", 0_u32)
            .build();
        codec.send_event(gst::event::CustomUpstream::new(request));
    }
}

fn text(value: &glib::Value) -> Option<String> {
    // GStreamer complains of a structure that is not there.
    if matches!(value.get::<Option<gst::Structure>>(), Ok(None)) {
        return None;
    }
    value.serialize().ok().map(|text| text.to_string())
}
