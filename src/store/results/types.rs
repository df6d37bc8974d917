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
            segment: annotated_segment(row)?,
        })
    }
}

/// A done recording, without its segments.
#[derive(Clone, Debug, PartialEq)]
pub struct DoneRecording {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// Its recipe.
    pub recipe: String,
    /// Name and version of the model.
    pub model: Option<String>,
    /// When it was prepared, in milliseconds since 1970.
    pub finished_at: i64,
    /// Length in seconds.
    pub duration_s: f64,
    /// The container's short name.
    pub container: Option<String>,
    /// Sample rate of the source, Hz.
    pub sample_rate: Option<u32>,
    /// Channels of the source.
    pub channels: Option<u16>,
    /// Seconds by which the audio begins later than the film that it belongs to; 0 where that is not known.
    pub start_offset_s: f64,
    /// What the user's own table says of the recording, a JSON object.
    pub metadata: Option<String>,
}

impl DoneRecording {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        let small = |name| row.optional_integer(name).map(|value| u32::try_from(value?).ok());
        Ok(Self {
            id: row.integer("id")?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            model: row.optional_text("model")?,
            finished_at: row.optional_integer("finished_at")?.unwrap_or_default(),
            duration_s: row.optional_real("duration_s")?.unwrap_or_default(),
            container: row.optional_text("container")?,
            sample_rate: small("sample_rate")?,
            channels: small("channels")?.and_then(|channels| channels.try_into().ok()),
            start_offset_s: row.optional_real("start_offset_s")?.unwrap_or_default(),
            metadata: row.optional_text("metadata")?,
        })
    }
}

/// A recipe that recordings are done under.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecipeCount {
    /// The recipe: a hash of model and parameters.
    pub recipe: String,
    /// Done recordings of this recipe.
    pub recordings: u64,
    /// Name and version of the model.
    pub model: Option<String>,
    /// The recipe in words, JSON.
    #[serde(serialize_with = "prepare_audio_types::serialize_json_text")]
    pub parameters: Option<String>,
}

impl RecipeCount {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            recipe: row.text("recipe")?,
            recordings: row.integer("recordings").map(columns::unsigned)?,
            model: row.optional_text("model")?,
            parameters: row.optional_text("parameters")?,
        })
    }
}

/// A segment with the id of its recording.
pub(super) fn numbered_segment(row: &Row) -> sqlx::Result<(i64, Segment)> {
    Ok((row.integer("recording_id")?, annotated_segment(row)?))
}

/// The files that a segment row refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The recording's id.
    pub recording_id: i64,
    /// The segment's position in it.
    pub idx: i64,
    /// The file; empty if there is none.
    pub path: String,
    /// The file without noise.
    pub denoised_path: Option<String>,
}

impl Reference {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            recording_id: row.integer("recording_id")?,
            idx: row.integer("idx")?,
            path: row.text("path")?,
            denoised_path: row.optional_text("denoised_path")?,
        })
    }
}

/// A segment with its annotation.
fn annotated_segment(row: &Row) -> sqlx::Result<Segment> {
    Ok(Segment { tag: row.optional_text("tag")?, note: row.optional_text("note")?, ..segment(row)? })
}

/// The columns of a segment.
pub(in crate::store) fn segment(row: &Row) -> sqlx::Result<Segment> {
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
