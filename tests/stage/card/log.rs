//! What a card was told, in order.

use std::time::Instant;

/// Everything since the card was put in.
pub struct Log {
    /// The card before that.
    pub blank: Vec<u8>,
    pub entries: Vec<Entry>,
}

/// One request that the card took.
pub struct Entry {
    /// When it was done.
    pub at: Instant,
    pub change: Change,
}

#[derive(Debug, Clone)]
pub enum Change {
    /// In the card's cache from here on.
    Write { offset: usize, bytes: Vec<u8> },
    /// Everything before it is on the card for good.
    Flush,
}

impl Log {
    /// The positions of flushes, from `begin` on: a cut there is one just before the flush.
    pub fn flushes(&self, begin: usize) -> Vec<usize> {
        let entries = self.entries.iter().enumerate().skip(begin);
        entries
            .filter(|(_, entry)| matches!(entry.change, Change::Flush))
            .map(|(position, _)| position)
            .collect()
    }

    /// The latest moment at which the card was as the first `position` requests made it; none
    /// where that is how it is now.
    pub fn until(&self, position: usize) -> Option<Instant> {
        self.entries.get(position).map(|entry| entry.at)
    }
}
