//! The index that RTP leaves out of VP9 with spatial layers.
//!
//! The layers of a picture are a frame each. In RTP they are told apart by their packets
//! (RFC 9628, 4.2); without those, an index at the end says where each begins (VP9 bitstream
//! specification 0.6, annex B). Without it nobody but libvpx can tell, and it only by decoding.

use bytes::Bytes;

/// The three bits that make a marker.
const MARKER: u8 = 0b110 << 5;

/// A superframe has at most as many frames, so that their number fits three bits.
const MOST_FRAMES: usize = 8;

/// Says that a length has four bytes, the most there can be.
const FOUR_BYTES: u8 = 0b11 << 3;

/// The picture with an index of its layers, which end at `ends`; as it is where it has one layer
/// only, or the ends make no sense.
pub fn indexed(picture: &Bytes, ends: &[Option<usize>]) -> Bytes {
    let Some(lengths) = lengths(picture.len(), ends) else {
        return picture.clone();
    };
    // One less than there are; at most eight.
    let count = u8::try_from(lengths.len().saturating_sub(1)).unwrap_or_default();
    let marker = [MARKER | FOUR_BYTES | count];
    let index: Vec<u8> = lengths.into_iter().flat_map(u32::to_le_bytes).collect();
    [&picture[..], &marker, &index, &marker].concat().into()
}

/// How long each layer's frame is, if there are several and they are all that there is.
fn lengths(whole: usize, ends: &[Option<usize>]) -> Option<Vec<u32>> {
    let mut lengths = Vec::new();
    let mut begin = 0;
    for end in ends.iter().flatten() {
        lengths.push(u32::try_from(end.checked_sub(begin)?).ok()?);
        begin = *end;
    }
    lengths.retain(|length| *length > 0);
    let fits = (2..=MOST_FRAMES).contains(&lengths.len()) && begin == whole;
    fits.then_some(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_index(picture: &[u8], ends: &[Option<usize>]) -> Vec<u8> {
        indexed(&Bytes::copy_from_slice(picture), ends).to_vec()
    }

    #[test]
    fn the_index_lists_the_layers_between_two_markers() {
        let layers = [Some(3), Some(5), None];
        let expected = [
            &b"abcde"[..],
            &[0b1101_1001, 3, 0, 0, 0, 2, 0, 0, 0, 0b1101_1001],
        ];
        assert_eq!(with_index(b"abcde", &layers), expected.concat());
    }

    #[test]
    fn what_has_one_layer_or_other_ends_stays_as_it_is() {
        let as_it_is: [&[Option<usize>]; 6] = [
            &[None, None, None],
            &[Some(5), None, None],
            &[None, Some(5), None],
            &[Some(5), Some(5), None],
            &[Some(3), Some(4), None],
            &[Some(4), Some(3), Some(5)],
        ];
        for ends in as_it_is {
            assert_eq!(with_index(b"abcde", ends), b"abcde", "{ends:?}");
        }
    }

    proptest! {
        #[test]
        fn any_ends_are_taken(
            picture in prop::collection::vec(any::<u8>(), 0..20),
            ends in prop::collection::vec(prop::option::of(0..30_usize), 0..12),
        ) {
            let made = with_index(&picture, &ends);
            prop_assert!(made.starts_with(&picture));
            let count = (made.len() - picture.len()).saturating_sub(2) / 4;
            prop_assert!(made.len() == picture.len() || (2..=8).contains(&count));
        }
    }
}
