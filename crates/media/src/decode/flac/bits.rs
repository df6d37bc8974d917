//! A bit reader: the highest bit of a byte comes first. It counts the bytes that were read, and is fast at runs of zeros.

/// A position in `bytes`, in bits.
pub(super) struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Bits<'b> {
    /// From the first bit of `bytes` on.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 32.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let word = self.word()?;
        self.skip(count as usize)?;
        Some(if count == 0 { 0 } else { (word >> (64 - count)) as u32 })
    }

    /// Skips `count` bits.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|&at| at <= self.bytes.len() * 8)?;
        Some(())
    }

    /// Counts the zeros before the next one, and skips them and the one.
    pub fn unary(&mut self) -> Option<usize> {
        let mut zeros = 0;
        loop {
            let valid = 64 - self.at % 8;
            let leading = self.word()?.leading_zeros() as usize;
            if leading < valid {
                self.skip(leading + 1)?;
                return Some(zeros + leading);
            }
            self.skip(valid)?;
            zeros += valid;
        }
    }

    /// The number of bytes read so far, a part of one counted as a whole one.
    pub fn bytes(&self) -> usize {
        self.at.div_ceil(8)
    }

    /// The next bits, at least 57 of them, from the highest bit of the result down; zeros beyond the end.
    fn word(&self) -> Option<u64> {
        let rest = self.bytes.get(self.at / 8..)?;
        let word = match rest.first_chunk::<8>() {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => rest.iter().enumerate().fold(0, |word, (n, &byte)| word | u64::from(byte) << (56 - 8 * n)),
        };
        Some(word << (self.at % 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_runs_of_zeros() {
        let mut bits = Bits::new(&[0b1010_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0b0000_0101]);
        assert_eq!(bits.take(3), Some(0b101));
        assert_eq!(bits.take(0), Some(0));
        assert_eq!(bits.unary(), Some(5 + 8 * 8 + 5));
        assert_eq!((bits.bytes(), bits.take(2)), (10, Some(0b01)));
        assert_eq!((bits.take(1), bits.unary()), (None, None));
    }
}
