//! Statements as data: a text that both databases take, and its parameters.

use std::borrow::Cow;

use super::ClaimKey;

/// A statement with its parameters.
///
/// The text is the same for both databases. Words in braces are replaced by [`Dialect`](super::dialect::Dialect) when it
/// is executed. Parameters are `$1`, `$2` and so on.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// The SQL text. It never contains what a user typed.
    pub text: Cow<'static, str>,
    /// The values of its parameters, in order.
    pub parameters: Vec<Value<'a>>,
    /// Number of columns of each row that `{values}` stands for.
    pub width: usize,
    /// Whether the connection may keep the prepared statement for the next time.
    pub persistent: bool,
}

impl<'a> Statement<'a> {
    /// A statement without parameters so far.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), parameters: Vec::new(), width: 0, persistent: true }
    }

    /// A statement whose first parameters are a claim: `$1` id, `$2` token, `$3` claim_id.
    pub fn of_claim(text: impl Into<Cow<'static, str>>, key: &'a ClaimKey) -> Self {
        Self::new(text).bind(key.id).bind(key.token).bind(&key.claim_id)
    }

    /// An INSERT of several rows: `{values}` in the text stands for `parameters`, `width` of them to a row.
    ///
    /// Its text depends on the number of rows, so that keeping it prepared does not pay.
    pub fn insert(text: impl Into<Cow<'static, str>>, width: usize, parameters: Vec<Value<'a>>) -> Self {
        Self { text: text.into(), parameters, width, persistent: false }
    }

    /// Adds the value of the next parameter.
    pub fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.parameters.push(value.into());
        self
    }

    /// Adds the values of the next parameters.
    pub fn bind_all(mut self, values: impl IntoIterator<Item = Value<'a>>) -> Self {
        self.parameters.extend(values);
        self
    }
}

/// A value as the databases know it. NULL has a type too: PostgreSQL wants to know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// BIGINT.
    Integer(Option<i64>),
    /// DOUBLE PRECISION.
    Real(Option<f64>),
    /// TEXT.
    Text(Option<Cow<'a, str>>),
    /// BYTEA or BLOB.
    Blob(Option<&'a [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(Some(value))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        value.as_str().into()
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Cow::from))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value.map(Cow::from))
    }
}
