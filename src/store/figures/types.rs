//! Rows of figures.

use serde::Serialize;

use crate::store::{State, columns, row::Row};

/// A class of a histogram that has values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Class {
    /// Its position, from 0.
    pub class: u64,
    /// Number of values.
    pub number: u64,
    /// Their sum.
    pub total: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest of them.
    pub greatest: f64,
}

impl Class {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            class: row.integer("class").map(columns::unsigned)?,
            number: row.integer("number").map(columns::unsigned)?,
            total: row.real("total")?,
            least: row.real("least")?,
            greatest: row.real("greatest")?,
        })
    }
}

/// A name, and how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameCount {
    /// The name; empty where rows have none.
    pub name: String,
    /// Number of rows.
    pub number: u64,
}

impl NameCount {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self { name: row.text("name")?, number: row.integer("number").map(columns::unsigned)? })
    }
}

/// A segment or a recording with an extreme value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extreme {
    /// The recording's id.
    pub recording_id: i64,
    /// Its source.
    pub source: String,
    /// The segment's position in it, from 0; `None` for a recording.
    pub idx: Option<i64>,
    /// The segment's start, seconds.
    pub start_s: Option<f64>,
    /// The segment's end, seconds.
    pub end_s: Option<f64>,
    /// The value.
    pub value: f64,
}

impl Extreme {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            recording_id: row.integer("id")?,
            source: row.text("source")?,
            idx: row.optional_integer("idx")?,
            start_s: row.optional_real("start_s")?,
            end_s: row.optional_real("end_s")?,
            value: row.real("value")?,
        })
    }
}

/// How long the stages of done recordings took, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageTotals {
    /// Number of recordings.
    pub recordings: u64,
    /// Their length, seconds.
    pub duration_s: f64,
    /// Decoding, milliseconds.
    pub decode_ms: f64,
    /// Downmix and resampling, milliseconds.
    pub resample_ms: f64,
    /// Speech detection, milliseconds.
    pub vad_ms: f64,
    /// Writing of segment files, milliseconds.
    pub write_ms: f64,
    /// From the beginning to the end of each recording, milliseconds. Stages that ran at the same time count once.
    pub total_ms: f64,
}

impl StageTotals {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            recordings: row.integer("recordings").map(columns::unsigned)?,
            duration_s: row.real("duration_s")?,
            decode_ms: row.real("decode_ms")?,
            resample_ms: row.real("resample_ms")?,
            vad_ms: row.real("vad_ms")?,
            write_ms: row.real("write_ms")?,
            total_ms: row.real("total_ms")?,
        })
    }
}

/// A recording as it is counted for its group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedRecording {
    /// Its id.
    pub id: i64,
    /// Its state.
    pub state: State,
    /// The column that it is grouped by, or all metadata as JSON.
    pub value: Option<String>,
    /// Its length in seconds; 0 where that is not known.
    pub duration_s: f64,
    /// Its speech in seconds.
    pub speech_s: f64,
    /// Its segments.
    pub segments: u64,
}

impl GroupedRecording {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.integer("id")?,
            state: State::read(row)?,
            value: row.optional_text("value")?,
            duration_s: row.optional_real("duration_s")?.unwrap_or_default(),
            speech_s: row.optional_real("speech_s")?.unwrap_or_default(),
            segments: row.optional_integer("segments")?.map(columns::unsigned).unwrap_or_default(),
        })
    }
}
