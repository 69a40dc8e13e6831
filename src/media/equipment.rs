//! What decodes and encodes on this box, and who is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::decoder::Decoder;
use super::encoder::EncoderPath;
use super::transcode::Coders;
use super::{MediaError, Part};
use crate::room::Codec;

/// What works, best first. A recording has its own, and strikes off what fails it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equipment {
    encoders: Vec<EncoderPath>,
    decoders: BTreeMap<Codec, Vec<Decoder>>,
}

impl Equipment {
    /// These encoders and decoders, best first.
    #[must_use]
    pub fn new(encoders: Vec<EncoderPath>, mut decoders: BTreeMap<Codec, Vec<Decoder>>) -> Self {
        // What is decoded already needs no trial.
        decoders.insert(Codec::I420, Decoder::of(Codec::I420).collect());
        Self { encoders, decoders }
    }

    /// The same with other encoders.
    #[must_use]
    pub fn with_encoders(self, encoders: Vec<EncoderPath>) -> Self {
        Self { encoders, ..self }
    }

    /// What is installed of these, untried.
    ///
    /// # Errors
    /// GStreamer does not start.
    pub fn installed(wanted: impl Fn(EncoderPath) -> bool) -> Result<Self, MediaError> {
        super::init()?;
        let encoders = EncoderPath::all().filter(|path| wanted(*path) && path.is_installed());
        let codecs = [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1];
        let decoders = codecs.map(|codec| {
            let installed = Decoder::of(codec).filter(|decoder| decoder.is_installed());
            (codec, installed.collect())
        });
        Ok(Self::new(encoders.collect(), decoders.into()))
    }

    /// The encoders.
    #[must_use]
    pub fn encoders(&self) -> &[EncoderPath] {
        &self.encoders
    }

    /// The decoders for a codec.
    #[must_use]
    pub fn decoders(&self, codec: Codec) -> &[Decoder] {
        self.decoders.get(&codec).map_or(&[], Vec::as_slice)
    }

    /// The best pair for a codec.
    ///
    /// # Errors
    /// Nothing decodes it.
    pub fn coders(&self, codec: Codec) -> Result<Coders, MediaError> {
        let decoders = self.decoders(codec);
        let mut encoders = self.encoders.iter();
        let found = encoders.find_map(|encoder| Coders::pair(decoders, *encoder));
        found.ok_or_else(|| MediaError::NoDecoder {
            codec,
            package: Decoder::of(codec)
                .last()
                .map_or("a decoder", Decoder::origin),
        })
    }

    /// Strikes off what failed, if something else is left that can do the same; says whether. Of a
    /// decoder that is the last one, what stands behind it is tried instead: a scaler that does not
    /// take its pictures shows there.
    pub fn lose(&mut self, codec: Codec, failed: Coders, part: Part) -> bool {
        let parts: &[Part] = match part {
            Part::Encoder => &[Part::Encoder],
            Part::Decoder => &[Part::Decoder, Part::Encoder],
            Part::Other => &[],
        };
        let mut rests = parts.iter().map(|part| self.without(codec, failed, *part));
        let Some(rest) = rests.find(|rest| rest.coders(codec).is_ok()) else {
            return false;
        };
        *self = rest;
        true
    }

    fn without(&self, codec: Codec, failed: Coders, part: Part) -> Self {
        let mut rest = self.clone();
        if part == Part::Encoder {
            rest.encoders.retain(|path| *path != failed.encoder);
        } else if let Some(decoders) = rest.decoders.get_mut(&codec) {
            decoders.retain(|decoder| *decoder != failed.decoder);
        }
        rest
    }
}

/// Tells what the equipment is, once that is known.
#[derive(Debug, Clone)]
pub struct EquipmentWatch(watch::Receiver<Option<Result<Arc<Equipment>, MediaError>>>);

/// Where it is told.
#[derive(Debug)]
pub struct EquipmentTeller(watch::Sender<Option<Result<Arc<Equipment>, MediaError>>>);

impl EquipmentTeller {
    /// Tells it.
    pub fn tell(&self, found: Result<Equipment, MediaError>) {
        self.0.send_replace(Some(found.map(Arc::new)));
    }
}

