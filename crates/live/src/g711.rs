//! Samples of G.711, as ITU-T's recommendation defines them, in the 16-bit scale that is usual for them.

/// Added to the magnitude of mu-law before it is coded.
const BIAS: i16 = 0x84;

/// A sample of mu-law.
pub fn mulaw(code: u8) -> i16 {
    let bits = !code;
    let magnitude = ((i16::from(bits & 0x0F) << 3) + BIAS) << ((bits & 0x70) >> 4);
    if bits & 0x80 == 0 { magnitude - BIAS } else { BIAS - magnitude }
}

/// A sample of A-law.
pub fn alaw(code: u8) -> i16 {
    let bits = code ^ 0x55;
    let mantissa = i16::from(bits & 0x0F) << 4;
    let magnitude = match (bits & 0x70) >> 4 {
        0 => mantissa + 0x08,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values at the ends of the scale, and those of silence.
    #[test]
    fn values_are_those_of_the_recommendation() {
        for (code, sample) in [(0x00, -32_124), (0x80, 32_124), (0x7F, 0), (0xFF, 0), (0xFE, 8), (0x7E, -8)] {
            assert_eq!(mulaw(code), sample, "{code:#x}");
        }
        for (code, sample) in [(0x2A, -32_256), (0xAA, 32_256), (0xD5, 8), (0x55, -8)] {
            assert_eq!(alaw(code), sample, "{code:#x}");
        }
    }
}
