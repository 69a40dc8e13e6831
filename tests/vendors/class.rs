//! The classes: one an element, all alike but for their rows of the tables. `GObject` has
//! properties, templates and signals by class, so each needs its own.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::plan::Fault;
use crate::spec::{Job, Keyframes, Spec};

/// The class for a name and its faults.
pub fn find(name: &str, faults: &[Fault]) -> Option<(&'static Spec, glib::Type)> {
    let cuvid = faults.contains(&Fault::Cuvid);
    let (spec, class) = all()
        .into_iter()
        .filter(|(spec, _)| spec.factory == name)
        .nth(usize::from(cuvid))?;
    Some((spec, class()))
}

type Class = (&'static Spec, fn() -> glib::Type);

macro_rules! classes {
    ($($module:ident: $spec:path,)*) => {
        /// Every class; another variant of an element comes after the usual one.
        fn all() -> Vec<Class> {
            vec![$((&$spec, $module::StandIn::static_type),)*]
        }

        $(mod $module {
            use std::sync::{Arc, LazyLock};

            use gst::glib::{self, subclass::Signal};
            use gst::prelude::*;
            use gst::subclass::prelude::*;
            use gstreamer as gst;

            use crate::core::Core;
            use crate::inside;
            use crate::spec::Spec;

            static SPEC: &Spec = &$spec;

            pub struct Imp {
                core: Arc<Core>,
            }

            impl Default for Imp {
                fn default() -> Self {
                    Self { core: Arc::new(Core::new(SPEC)) }
                }
            }

            glib::wrapper! {
                pub struct StandIn(ObjectSubclass<Imp>)
                    @extends gst::Bin, gst::Element, gst::Object,
                    @implements gst::ChildProxy;
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = concat!("StandIn-", stringify!($module));
                type Type = StandIn;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static ALL: LazyLock<Vec<glib::ParamSpec>> =
                        LazyLock::new(|| (SPEC.properties)());
                    &ALL
                }

                fn signals() -> &'static [Signal] {
                    static ALL: LazyLock<Vec<Signal>> = LazyLock::new(|| {
                        super::signal(SPEC)
                            .map(|name| {
                                let builder = Signal::builder(name).action().run_last();
                                builder
                                    .class_handler(|values| {
                                        if let Some(Ok(element)) =
                                            values.first().map(glib::Value::get::<StandIn>)
                                        {
                                            element.imp().core.signal();
                                        }
                                        None
                                    })
                                    .build()
                            })
                            .into_iter()
                            .collect()
                    });
                    &ALL
                }

                fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
                    let running = self.obj().current_state() >= gst::State::Paused;
                    self.core.set_property(spec, value, running);
                }

                fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
                    self.core.property(spec)
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    if let Err(error) = inside::pads(&self.core, self.obj().upcast_ref()) {
                        eprintln!("{}: {error}", SPEC.factory);
                    }
                }
            }

            impl GstObjectImpl for Imp {}
            impl BinImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: LazyLock<gst::subclass::ElementMetadata> =
                        LazyLock::new(|| super::metadata(SPEC));
                    Some(&METADATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static ALL: LazyLock<Vec<gst::PadTemplate>> =
                        LazyLock::new(|| super::templates(SPEC));
                    &ALL
                }

                fn change_state(
                    &self,
                    change: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    inside::before(&self.core, self.obj().upcast_ref(), change)?;
                    let done = self.parent_change_state(change)?;
                    inside::after(&self.core, change);
                    Ok(done)
                }
            }
        })*
    };
}

classes! {
    nvv4l2h264enc: crate::nvidia::TEGRA,
    nvv4l2h264enc_cuvid: crate::nvidia::CUVID,
    v4l2h264enc: crate::v4l2::H264_ENCODER,
    vah264enc: crate::encoders::VA,
    vah264lpenc: crate::encoders::VA_LOW_POWER,
    mpph264enc: crate::encoders::MPP,
    qtic2venc: crate::encoders::QTI,
    vpuenc_h264: crate::encoders::VPU,
    nvvidconv: crate::converters::NVVIDCONV,
    nvvideoconvert: crate::converters::NVVIDEOCONVERT,
    v4l2convert: crate::converters::V4L2,
    vapostproc: crate::converters::VA,
    nvv4l2decoder: crate::decoders::NVIDIA,
    v4l2h264dec: crate::decoders::V4L2_H264,
    v4l2slh264dec: crate::decoders::STATELESS_H264,
    v4l2vp8dec: crate::decoders::V4L2_VP8,
    v4l2slvp8dec: crate::decoders::STATELESS_VP8,
    vah264dec: crate::decoders::VA_H264,
    vavp8dec: crate::decoders::VA_VP8,
    vavp9dec: crate::decoders::VA_VP9,
    vaav1dec: crate::decoders::VA_AV1,
}

fn signal(spec: &Spec) -> Option<&'static str> {
    match &spec.job {
        Job::Encode(encoder) => match encoder.keyframes {
            Keyframes::Signal { name, .. } => Some(name),
            Keyframes::Event | Keyframes::EventSince(_) | Keyframes::Property(_) => None,
        },
        Job::Decode { .. } | Job::Convert => None,
    }
}

fn metadata(spec: &Spec) -> gst::subclass::ElementMetadata {
    gst::subclass::ElementMetadata::new(
        &format!("Stand-in for {}", spec.factory),
        spec.class,
        "A software codec under a hardware codec's name, for tests",
        "reeld",
    )
}

fn templates(spec: &Spec) -> Vec<gst::PadTemplate> {
    let template = |name, direction, caps| {
        let caps = crate::caps::parse(caps);
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
    };
    [
        template("sink", gst::PadDirection::Sink, spec.sink),
        template("src", gst::PadDirection::Src, spec.src),
    ]
    .into_iter()
    .flatten()
    .collect()
}
