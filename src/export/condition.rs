//! Conditions such as `metadata.language = "de" and duration > 2`, which choose segments.

use std::{cmp::Ordering, str::FromStr};

use prepare_audio_types::Segment;
use serde_json::Value;

use super::Recording;

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

/// A field: the names between its dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field(Vec<String>);

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

/// The fields that are no metadata.
const COLUMNS: &[&str] = &[
    "recording_id",
    "source",
    "recipe",
    "model",
    "container",
    "sample_rate",
    "channels",
    "duration_s",
    "start_offset_s",
    "idx",
    "channel",
    "start_s",
    "end_s",
    "duration",
    "path",
    "mean_probability",
    "min_probability",
    "cut",
    "level_dbfs",
    "peak_dbfs",
    "loudness_lufs",
    "clipped",
    "dc_offset",
    "snr_db",
    "bandwidth_hz",
    "speech_ratio",
    "gap_s",
    "tag",
    "note",
];

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
        let (first, rest) = self.0.split_first()?;
        if first == "metadata" {
            let (key, rest) = rest.split_first()?;
            // A key may have dots itself.
            let whole = || recording.metadata.get(&self.0[1..].join("."));
            let nested = || rest.iter().try_fold(recording.metadata.get(key)?, |value, key| value.get(key));
            return nested().or_else(whole).filter(|value| !value.is_null()).cloned();
        }
        let value = match first.as_str() {
            "recording_id" => recording.recording_id.into(),
            "source" => recording.source.clone().into(),
            "recipe" => recording.recipe.clone().into(),
            "model" => recording.model.clone().into(),
            "container" => recording.container.clone().into(),
            "sample_rate" => recording.sample_rate.into(),
            "channels" => recording.channels.into(),
            "duration_s" => recording.duration_s.into(),
            "start_offset_s" => recording.start_offset_s.into(),
            "idx" => segment.idx.into(),
            "channel" => segment.channel.into(),
            "start_s" => segment.start_s.into(),
            "end_s" => segment.end_s.into(),
            "duration" => (segment.end_s - segment.start_s).into(),
            "path" => segment.path.clone().into(),
            "mean_probability" => segment.mean_probability.into(),
            "min_probability" => segment.min_probability.into(),
            "cut" => segment.cut.clone().into(),
            "level_dbfs" => segment.level_dbfs.into(),
            "peak_dbfs" => segment.peak_dbfs.into(),
            "loudness_lufs" => segment.loudness_lufs.into(),
            "clipped" => segment.clipped.into(),
            "dc_offset" => segment.dc_offset.into(),
            "snr_db" => segment.snr_db.into(),
            "bandwidth_hz" => segment.bandwidth_hz.into(),
            "speech_ratio" => segment.speech_ratio.into(),
            "gap_s" => segment.gap_s.into(),
            "tag" => segment.tag.clone().into(),
            "note" => segment.note.clone().into(),
            _ => Value::Null, // the parser knows the names
        };
        Some(value).filter(|value| !value.is_null())
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

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let condition = parser.any()?;
        match parser.peek() {
            None => Ok(condition),
            Some(token) => Err(InvalidCondition(format!("{token} is not expected there"))),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

/// Longest first, since `<` begins `<=`.
const SYMBOLS: &[&str] = &["<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")"];

fn tokens(text: &str) -> Result<Vec<Token>, InvalidCondition> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let mut value = String::new();
            let mut chars = rest.char_indices().skip(1);
            let end = loop {
                match chars.next() {
                    None => return Err(InvalidCondition(format!("{rest} lacks its closing quote"))),
                    Some((at, c)) if c == first => break at + 1,
                    Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                    Some((_, c)) => value.push(c),
                }
            };
            tokens.push(Token::Text(value));
            rest = &rest[end..];
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let is_end = |c: char| c.is_whitespace() || "<>=!()\"'".contains(c);
            let end = rest.find(is_end).unwrap_or(rest.len());
            if end == 0 {
                return Err(InvalidCondition(format!("{first} is not expected there")));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// Conditions within conditions, at most.
const DEEPEST: usize = 50;

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, what: &str) -> Result<Token, InvalidCondition> {
        let token = self.peek().cloned().ok_or_else(|| InvalidCondition(format!("{what} is missing at the end")))?;
        self.next += 1;
        Ok(token)
    }

    /// Goes past this word or symbol, if it is the next.
    fn skip(&mut self, wanted: &str) -> bool {
        let is_next = match self.peek() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(wanted),
            Some(Token::Symbol(symbol)) => *symbol == wanted,
            Some(Token::Text(_)) | None => false,
        };
        self.next += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.all()?];
        while self.skip("or") {
            conditions.push(self.all()?);
        }
        Ok(single_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.single()?];
        while self.skip("and") {
            conditions.push(self.single()?);
        }
        Ok(single_or(conditions, Condition::All))
    }

    fn single(&mut self) -> Result<Condition, InvalidCondition> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(InvalidCondition(format!("more than {DEEPEST} conditions lie within one another")));
        }
        let condition = if self.skip("not") {
            Condition::Not(Box::new(self.single()?))
        } else if self.skip("(") {
            let condition = self.any()?;
            if !self.skip(")") {
                return Err(InvalidCondition("a closing parenthesis is missing".into()));
            }
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, InvalidCondition> {
        let field = match self.take("a field")? {
            Token::Word(word) => field(&word)?,
            other => return Err(InvalidCondition(format!("{other} is not the name of a field"))),
        };
        if self.skip("is") {
            let is_not = self.skip("not");
            if !self.skip("null") {
                return Err(InvalidCondition("after `is` comes `null` or `not null`".into()));
            }
            let is_null = Condition::IsNull(field);
            return Ok(if is_not { Condition::Not(Box::new(is_null)) } else { is_null });
        }
        let operator = match self.take("an operator")? {
            Token::Symbol("=" | "==") => Operator::Equal,
            Token::Symbol("!=" | "<>") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            Token::Word(word) if word.eq_ignore_ascii_case("contains") => Operator::Contains,
            other => {
                return Err(InvalidCondition(format!("{other} is no operator: =, !=, <, <=, >, >= and contains are")));
            }
        };
        let value = match self.take("a value")? {
            Token::Text(text) => Value::String(text),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            Token::Word(word) => match word.parse::<f64>() {
                Ok(number) if number.is_finite() => number.into(),
                _ => return Err(InvalidCondition(format!("{word} is no value: put a text between quotes"))),
            },
            Token::Symbol(symbol) => return Err(InvalidCondition(format!("{symbol} is no value"))),
        };
        Ok(Condition::Compare(field, operator, value))
    }
}

fn single_or(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            many(conditions)
        }
        None => many(conditions),
    }
}

fn field(word: &str) -> Result<Field, InvalidCondition> {
    let names: Vec<String> = word.split('.').map(str::to_owned).collect();
    let is_metadata = names.len() > 1 && names[0] == "metadata" && names.iter().all(|name| !name.is_empty());
    if is_metadata || COLUMNS.contains(&word) {
        return Ok(Field(names));
    }
    Err(InvalidCondition(format!("{word} is no field: metadata.KEY, {} are", COLUMNS.join(", "))))
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