impl EquipmentWatch {
    /// Nothing is known before the teller tells it.
    #[must_use]
    pub fn channel() -> (EquipmentTeller, Self) {
        let (sender, receiver) = watch::channel(None);
        (EquipmentTeller(sender), Self(receiver))
    }

    /// This is what there is.
    #[must_use]
    pub fn known(equipment: Equipment) -> Self {
        let (teller, watch) = Self::channel();
        teller.tell(Ok(equipment));
        watch
    }

    /// Waits until it is known.
    ///
    /// # Errors
    /// Nothing here encodes.
    pub async fn get(&mut self) -> Result<Equipment, MediaError> {
        let gone = || MediaError::NoEncoder {
            tried: "the trials were not finished".to_owned(),
        };
        let known = self.0.wait_for(Option::is_some).await;
        let known = known.map_err(|_| gone())?;
        match &*known {
            Some(Ok(equipment)) => Ok((**equipment).clone()),
            Some(Err(error)) => Err(error.clone()),
            None => Err(gone()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(encoder: &str, scaler: &str) -> EncoderPath {
        let mut all = EncoderPath::all();
        all.find(|path| path.factory() == encoder && path.scaler() == scaler)
            .unwrap()
    }

    #[test]
    fn what_fails_is_struck_off_while_something_is_left() {
        let jetson = path("nvv4l2h264enc", "nvvidconv");
        let software = path("x264enc", "videoscale");
        let decoders: Vec<_> = Decoder::of(Codec::Vp8).collect();
        let mut equipment = Equipment::new(
            vec![jetson, software],
            BTreeMap::from([(Codec::Vp8, decoders)]),
        );
        let first = equipment.coders(Codec::Vp8).unwrap();
        assert_eq!(
            (first.encoder, first.decoder.factory()),
            (jetson, "nvv4l2decoder")
        );
        assert!(equipment.lose(Codec::Vp8, first, Part::Decoder));
        let second = equipment.coders(Codec::Vp8).unwrap();
        assert_eq!(
            (second.encoder, second.decoder.factory()),
            (jetson, "v4l2vp8dec")
        );
        assert!(equipment.lose(Codec::Vp8, second, Part::Encoder));
        let third = equipment.coders(Codec::Vp8).unwrap();
        assert_eq!(third.encoder, software);
        assert!(
            !equipment.lose(Codec::Vp8, third, Part::Encoder),
            "the last"
        );
        assert!(!equipment.lose(Codec::Vp8, third, Part::Other));
        let mut last = Equipment::new(
            vec![jetson, software],
            BTreeMap::from([(Codec::Vp8, Decoder::of(Codec::Vp8).skip(4).collect())]),
        );
        let pair = last.coders(Codec::Vp8).unwrap();
        assert_eq!(pair.decoder.factory(), "vp8dec");
        assert!(last.lose(Codec::Vp8, pair, Part::Decoder), "by its encoder");
        assert_eq!(last.coders(Codec::Vp8).unwrap().encoder, software);
        assert_eq!(equipment.coders(Codec::Vp8).unwrap(), third);
        assert!(equipment.coders(Codec::Av1).is_err());
    }

    #[test]
    fn a_decoder_goes_with_a_scaler_that_takes_its_pictures() {
        let nvidia: Vec<_> = Decoder::of(Codec::Vp8).collect();
        let pair = |scaler| Coders::pair(&nvidia, path("x264enc", scaler)).unwrap();
        assert_eq!(pair("nvvidconv").decoder.factory(), "nvv4l2decoder");
        assert_eq!(pair("videoscale").decoder.factory(), "v4l2vp8dec");
    }

    #[tokio::test]
    async fn who_asks_early_waits() {
        let (teller, mut watch) = EquipmentWatch::channel();
        let asked = tokio::spawn(async move { watch.get().await });
        let nothing = MediaError::NoEncoder {
            tried: "x264enc: silent".to_owned(),
        };
        teller.tell(Err(nothing));
        let error = asked.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("x264enc: silent"), "{error}");
        let (teller, mut watch) = EquipmentWatch::channel();
        drop(teller);
        assert!(watch.get().await.is_err());
    }
}
