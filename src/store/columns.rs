//! The columns of what is stored, each listed once: the texts of INSERT, UPDATE and SELECT, the parameters and the
//! reading of rows are all made from these lists.
//!
//! SQL has signed integers only. They are converted to the types of the program here and nowhere else; values that a user
//! has edited into nonsense become the nearest sensible ones.

use prepare_audio_types::{Gaps, PackedProbabilities, PreparedRecording, Segment, StoredRecording};
use serde_json::json;

use super::{row::Row, statement::Value};

/// A column: how a `W` is written into it, and how it is read into an `R`.
pub struct Column<W, R = W> {
    /// Its name in the table.
    pub name: &'static str,
    /// The value to write.
    pub value: for<'a> fn(&'a W) -> Value<'a>,
    /// Reads it; `None` where nothing of the program does.
    pub read: Option<fn(&mut R, &Row) -> sqlx::Result<()>>,
}

/// A column of the field of the same name; after a colon, the column's name and the field where they differ.
macro_rules! column {
    ($name:ident) => {
        Column {
            name: stringify!($name),
            value: |from| from.$name.to_value(),
            read: Some(|into, row| {
                into.$name = ColumnValue::read(row, stringify!($name))?;
                Ok(())
            }),
        }
    };
}

/// A column that is written only.
macro_rules! written {
    ($name:ident: $($field:ident).+) => {
        Column { name: stringify!($name), value: |from| from.$($field).+.to_value(), read: None }
    };
}

/// A column NOT NULL of texts, where the empty text stands for none.
macro_rules! empty_for_none {
    ($name:ident) => {
        Column {
            name: stringify!($name),
            value: |from| from.$name.as_deref().unwrap_or_default().into(),
            read: Some(|into, row| {
                into.$name = row.optional_text(stringify!($name))?.filter(|text| !text.is_empty());
                Ok(())
            }),
        }
    };
}

/// What the row of a done recording says of it.
pub const FACTS: &[Column<PreparedRecording, StoredRecording>] = &[
    written!(parameters: parameters),
    written!(model: model),
    column!(container),
    column!(codec),
    column!(sample_rate),
    column!(channels),
    column!(bytes),
    column!(samples),
    written!(duration_s: duration_s),
    written!(speech_s: speech_s),
    written!(speech_ratio: speech_ratio),
    written!(loudness_lufs: loudness_lufs),
    written!(snr_db: snr_db),
    written!(denoised_snr_db: denoised_snr_db),
    written!(dnsmos_overall: dnsmos_overall),
    column!(decode_errors),
    column!(truncated),
    Column {
        name: "gaps",
        value: |from| from.gaps.to_json().into(),
        read: Some(|into, row| {
            let lost_s = row.optional_real("lost_s")?.unwrap_or_default();
            into.gaps = Gaps::from_json(row.optional_text("gaps")?.as_deref(), lost_s);
            Ok(())
        }),
    },
    Column { name: "lost_s", value: |from| Value::Real(Some(from.gaps.lost_s())), read: Some(|_, _| Ok(())) },
    column!(start_offset_s),
    column!(track),
    column!(tracks),
    written!(decode_ms: times.decode_ms),
    written!(resample_ms: times.resample_ms),
    written!(vad_ms: times.vad_ms),
    written!(write_ms: times.write_ms),
    written!(total_ms: times.total_ms),
    Column { name: "segments", value: |from| rows(from.segments.len()).into(), read: None },
    column!(warnings),
    Column {
        name: "dropped_segments",
        value: |from| {
            let dropped = &from.dropped_segments;
            (!dropped.is_empty()).then(|| json!(dropped).to_string()).into()
        },
        read: None,
    },
];

/// The columns of `segment` that `quality --backfill` computes, and those before and after them in [`SEGMENT`].
macro_rules! segment_columns {
    ([$($before:expr,)*] [$($quality:expr,)*] [$($after:expr,)*]) => {
        /// The table `segment`, but for `recording_id` and `token`, which are the claim's.
        pub const SEGMENT: &[Column<Segment>] = &[$($before,)* $($quality,)* $($after,)*];

        /// The figures in it that depend on the audio alone.
        pub const QUALITY: &[Column<Segment>] = &[$($quality,)*];
    };
}

segment_columns! {
    [
        column!(idx),
        column!(start_sample),
        column!(end_sample),
        column!(start_s),
        column!(end_s),
        empty_for_none!(path),
        empty_for_none!(sha256),
        column!(mean_probability),
        column!(min_probability),
        column!(cut),
    ]
    [
        column!(level_dbfs),
        column!(peak_dbfs),
        column!(loudness_lufs),
        column!(clipped),
        column!(dc_offset),
        column!(snr_db),
        column!(bandwidth_hz),
        column!(speech_ratio),
        column!(dnsmos_signal),
        column!(dnsmos_background),
        column!(dnsmos_overall),
    ]
    [
        column!(denoised_path),
        column!(denoised_sha256),
        column!(denoised_bytes),
        column!(denoised_snr_db),
        column!(parts),
        column!(gap_s),
        column!(channel),
        column!(bytes),
        column!(sample_rate),
        column!(channels),
    ]
}

