//! The size from the uncompressed headers of VP9 (VP9 bitstream specification 0.6, 6.2 and
//! annex B).

use super::PictureSize;
use super::bits::Bits;

/// RGB: the only colour space with another header.
const SRGB: u32 = 7;

/// The largest size that a frame of the unit tells: with spatial layers a unit is a superframe.
pub(super) fn size(unit: &[u8]) -> Option<PictureSize> {
    frames(unit)
        .filter_map(frame)
        .max_by_key(|size| (size.width, size.height))
}

/// The frames of a unit: one, or those that the index at the end of a superframe lists.
fn frames(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = unit;
    let lengths = index(unit).unwrap_or_else(|| vec![unit.len()]);
    lengths.into_iter().map_while(move |length| {
        let (frame, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(frame)
    })
}

/// The lengths of a superframe's frames, at most eight.
fn index(unit: &[u8]) -> Option<Vec<usize>> {
    let marker = *unit.last()?;
    if marker >> 5 != 0b110 {
        return None;
    }
    let (width, count) = (
        usize::from(marker >> 3 & 3) + 1,
        usize::from(marker & 7) + 1,
    );
    let index = unit.get(unit.len().checked_sub(2 + width * count)?..)?;
    if index.first() != Some(&marker) {
        return None;
    }
    let lengths = index.get(1..index.len() - 1)?.chunks(width);
    let read = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | usize::from(*byte))
    };
    Some(lengths.map(read).collect())
}

fn frame(frame: &[u8]) -> Option<PictureSize> {
    let mut bits = Bits::new(frame.iter().copied());
    if bits.take(2)? != 2 {
        return None;
    }
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if profile == 3 {
        bits.take(1)?;
    }
    if bits.flag()? {
        return None; // show_existing_frame
    }
    let inter = bits.flag()?;
    let shown = bits.flag()?;
    let resilient = bits.flag()?;
    if !inter {
        sync_code(&mut bits)?;
        colour(&mut bits, profile)?;
        return explicit(&mut bits);
    }
    let intra_only = !shown && bits.flag()?;
    if !resilient {
        bits.take(2)?; // reset_frame_context
    }
    if intra_only {
        sync_code(&mut bits)?;
        if profile > 0 {
            colour(&mut bits, profile)?;
        }
        bits.take(8)?; // refresh_frame_flags
        return explicit(&mut bits);
    }
    bits.take(8 + 3 * 4)?; // refresh_frame_flags; index and sign of three references
    for _ in 0..3 {
        if bits.flag()? {
            return None; // as large as a reference: one that is not in this unit
        }
    }
    explicit(&mut bits)
}

fn sync_code(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<()> {
    (bits.take(24)? == 0x0049_8342).then_some(())
}

fn colour(bits: &mut Bits<impl Iterator<Item = u8>>, profile: u32) -> Option<()> {
    if profile >= 2 {
        bits.take(1)?; // ten_or_twelve_bit
    }
    let odd = profile & 1 == 1;
    if bits.take(3)? != SRGB {
        bits.take(1)?; // color_range
        if odd {
            bits.take(3)?; // subsampling_x, subsampling_y, reserved
        }
    } else if odd {
        bits.take(1)?; // reserved
    }
    Some(())
}

fn explicit(bits: &mut Bits<impl Iterator<Item = u8>>) -> Option<PictureSize> {
    Some(PictureSize {
        width: bits.take(16)? + 1,
        height: bits.take(16)? + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A keyframe's header, or that of a layer above it, which names its size.
    fn header(inter: bool, width: u16, height: u16) -> Vec<u8> {
        let mut bits = vec![
            (2, 2),
            (0, 2),
            (0, 1),
            (u32::from(inter), 1),
            (1, 1),
            (1, 1),
        ];
        if inter {
            bits.extend([(0, 8), (0, 12), (0, 3)]);
        } else {
            bits.extend([(0x0049_8342, 24), (1, 3), (0, 1)]);
        }
        bits.extend([
            (u32::from(width) - 1, 16),
            (u32::from(height) - 1, 16),
            (0, 7),
        ]);
        let mut bytes = Vec::new();
        let mut current = (0_u8, 0);
        for (value, count) in bits {
            for bit in (0..count).rev() {
                current = (
                    current.0 << 1 | u8::try_from(value >> bit & 1).unwrap(),
                    current.1 + 1,
                );
                if current.1 == 8 {
                    bytes.push(current.0);
                    current = (0, 0);
                }
            }
        }
        bytes
    }

    #[test]
    fn of_spatial_layers_the_largest_counts() {
        let layers = [
            header(false, 320, 180),
            header(true, 640, 360),
            header(true, 1280, 720),
        ];
        let marker = 0b1100_0010;
        let mut unit = layers.concat();
        unit.push(marker);
        unit.extend(
            layers
                .iter()
                .map(|layer| u8::try_from(layer.len()).unwrap()),
        );
        unit.push(marker);
        let expected = PictureSize {
            width: 1280,
            height: 720,
        };
        assert_eq!(size(&unit), Some(expected));
        // An index that lies about lengths is no index to what is not there.
        let last = unit.len() - 2;
        unit[last] = 0xff;
        assert_eq!(size(&unit).map(|size| size.width), Some(640));
    }
}
