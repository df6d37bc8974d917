//! The block STREAMINFO (RFC 9639, section 8.2), corrected so that the decoder accepts the frames.

use symphonia::core::{
    audio::{Channels, Position},
    codecs::{
        CodecParameters,
        audio::{AudioCodecParameters, well_known::CODEC_ID_FLAC},
    },
    formats::Track,
    units::Duration,
};

/// The shortest block that a stream may have.
const SHORTEST_BLOCK: u16 = 16;

/// What STREAMINFO says about the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) struct StreamInfo {
    bytes: [u8; StreamInfo::LEN],
    /// The length of all blocks but the last, if it is fixed.
    pub fixed_block: Option<u32>,
    /// The longest block.
    pub longest_block: u32,
    /// Sample rate in Hz.
    pub rate: u32,
    /// Channels.
    pub channels: u8,
    /// Bits of a sample.
    pub bits: u32,
    /// Samples of each channel.
    pub samples: Option<u64>,
}

impl StreamInfo {
    /// Bytes of the block.
    pub const LEN: usize = 34;

    /// Reads the block. Values for which the decoder would refuse intact frames are replaced: some encoders leave the block
    /// lengths at 0.
    pub fn read(bytes: &[u8; Self::LEN]) -> Self {
        let mut bytes = *bytes;
        let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let (mut shortest, mut longest) = (number(0), number(2));
        let fixed_block = (shortest == longest && shortest >= SHORTEST_BLOCK).then_some(u32::from(shortest));
        if longest < SHORTEST_BLOCK {
            longest = u16::MAX;
        }
        if !(SHORTEST_BLOCK..=longest).contains(&shortest) {
            shortest = SHORTEST_BLOCK;
        }
        bytes[..2].copy_from_slice(&shortest.to_be_bytes());
        bytes[2..4].copy_from_slice(&longest.to_be_bytes());
        if bytes[4..7] > bytes[7..10] {
            bytes[4..10].fill(0); // the lengths of frames
        }
        let packed = bytes[10..18].iter().fold(0u64, |packed, &byte| packed << 8 | u64::from(byte));
        Self {
            bytes,
            fixed_block,
            longest_block: longest.into(),
            rate: (packed >> 44) as u32,
            channels: (packed >> 41 & 7) as u8 + 1,
            bits: (packed >> 36 & 31) as u32 + 1,
            samples: Some(packed & ((1 << 36) - 1)).filter(|&samples| samples > 0),
        }
    }

    /// The same stream in another format and of unknown length.
    pub fn with_format(&self, rate: u32, channels: u8, block: u32) -> Self {
        let mut bytes = self.bytes;
        let longest = self.longest_block.max(block).min(u16::MAX.into());
        bytes[..2].copy_from_slice(&SHORTEST_BLOCK.to_be_bytes());
        bytes[2..4].copy_from_slice(&(longest as u16).to_be_bytes());
        let packed = u64::from(rate) << 44 | u64::from(channels - 1) << 41 | u64::from(self.bits - 1) << 36;
        bytes[10..18].copy_from_slice(&packed.to_be_bytes());
        Self { bytes, longest_block: longest, rate, channels, samples: None, ..self.clone() }
    }

    /// The track of the stream, under the number `id`.
    pub fn track(&self, id: u32) -> Track {
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(CODEC_ID_FLAC)
            .with_extra_data(self.bytes.into())
            .with_sample_rate(self.rate)
            .with_bits_per_sample(self.bits)
            .with_channels(Channels::Positioned(positions(self.channels)));
        let mut track = Track::new(id);
        track.with_codec_params(CodecParameters::Audio(params));
        if let Some(samples) = self.samples {
            track.with_num_frames(samples).with_duration(Duration::from(samples));
        }
        track
    }
}

/// The positions of the channels (RFC 9639, section 9.1.3).
fn positions(channels: u8) -> Position {
    const FRONT: Position = Position::FRONT_LEFT.union(Position::FRONT_RIGHT);
    const REAR: Position = Position::REAR_LEFT.union(Position::REAR_RIGHT);
    const SIDE: Position = Position::SIDE_LEFT.union(Position::SIDE_RIGHT);
    let center = Position::FRONT_CENTER;
    match channels {
        1 => Position::FRONT_LEFT,
        2 => FRONT,
        3 => FRONT | center,
        4 => FRONT | REAR,
        5 => FRONT | center | REAR,
        6 => FRONT | center | Position::LFE1 | REAR,
        7 => FRONT | center | Position::LFE1 | Position::REAR_CENTER | SIDE,
        _ => FRONT | center | Position::LFE1 | REAR | SIDE,
    }
}
