//! How many decoded pictures of a track may be anywhere between the SDK and the encoder.
//!
//! A picture keeps its place until nobody needs its bytes any more, wherever it waits. Who finds no
//! place drops the picture: what is decoded builds on nothing, so no other one is damaged.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a track.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

/// A picture's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many pictures have a place.
    #[must_use]
    pub fn new(limit: u8) -> Self {
        Self(Arc::new(Semaphore::new(limit.into())))
    }

    /// A place, if one is free.
    #[must_use]
    pub fn take(&self) -> Option<Place> {
        Arc::clone(&self.0)
            .try_acquire_owned()
            .ok()
            .map(|permit| Place { _permit: permit })
    }
}

/// The bytes of a picture that has a place.
struct Held {
    bytes: Vec<u8>,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A picture's bytes, which hold its place as long as there are any.
#[must_use]
pub fn held(bytes: Vec<u8>, place: Place) -> Bytes {
    Bytes::from_owner(Held {
        bytes,
        _place: place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_when_the_last_of_the_bytes_is_gone() {
        let places = Places::new(1);
        let picture = held(vec![1, 2, 3], places.take().unwrap());
        let part = picture.slice(1..);
        drop(picture);
        assert!(places.take().is_none());
        assert_eq!(part[..], [2, 3]);
        drop(part);
        assert!(places.take().is_some());
    }
}
