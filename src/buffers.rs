//! What waits where: every bounded queue of media, with its name, limit, depth and drops.

use std::collections::BTreeMap;

use serde::Serialize;

/// One queue at one moment. Its limit is never zero: there is no queue without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Buffer {
    /// What it is; the same in every recording.
    pub name: &'static str,
    /// What is counted.
    pub unit: Unit,
    /// How much waits.
    pub depth: u64,
    /// The most that has waited.
    pub high_water: u64,
    /// The most that may wait. A single unit may be larger: it passes when no other waits, so that
    /// `high_water` may be above it by one unit.
    pub limit: u64,
    /// Units that found it full and are gone.
    pub dropped: u64,
}

/// What is counted in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Decoded pictures.
    Pictures,
}

impl Unit {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Pictures => "pictures",
        }
    }
}

/// A number of bytes or pictures as it stands in a [`Buffer`].
#[must_use]
pub fn amount(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Buffers of one name, of all recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alike {
    /// How many there are.
    pub count: u64,
    /// The one that is fullest, with the drops of all.
    #[serde(flatten)]
    pub fullest: Buffer,
}

/// Puts together what is known of buffers of the same name.
pub fn alike<'a>(buffers: impl IntoIterator<Item = &'a Buffer>) -> Vec<Alike> {
    let mut found: BTreeMap<&'static str, Alike> = BTreeMap::new();
    for buffer in buffers {
        let (name, fullest) = (buffer.name, *buffer);
        found
            .entry(name)
            .and_modify(|alike| alike.add(buffer))
            .or_insert(Alike { count: 1, fullest });
    }
    found.into_values().collect()
}

impl Alike {
    fn add(&mut self, buffer: &Buffer) {
        self.count += 1;
        let fullest = &mut self.fullest;
        fullest.depth = fullest.depth.max(buffer.depth);
        fullest.high_water = fullest.high_water.max(buffer.high_water);
        fullest.limit = fullest.limit.max(buffer.limit);
        fullest.dropped = fullest.dropped.saturating_add(buffer.dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_one_name_are_told_as_one() {
        let of = |name, depth, high_water, dropped| Buffer {
            name,
            unit: Unit::Bytes,
            depth,
            high_water,
            limit: 100,
            dropped,
        };
        let told = alike(&[
            of("inbox", 3, 90, 1),
            of("handover", 1, 1, 0),
            of("inbox", 7, 8, 2),
        ]);
        let names: Vec<_> = told.iter().map(|it| (it.fullest.name, it.count)).collect();
        assert_eq!(names, [("handover", 1), ("inbox", 2)]);
        assert_eq!(
            told.last().map(|it| it.fullest),
            Some(of("inbox", 7, 90, 3))
        );
    }
}
