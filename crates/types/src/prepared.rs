//! What preparing a recording yields.

use crate::{Gaps, Segment};

/// A prepared recording: the facts of its row and its segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PreparedRecording {
    /// The recipe in words: model and parameters, as JSON.
    pub parameters: String,
    /// Name and version of the model.
    pub model: String,
    /// The container's short name, such as `wav` or `ogg`.
    pub container: String,
    /// The codec's short name, such as `mp3`.
    pub codec: String,
    /// Sample rate of the source, Hz.
    pub sample_rate: u32,
    /// Channels of the source.
    pub channels: u16,
    /// Length of the source file in bytes.
    pub bytes: u64,
    /// Length at 16 kHz, in samples.
    pub samples: u64,
    /// Seconds by which the audio begins later than the film that it belongs to; `None` where its container does not say.
    /// Segment times are those of the audio: where they are laid beside the picture, this is added.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that was prepared, from 1, as far as it is known.
    pub track: Option<u32>,
    /// The audio tracks of a file that has several: a JSON array.
    pub tracks: Option<String>,
    /// Length in seconds.
    pub duration_s: f64,
    /// Sum of the segments' lengths in seconds, without the pauses in joined segments.
    pub speech_s: f64,
    /// Packets of the audio track; 0 where they were not counted.
    pub packets: u64,
    /// Packets that could not be decoded and were left out.
    pub decode_errors: u64,
    /// Whether the file ended before its header said so.
    pub truncated: bool,
    /// Where silence stands for audio that is missing.
    pub gaps: Gaps,
    /// What a user should know of a recording that is done: `truncated`, `decode_errors: 3`,
    /// `gaps: 2 (1.3 s)`, `skipped_bytes: 8000`, `phase_inverted`, `dual_mono`.
    pub warnings: Vec<String>,
    /// Time spent in each stage.
    pub times: StageTimes,
    /// The speech segments, in order of time.
    pub segments: Vec<Segment>,
    /// The speech probabilities of its windows, if they are to be stored.
    pub probabilities: Option<PackedProbabilities>,
}

/// Time spent in each stage of one recording, in milliseconds of the thread that did it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTimes {
    /// Demuxing and decoding.
    pub decode_ms: f64,
    /// Downmix and resampling.
    pub resample_ms: f64,
    /// Speech detection and segmentation.
    pub vad_ms: f64,
    /// Segment files: encoding, hashing, writing, syncing.
    pub write_ms: f64,
    /// All of it, from the claim's start to the last file.
    pub total_ms: f64,
}

/// The speech probabilities of a recording's windows, packed for the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedProbabilities {
    /// What computed them: the model's SHA-256 and, where channels were not mixed, a slash and `split` or the channel.
    pub model_key: String,
    /// Number of the packing format.
    pub coding: u32,
    /// Number of windows, of all channels together.
    pub windows: u64,
    /// The packed probabilities.
    pub data: Vec<u8>,
}
