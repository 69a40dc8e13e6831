//! Which encoder a recording uses, and what it does when that fails.

use super::Recording;
use crate::events;
use crate::media::{Coders, Layout, MediaError, Treatment};
use crate::recorder::failure::{RecordingError, one_line};
use crate::recorder::findings::CoderRecord;
use crate::room::Codec;

/// What a recording encodes with.
#[derive(Debug, Default)]
pub(super) struct Coding {
    /// What works; known once something has to be encoded.
    equipment: Option<crate::media::Equipment>,
    /// What the open or last segment uses.
    used: Option<(Codec, Coders)>,
    /// Why another one is used than before.
    failed: Option<String>,
}

impl Recording {
    /// What decodes and encodes a segment of this layout; none where nothing has to be.
    pub(super) async fn coders(&mut self, layout: Layout) -> Result<Option<Coders>, MediaError> {
        let encoded =
            |codec: &Codec| Treatment::of(*codec, self.setup.graph.mode) == Treatment::Encoded;
        let Some(codec) = layout.video.filter(encoded) else {
            return Ok(None);
        };
        let known = self.coding.equipment.take();
        let equipment = match known {
            Some(equipment) => equipment,
            None => self.setup.equipment.get().await?,
        };
        let coders = equipment.coders(codec);
        self.coding.equipment = Some(equipment);
        let coders = coders?;
        self.coding.used = Some((codec, coders));
        Ok(Some(coders))
    }

    /// Strikes off the encoder or decoder that failed; says whether another one takes over.
    pub(super) fn replace(&mut self, error: &RecordingError) -> bool {
        let RecordingError::Media(error) = error else {
            return false;
        };
        let (Some((codec, coders)), Some(equipment)) =
            (self.coding.used, &mut self.coding.equipment)
        else {
            return false;
        };
        if !equipment.lose(codec, coders, error.part()) {
            return false;
        }
        self.breaks = true;
        let why = one_line(error);
        tracing::error!(
            message_id = events::CODER_REPLACED,
            room = self.setup.room.as_str(),
            participant = self.setup.participant.identity.as_str(),
            encoder = %coders.encoder,
            decoder = coders.decoder.factory(),
            "another encoder or decoder takes over in a new segment: {why}"
        );
        self.coding.failed = Some(why);
        true
    }

    /// Notes what a segment that starts at `at` is encoded with.
    pub(super) fn note_coders(&mut self, at: std::time::Duration, coders: Option<Coders>) {
        let Some(Coders { decoder, encoder }) = coders else {
            return;
        };
        let record = CoderRecord {
            at,
            decoder: decoder.factory().to_owned(),
            scaler: encoder.scaler().to_owned(),
            encoder: encoder.factory().to_owned(),
            failed: self.coding.failed.take(),
        };
        self.journal.coders(record);
    }
}
