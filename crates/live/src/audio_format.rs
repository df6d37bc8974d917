//! What the bytes of a session's frames mean.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::g711;

/// Rates that are accepted, Hz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// Rates have to be a multiple of this, Hz: converting others to 16 kHz would take too long a block.
const RATE_STEP: u32 = 25;

/// The most channels.
const MAX_CHANNELS: u16 = 8;

/// How samples are coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Signed 16-bit integers, little endian.
    #[default]
    Linear16,
    /// G.711 mu-law, as telephones in North America and Japan have it.
    Mulaw,
    /// G.711 A-law, as telephones elsewhere have it.
    Alaw,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linear16, Self::Mulaw, Self::Alaw];

    /// Its name in protocols.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear16 => "linear16",
            Self::Mulaw => "mulaw",
            Self::Alaw => "alaw",
        }
    }

    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Linear16 => 2,
            Self::Mulaw | Self::Alaw => 1,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let found = Self::ALL.into_iter().find(|encoding| encoding.name() == text);
        found.ok_or_else(|| FormatError::Encoding(text.chars().take(40).collect()))
    }
}

/// The format of a session's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// How samples are coded.
    pub encoding: Encoding,
    /// Samples of each channel in a second, Hz.
    pub sample_rate: u32,
    /// Channels, interleaved.
    pub channels: u16,
}

impl Default for AudioFormat {
    /// What speech recognition uses: 16-bit samples at 16 kHz, one channel.
    fn default() -> Self {
        Self { encoding: Encoding::Linear16, sample_rate: 16_000, channels: 1 }
    }
}

/// Why a format is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The encoding is unknown.
    #[error("the encoding {0:?} is not known; use linear16, mulaw or alaw")]
    Encoding(String),
    /// The rate is out of range.
    #[error("a sample rate of {0} Hz is not accepted; use a multiple of 25 Hz from 8000 to 48000, such as 16000")]
    Rate(u32),
    /// The number of channels is out of range.
    #[error("{0} channels are not accepted; use 1 to 8")]
    Channels(u16),
}

impl AudioFormat {
    /// Checks the format.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn check(self) -> Result<Self, FormatError> {
        if !RATES.contains(&self.sample_rate) || !self.sample_rate.is_multiple_of(RATE_STEP) {
            return Err(FormatError::Rate(self.sample_rate));
        }
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(FormatError::Channels(self.channels));
        }
        Ok(self)
    }

    /// Bytes of one sample of all channels.
    pub fn block_align(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }

    /// Bytes of a second.
    pub fn bytes_per_second(&self) -> u64 {
        self.block_align() as u64 * u64::from(self.sample_rate)
    }

    /// The time that `samples` of each channel take, in seconds.
    pub fn seconds(&self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.sample_rate)
    }

    /// Decodes whole samples, and appends them with a full scale of 1.0.
    pub fn decode(&self, bytes: &[u8], out: &mut Vec<f32>) {
        let scaled = |sample: i16| f32::from(sample) / 32_768.0;
        match self.encoding {
            Encoding::Linear16 => {
                out.extend(bytes.as_chunks::<2>().0.iter().map(|pair| scaled(i16::from_le_bytes(*pair))));
            }
            Encoding::Mulaw => out.extend(bytes.iter().map(|&byte| scaled(g711::mulaw(byte)))),
            Encoding::Alaw => out.extend(bytes.iter().map(|&byte| scaled(g711::alaw(byte)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_checked() {
        let check = |sample_rate, channels| AudioFormat { sample_rate, channels, ..AudioFormat::default() }.check();
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            assert!(check(rate, 1).is_ok() && check(rate, 8).is_ok(), "{rate}");
        }
        for rate in [0, 7_999, 16_001, 44_101, 96_000, u32::MAX] {
            assert_eq!(check(rate, 1), Err(FormatError::Rate(rate)));
        }
        for channels in [0, 9, u16::MAX] {
            assert_eq!(check(16_000, channels), Err(FormatError::Channels(channels)));
        }
    }

    #[test]
    fn names_are_those_of_protocols() {
        for encoding in Encoding::ALL {
            assert_eq!(encoding.name().parse(), Ok(encoding));
            assert_eq!(serde_json::to_string(&encoding).unwrap(), format!("{:?}", encoding.name()));
        }
        assert!("opus".parse::<Encoding>().unwrap_err().to_string().contains("use linear16, mulaw or alaw"));
    }

    #[test]
    fn samples_are_scaled_to_one() {
        let mut out = Vec::new();
        AudioFormat::default().decode(&[0, 0, 0, 0x80, 0xFF, 0x7F], &mut out);
        assert_eq!(out, [0.0, -1.0, 32_767.0 / 32_768.0]);
    }
}
