//! Bits of a header, the highest of each byte first.

/// Reads bits; none once they have run out.
#[derive(Debug)]
pub(super) struct Bits<I> {
    bytes: I,
    current: u8,
    /// Bits of the current byte that are still to be read.
    left: u8,
}

impl<I: Iterator<Item = u8>> Bits<I> {
    pub(super) const fn new(bytes: I) -> Self {
        Self {
            bytes,
            current: 0,
            left: 0,
        }
    }

    /// The next `count` bits, at most 32.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// The next bit as a flag.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.bit().map(|bit| bit == 1)
    }

    /// An unsigned Exp-Golomb number below 2^31 (ITU-T H.264, 9.1).
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// A signed Exp-Golomb number (ITU-T H.264, 9.1.1).
    pub(super) fn signed_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.golomb()?);
        Some(if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        })
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.current = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.current >> self.left & 1))
    }
}
