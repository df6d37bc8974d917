//! The keys of the metadata as columns.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::columns::{Column, Kind};

/// The keys of all metadata, in order of name, for formats whose columns must be known before the first row.
#[derive(Clone, Debug, Default)]
pub struct MetadataColumns(BTreeMap<String, Values>);

/// The values that a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Text,
    Number,
    Bool,
    /// Arrays and objects; and values whose kinds differ from row to row. They are written as JSON text.
    Mixed,
}

impl MetadataColumns {
    /// Takes note of the keys of a recording's metadata.
    pub fn add(&mut self, metadata: &Map<String, Value>) {
        for (key, value) in metadata {
            let values = match value {
                Value::Null => continue,
                Value::String(_) => Values::Text,
                Value::Number(_) => Values::Number,
                Value::Bool(_) => Values::Bool,
                Value::Array(_) | Value::Object(_) => Values::Mixed,
            };
            match self.0.get_mut(key) {
                Some(known) if *known != values => *known = Values::Mixed,
                Some(_) => {}
                None => {
                    self.0.insert(key.clone(), values);
                }
            }
        }
    }

    /// The columns whose names are not those of `columns`, of the audio or of a segment's id.
    pub(super) fn without(&self, columns: &[Column]) -> Self {
        let is_taken =
            |key: &str| ["audio", "file_name", "id"].contains(&key) || columns.iter().any(|column| column.name == key);
        Self(self.0.iter().filter(|(key, _)| !is_taken(key)).map(|(key, kind)| (key.clone(), *kind)).collect())
    }

    /// Names of the columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and kinds of the columns.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet needs the kinds of columns"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.0.iter().map(|(name, values)| {
            let kind = match values {
                Values::Text | Values::Mixed => Kind::Text,
                Values::Number => Kind::Real,
                Values::Bool => Kind::Bool,
            };
            (name.as_str(), kind)
        })
    }

    /// The values of the columns in order. Every column has one kind: readers derive a column's type from its values.
    pub(super) fn values<'a>(&'a self, metadata: &'a Map<String, Value>) -> impl Iterator<Item = (&'a str, Value)> {
        self.0.iter().map(|(name, values)| {
            let value = match (values, metadata.get(name)) {
                (_, None | Some(Value::Null)) => Value::Null,
                (Values::Mixed, Some(Value::String(text))) => Value::String(text.clone()),
                (Values::Mixed, Some(other)) => Value::String(other.to_string()),
                (_, Some(value)) => value.clone(),
            };
            (name.as_str(), value)
        })
    }
}
