//! The result of preparing a recording.

use std::collections::BTreeMap;

use crate::{Gaps, Segment};

/// A prepared recording: the values of its row, and its segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PreparedRecording {
    /// The recipe in full: model and parameters, as JSON.
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
    /// Seconds by which the audio starts after the video of the same file; `None` if the container does not say. Segment
    /// times are relative to the audio's start. Add this to get times of the video.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that was prepared, from 1; `None` if it is not known.
    pub track: Option<u32>,
    /// The audio tracks of a file with several: a JSON array.
    pub tracks: Option<String>,
    /// Length in seconds.
    pub duration_s: f64,
    /// Total length of the segments in seconds, without the pauses within joined segments.
    pub speech_s: f64,
    /// `speech_s` / `duration_s`; `None` if it is empty. With separate channels it may be above 1.
    pub speech_ratio: Option<f64>,
    /// Mean loudness of the segments, LUFS: of their powers, weighted by their lengths.
    pub loudness_lufs: Option<f64>,
    /// Mean signal-to-noise ratio of the segments, dB, weighted by their lengths.
    pub snr_db: Option<f64>,
    /// Mean of the segments' `denoised_snr_db`, weighted as `snr_db`.
    pub denoised_snr_db: Option<f64>,
    /// Mean of the segments' `dnsmos_overall`, weighted as `snr_db`.
    pub dnsmos_overall: Option<f64>,
    /// Number of packets of the audio track; 0 if they were not counted.
    pub packets: u64,
    /// Number of packets that could not be decoded.
    pub decode_errors: u64,
    /// Whether the file ends earlier than its header says.
    pub truncated: bool,
    /// Where silence replaces missing audio.
    pub gaps: Gaps,
    /// Warnings about a recording that is done: `truncated`, `decode_errors: 3`, `gaps: 2 (1.3 s)`, `skipped_bytes: 8000`,
    /// `phase_inverted`, `dual_mono`.
    pub warnings: Vec<String>,
    /// Time spent in each stage.
    pub times: StageTimes,
    /// Numbers of segments that were dropped, by the name of the criterion that they do not meet, such as `min_snr`.
    pub dropped_segments: BTreeMap<String, u64>,
    /// The speech segments, in order of time.
    pub segments: Vec<Segment>,
    /// The speech probabilities of its windows, if they are to be stored in the database.
    pub probabilities: Option<PackedProbabilities>,
}

/// Time spent in each stage of one recording, in milliseconds of the stage's thread.
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
    /// The whole preparation, from the claim to the last file. Stages overlap, so it is not their sum.
    pub total_ms: f64,
}

/// The speech probabilities of a recording's windows, packed for the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedProbabilities {
    /// What computed them: the model's SHA-256 and, if channels were not mixed, a slash and `split` or the channel.
    pub model_key: String,
    /// Version number of the packing format.
    pub coding: u32,
    /// Total number of windows of all channels.
    pub windows: u64,
    /// The packed probabilities.
    pub data: Vec<u8>,
}
