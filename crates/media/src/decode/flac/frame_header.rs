//! The header of a FLAC frame (RFC 9639, section 9.1).

use crc::{CRC_8_SMBUS, Crc, Table};

static CRC_8: Crc<u8, Table<1>> = Crc::<u8, Table<1>>::new(&CRC_8_SMBUS);

/// The fields before the samples of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) struct FrameHeader {
    /// Bytes of the header itself.
    pub len: usize,
    /// The position of the frame in the stream.
    pub number: Number,
    /// Samples of each channel.
    pub block: u32,
    /// Sample rate in Hz; `None` if it is the one in STREAMINFO.
    pub rate: Option<u32>,
    /// Channels.
    pub channels: u8,
    /// The side channel, which has one bit more.
    pub side: Option<u8>,
    /// Bits of a sample; `None` if STREAMINFO has them.
    pub bits: Option<u32>,
}

/// How a frame is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Number {
    /// By frames, all of which have the same length.
    Frame(u64),
    /// By samples of each channel.
    Sample(u64),
}

/// Whether `bytes` begin with the sync code of a frame header.
pub(in crate::decode) fn is_sync(bytes: &[u8]) -> bool {
    matches!(bytes, [0xFF, second, ..] if second & 0xFC == 0xF8)
}

impl FrameHeader {
    /// Bytes of the longest header.
    pub const MAX_LEN: usize = 16;

    /// The header at the beginning of `bytes`; `None` if there is none or it is cut off.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[_, second, sizes, layout, ..] = bytes else { return None };
        // The second-lowest bit of the second byte is reserved. Decoders ignore it.
        if !is_sync(bytes) || layout & 1 == 1 {
            return None;
        }
        let (number, mut len) = coded_number(bytes.get(4..)?)?;
        len += 4;
        let mut extra = |count: usize| {
            let field = bytes.get(len..len + count)?;
            len += count;
            Some(field.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
        };
        let block = match sizes >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => extra(1)? + 1,
            7 => extra(2)? + 1,
            code => 256 << (code - 8),
        };
        let rate = match sizes & 15 {
            0 => None,
            12 => Some(extra(1)? * 1_000),
            13 => Some(extra(2)?),
            14 => Some(extra(2)? * 10),
            15 => return None,
            code => Some(
                [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
                    [usize::from(code) - 1],
            ),
        };
        let (channels, side) = match layout >> 4 {
            count @ 0..=7 => (count + 1, None),
            8 | 10 => (2, Some(1)),
            9 => (2, Some(0)),
            _ => return None,
        };
        let bits = match layout >> 1 & 7 {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return None,
        };
        let is_valid = CRC_8.checksum(bytes.get(..len)?) == *bytes.get(len)?;
        // The limits of the decoder: longer blocks, and numbers of more than 31 or 36 bits, are refused.
        let (number, most) = match second & 1 {
            0 => (Number::Frame(number), 31),
            _ => (Number::Sample(number), 36),
        };
        let (Number::Frame(value) | Number::Sample(value)) = number;
        let is_decodable = block <= 0xFFFF && rate != Some(0) && value >> most == 0;
        (is_valid && is_decodable).then_some(Self { len: len + 1, number, block, rate, channels, side, bits })
    }

    /// An upper limit of the frame's bytes: those of uncompressed samples, and an allowance for inefficient encoders.
    pub fn longest_frame(&self, stream_bits: u32) -> usize {
        let bits = self.bits.unwrap_or(stream_bits) as usize + 1;
        let samples = self.block as usize * usize::from(self.channels);
        samples * bits / 8 * 9 / 8 + usize::from(self.channels) * 64 + 256
    }
}

/// A number coded like UTF-8, and the number of its bytes.
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = first.leading_ones() as usize;
    if len == 0 {
        return Some((first.into(), 1));
    }
    if !(2..=7).contains(&len) {
        return None;
    }
    let high = u64::from(first) & ((1 << (7 - len)) - 1);
    let number = bytes
        .get(1..len)?
        .iter()
        .try_fold(high, |number, &byte| (byte & 0xC0 == 0x80).then_some(number << 6 | u64::from(byte & 0x3F)))?;
    Some((number, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_to_seven_bytes() {
        let read = |bytes: &[u8]| coded_number(bytes);
        assert_eq!(read(&[0x24]), Some((36, 1)));
        assert_eq!(read(&[0xC2, 0xA2]), Some((162, 2)));
        assert_eq!(read(&[0xE2, 0x82, 0xAC]), Some((8_364, 3)));
        assert_eq!(read(&[0xFE, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF]), Some(((1 << 36) - 1, 7)));
        assert_eq!([read(&[0x80]), read(&[0xFF, 0x80]), read(&[0xC2, 0x22]), read(&[0xC2]), read(&[])], [None; 5]);
    }

    #[test]
    fn a_header_is_checked() {
        let mut bytes = vec![0xFF, 0xF8, 0xC9, 0x18, 0x05];
        bytes.push(CRC_8.checksum(&bytes));
        let header = FrameHeader {
            len: 6,
            number: Number::Frame(5),
            block: 4_096,
            rate: Some(44_100),
            channels: 2,
            side: None,
            bits: Some(16),
        };
        assert_eq!(FrameHeader::read(&bytes), Some(header));
        assert!((0..6).all(|len| FrameHeader::read(&bytes[..len]).is_none()));
        for bit in 0..48 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(FrameHeader::read(&damaged), None, "bit {bit}");
        }
    }
}
