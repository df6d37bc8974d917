//! Integer samples, and the conversion to them.

/// A sample of 16 bits, or of up to 24 bits in an `i32`.
pub trait Sample: Copy + Send + Sync + 'static {
    /// Its representation in temporary files.
    type Bytes: AsRef<[u8]>;

    /// The sample as 16 bits. It must not have more.
    fn to_i16(self) -> i16;
    /// The sample as 32 bits.
    fn to_i32(self) -> i32;
    /// The bytes for a temporary file, little-endian.
    fn to_bytes(self) -> Self::Bytes;
    /// The sample of these bytes; 0 if there are too few.
    fn from_bytes(bytes: &[u8]) -> Self;
}

impl Sample for i16 {
    type Bytes = [u8; 2];

    #[inline]
    fn to_i16(self) -> i16 {
        self
    }

    #[inline]
    fn to_i32(self) -> i32 {
        self.into()
    }

    #[inline]
    fn to_bytes(self) -> [u8; 2] {
        self.to_le_bytes()
    }

    #[inline]
    fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
    }
}

impl Sample for i32 {
    type Bytes = [u8; 4];

    #[inline]
    fn to_i16(self) -> i16 {
        self as i16
    }

    #[inline]
    fn to_i32(self) -> i32 {
        self
    }

    #[inline]
    fn to_bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }

    #[inline]
    fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
    }
}

/// The nearest 16-bit value of a sample of full scale 1.0, ties to even. Values outside are clipped.
///
/// Samples of 16-bit audio are restored bit for bit.
#[inline]
pub fn to_pcm16(sample: f32) -> i16 {
    // The sum with this number is rounded to an integer by IEEE 754. This avoids a call to `rintf`, so that the compiler
    // vectorises the loop over samples on any processor.
    const TO_INTEGER: f32 = 12_582_912.0; // 1.5 * 2^23
    let scaled = (sample * 32_768.0).clamp(-32_768.0, 32_767.0) + TO_INTEGER;
    (scaled.to_bits() as i32 - TO_INTEGER.to_bits() as i32) as i16
}

/// The nearest 24-bit value of a sample of full scale 1.0, ties to even. Values outside are clipped. An `f32` holds all 24
/// bits.
#[inline]
pub fn to_pcm24(sample: f32) -> i32 {
    const FULL: f32 = 8_388_608.0; // 2^23
    (sample * FULL).round_ties_even().clamp(-FULL, FULL - 1.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_value_is_restored() {
        for value in i16::MIN..=i16::MAX {
            assert_eq!(to_pcm16(f32::from(value) / 32_768.0), value);
        }
    }

    #[test]
    fn loud_samples_are_clipped_not_wrapped() {
        let loud = [1.0, 1.5, f32::INFINITY, -1.0, -2.0, f32::MIN];
        assert_eq!(loud.map(to_pcm16), [i16::MAX, i16::MAX, i16::MAX, i16::MIN, i16::MIN, i16::MIN]);
        let (most, least) = ((1 << 23) - 1, -(1 << 23));
        assert_eq!(loud.map(to_pcm24), [most, most, most, least, least, least]);
    }

    proptest::proptest! {
        #[test]
        fn rounding_is_that_of_the_standard_library(sample in -1.1f32..1.1) {
            proptest::prop_assert_eq!(to_pcm16(sample), (sample * 32_768.0).round_ties_even() as i16);
        }

        #[test]
        fn any_24_bit_value_is_restored(value in -(1i32 << 23)..(1 << 23)) {
            proptest::prop_assert_eq!(to_pcm24(value as f32 / 8_388_608.0), value);
        }
    }
}
