//! The settings of segment files: format, rate, channels.

use std::{fmt, str::FromStr};

/// The format of a segment file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentFormat {
    /// PCM in WAV.
    #[default]
    Wav,
    /// FLAC: the same samples at about half the size.
    Flac,
    /// Opus in Ogg: lossy, about a tenth of the size.
    Opus,
}

impl SegmentFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Wav, Self::Flac, Self::Opus];

    /// Its name, which is also the file name extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Opus => "opus",
        }
    }
}

/// The sample rate of segment files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentRate {
    /// The rate of the recording.
    Source,
    /// A fixed rate in Hz.
    Hz(u32),
}

impl SegmentRate {
    /// The rate in Hz for a source of the rate `source`.
    pub fn of(self, source: u32) -> u32 {
        match self {
            Self::Source => source,
            Self::Hz(rate) => rate,
        }
    }
}

impl fmt::Display for SegmentRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Hz(rate) => write!(f, "{rate}"),
        }
    }
}

impl FromStr for SegmentRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("source", _) => Ok(Self::Source),
            (_, Ok(rate @ 4_000..=384_000)) => Ok(Self::Hz(rate)),
            _ => Err("write source, or a rate in Hz from 4000 to 384000".into()),
        }
    }
}

/// The samples that segments are cut from, if these are not the analysed samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCut {
    /// Their rate.
    pub rate: SegmentRate,
    /// Whether all channels of the source are kept, or only the analysed ones.
    pub all_channels: bool,
    /// The format of the segment files.
    pub format: SegmentFormat,
}

impl SourceCut {
    /// Their rate in Hz for a source of the rate `source`. For Opus it is the next higher rate that Opus supports.
    pub fn hz(&self, source: u32) -> u32 {
        let rate = self.rate.of(source);
        match self.format {
            SegmentFormat::Opus => OPUS_RATES.into_iter().find(|&supported| supported >= rate).unwrap_or(48_000),
            _ => rate,
        }
    }
}

/// How segments are written. The default is 16-bit mono WAV at 16 kHz: the analysed samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFileSettings {
    /// The file format.
    pub format: SegmentFormat,
    /// The sample rate.
    pub rate: SegmentRate,
    /// Whether files hold all channels of the source, or only the analysed ones.
    pub all_channels: bool,
    /// Bit rate of Opus in bit/s; `None` means 24,000 for each channel up to 16 kHz, and 48,000 above.
    pub opus_bitrate: Option<u32>,
}

impl Default for SegmentFileSettings {
    fn default() -> Self {
        let rate = SegmentRate::Hz(16_000);
        Self { format: SegmentFormat::Wav, rate, all_channels: false, opus_bitrate: None }
    }
}

impl SegmentFileSettings {
    /// The samples that segments are cut from; `None` stands for the analysed samples.
    pub fn source_cut(&self) -> Option<SourceCut> {
        let is_analysed = self.rate == SegmentRate::Hz(16_000) && !self.all_channels;
        (!is_analysed).then_some(SourceCut { rate: self.rate, all_channels: self.all_channels, format: self.format })
    }

    /// Whether files have 24 bits if the source has: if its samples are cut without resampling.
    pub fn keeps_depth(&self) -> bool {
        self.rate == SegmentRate::Source && self.format != SegmentFormat::Opus
    }
}

/// Sample rates that Opus supports, Hz.
pub const OPUS_RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

/// The properties of one segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpec {
    /// The file format.
    pub format: SegmentFormat,
    /// Sample rate in Hz.
    pub rate: u32,
    /// Number of channels, which are interleaved.
    pub channels: u16,
    /// Bits of a sample: 16 or 24.
    pub bits: u32,
    /// Bit rate of Opus in bit/s.
    pub opus_bitrate: Option<u32>,
}

impl SegmentSpec {
    /// 16-bit mono at 16 kHz: the analysed samples.
    pub fn analysis(format: SegmentFormat, opus_bitrate: Option<u32>) -> Self {
        Self { format, rate: 16_000, channels: 1, bits: 16, opus_bitrate }
    }

    /// Size in bytes of a file of `frames` frames without compression.
    pub fn bytes(&self, frames: u64) -> u64 {
        wav_bytes(frames * u64::from(self.channels) * u64::from(self.bits / 8))
    }
}

/// Size of a WAV file with `samples` bytes of samples.
fn wav_bytes(samples: u64) -> u64 {
    44 + samples
}

/// The default bit rate of Opus in bit/s. At this rate, speech is perceptually transparent.
pub fn bitrate(rate: u32, channels: u16) -> u32 {
    let each = if rate <= 16_000 { 24_000 } else { 48_000 };
    each * u32::from(channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_parsed() {
        assert_eq!("source".parse(), Ok(SegmentRate::Source));
        assert_eq!("22050".parse(), Ok(SegmentRate::Hz(22_050)));
        assert!(["", "0", "3999", "400000", "44.1k", "-16000"].iter().all(|text| text.parse::<SegmentRate>().is_err()));
    }

    #[test]
    fn opus_gets_a_supported_rate() {
        let cut = |format| SourceCut { rate: SegmentRate::Source, all_channels: false, format };
        let rates = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000];
        assert_eq!(
            rates.map(|rate| cut(SegmentFormat::Opus).hz(rate)),
            [8_000, 12_000, 16_000, 24_000, 48_000, 48_000, 48_000]
        );
        assert_eq!(cut(SegmentFormat::Flac).hz(44_100), 44_100);
    }

    #[test]
    fn the_default_is_cut_from_the_analysed_samples() {
        let files = SegmentFileSettings::default();
        assert_eq!(files.source_cut(), None);
        assert_eq!(SegmentFileSettings { format: SegmentFormat::Flac, ..files }.source_cut(), None);
        let all = SegmentFileSettings { all_channels: true, ..files };
        let format = SegmentFormat::Wav;
        assert_eq!(all.source_cut(), Some(SourceCut { rate: SegmentRate::Hz(16_000), all_channels: true, format }));
        assert!(SegmentFileSettings { rate: SegmentRate::Source, ..files }.source_cut().is_some());
    }
}
