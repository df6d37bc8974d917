//! The columns of recording and segment that exports write and conditions name.

#![cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet needs the kinds of columns"))]

use std::borrow::Cow;

use prepare_audio_types::Segment;
use serde_json::Value;

use super::Recording;

/// A column: its name, the kind of its values, and how a segment's value is found.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name in tables and in conditions.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// The value of a segment of a recording.
    pub value: for<'a> fn(&'a Recording, &'a Segment) -> Cell<'a>,
}

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Integer,
    Real,
    Text,
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
}

impl Column {
    /// The column of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COLUMNS.iter().find(|column| column.name == name)
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A list of columns: a line for each, as `"name": Kind = |recording, segment| value,`.
macro_rules! columns {
    ($($name:literal: $kind:ident = |$recording:pat_param, $segment:pat_param| $value:expr,)*) => {
        &[$($crate::export::columns::Column {
            name: $name,
            kind: $crate::export::columns::Kind::$kind,
            value: |$recording, $segment| $crate::export::columns::Cell::from($value),
        }),*]
    };
}
pub(super) use columns;

/// All columns. What a recording and its segments both have, as `channels`, is the recording's.
pub(super) const COLUMNS: &[Column] = columns! {
    "recording_id": Integer = |recording, _| recording.recording_id,
    "source": Text = |recording, _| recording.source.as_str(),
    "recipe": Text = |recording, _| recording.recipe.as_str(),
    "model": Text = |recording, _| recording.model.as_deref(),
    "container": Text = |recording, _| recording.container.as_deref(),
    "sample_rate": Integer = |recording, _| recording.sample_rate.map(i64::from),
    "channels": Integer = |recording, _| recording.channels.map(i64::from),
    "duration_s": Real = |recording, _| recording.duration_s,
    "start_offset_s": Real = |recording, _| recording.start_offset_s,
    "idx": Integer = |_, segment| integer(segment.idx),
    "channel": Integer = |_, segment| segment.channel.map(i64::from),
    "start_sample": Integer = |_, segment| integer(segment.start_sample),
    "end_sample": Integer = |_, segment| integer(segment.end_sample),
    "start_s": Real = |_, segment| segment.start_s,
    "end_s": Real = |_, segment| segment.end_s,
    "segment_s": Real = |_, segment| segment.end_s - segment.start_s,
    "path": Text = |_, segment| segment.path.as_deref(),
    "sha256": Text = |_, segment| segment.sha256.as_deref(),
    "bytes": Integer = |_, segment| segment.bytes.map(integer),
    "mean_probability": Real = |_, segment| segment.mean_probability,
    "min_probability": Real = |_, segment| segment.min_probability,
    "cut": Text = |_, segment| segment.cut.as_deref(),
    "level_dbfs": Real = |_, segment| segment.level_dbfs,
    "peak_dbfs": Real = |_, segment| segment.peak_dbfs,
    "loudness_lufs": Real = |_, segment| segment.loudness_lufs,
    "clipped": Real = |_, segment| segment.clipped,
    "dc_offset": Real = |_, segment| segment.dc_offset,
    "snr_db": Real = |_, segment| segment.snr_db,
    "bandwidth_hz": Real = |_, segment| segment.bandwidth_hz,
    "speech_ratio": Real = |_, segment| segment.speech_ratio,
    "denoised_path": Text = |_, segment| segment.denoised_path.as_deref(),
    "denoised_sha256": Text = |_, segment| segment.denoised_sha256.as_deref(),
    "denoised_bytes": Integer = |_, segment| segment.denoised_bytes.map(integer),
    "denoised_snr_db": Real = |_, segment| segment.denoised_snr_db,
    "dnsmos_signal": Real = |_, segment| segment.dnsmos_signal,
    "dnsmos_background": Real = |_, segment| segment.dnsmos_background,
    "dnsmos_overall": Real = |_, segment| segment.dnsmos_overall,
    "gap_s": Real = |_, segment| segment.gap_s,
    "parts": Text = |_, segment| segment.parts.as_deref(),
    "tag": Text = |_, segment| segment.tag.as_deref(),
    "note": Text = |_, segment| segment.note.as_deref(),
    "text": Text = |recording, _| recording.segment_text(),
};

/// Positions and sizes are far below this limit.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Cell<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Arrays and objects are written as JSON text.
impl From<Value> for Cell<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.as_i64() {
                Some(value) => Self::Integer(value),
                None => number.as_f64().into(),
            },
            Value::String(text) => text.into(),
            other => other.to_string().into(),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Bool(value) => value.into(),
            Cell::Integer(value) => value.into(),
            Cell::Real(value) => value.into(),
            Cell::Text(value) => value.into_owned().into(),
        }
    }
}
