//! Lengths of time as whole milliseconds, for serde's `with`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let rounded = length
        .saturating_add(Duration::from_micros(500))
        .as_millis();
    to.serialize_u64(u64::try_from(rounded).unwrap_or(u64::MAX))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}