/// The table `probabilities`, but for `recording_id`.
pub const PROBABILITIES: &[Column<PackedProbabilities>] =
    &[column!(model_key), column!(coding), column!(windows), column!(data)];

/// The names of all columns, for an INSERT.
pub fn names<W, R>(columns: &[Column<W, R>]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// The columns that are read, for a SELECT from a table of this alias.
pub fn selected<W, R>(columns: &[Column<W, R>], alias: &str) -> String {
    let read = columns.iter().filter(|column| column.read.is_some());
    read.map(|column| format!("{alias}.{}", column.name)).collect::<Vec<_>>().join(", ")
}

/// `a = new.column4, b = new.column5`, for an UPDATE from a list of VALUES called `from`, after its first `skipped` columns.
pub fn assignments<W, R>(columns: &[Column<W, R>], from: &str, skipped: usize) -> String {
    let assignment = |(index, column): (usize, &Column<W, R>)| format!("{} = {from}.column{}", column.name, index + 1);
    let numbered = columns.iter().enumerate().map(|(index, column)| (index + skipped, column));
    numbered.map(assignment).collect::<Vec<_>>().join(", ")
}

/// The values of all columns, in the order of [`names`] and [`assignments`].
pub fn values<'a, W, R>(columns: &'a [Column<W, R>], from: &'a W) -> impl Iterator<Item = Value<'a>> {
    columns.iter().map(move |column| (column.value)(from))
}

/// Reads what [`selected`] names.
pub fn read<W, R>(columns: &[Column<W, R>], mut into: R, row: &Row) -> sqlx::Result<R> {
    for read in columns.iter().filter_map(|column| column.read) {
        read(&mut into, row)?;
    }
    Ok(into)
}

/// A type of the program as a column holds it.
trait ColumnValue: Sized {
    /// The value to write.
    fn to_value(&self) -> Value<'_>;

    /// Reads the column `name`.
    fn read(row: &Row, name: &str) -> sqlx::Result<Self>;
}

impl ColumnValue for u64 {
    fn to_value(&self) -> Value<'_> {
        signed(*self).into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.integer(name).map(unsigned)
    }
}

/// Unsigned numbers that every `i64` has room for. What is out of range when read is 0, or none.
macro_rules! small_numbers {
    ($($type:ty)*) => { $(
        impl ColumnValue for $type {
            fn to_value(&self) -> Value<'_> {
                i64::from(*self).into()
            }

            fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
                row.integer(name).map(|value| value.try_into().unwrap_or_default())
            }
        }

        impl ColumnValue for Option<$type> {
            fn to_value(&self) -> Value<'_> {
                self.map(i64::from).into()
            }

            fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
                row.optional_integer(name).map(|value| value?.try_into().ok())
            }
        }
    )* };
}

small_numbers!(u16 u32);

impl ColumnValue for Option<u64> {
    fn to_value(&self) -> Value<'_> {
        self.map(signed).into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.optional_integer(name).map(|value| value?.try_into().ok())
    }
}

impl ColumnValue for bool {
    fn to_value(&self) -> Value<'_> {
        i64::from(*self).into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.integer(name).map(|value| value != 0)
    }
}

impl ColumnValue for f64 {
    fn to_value(&self) -> Value<'_> {
        Value::Real(Some(*self))
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.real(name)
    }
}

impl ColumnValue for Option<f64> {
    fn to_value(&self) -> Value<'_> {
        Value::Real(*self)
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.optional_real(name)
    }
}

impl ColumnValue for String {
    fn to_value(&self) -> Value<'_> {
        self.into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.text(name)
    }
}

impl ColumnValue for Option<String> {
    fn to_value(&self) -> Value<'_> {
        self.as_deref().into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.optional_text(name)
    }
}

/// Bytes.
impl ColumnValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(Some(self))
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        row.blob(name)
    }
}

/// A list of texts: JSON, or NULL where it is empty.
impl ColumnValue for Vec<String> {
    fn to_value(&self) -> Value<'_> {
        (!self.is_empty()).then(|| json!(self).to_string()).into()
    }

    fn read(row: &Row, name: &str) -> sqlx::Result<Self> {
        let text = row.optional_text(name)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }
}

/// A count or a position from a column; 0 where it is negative.
pub fn unsigned(value: i64) -> u64 {
    value.try_into().unwrap_or_default()
}

/// A count or a position for a column.
pub fn signed(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// A number of rows, as the statements take it.
pub fn rows(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
