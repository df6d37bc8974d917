//! Which channels are analysed, and how segments are written.

use clap::{Args, ValueEnum};
use prepare_audio::media::{ChannelChoice, OPUS_RATES, SegmentFileSettings, SegmentFormat, SegmentRate};

use crate::cli::exit;

/// Channels, and the format of segment files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Channels and segment files")]
pub struct SegmentFileArgs {
    /// Channels to analyse: mix (their mean), split (each separately: a call with one speaker per channel), or N (one channel, from 1)
    #[arg(long, value_name = "mix|split|N", env = "PREPARE_AUDIO_CHANNELS", default_value = "mix")]
    pub channels: ChannelChoice,
    /// Format of segments: wav, flac (the same samples, about half the size), or opus (lossy, about a tenth)
    #[arg(
        long,
        value_name = "FORMAT",
        env = "PREPARE_AUDIO_FORMAT",
        default_value = "wav",
        hide_possible_values = true
    )]
    pub format: FormatName,
    /// Sample rate of segments: a rate in Hz, or source (the recording's own samples, up to 24 bits)
    #[arg(long, value_name = "source|HZ", env = "PREPARE_AUDIO_SEGMENT_RATE", default_value = "16000")]
    pub segment_rate: SegmentRate,
    /// Channels of segments: mono (the analysed channel or mix), or source (all of the recording's channels)
    #[arg(
        long,
        value_name = "mono|source",
        env = "PREPARE_AUDIO_SEGMENT_CHANNELS",
        default_value = "mono",
        hide_possible_values = true
    )]
    pub segment_channels: SegmentChannels,
    /// Bitrate of Opus segments, bits per second [default: per channel 24000 up to 16 kHz, 48000 above]
    #[arg(long, value_name = "BITS", env = "PREPARE_AUDIO_OPUS_BITRATE")]
    #[arg(value_parser = clap::value_parser!(u32).range(6_000..=510_000))]
    pub opus_bitrate: Option<u32>,
    /// Write rows only, no segment files
    #[arg(long, env = "PREPARE_AUDIO_NO_AUDIO")]
    pub no_audio: bool,
}

/// Names of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    Wav,
    Flac,
    Opus,
}

/// Channels of segment files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SegmentChannels {
    Mono,
    Source,
}

impl SegmentFileArgs {
    /// The settings of the library: channels, and files unless `--no-audio` is set.
    pub fn settings(&self) -> Result<(ChannelChoice, Option<SegmentFileSettings>), exit::Usage> {
        let format = match self.format {
            FormatName::Wav => SegmentFormat::Wav,
            FormatName::Flac => SegmentFormat::Flac,
            FormatName::Opus => SegmentFormat::Opus,
        };
        if let (SegmentFormat::Opus, SegmentRate::Hz(rate)) = (format, self.segment_rate)
            && !OPUS_RATES.contains(&rate)
        {
            return Err(exit::Usage(format!(
                "--segment-rate {rate}: Opus takes 8000, 12000, 16000, 24000, 48000, or source"
            )));
        }
        let files = SegmentFileSettings {
            format,
            rate: self.segment_rate,
            all_channels: self.segment_channels == SegmentChannels::Source,
            opus_bitrate: self.opus_bitrate,
        };
        Ok((self.channels, (!self.no_audio).then_some(files)))
    }
}
