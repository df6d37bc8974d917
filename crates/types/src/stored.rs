//! What the database knows of a source from an earlier preparation.

use crate::{Gaps, PackedProbabilities, Segment};

/// A source that was prepared under another recipe, with its stored probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecording {
    /// The id of the recording's row.
    pub id: i64,
    /// The container's short name.
    pub container: String,
    /// The codec's short name.
    pub codec: String,
    /// Sample rate of the source, Hz.
    pub sample_rate: u32,
    /// Channels of the source.
    pub channels: u16,
    /// Length of the source file in bytes.
    pub bytes: u64,
    /// Length at 16 kHz, in samples.
    pub samples: u64,
    /// Seconds by which the audio begins later than the film that it belongs to.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that was prepared, from 1, as far as it is known.
    pub track: Option<u32>,
    /// The audio tracks of a file that has several: a JSON array.
    pub tracks: Option<String>,
    /// Packets that could not be decoded and were left out.
    pub decode_errors: u64,
    /// Whether the file ended before its header said so.
    pub truncated: bool,
    /// Where silence stands for audio that is missing.
    pub gaps: Gaps,
    /// The row's warnings.
    pub warnings: Vec<String>,
    /// The speech probabilities of its windows.
    pub probabilities: PackedProbabilities,
    /// Segments that were cut from it under any recipe, as far as they came from the very same probabilities. Equal
    /// boundaries then hold equal audio.
    pub segments: Vec<StoredSegment>,
}

/// A segment that was cut from a source before.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSegment {
    /// The recipe that it was cut under, in words.
    pub parameters: Option<String>,
    /// The segment.
    pub segment: Segment,
}
