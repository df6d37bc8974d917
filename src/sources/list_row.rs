//! One row of a list or of another database's table: a path, and what else is known of the recording.

use std::collections::BTreeMap;

use prepare_audio_types::Part;
use serde_json::value::{RawValue, to_raw_value};

use crate::store::NewRecording;

/// Names of the column or key that holds the path, in the order in which they are tried: those that corpora and toolkits use.
const PATH_KEYS: [&str; 9] =
    ["source", "path", "audio_filepath", "audio_path", "file", "filename", "file_name", "audio", "wav"];

/// Whether a column of this name may hold the path.
pub(super) fn is_path_key(name: &str) -> bool {
    PATH_KEYS.iter().any(|key| key.eq_ignore_ascii_case(name))
}

/// A row by its columns. The values are kept as they were written, because a number may have more digits than an `f64` holds.
pub(super) struct Row(BTreeMap<String, Box<RawValue>>);

impl Row {
    /// A JSON object.
    pub fn of_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// Cells of text with their titles. Of equal titles the first counts; cells without a title are left out.
    pub fn of_texts<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> serde_json::Result<Self> {
        let mut columns = BTreeMap::new();
        for (title, cell) in cells.filter(|(title, _)| !title.is_empty()) {
            if !columns.contains_key(title) {
                columns.insert(title.to_owned(), to_raw_value(cell)?);
            }
        }
        Ok(Self(columns))
    }

    /// The columns' names, for messages.
    pub fn columns(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The first column with a name for paths whose value is `fit`.
    pub fn path_column(&self, fit: impl Fn(&RawValue) -> bool) -> Option<&str> {
        let named = |key: &str| self.0.iter().find(|(name, value)| name.eq_ignore_ascii_case(key) && fit(value));
        PATH_KEYS.iter().find_map(|key| named(key)).map(|(name, _)| name.as_str())
    }

    /// The column `name` as it is spelt here; upper and lower case do not matter.
    pub fn column(&self, name: &str) -> Option<&str> {
        self.0.keys().find(|column| column.eq_ignore_ascii_case(name)).map(String::as_str)
    }

    /// Removes a column and returns its value.
    pub fn take(&mut self, column: &str) -> Option<Box<RawValue>> {
        self.0.remove(column)
    }

    /// The part of the file that NeMo's keys `offset` and `duration` state, in seconds. Without `offset`, a duration is that of
    /// the whole file. Both stay in the metadata.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn part(&self) -> Result<Option<Part>, String> {
        let seconds = |key: &str| match self.0.get(key).map(|value| value.get()) {
            None | Some("null") => Ok(None),
            Some(text) => text.parse::<f64>().map(Some).map_err(|_| format!("{key} holds {text}, which is no number")),
        };
        let Some(offset) = seconds("offset")? else { return Ok(None) };
        let duration = seconds("duration")?;
        let no_span = || {
            let duration = duration.map_or_else(String::new, |duration| format!(" and duration {duration}"));
            format!("offset {offset}{duration} are no span of time")
        };
        Part::new(offset, duration).map(Some).ok_or_else(no_span)
    }

    /// The recording `source`. The columns that are left become its metadata.
    pub fn recording(self, source: String, priority: i64) -> NewRecording {
        let metadata = (!self.0.is_empty()).then(|| serde_json::to_string(&self.0).ok()).flatten();
        NewRecording { source, priority, metadata }
    }
}

/// The text, if the value is one.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The names for the path, for messages.
pub(super) fn expected() -> String {
    PATH_KEYS.map(|key| format!("\"{key}\"")).join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_found_and_the_rest_is_metadata() {
        for (row, path, metadata) in [
            (r#"{"path":"a"}"#, Some("a"), None),
            (r#"{"id":1,"PATH":"a"}"#, Some("a"), Some(r#"{"id":1}"#)),
            (r#"{"path":"a","source":"b"}"#, Some("b"), Some(r#"{"path":"a"}"#)),
            (r#"{"audio":{"path":"a"},"file":"b"}"#, Some("b"), Some(r#"{"audio":{"path":"a"}}"#)),
            (
                r#"{"wav":"a","n":12345678901234567890.10,"z":null}"#,
                Some("a"),
                Some(r#"{"n":12345678901234567890.10,"z":null}"#),
            ),
            (r#"{"name":"a"}"#, None, None),
        ] {
            let mut row = Row::of_json(row).unwrap();
            let column = row.path_column(|value| text(value).is_some()).map(str::to_owned);
            let source = column.and_then(|column| text(&row.take(&column)?));
            assert_eq!(source.as_deref(), path);
            if let Some(source) = source {
                assert_eq!(row.recording(source, 0).metadata.as_deref(), metadata);
            }
        }
        assert!(Row::of_json("[1]").is_err() && Row::of_json("\"a\"").is_err());
    }
}
