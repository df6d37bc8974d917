//! Conditions such as `metadata.language = "de" and duration > 2`, which choose segments.

mod parse;

use std::cmp::Ordering;

use prepare_audio_types::Segment;
use serde_json::Value;

use super::{
    Recording,
    columns::{Cell, Column},
};

/// A condition on a segment and its recording.
///
/// ```text
/// condition  = all { "or" all }
/// all        = single { "and" single }
/// single     = "not" single | "(" condition ")" | field operator value | field "is" ["not"] "null"
/// operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains"
/// value      = "text" | 'text' | number | true | false
/// field      = metadata.KEY[.KEY...] | a column of recording or segment, such as duration, source, channel, cut
/// ```
///
/// As in SQL, a comparison with a value that is missing is false. Numbers compare with numbers, and with texts that are
/// numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// One of them.
    Any(Vec<Condition>),
    /// All of them.
    All(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Field, Operator, Value),
    /// Whether a field has no value.
    IsNull(Field),
}

/// A field of a segment, of its recording or of its metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Field(Source);

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    Column(&'static Column),
    /// A key, and the keys of objects within its value: the names between the dots.
    Metadata(Vec<String>),
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// A condition that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}; write a condition as in: metadata.language = \"de\" and duration > 2")]
pub struct InvalidCondition(String);

impl Condition {
    /// Whether a segment meets the condition.
    pub fn is_true(&self, recording: &Recording, segment: &Segment) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|condition| condition.is_true(recording, segment)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.is_true(recording, segment)),
            Self::Not(condition) => !condition.is_true(recording, segment),
            Self::Compare(field, operator, value) => {
                field.value(recording, segment).is_some_and(|found| operator.holds(&found, value))
            }
            Self::IsNull(field) => field.value(recording, segment).is_none(),
        }
    }
}

impl Field {
    /// The field's value; `None` where it is missing or null.
    fn value(&self, recording: &Recording, segment: &Segment) -> Option<Value> {
        let keys = match &self.0 {
            Source::Column(column) => {
                return Some((column.value)(recording, segment)).filter(|cell| *cell != Cell::Null).map(Value::from);
            }
            Source::Metadata(keys) => keys,
        };
        let (key, rest) = keys.split_first()?;
        // A key may have dots itself.
        let whole = || recording.metadata.get(&keys.join("."));
        let nested = || rest.iter().try_fold(recording.metadata.get(key)?, |value, key| value.get(key));
        nested().or_else(whole).filter(|value| !value.is_null()).cloned()
    }
}

impl Operator {
    fn holds(self, found: &Value, wanted: &Value) -> bool {
        if self == Self::Contains {
            return match found {
                Value::String(text) => text.contains(&as_text(wanted)),
                Value::Array(values) => values.iter().any(|value| compare(value, wanted) == Some(Ordering::Equal)),
                _ => false,
            };
        }
        let order = compare(found, wanted);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Contains => false, // above
        }
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The order of two values; `None` where they cannot be compared.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(_) | Value::String(_), Value::Number(_) | Value::String(_)) => {
            number(a)?.partial_cmp(&number(b)?)
        }
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn holds(condition: &str) -> bool {
        let metadata = json!({
            "language": "de", "age": 41, "year": "1999", "native": true, "tags": ["a", 2], "place": { "city": "Köln" },
            "a.b": "dotted", "nothing": null,
        });
        let recording = Recording {
            source: "/data/it's.wav".into(),
            duration_s: 60.0,
            metadata: metadata.as_object().unwrap().clone(),
            ..Recording::default()
        };
        let segment = Segment { start_s: 1.0, end_s: 3.5, channel: Some(2), ..Segment::default() };
        condition.parse::<Condition>().unwrap().is_true(&recording, &segment)
    }

    #[test]
    fn conditions_are_as_they_read() {
        for (condition, is_true) in [
            ("metadata.language = \"de\"", true),
            ("metadata.language='en'", false),
            ("metadata.language != 'en'", true),
            ("metadata.absent != 'en'", false), // as in SQL
            ("not metadata.absent = 'en'", true),
            ("metadata.absent is null", true),
            ("metadata.nothing is null", true),
            ("metadata.age is not null", true),
            ("metadata.age > 40.5", true),
            ("metadata.age >= 41 and metadata.age <= 41", true),
            ("metadata.age < '9'", false), // as numbers
            ("metadata.year < 2000", true),
            ("metadata.native = true", true),
            ("metadata.tags contains 'a'", true),
            ("metadata.tags contains 2", true),
            ("metadata.place.city = 'Köln'", true),
            ("metadata.a.b = 'dotted'", true),
            ("source contains \"it's\"", true),
            ("source contains 'it\\'s'", true),
            ("duration > 2 AND duration_s = 60", true),
            ("duration > 3 or channel = 2 and idx = 1", false),
            ("(duration > 3 or channel = 2) and idx = 0", true),
            ("not (channel = 2)", false),
            ("cut = 'silence'", false),
        ] {
            assert_eq!(holds(condition), is_true, "{condition}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (condition, problem) in [
            ("", "a field is missing"),
            ("language = 'de'", "language is no field"),
            ("metadata. = 1", "metadata. is no field"),
            ("duration", "an operator is missing"),
            ("duration >", "a value is missing"),
            ("duration > two", "two is no value"),
            ("duration ~ 2", "~ is no operator"),
            ("source = 'x", "closing quote"),
            ("(idx = 1", "closing parenthesis"),
            ("idx = 1 idx", "idx is not expected"),
            ("idx = 1 !", "! is not expected"),
            ("idx is 1", "`null` or `not null`"),
        ] {
            let error = condition.parse::<Condition>().unwrap_err().to_string();
            assert!(error.contains(problem), "{condition}: {error}");
        }
        assert!("(".repeat(100_000).parse::<Condition>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = text.parse::<Condition>();
        }
    }
}
