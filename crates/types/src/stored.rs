//! The stored result of an earlier preparation of a source.

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
    /// Seconds by which the audio starts after the video of the same file.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that was prepared, from 1; `None` if it is not known.
    pub track: Option<u32>,
    /// The audio tracks of a file with several: a JSON array.
    pub tracks: Option<String>,
    /// Number of packets that could not be decoded.
    pub decode_errors: u64,
    /// Whether the file ends earlier than its header says.
    pub truncated: bool,
    /// Where silence replaces missing audio.
    pub gaps: Gaps,
    /// The row's warnings.
    pub warnings: Vec<String>,
    /// The speech probabilities of its windows.
    pub probabilities: PackedProbabilities,
    /// The source's segments of every recipe that used the same probabilities. Segments with equal boundaries have equal
    /// audio.
    pub segments: Vec<StoredSegment>,
}

/// A segment of an earlier preparation.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSegment {
    /// The recipe in full: model and parameters, as JSON.
    pub parameters: Option<String>,
    /// The segment.
    pub segment: Segment,
}
