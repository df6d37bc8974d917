//! Headers of ADTS frames (ISO/IEC 13818-7, 6.2; ISO/IEC 14496-3, 1.A.2.2).

use super::frame_header::{Codec, Format, FrameHeader};

const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Samples of each channel in a block.
const SAMPLES: u32 = 1024;

/// The header at the beginning of `bytes`. Frames of several blocks, which the decoder does not support, are refused.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Option<FrameHeader> {
    let &[0xFF, b, c, d, e, f, g, ..] = bytes else { return None };
    if b & 0xF6 != 0xF0 || g & 3 != 0 {
        return None;
    }
    let sample_rate = *RATES.get(usize::from(c >> 2 & 15))?;
    let channels = match (c & 1) << 2 | d >> 6 {
        7 => 8,
        channels => channels,
    };
    let len = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
    let has_checksum = b & 1 == 0;
    let skip = if has_checksum { 9 } else { 7 };
    let format = Format { codec: Codec::Aac(c >> 6), sample_rate, channels };
    (len >= skip).then_some(FrameHeader { format, len, skip, samples: SAMPLES, bitrate: 0, has_checksum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_the_length_of_its_frame() {
        // LC, 44.1 kHz, stereo, 371 bytes, one block.
        let header = [0xFF, 0xF1, 0x50, 0x80, 0x2E, 0x7F, 0xFC];
        let parsed = parse(&header).unwrap();
        assert_eq!((parsed.format.sample_rate, parsed.format.channels, parsed.len, parsed.skip), (44_100, 2, 371, 7));
        assert_eq!(parsed.format.codec, Codec::Aac(1));
        for (at, byte) in [(1, 0xF3), (2, 0x74), (6, 0xFD), (6, 0xFF)] {
            let mut other = header;
            other[at] = byte;
            assert_eq!(parse(&other), None);
        }
        assert!((0..7).all(|len| parse(&header[..len]).is_none()));
    }
}
