//! Segmentation settings that Silero's `get_speech_timestamps` does not have. All of them are off by default.

use clap::{ArgAction, Args, ValueEnum};
use prepare_audio::{
    pipeline::SegmentFilter,
    vad::{self, MaxSpeechCut},
};

/// Segmentation settings beyond Silero's own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cutting (beyond Silero's own; off by default)")]
pub struct SegmentationArgs {
    /// Where a segment that is too long is cut
    #[arg(long, value_name = "WHERE", env = "PREPARE_AUDIO_MAX_SPEECH_CUT", default_value = "official")]
    pub max_speech_cut: SpeechCut,
    /// Join adjacent segments into chunks of at most this many seconds; no segment is split or lost
    #[arg(long, value_name = "S", env = "PREPARE_AUDIO_MERGE_TO")]
    pub merge_to: Option<f64>,
    /// Padding at the start of a segment [default: --vad-speech-pad-ms]; if the gap between two segments is too short
    /// for both paddings, it is divided in proportion to them
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_SPEECH_PAD_START_MS")]
    pub vad_speech_pad_start_ms: Option<u32>,
    /// Padding at the end of a segment [default: --vad-speech-pad-ms]
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_SPEECH_PAD_END_MS")]
    pub vad_speech_pad_end_ms: Option<u32>,
    /// Drop segments whose level (RMS) is below this, for example -60: near-silence that the model mistakes for speech
    #[arg(long, value_name = "DB", env = "PREPARE_AUDIO_MIN_DBFS", allow_negative_numbers = true)]
    pub min_dbfs: Option<f64>,
    /// Drop segments with a lower signal-to-noise ratio; docs/quality.md defines it
    #[arg(long, value_name = "DB", env = "PREPARE_AUDIO_MIN_SNR", allow_negative_numbers = true, value_parser = finite)]
    pub min_snr: Option<f64>,
    /// Drop segments whose spectrum ends below this, whatever the file's rate: 5000 drops telephone audio, 10000 speech at
    /// 16 kHz
    #[arg(long, value_name = "HZ", env = "PREPARE_AUDIO_MIN_BANDWIDTH", value_parser = finite)]
    pub min_bandwidth: Option<f64>,
    /// Drop segments with a greater share of clipped samples, for example 0.001
    #[arg(long, value_name = "SHARE", env = "PREPARE_AUDIO_MAX_CLIPPED", value_parser = share)]
    pub max_clipped: Option<f64>,
    /// Keep the probabilities in the database, so that `resegment` need not analyse the audio again
    #[arg(long, value_name = "BOOL", env = "PREPARE_AUDIO_KEEP_PROBABILITIES", default_value = "true")]
    #[arg(action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub keep_probabilities: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SpeechCut {
    /// At a pause, as Silero chooses it; without a pause, at the maximum length
    Official,
    /// At the window with the lowest probability in the second half of the maximum length; no audio is lost
    Quietest,
}

impl SegmentationArgs {
    /// Which segments are kept.
    pub fn filter(&self) -> SegmentFilter {
        SegmentFilter { min_snr_db: self.min_snr, min_bandwidth_hz: self.min_bandwidth, max_clipped: self.max_clipped }
    }

    /// Adds these parameters to Silero's.
    pub fn extend(&self, official: vad::Parameters) -> vad::Parameters {
        vad::Parameters {
            speech_pad_start_ms: self.vad_speech_pad_start_ms,
            speech_pad_end_ms: self.vad_speech_pad_end_ms,
            max_speech_cut: match self.max_speech_cut {
                SpeechCut::Official => MaxSpeechCut::Official,
                SpeechCut::Quietest => MaxSpeechCut::Quietest,
            },
            merge_to_s: self.merge_to,
            min_dbfs: self.min_dbfs,
            ..official
        }
    }
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| "not a number".into())
}

fn share(text: &str) -> Result<f64, String> {
    finite(text)?;
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share is from 0 to 1".into())
}
