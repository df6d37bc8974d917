//! Which channels are listened to, and how segments are written.

use clap::{Args, ValueEnum};
use prepare_audio::audio::{ChannelChoice, OPUS_RATES, SegmentFiles, SegmentFormat, SegmentRate};

use super::exit;

#[derive(Debug, Args)]
#[command(next_help_heading = "Channels and segment files")]
pub struct SegmentFileArgs {
    /// mix: listen to the mean of all channels. split: to each channel by itself, which gets segments of its own, all on
    /// one timeline (a call with a speaker a side). Or a channel's number, the first (left) one being 1
    #[arg(long, value_name = "mix|split|N", env = "PREPARE_AUDIO_CHANNELS", default_value = "mix")]
    pub channels: ChannelChoice,
    /// What segments are: wav; flac (the same samples, about half the size); opus (lossy, about a tenth)
    #[arg(
        long,
        value_name = "FORMAT",
        env = "PREPARE_AUDIO_FORMAT",
        default_value = "wav",
        hide_possible_values = true
    )]
    pub format: FormatName,
    /// Their sample rate: source cuts the recording as it is, to the sample, with its 24 bits where it has them; or Hz
    #[arg(long, value_name = "source|HZ", env = "PREPARE_AUDIO_SEGMENT_RATE", default_value = "16000")]
    pub segment_rate: SegmentRate,
    /// Their channels: mono (what was listened to), or source (all that the recording has)
    #[arg(
        long,
        value_name = "mono|source",
        env = "PREPARE_AUDIO_SEGMENT_CHANNELS",
        default_value = "mono",
        hide_possible_values = true
    )]
    pub segment_channels: SegmentChannels,
    /// Bits a second of Opus segments [default: 24000 a channel up to 16 kHz, 48000 above]
    #[arg(long, value_name = "BITS", env = "PREPARE_AUDIO_OPUS_BITRATE")]
    #[arg(value_parser = clap::value_parser!(u32).range(6_000..=510_000))]
    pub opus_bitrate: Option<u32>,
    /// Write rows only, no segment files
    #[arg(long, env = "PREPARE_AUDIO_NO_AUDIO")]
    pub no_audio: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    Wav,
    Flac,
    Opus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SegmentChannels {
    Mono,
    Source,
}

impl SegmentFileArgs {
    /// What was typed: channels, and files where some are wanted.
    pub fn wanted(&self) -> Result<(ChannelChoice, Option<SegmentFiles>), exit::Usage> {
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
        let files = SegmentFiles {
            format,
            rate: self.segment_rate,
            all_channels: self.segment_channels == SegmentChannels::Source,
            opus_bitrate: self.opus_bitrate,
        };
        Ok((self.channels, (!self.no_audio).then_some(files)))
    }
}
