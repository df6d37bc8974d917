//! The parameters of Silero's `get_speech_timestamps`.

use clap::{ArgAction, Args};
use prepare_audio::vad;

/// The parameters of Silero's `get_speech_timestamps`, under their own names.
#[derive(Debug, Args)]
#[command(next_help_heading = "Voice activity detection (names and defaults of Silero's get_speech_timestamps)")]
pub struct VadArgs {
    /// A window with at least this speech probability starts a segment
    #[arg(long, value_name = "P", env = "PREPARE_AUDIO_VAD_THRESHOLD", default_value = "0.5")]
    pub vad_threshold: f64,
    /// A window below this probability may end a segment [default: the threshold minus 0.15, but at least 0.01]
    #[arg(long, value_name = "P", env = "PREPARE_AUDIO_VAD_NEG_THRESHOLD")]
    pub vad_neg_threshold: Option<f64>,
    /// Drop segments that are shorter than this
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SPEECH_DURATION_MS", default_value = "250")]
    pub vad_min_speech_duration_ms: u32,
    /// Cut segments that are longer than this; inf for no limit
    #[arg(long, value_name = "S", env = "PREPARE_AUDIO_VAD_MAX_SPEECH_DURATION_S", default_value = "inf")]
    pub vad_max_speech_duration_s: f64,
    /// End a segment after silence of this length
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SILENCE_DURATION_MS", default_value = "100")]
    pub vad_min_silence_duration_ms: u32,
    /// Padding at both ends of a segment
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_SPEECH_PAD_MS", default_value = "30")]
    pub vad_speech_pad_ms: u32,
    /// Cut a segment that is too long at a silence of at least this length
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SILENCE_AT_MAX_SPEECH_MS", default_value = "98")]
    pub vad_min_silence_at_max_speech_ms: u32,
    /// Cut a segment that is too long at the longest such silence (true) or at the last one (false)
    #[arg(long, value_name = "BOOL", env = "PREPARE_AUDIO_VAD_USE_MAX_POSSIBLE_SILENCE", default_value = "true")]
    #[arg(action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub vad_use_max_possible_silence: bool,
}

impl VadArgs {
    /// The parameters of the library. Those that Silero does not have keep their defaults.
    pub fn parameters(&self) -> vad::Parameters {
        vad::Parameters {
            threshold: self.vad_threshold,
            neg_threshold: self.vad_neg_threshold,
            min_speech_duration_ms: self.vad_min_speech_duration_ms,
            max_speech_duration_s: self.vad_max_speech_duration_s,
            min_silence_duration_ms: self.vad_min_silence_duration_ms,
            speech_pad_ms: self.vad_speech_pad_ms,
            min_silence_at_max_speech_ms: self.vad_min_silence_at_max_speech_ms,
            use_max_possible_silence: self.vad_use_max_possible_silence,
            ..vad::Parameters::default()
        }
    }
}
