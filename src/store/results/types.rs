//! Rows of results.

use prepare_audio_types::{Gaps, PackedProbabilities, Segment, StoredRecording, StoredSegment};
use serde::Serialize;

use crate::store::{
    columns::{self, FACTS, PROBABILITIES, SEGMENT},
    row::Row,
};

/// A segment row with the recording that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentOf {
    /// The recording's id.
    pub recording_id: i64,
    /// The recording's source.
    pub source: String,
    /// The recording's recipe.
    pub recipe: String,
    /// The recording's metadata from the user's own table, a JSON object.
    #[serde(serialize_with = "prepare_audio_types::serialize_json_text", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The segment itself.
    #[serde(flatten)]
    pub segment: Segment,
}

impl SegmentOf {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            recording_id: row.integer("recording_id")?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            metadata: row.optional_text("metadata")?,
            segment: segment(row)?,
        })
    }
}

/// A file that a segment row refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The recording's id.
    pub recording_id: i64,
    /// The segment's position in it.
    pub idx: i64,
    /// The file.
    pub path: String,
}

impl Reference {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self { recording_id: row.integer("recording_id")?, idx: row.integer("idx")?, path: row.text("path")? })
    }
}

fn segment(row: &Row) -> sqlx::Result<Segment> {
    columns::read(SEGMENT, Segment::default(), row)
}

/// A segment with the recipe that it was cut under.
pub(super) fn stored_segment(row: &Row) -> sqlx::Result<StoredSegment> {
    Ok(StoredSegment { parameters: row.optional_text("parameters")?, segment: segment(row)? })
}

/// A done recording with its stored probabilities, without its segments.
pub(super) fn stored_recording(row: &Row) -> sqlx::Result<StoredRecording> {
    let none = PackedProbabilities { model_key: String::new(), coding: 0, windows: 0, data: Vec::new() };
    let recording = StoredRecording {
        gaps: Gaps::default(),
        start_offset_s: None,
        track: None,
        tracks: None,
        id: row.integer("id")?,
        container: String::new(),
        codec: String::new(),
        sample_rate: 0,
        channels: 0,
        bytes: 0,
        samples: 0,
        decode_errors: 0,
        truncated: false,
        warnings: Vec::new(),
        // Coding 0 is unknown, as is any that is out of range.
        probabilities: columns::read(PROBABILITIES, none, row)?,
        segments: Vec::new(),
    };
    columns::read(FACTS, recording, row)
}
