//! Frame headers of MPEG audio (ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3; ISO/IEC 13818-3; MPEG 2.5).

/// The properties that all frames of a stream share. The sample rate implies the version of MPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub codec: Codec,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Channels; 0 if only the payload defines them (AAC).
    pub channels: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Layer1,
    Layer2,
    Layer3,
    /// With the profile field of ADTS: 0 main, 1 LC, 2 SSR, 3 LTP.
    Aac(u8),
}

/// One frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub format: Format,
    /// Length of the frame in bytes, with its header.
    pub len: usize,
    /// Bytes at its beginning that are not passed to the decoder.
    pub skip: usize,
    /// Samples of each channel.
    pub samples: u32,
    /// Bits per second; 0 if the header does not have it (AAC).
    pub bitrate: u32,
    /// Whether a checksum follows the header.
    pub has_checksum: bool,
}

/// Bytes of the shortest header.
pub(super) const SHORTEST_HEADER: usize = 7;

/// The longest frame: that of ADTS, whose length has 13 bits.
pub(super) const LONGEST_FRAME: usize = (1 << 13) - 1;

/// The kind of headers of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Mpeg,
    Adts,
}

impl Syntax {
    /// The syntax of a header that begins with `bytes`.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some(Self::Adts),
            [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some(Self::Mpeg),
            _ => None,
        }
    }

    /// The header that begins with `bytes`.
    #[inline]
    pub fn parse(self, bytes: &[u8]) -> Option<FrameHeader> {
        match self {
            Self::Mpeg => FrameHeader::parse(bytes),
            Self::Adts => super::adts::parse(bytes),
        }
    }
}

/// kbit/s of MPEG 1, layers 1 to 3, and of MPEG 2 and 2.5, layer 1 and layers 2 and 3. Index 0 is the free format, which has
/// no frame length.
const BITRATES: [[u32; 14]; 5] = [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

const RATES: [u32; 3] = [44_100, 48_000, 32_000];

impl FrameHeader {
    /// The MPEG audio header at the beginning of `bytes`. Free format, and combinations that the decoder does not support, are
    /// refused.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0xFF, b, c, d, ..] = bytes else { return None };
        if b & 0xE0 != 0xE0 {
            return None;
        }
        let (is_mpeg1, shift) = match b >> 3 & 3 {
            0 => (false, 2),
            2 => (false, 1),
            3 => (true, 0),
            _ => return None,
        };
        let sample_rate = RATES.get(usize::from(c >> 2 & 3))? >> shift;
        let (codec, table) = match (b >> 1 & 3, is_mpeg1) {
            (3, true) => (Codec::Layer1, 0),
            (3, false) => (Codec::Layer1, 3),
            (2, true) => (Codec::Layer2, 1),
            (1, true) => (Codec::Layer3, 2),
            (2, false) => (Codec::Layer2, 4),
            (1, false) => (Codec::Layer3, 4),
            _ => return None,
        };
        let kilobits = *BITRATES.get(table)?.get(usize::from(c >> 4).checked_sub(1)?)?;
        let channels = if d >> 6 == 3 { 1 } else { 2 };
        if codec == Codec::Layer2 && !has_allocation(kilobits, channels) {
            return None;
        }
        let bitrate = kilobits * 1000;
        let padding = u32::from(c >> 1 & 1);
        let (samples, len) = match codec {
            Codec::Layer1 => (384, (12 * bitrate / sample_rate + padding) * 4),
            Codec::Layer3 if !is_mpeg1 => (576, 72 * bitrate / sample_rate + padding),
            _ => (1152, 144 * bitrate / sample_rate + padding),
        };
        let format = Format { codec, sample_rate, channels };
        let has_checksum = b & 1 == 0;
        Some(Self { format, len: len as usize, skip: 0, samples, bitrate, has_checksum })
    }

    /// The offset of the main data in a frame of layer 3 without a checksum.
    pub fn side_end(&self) -> usize {
        let is_mpeg1 = self.samples == 1152;
        4 + match (is_mpeg1, self.format.channels) {
            (true, 1) => 17,
            (true, _) => 32,
            (false, 1) => 9,
            (false, _) => 17,
        }
    }

    /// The mean length of frames of this rate, in bytes.
    pub fn mean_len(&self) -> f64 {
        f64::from(self.samples) / 8.0 * f64::from(self.bitrate) / f64::from(self.format.sample_rate.max(1))
    }
}

/// Whether layer 2 has a bit allocation table for this bitrate (ISO/IEC 11172-3, 2.4.2.3). symphonia's decoder requires one
/// for MPEG 2 too: files that it would refuse are left to ffmpeg.
fn has_allocation(kilobits: u32, channels: u8) -> bool {
    match channels {
        1 => !matches!(kilobits, 224 | 256 | 320 | 384),
        _ => !matches!(kilobits, 32 | 48 | 56 | 80),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lengths_are_those_of_the_standard() {
        let parse =
            |bytes: [u8; 4]| FrameHeader::parse(&bytes).map(|h| (h.format.sample_rate, h.format.channels, h.len));
        assert_eq!(parse([0xFF, 0xFB, 0x90, 0x64]), Some((44_100, 2, 417)), "128 kbit/s");
        assert_eq!(parse([0xFF, 0xFB, 0x92, 0x64]), Some((44_100, 2, 418)), "padded");
        assert_eq!(parse([0xFF, 0xF3, 0x84, 0xC4]), Some((24_000, 1, 192)), "MPEG 2, 64 kbit/s");
        assert_eq!(parse([0xFF, 0xE3, 0x18, 0xC4]), Some((8_000, 1, 72)), "MPEG 2.5, 8 kbit/s");
        assert_eq!(parse([0xFF, 0xFD, 0xA4, 0x04]), Some((48_000, 2, 576)), "layer 2, 192 kbit/s");
        assert_eq!(parse([0xFF, 0xFF, 0x10, 0x04]), Some((44_100, 2, 32)), "layer 1, 32 kbit/s");
        for refused in [[0xFF, 0xFB, 0x00, 0], [0xFF, 0xFB, 0xF0, 0], [0xFF, 0xFB, 0x9C, 0], [0xFF, 0xEB, 0x90, 0]] {
            assert_eq!(parse(refused), None);
        }
        assert_eq!(FrameHeader::parse(&[0xFF, 0xFB, 0x90]), None);
    }
}
